"""Stories that the desk took apart: which pairs no automatic merge may make one."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from data.models import StoryApart
from data.store.database import Database, table

APART = table(StoryApart)
Pair = tuple[int, int]
Insert = Callable[[Any], Any]  # the store's


class Apart(Database):
    """Pairs of stories, the smaller number first."""

    def stories_apart(self) -> frozenset[Pair]:
        """Every pair; as many as were ever split by hand, so few."""
        with self.reading() as connection:
            return pairs_apart(connection)


def pairs_apart(connection: Connection) -> frozenset[Pair]:
    """Every pair that is kept apart."""
    return frozenset((row.one, row.other) for row in connection.execute(select(APART)))


def keep_apart(connection: Connection, insert: Insert, one: int, other: int) -> None:
    """Note that two stories are not to be merged."""
    made = insert(StoryApart).values(one=min(one, other), other=max(one, other))
    connection.execute(made.on_conflict_do_nothing())


def allow(connection: Connection, one: int, other: int) -> None:
    """Forget that two stories were kept apart."""
    pair = (APART.c.one == min(one, other)) & (APART.c.other == max(one, other))
    connection.execute(delete(APART).where(pair))


def carry_over(connection: Connection, insert: Insert, loser: int, keeper: int) -> None:
    """What the loser was kept apart from, the keeper is from now on."""
    which = or_(APART.c.one == loser, APART.c.other == loser)
    for row in connection.execute(delete(APART).where(which).returning(APART.c.one, APART.c.other)).all():
        other = row.other if row.one == loser else row.one
        if other != keeper:
            keep_apart(connection, insert, keeper, other)
