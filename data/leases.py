"""Who leads: one row a role, taken over when its holder stops renewing it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from data.errors import Conflict
from data.models import Lease
from data.store import Store
from data.store.database import table

LEASES = table(Lease)
LEADER = "leader"


class Leases:
    """Leases with fencing: the number grows with every change of holder, and an old holder's number is refused."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def acquire(self, name: str, holder: str, *, now: datetime, ttl_s: float) -> int | None:
        """Take or renew the lease until `now + ttl_s`; returns its fence number, or None while another holds it."""
        until_at = now + timedelta(seconds=ttl_s)
        fresh = {"name": name, "holder": "", "fence": 0, "until_at": now}
        with self.store.transaction() as connection:
            connection.execute(self.store.insert(Lease).values(**fresh).on_conflict_do_nothing())
            row = connection.execute(select(LEASES).where(LEASES.c.name == name).with_for_update()).one()
            if row.holder != holder and row.until_at > now:
                return None
            fence = int(row.fence) if row.holder == holder else int(row.fence) + 1
            change = update(LEASES).where(LEASES.c.name == name)
            connection.execute(change.values(holder=holder, fence=fence, until_at=until_at))
            return fence

    def release(self, name: str, holder: str, *, now: datetime) -> None:
        """End a lease of ours at once, so that another need not wait for it to run out."""
        with self.store.transaction() as connection:
            ours = update(LEASES).where(LEASES.c.name == name, LEASES.c.holder == holder)
            connection.execute(ours.values(until_at=now, holder=""))

    def holder(self, name: str) -> tuple[str, int, datetime] | None:
        """(holder, fence, until) of a lease that was ever taken."""
        with self.store.reading() as connection:
            row: Any = connection.execute(select(LEASES).where(LEASES.c.name == name)).first()
        return (row.holder, int(row.fence), row.until_at) if row else None


def require_fence(connection: Connection, fence: int | None) -> None:
    """Raise Conflict unless `fence` is the leader's present number; None asks nothing.

    The row stays share-locked until commit: a successor cannot take over in the middle of the caller's transaction.
    """
    if fence is None:
        return
    query = select(LEASES.c.fence).where(LEASES.c.name == LEADER).with_for_update(read=True)
    present = connection.execute(query).scalar()
    if present != fence:
        raise Conflict(f"another scheduler leads now (its fence is {present}, ours was {fence}); nothing was written")
