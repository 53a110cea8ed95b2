"""One batch of articles, decided in memory and written in a handful of statements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from data.models import Article, ArticleName, Source
from data.store.database import bump, chunks, table
from data.store.prepare import DESK_FIELDS, Prepared, all_names
from data.values import PutResult

ARTICLES, NAMES, SOURCES = table(Article), table(ArticleName), table(Source)


@dataclass
class Held:
    """An article of this batch: stored already (`id`) or about to be."""

    id: int | None
    fields: dict[str, Any]
    is_new: bool = False
    is_changed: bool = False


@dataclass
class Upsert:
    """Finds which articles are known, then inserts and updates them all."""

    connection: Connection
    insert: Callable[..., Any]
    batch: Sequence[Prepared]
    now: datetime
    named: dict[str, Held] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    added_names: dict[str, Held] = field(default_factory=dict)

    def run(self) -> PutResult:
        # The counter's row lock comes first: two writers never decide about one article at the same time.
        rev = bump(self.connection, "article", len(self.batch))
        self._load()
        source_ids = self._sources()
        for prepared in self.batch:
            self._decide(prepared, source_ids)
        new = [one for one in self.held if one.is_new]
        changed = [one for one in self.held if one.is_changed and not one.is_new]
        for number, one in enumerate(new + changed):
            one.fields["rev"] = rev + number
        self._write(new, changed)
        return PutResult(len(new), len(changed), len(self.batch) - len(new) - len(changed))

    def _load(self) -> None:
        ids: dict[str, int] = {}
        for names in chunks(all_names(self.batch)):
            rows = self.connection.execute(select(NAMES.c.name, NAMES.c.article_id).where(NAMES.c.name.in_(names)))
            ids.update((row.name, row.article_id) for row in rows)
        found: dict[int, Held] = {}
        for part in chunks(sorted(set(ids.values()))):
            for row in self.connection.execute(select(ARTICLES).where(ARTICLES.c.id.in_(part))).mappings():
                found[row["id"]] = Held(row["id"], dict(row))
        self.named = {name: found[one] for name, one in ids.items()}
        self.held = list(found.values())

    def _sources(self) -> dict[str, int]:
        """Insert the outlets not met before, refresh the names of the others; returns our numbers by key."""
        wanted = {one.source[0]: one.source for one in self.batch if one.source}
        known: dict[str, int] = {}
        for part in chunks(list(wanted)):
            for row in self.connection.execute(select(SOURCES).where(SOURCES.c.key.in_(part))):
                known[row.key] = row.id
                self._rename(row, wanted[row.key])
        fresh = [{"key": k, "name": n, "icon_url": i, "trust": 0.5} for k, n, i in wanted.values() if k not in known]
        if fresh:
            made = self.insert(Source).returning(SOURCES.c.key, SOURCES.c.id)
            known.update((row.key, row.id) for row in self.connection.execute(made, fresh))
        return known

    def _rename(self, row: Any, source: tuple[str, str, str | None]) -> None:
        name, icon_url = source[1], source[2] or row.icon_url
        if (row.name, row.icon_url) != (name, icon_url):
            change = update(SOURCES).where(SOURCES.c.id == row.id).values(name=name, icon_url=icon_url)
            self.connection.execute(change)

    def _decide(self, prepared: Prepared, source_ids: dict[str, int]) -> None:
        fields = dict(prepared.fields, source_id=source_ids[prepared.source[0]] if prepared.source else None)
        match = next((name for name in prepared.names if name in self.named), None)
        if match is None:
            one = self._new(fields)
        else:
            one = self.named[match]
            if not match.startswith("text:"):  # the same text elsewhere is a copy: it adds a name, not a version
                self._change(one, fields)
        for name in prepared.names:
            if name not in self.named:
                self.named[name] = self.added_names[name] = one

    def _new(self, fields: dict[str, Any]) -> Held:
        fields["lifetime"] = fields["lifetime"] or "medium"
        fields["received_at"] = self.now
        one = Held(None, fields, is_new=True)
        self.held.append(one)
        return one

    def _change(self, one: Held, fields: dict[str, Any]) -> None:
        old = one.fields
        if fields["content_hash"] == old["content_hash"] or _is_older(fields, old):
            return
        kept = {name: old[name] for name in DESK_FIELDS if fields[name] is None}
        one.fields = old | fields | kept | {"key": old["key"]}
        one.is_changed = True

    def _write(self, new: list[Held], changed: list[Held]) -> None:
        if new:
            made = self.insert(Article).returning(ARTICLES.c.id, sort_by_parameter_order=True)
            ids = self.connection.execute(made, [_row(one) for one in new]).scalars()
            for one, number in zip(new, ids, strict=True):
                one.id = number
        if changed:
            columns: dict[str, Any] = {
                c.name: bindparam(c.name) for c in ARTICLES.c if c.name not in {"id", "story_id"}
            }
            change = update(ARTICLES).where(ARTICLES.c.id == bindparam("of_id")).values(columns)
            rows = [{**{k: v for k, v in one.fields.items() if k != "id"}, "of_id": one.id} for one in changed]
            self.connection.execute(change, rows)
        if self.added_names:
            rows = [{"name": name, "article_id": one.id} for name, one in self.added_names.items()]
            self.connection.execute(self.insert(ArticleName), rows)


def _row(one: Held) -> dict[str, Any]:
    empty = {"retracted_at": None, "story_id": None}
    return empty | one.fields


def _is_older(fields: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether the incoming version was edited before the one we hold: feeds and pushes overtake each other."""
    mine, theirs = old["updated_at"], fields["updated_at"]
    return mine is not None and theirs is not None and theirs < mine
