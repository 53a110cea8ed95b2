"""The delivery state machine: one method = one transaction, every transition also a row of `delivery_event`.

held -> ready -> sending -> sent | gone | failed | unknown          sending -> ready (it certainly did not leave)
held, ready -> cancelled | expired          ready -> suppressed (rechecked at send time, `reason` says why)
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, and_, cast, func, insert, literal, null, or_, select, update

from data import ledger, outbox_waiting
from data.alerts import CampaignRow, Due, NewDelivery, Outcome, PlanRow, Told
from data.clock import instant, micros
from data.columns import UtcTime
from data.errors import NotFound
from data.leases import require_fence
from data.models import Article, Campaign, Delivery, DeliveryEvent, Plan, Story, Waiting
from data.outbox_bulk import left_behind, move, prune, put, settle, take
from data.outbox_due import facts, ready
from data.store import Store
from data.store.database import chunks, table

DELIVERIES, EVENTS, PLANS = table(Delivery), table(DeliveryEvent), table(Plan)
CAMPAIGNS, STORIES, ARTICLES, WAITING = table(Campaign), table(Story), table(Article), table(Waiting)
DAY = timedelta(hours=24)
QUARTER_US = 900_000_000
MANY = 1_000  # deliveries of one plan after which PostgreSQL is told to look at the table again
SHOWN_AS = {
    "held": "held",
    "ready": "planned",
    "cancelled": "cancelled",
    "expired": "cancelled",
    "suppressed": "cancelled",
}
Recheck = Callable[[Due], str | None]  # None: send now; otherwise the reason why not


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim did: `due` are `sending` now and ours; the others ended without being sent."""

    due: tuple[Due, ...] = ()
    suppressed: int = 0
    expired: int = 0
    postponed: int = 0  # a second alert to a reader of this claim: judged again with the next one


