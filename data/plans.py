"""A plan while it is made: how far it is, and whether somebody stopped it. Also which ticks were done."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from data.clock import micros
from data.errors import Conflict
from data.leases import require_fence
from data.models import Campaign, Plan, Reader, Tick
from data.store import Store
from data.store.audit import note
from data.store.database import table

PLANS, CAMPAIGNS, READERS, TICKS = table(Plan), table(Campaign), table(Reader), table(Tick)
KEPT = timedelta(days=7)  # ticks that were done


@dataclass(frozen=True, slots=True)
class Made:
    """What a plan is made with."""

    policy_version: int
    zone_version: str
    readers_due: int


class Plans:
    """Progress of plans, by the leader alone."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def start(self, plan_id: int, made: Made, *, fence: int | None = None) -> None:  # -> planning
        """Say what a plan is made with, and how many readers it has to judge."""
        fields = {name: getattr(made, name) for name in Made.__dataclass_fields__}
        self._set(plan_id, fence, state="planning", **fields)

    def advance(self, plan_id: int, readers_done: int, *, fence: int | None = None) -> bool:
        """Write how far it is; False if it must stop: it was cancelled, or its campaign paused."""
        self._set(plan_id, fence, readers_done=readers_done)
        query = select(PLANS.c.state, CAMPAIGNS.c.state.label("campaign")).join_from(PLANS, CAMPAIGNS)
        with self.store.reading() as connection:
            row = connection.execute(query.where(PLANS.c.id == plan_id)).one()
        return bool(row.state == "planning" and row.campaign == "on")

    def finish(self, plan_id: int, *, stopped: bool = False, fence: int | None = None) -> None:  # -> done | stopped
        """It is made, or will not be."""
        self._set(plan_id, fence, state="stopped" if stopped else "done")

    def ask(self, plan_id: int, *, fence: int | None = None) -> None:  # planning -> asked
        """It is made, and waits for a person: what it holds is released by `approve` alone."""
        self._set(plan_id, fence, state="asked")

    def ask_for_cut_short(self, campaign_id: int, *, fence: int | None = None) -> None:  # planning -> asked
        """Plans of this campaign that a dead leader left half made wait for a person too: nobody counted them."""
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            left = update(PLANS).where(PLANS.c.campaign_id == campaign_id, PLANS.c.state == "planning")
            connection.execute(left.values(state="asked"))

    def approve(self, plan_id: int, *, by: str, reason: str = "", now: datetime) -> None:  # asked -> done
        """Let a plan go that waits for a person, and note who did; Conflict unless it waits."""
        with self.store.transaction() as connection:
            asked = update(PLANS).where(PLANS.c.id == plan_id, PLANS.c.state == "asked").values(state="done")
            if connection.execute(asked.returning(PLANS.c.id)).first() is None:
                raise Conflict(f"plan {plan_id} does not wait for approval; load the page again")
            note(connection, by, "approved", f"plan {plan_id}", why=reason, now=now)

    def cancel(
        self, *, plan_id: int | None = None, campaign_id: int | None = None
    ) -> None:  # planning, asked -> stopped
        """Whoever makes these plans stops with the block of readers under way; what waits for a person is over."""
        which = PLANS.c.id == plan_id if plan_id is not None else PLANS.c.campaign_id == campaign_id
        with self.store.transaction() as connection:
            open_ones = update(PLANS).where(which, PLANS.c.state.in_(("planning", "asked")))
            connection.execute(open_ones.values(state="stopped"))

    def _set(self, plan_id: int, fence: int | None, **values: object) -> None:
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            connection.execute(update(PLANS).where(PLANS.c.id == plan_id).values(**values))


class Ticks:
    """Ticks by (kind, instant): each is done once, by whoever leads."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self, kind: str, tick_at: datetime, *, now: datetime, fence: int) -> bool:
        """Take a tick; False if it was done, or a leader as new as we is at it. What a former leader left is ours."""
        row = {"kind": kind, "tick_us": micros(tick_at), "fence": fence, "begun_at": now, "done_at": None}
        ours = (TICKS.c.kind == kind, TICKS.c.tick_us == micros(tick_at))
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            fresh = self.store.insert(Tick).values(**row).on_conflict_do_nothing().returning(TICKS.c.kind)
            if connection.execute(fresh).first() is not None:
                return True
            left = (TICKS.c.done_at.is_(None), TICKS.c.fence < fence)
            again = update(TICKS).where(*ours, *left).values(fence=fence, begun_at=now).returning(TICKS.c.kind)
            return connection.execute(again).first() is not None

    def end(self, kind: str, tick_at: datetime, *, now: datetime, fence: int) -> None:
        """A tick was done; ticks of a week ago are forgotten."""
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            mine = update(TICKS).where(TICKS.c.kind == kind, TICKS.c.tick_us == micros(tick_at))
            connection.execute(mine.values(done_at=now))
            connection.execute(TICKS.delete().where(TICKS.c.begun_at < now - KEPT))

    def give_up(self, kind: str, tick_at: datetime, *, fence: int) -> None:
        """A tick went wrong: the next try may take it again."""
        with self.store.transaction() as connection:
            mine = (TICKS.c.kind == kind, TICKS.c.tick_us == micros(tick_at), TICKS.c.fence == fence)
            connection.execute(TICKS.delete().where(*mine, TICKS.c.done_at.is_(None)))


def count_readers(store: Store, zones: list[str]) -> int:
    """How many readers live in these zones."""
    query = select(func.count()).select_from(READERS).where(READERS.c.zone.in_(zones))
    with store.reading() as connection:
        return int(connection.execute(query).scalar_one())
