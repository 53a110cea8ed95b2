"""What was shown: pages of served lists, for judging and for learning; and the secret that lists are signed with."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, delete, select, type_coerce
from sqlalchemy.exc import IntegrityError

from data.clock import micros
from data.models import Event, Reader, Secret, Served
from data.store.database import Database, table
from data.values import ServedPage

COLUMNS = "served_id, surface, reader_id, article_id, served_at, first, article_ids, propensity, weight_version, teams"
# By the driver: of each answer one row, and building it through the model takes longer than the answer.
INSERT_SQLITE = f"insert into served ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
INSERT_POSTGRES = (
    f"insert into served ({COLUMNS}) select * from unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], "  # noqa: S608
    "%s::bigint[], %s::int[], %s::text[]::jsonb[], %s::text[]::jsonb[], %s::int[], %s::text[]::jsonb[])"
)
FORGOTTEN_AT_ONCE = 5_000  # pages
_encode = msgspec.json.Encoder().encode
SERVED, READERS, SECRETS, EVENTS = table(Served), table(Reader), table(Secret), table(Event)
OPENED = ("open", "read", "finish", "share", "save")  # what says that an article of a list was taken up


class ServedPages(Database):
    """The log of pages, appended by the workers and removed by age."""

    def add_served(self, pages: Sequence[ServedPage]) -> int:
        """Append pages in one transaction; those of a reader erased meanwhile are left out. Returns how many."""
        if not pages:
            return 0
        try:
            with self.transaction() as connection:
                rows = [_fields(page) for page in pages]
                if self.is_postgres:
                    columns = tuple(list(column) for column in zip(*rows, strict=True))
                    connection.exec_driver_sql(INSERT_POSTGRES, columns)
                else:
                    connection.exec_driver_sql(INSERT_SQLITE, rows)
            return len(pages)
        except IntegrityError:
            known = self._known({page.reader_id for page in pages if page.reader_id})
            left = [page for page in pages if page.reader_id is None or page.reader_id in known]
            return self.add_served(left) if len(left) < len(pages) else 0

    def _known(self, reader_ids: set[int]) -> set[int]:
        with self.reading() as connection:
            return set(connection.execute(select(READERS.c.id).where(READERS.c.id.in_(reader_ids))).scalars())

    def served(self, served_id: str) -> list[ServedPage]:
        """The pages of one list in the order of places."""
        query = select(SERVED).where(SERVED.c.served_id == served_id).order_by(SERVED.c.first, SERVED.c.id)
        with self.reading() as connection:
            return [_page(row) for row in connection.execute(query)]

    def served_since(self, at: datetime, *, limit: int = 100_000) -> list[ServedPage]:
        """The pages served from `at` on, oldest first: what learning reads."""
        query = select(SERVED).where(SERVED.c.served_at >= at).order_by(SERVED.c.served_at, SERVED.c.id).limit(limit)
        with self.reading() as connection:
            return [_page(row) for row in connection.execute(query)]

    def opened_since(self, at: datetime) -> list[tuple[int, int, int, str | None]]:
        """Reads from an instant on, oldest first: reader, article, microseconds, and the list it was opened on."""
        columns = EVENTS.c.reader_id, EVENTS.c.article_id, type_coerce(EVENTS.c.at, BigInteger), EVENTS.c.served_id
        query = select(*columns).where(EVENTS.c.at >= at, EVENTS.c.kind.in_(OPENED)).order_by(EVENTS.c.at, EVENTS.c.id)
        with self.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def forget_served(self, before: datetime) -> int:
        """Remove the pages served before a time; returns how many. Some at a time: writers wait for none of them."""
        total, oldest = 0, select(SERVED.c.id).where(SERVED.c.served_at < before).limit(FORGOTTEN_AT_ONCE)
        while True:
            with self.transaction() as connection:
                gone = int(connection.execute(delete(SERVED).where(SERVED.c.id.in_(oldest))).rowcount)
            total += gone
            if gone < FORGOTTEN_AT_ONCE:
                return total

    def secret(self, name: str) -> bytes:
        """A secret of this installation, made at its first use; the same for every process."""
        query = select(SECRETS.c.value).where(SECRETS.c.name == name)
        with self.reading() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            made = self.insert(Secret).values(name=name, value=secrets.token_hex(32))
            with self.transaction() as connection:
                connection.execute(made.on_conflict_do_nothing())
                found = connection.execute(query).scalar_one()
        return bytes.fromhex(found)


def _fields(page: ServedPage) -> tuple[Any, ...]:
    propensity, teams = (None if one is None else _encode(one).decode() for one in (page.propensity, page.teams))
    return (
        page.served_id, page.surface, page.reader_id, page.article_id, micros(page.served_at), page.first,
        _encode(page.article_ids).decode(), propensity, page.weight_version, teams,
    )  # fmt: skip


def _page(row: Any) -> ServedPage:
    propensity = None if row.propensity is None else tuple(row.propensity)
    return ServedPage(
        row.served_id,
        row.surface,
        row.reader_id,
        row.article_id,
        row.served_at,
        row.first,
        tuple(row.article_ids),
        row.weight_version,
        propensity,
        None if row.teams is None else tuple(row.teams),
    )
