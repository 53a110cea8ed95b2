"""One transaction for the events of many posts: how events reach the table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from data.clock import instant, micros
from data.event_lines import EventLine
from data.store.database import Database, bump, give_back
from data.store.readers import reader_ids
from data.values import EventResult
from data.wire import FUTURE_GRACE

COLUMNS = (
    "key, reader_id, article_id, kind, at, received_at, dwell_s, served_id, position, surface, delivery_key, batch"
)
INSERT_SQLITE = f"insert into event ({COLUMNS}) values ({', '.join('?' * 12)}) on conflict (key) do nothing"  # noqa: S608
INSERT_POSTGRES = (  # one array a column: one statement and one round trip, however many rows
    f"insert into event ({COLUMNS}) select * from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], "  # noqa: S608
    "%s::bigint[], %s::bigint[], %s::float8[], %s::text[], %s::int[], %s::text[], %s::text[], %s::bigint[]) "
    "on conflict (key) do nothing"
)
Row = tuple[Any, ...]


@dataclass
class Post:
    """The events of one post and what became of them."""

    lines: Sequence[EventLine]
    fresh: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def result(self) -> EventResult:
        """The counts: whatever is neither fresh nor rejected was known already."""
        duplicate = len(self.lines) - self.fresh - len(self.rejected)
        return EventResult(self.fresh, duplicate, tuple(self.rejected))


class Append:
    """Appends the events of several posts in the caller's transaction; each post gets its own result."""

    def __init__(self, database: Database, connection: Connection, now: datetime) -> None:
        self.database, self.connection, self.now = database, connection, now
        self.owner: dict[str, Post] = {}  # event key -> the first post that brings it

    def run(self, posts: Sequence[Sequence[EventLine]]) -> list[EventResult]:
        """Write them all. Of equal keys the first stays."""
        made = [Post(lines) for lines in posts]
        number = bump(self.connection, "event")  # event writers take turns: what is looked up here stays true
        articles = self._numbers({line.article for post in made for line in post.lines})
        good = [line for post in made for line in self._good(post, articles)]
        if good:
            readers = reader_ids(self.connection, self.database, {line.reader for line in good}, self.now)
            self._write(self._rows(good, readers, articles, number), number)
        if not any(post.fresh for post in made):
            give_back(self.connection, "event")  # a number without events would make every process forget its readers
        return [post.result() for post in made]

    def _good(self, post: Post, articles: dict[str, int]) -> list[EventLine]:
        latest_us = micros(self.now + FUTURE_GRACE)
        found, owner = [], self.owner
        for index, line in enumerate(post.lines):
            if line.at_us > latest_us:
                post.rejected.append((index, self._late(line)))
            elif line.article not in articles:
                post.rejected.append((index, f"article: {line.article!r} is unknown; put the article first"))
            elif line.id not in owner:
                owner[line.id] = post
                found.append(line)
        post.fresh = len(found)
        return found

    def _late(self, line: EventLine) -> str:
        at = instant(line.at_us).isoformat()
        return f"at: {at} is in the future (now {self.now.isoformat()}); check the device's clock"

    def _rows(
        self, lines: Sequence[EventLine], readers: dict[str, int], articles: dict[str, int], number: int
    ) -> list[Row]:
        """In the order of COLUMNS."""
        now_us = micros(self.now)
        return [
            (
                one.id, readers[one.reader], articles[one.article], one.kind, one.at_us, now_us,
                one.dwell_s, one.served_id, one.position, one.surface, one.delivery_id, number,
            )
            for one in lines
        ]  # fmt: skip

    def _write(self, rows: list[Row], number: int) -> None:
        """Insert or ignore; only where some were known already it is looked up which."""
        if self.database.is_postgres:
            columns = tuple(list(column) for column in zip(*rows, strict=True))
            written = self.connection.exec_driver_sql(INSERT_POSTGRES, columns).rowcount
        else:
            written = self.connection.exec_driver_sql(INSERT_SQLITE, rows).rowcount
        if written < len(rows):
            mine = f"select key from event where batch = {number:d}"  # noqa: S608
            ours = set(self.connection.exec_driver_sql(mine).scalars())
            for key, post in self.owner.items():
                post.fresh -= key not in ours

    def _numbers(self, keys: set[str]) -> dict[str, int]:
        """Our number of each article key that is known."""
        return {
            name.removeprefix("key:"): number
            for name, number in self.database.look_up(
                self.connection, "article_name", "name", "article_id", [f"key:{key}" for key in keys]
            )
        }