class Outbox:
    """Plans and deliveries. Two unique keys make a repeat impossible, whoever plans."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- planning ---

    def begin_plan(
        self,
        campaign: CampaignRow,
        *,
        now: datetime,
        slots_from: datetime,
        slots_until: datetime,
        weight_version: int = 0,
        fence: int | None = None,
    ) -> int:
        """Open a plan; its funnel follows with `finish_plan`. Returns its number."""
        row = {
            "campaign_id": campaign.id,
            "planned_at": now,
            "slots_from": slots_from,
            "slots_until": slots_until,
            "funnel": {},
            "examples": [],
            "weight_version": weight_version,
        }
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            return int(connection.execute(self.store.insert(Plan).values(**row).returning(PLANS.c.id)).scalar_one())

    def add(
        self,
        plan_id: int,
        deliveries: Sequence[NewDelivery],
        *,
        now: datetime,
        hold: bool = False,
        fence: int | None = None,
    ) -> int:  # -> held | ready
        """Insert deliveries of a plan; those the unique keys know already are left out. Returns how many went in."""
        if not deliveries:
            return 0
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            campaign_id = connection.execute(select(PLANS.c.campaign_id).where(PLANS.c.id == plan_id)).scalar_one()
            ours = DELIVERIES.c.plan_id == plan_id
            last = connection.execute(select(func.coalesce(func.max(DELIVERIES.c.id), 0)).where(ours)).scalar_one()
            state = "held" if hold else "ready"
            put(connection, deliveries, campaign_id, plan_id, state, now, fence or 0)
            fresh = (ours, DELIVERIES.c.id > last)
            noted = select(DELIVERIES.c.id, literal(now, UtcTime), null(), DELIVERIES.c.state, literal("planned"))
            columns = ["delivery_id", "at", "before", "after", "reason"]
            connection.execute(insert(EVENTS).from_select(columns, noted.where(*fresh)))
            outbox_waiting.enter_new(connection, plan_id, last)
            return int(connection.execute(select(func.count()).select_from(DELIVERIES).where(*fresh)).scalar_one())

    def finish_plan(
        self,
        plan_id: int,
        *,
        funnel: dict[str, int],
        examples: Sequence[dict[str, Any]] = (),
        fence: int | None = None,
    ) -> None:
        """Write how the readers of a plan ended."""
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            change = update(PLANS).where(PLANS.c.id == plan_id)
            connection.execute(change.values(funnel=funnel, examples=list(examples)))
            if self.store.is_postgres and funnel.get("SEND", 0) >= MANY:
                connection.exec_driver_sql("analyze delivery, waiting")  # else claims go by what it was before the plan

    def plan(self, plan_id: int) -> PlanRow:
        """One plan; NotFound if there is none of that number."""
        with self.store.reading() as connection:
            row = connection.execute(select(PLANS).where(PLANS.c.id == plan_id)).first()
        if row is None:
            raise NotFound(f"no plan {plan_id}; `newsbell plan CAMPAIGN` prints the number of the one it writes")
        return PlanRow(**{name: getattr(row, name) for name in PlanRow.__dataclass_fields__})

    def plans(self, campaign_id: int | None = None, *, limit: int = 20) -> list[PlanRow]:
        """The newest plans, newest first."""
        query = select(PLANS).order_by(PLANS.c.id.desc()).limit(limit)
        if campaign_id is not None:
            query = query.where(PLANS.c.campaign_id == campaign_id)
        with self.store.reading() as connection:
            rows = connection.execute(query).all()
        return [PlanRow(**{name: getattr(row, name) for name in PlanRow.__dataclass_fields__}) for row in rows]

    def told(self, reader_ids: Sequence[int], *, since: datetime, story_ids: Iterable[int] = ()) -> Told:
        """What these readers were told since `since`, and of these stories ever: see `ledger.told`."""
        return ledger.told(self.store, reader_ids, since=since, story_ids=story_ids)

    def planned(self, campaign_id: int, reader_ids: Sequence[int], slots: Iterable[str]) -> set[tuple[int, str]]:
        """The (reader, slot) pairs this campaign has deliveries for, in whatever state."""
        ours = DELIVERIES.c.campaign_id == campaign_id
        found: set[tuple[int, str]] = set()
        with self.store.reading() as connection:
            for part in chunks(list(reader_ids)):
                query = select(DELIVERIES.c.reader_id, DELIVERIES.c.slot).distinct()
                rows = connection.execute(
                    query.where(ours, DELIVERIES.c.reader_id.in_(part), DELIVERIES.c.slot.in_(list(slots)))
                )
                found.update((row.reader_id, row.slot) for row in rows)
        return found

    def update_nos(self) -> dict[int, int]:
        """Story -> its number of material updates, for those that had any."""
        query = select(STORIES.c.id, STORIES.c.update_no).where(STORIES.c.update_no > 0)
        with self.store.reading() as connection:
            return {row.id: row.update_no for row in connection.execute(query)}

    def is_due(self, now: datetime) -> bool:
        """Whether anything waits to be released, sent or given up; asks without locking anybody out."""
        with self.store.reading() as connection:
            return outbox_waiting.is_due(connection, now)

    # --- time passes, people decide ---

    def release(self, now: datetime) -> int:  # held -> ready
        """Let go what was held long enough, unless a person has still to approve its plan."""
        may_go = or_(DELIVERIES.c.plan_id.is_(None), DELIVERIES.c.plan_id.not_in(_unapproved()))
        with self.store.transaction() as connection:
            come = outbox_waiting.come(now, is_held=(True,))
            held, _ = outbox_waiting.held_and_ready(connection, come, may_go)
            outbox_waiting.let_go(connection, held)
            return move(connection, held, "held", "ready", now, "hold is over")

    def expire(self, now: datetime) -> int:  # held, ready -> expired
        """Give up what is too old to be news."""
        over = and_(outbox_waiting.come(now), WAITING.c.expires_at <= now)
        return self._end_waiting("expired", over, now, "freshness ended")

    def cancel(
        self, *, now: datetime, reason: str, plan_id: int | None = None, campaign_id: int | None = None
    ) -> int:  # held, ready -> cancelled
        """Stop what has not been sent of a plan, or of a whole campaign. Returns how many were stopped."""
        which = DELIVERIES.c.plan_id == plan_id if plan_id is not None else WAITING.c.campaign_id == campaign_id
        return self._end_waiting("cancelled", which, now, reason)

    def recover(self, now: datetime) -> int:  # sending -> unknown
        """Close what a sender left behind: its message may have arrived, so it is never sent again.

        A campaign that sends at least once has it sent again: the same tag makes it replace the first.
        """
        again = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.mode == "at_least_once")
        with self.store.transaction() as connection:
            lost = left_behind(connection, now)
            repeated = {
                row.id
                for one in chunks(lost)
                for row in connection.execute(
                    select(DELIVERIES.c.id).where(DELIVERIES.c.id.in_(one), DELIVERIES.c.campaign_id.in_(again))
                )
            }
            move(connection, sorted(repeated), "sending", "ready", now, "the sender vanished")
            outbox_waiting.enter(connection, sorted(repeated))
            rest = [one for one in lost if one not in repeated]
            return move(connection, rest, "sending", "unknown", now, "the sender vanished")

    def _end_waiting(self, after: str, which: Any, now: datetime, reason: str) -> int:
        with self.store.transaction() as connection:
            held, ready_ = outbox_waiting.held_and_ready(connection, which)
            outbox_waiting.remove(connection, held + ready_)
            return sum(
                move(connection, ids, before, after, now, reason) for before, ids in (("held", held), ("ready", ready_))
            )

    # --- sending ---

    def claim(
        self,
        now: datetime,
        *,
        limit: int,
        lease_s: float,
        recheck: Recheck,
        fence: int | None = None,
        without_apps: Collection[str] = (),
    ) -> Claim:
        """Take ready deliveries, the most urgent kind first, then the oldest; judge each again as things are now, and
        commit `sending` before any send. Devices of `without_apps` are passed over.

        Readers' rows stay locked until commit, so two senders never judge one reader at the same time.
        """
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            places = ready(connection, now, limit, without_apps)
            due = facts(connection, [place[1] for place in places], now)
            verdicts = _judged(due, now, recheck)
            leaving = [one for one in places if verdicts.get(one[1]) != "postponed"]
            are_next = len(leaving) == len(places) and not without_apps
            outbox_waiting.leave(connection, leaving, are_next=are_next)
            ends = sorted({str(one) for one in verdicts.values() if one is not None} - {"postponed"})
            for end in ends:
                ids = [one.id for one in due if verdicts[one.id] == end]
                state, reason = ("expired", "freshness ended") if end == "expired" else ("suppressed", end)
                move(connection, ids, "ready", state, now, reason)
            ours = tuple(one for one in due if verdicts[one.id] is None)
            take(connection, [one.id for one in ours], now, lease_s=lease_s, fence=fence or 0)
        count = Counter(verdicts.values())
        suppressed = len(due) - len(ours) - count["expired"] - count["postponed"]
        return Claim(ours, suppressed, count["expired"], count["postponed"])

    def settle(self, results: Sequence[tuple[Due, Outcome]], now: datetime) -> int:
        """Write how sends ended: sending -> sent | gone | failed | unknown | ready, and what became of the device.

        A late answer also replaces `unknown`: it is the truth about the one attempt. Returns how many rows changed.
        """
        if not results:
            return 0
        with self.store.transaction() as connection:
            settled = settle(connection, results, now)
            prune(connection, results)
        return settled

    def counts_of_articles(self, article_ids: Sequence[int]) -> dict[str, int]:
        """How many deliveries of these articles are in each state."""
        query = select(DELIVERIES.c.state, func.count()).where(DELIVERIES.c.article_id.in_(article_ids))
        with self.store.reading() as connection:
            rows = connection.execute(query.group_by(DELIVERIES.c.state))
            return {state: int(number) for state, number in rows}

    def by_quarter(self, first_at: datetime, last_at: datetime) -> list[tuple[datetime, str, int]]:
        """Deliveries by quarter of an hour: (instant, planned, held, sent or cancelled, how many)."""
        at = func.coalesce(DELIVERIES.c.sent_at, DELIVERIES.c.not_before_at)
        past = cast(at, BigInteger)
        quarter = past - past % QUARTER_US
        query = select(quarter.label("quarter"), DELIVERIES.c.state, func.count())
        query = query.where(past >= micros(first_at), past < micros(last_at)).group_by("quarter", DELIVERIES.c.state)
        found: dict[tuple[int, str], int] = {}
        with self.store.reading() as connection:
            for us, state, number in connection.execute(query):
                key = (int(us), SHOWN_AS.get(state, "sent"))
                found[key] = found.get(key, 0) + int(number)
        return [(instant(us), kind, number) for (us, kind), number in sorted(found.items())]

    def counts(self, plan_id: int | None = None) -> dict[str, int]:
        """How many deliveries are in each state."""
        query = select(DELIVERIES.c.state, func.count()).group_by(DELIVERIES.c.state)
        if plan_id is not None:
            query = query.where(DELIVERIES.c.plan_id == plan_id)
        with self.store.reading() as connection:
            return {state: int(number) for state, number in connection.execute(query)}


def _unapproved() -> Any:
    """Plans that wait for a person, or may yet have to: those under way of a campaign with a threshold of its own."""
    alone = and_(PLANS.c.state == "planning", CAMPAIGNS.c.approval_above.is_not(None))
    joined = PLANS.join(CAMPAIGNS, CAMPAIGNS.c.id == PLANS.c.campaign_id)
    return select(PLANS.c.id).select_from(joined).where(or_(PLANS.c.state == "asked", alone))


def _judged(due: Sequence[Due], now: datetime, recheck: Recheck) -> dict[int, str | None]:
    """Each delivery's end: None to send it, else why not. One alert a reader and claim: the next sees this one."""
    verdicts: dict[int, str | None] = {}
    alert_of: dict[int, tuple[int, str]] = {}
    for one in due:
        if one.expires_at <= now:
            verdicts[one.id] = "expired"
        elif alert_of.get(one.reader_id, alert := (one.campaign.id, one.slot)) != alert:
            verdicts[one.id] = "postponed"
        else:
            verdicts[one.id] = recheck(one)
            if verdicts[one.id] is None:
                alert_of[one.reader_id] = alert
    return verdicts
