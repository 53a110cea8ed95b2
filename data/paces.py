"""The pace of each Firebase project, one row that every sender of the project reads and writes under a lock."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import select, update

from data.alerts import Pace
from data.models import PaceState
from data.store import Store
from data.store.database import table

T = TypeVar("T")
PACES = table(PaceState)
_FIELDS = tuple(Pace.__dataclass_fields__)


class Paces:
    """Changes a project's pace in one transaction: two processes never decide on the same state."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def change(self, project: str, decide: Callable[[Pace], tuple[Pace, T]]) -> T:
        """Read the pace, let `decide` return the next one and a result, write it, return the result."""
        query = select(PACES).where(PACES.c.project == project).with_for_update()
        with self.store.transaction() as connection:
            row = connection.execute(query).first()
            if row is None:
                fresh = self.store.insert(PaceState).values(project=project, **asdict(Pace()))
                connection.execute(fresh.on_conflict_do_nothing())
                row = connection.execute(query).one()
            before = Pace(**{name: getattr(row, name) for name in _FIELDS})
            after, result = decide(before)
            if after != before:
                connection.execute(update(PACES).where(PACES.c.project == project).values(**asdict(after)))
        return result

    def get(self, project: str) -> Pace:
        """The pace as it is."""
        with self.store.reading() as connection:
            row = connection.execute(select(PACES).where(PACES.c.project == project)).first()
        return Pace(**{name: getattr(row, name) for name in _FIELDS}) if row else Pace()
