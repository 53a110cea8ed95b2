"""The queue of deliveries that are held or ready: how they enter and leave it.

Whoever changes such a delivery first has its row here: a claim passes over rows that somebody has, everybody else
waits for them, by the delivery's number.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text

from data.columns import UtcTime
from data.models import Campaign, Delivery, Device, Waiting
from data.numbers import THESE, numbers
from data.store.database import table

WAITING, DELIVERIES, DEVICES, CAMPAIGNS = table(Waiting), table(Delivery), table(Device), table(Campaign)
Place = tuple[int, int, int]  # not_before_us, delivery, campaign: where a ready delivery stands
_COLUMNS = "campaign_id, is_held, not_before_at, delivery_id, expires_at"
_ENTER = f"""insert into waiting ({_COLUMNS}) select campaign_id, state = 'held', not_before_at, id, expires_at
    from delivery where {{which}} on conflict do nothing"""  # noqa: S608  constants
_LEAVE = """delete from waiting where campaign_id = ? and is_held = 0
    and (not_before_at, delivery_id) >= (?, ?) and (not_before_at, delivery_id) <= (?, ?)"""
_LEAVE_ALL = """delete from waiting w using unnest(%s::bigint[], %s::bigint[], %s::bigint[]) as g(at, id, campaign)
    where w.campaign_id = g.campaign and not w.is_held and w.not_before_at = g.at and w.delivery_id = g.id"""


def enter_new(connection: Connection, plan_id: int, after_id: int) -> None:
    """What was added to a plan."""
    which = "plan_id = :plan and id > :after"
    connection.execute(text(_ENTER.format(which=which)), {"plan": plan_id, "after": after_id})


def enter(connection: Connection, ids: Sequence[int]) -> None:
    """Deliveries that are ready once more."""
    if ids:
        which = f"id {THESE[connection.dialect.name]} and state = 'ready'"
        connection.execute(text(_ENTER.format(which=which)), {"ids": numbers(connection, ids)})


def leave(connection: Connection, places: Sequence[Place], *, are_next: bool) -> None:
    """Ready deliveries leave. `are_next`: nobody stands between the first and the last of a campaign's."""
    if not places:
        return
    if connection.dialect.name == "sqlite":
        each = ((number, at, one, at, one) for at, one, number in places)
        connection.exec_driver_sql(_LEAVE, _stretches(places) if are_next else list(each))
    else:
        columns = zip(*places, strict=True)
        connection.exec_driver_sql(_LEAVE_ALL, tuple(numbers(connection, column) for column in columns))


def _stretches(places: Sequence[Place]) -> list[tuple[int, int, int, int, int]]:
    """A row of `_LEAVE` for each campaign: nine tenths cheaper than one for each delivery."""
    first: dict[int, Place] = {}
    for one in places:  # each campaign's in order
        first.setdefault(one[2], one)
    last = {one[2]: one for one in places}
    return [(campaign, *one[:2], *last[campaign][:2]) for campaign, one in first.items()]


def next_of(
    connection: Connection, campaign: int, now: datetime, limit: int, without_apps: Collection[str] = ()
) -> list[Place]:
    """The first ready deliveries of a campaign whose time has come, locked; what somebody else has is passed over."""
    query = _next_query()
    if without_apps:
        query = query.join(DELIVERIES, DELIVERIES.c.id == WAITING.c.delivery_id)
        query = query.join(DEVICES, DEVICES.c.id == DELIVERIES.c.device_id).where(DEVICES.c.app.not_in(without_apps))
    given = {"campaign": campaign, "now": now, "most": limit}
    return [(at, one, campaign) for at, one in connection.execute(query, given).cursor.fetchall()]


@lru_cache(maxsize=1)
def _next_query() -> Any:
    w = WAITING.c
    due = (w.campaign_id == bindparam("campaign"), w.not_before_at <= bindparam("now", type_=UtcTime))
    found = select(w.not_before_at, w.delivery_id).where(*due, w.is_held.is_(False))
    found = found.order_by(w.not_before_at, w.delivery_id).limit(bindparam("most"))
    return found.with_for_update(skip_locked=True, of=WAITING)


def held_and_ready(connection: Connection, *which: Any) -> tuple[list[int], list[int]]:
    """The numbers of what waits and `which` names, by `Waiting` and `Delivery`: (held, ready), locked."""
    query = select(WAITING.c.delivery_id, WAITING.c.is_held)
    query = query.outerjoin(DELIVERIES, DELIVERIES.c.id == WAITING.c.delivery_id).where(*which)
    rows = connection.execute(query.order_by(WAITING.c.delivery_id).with_for_update(of=WAITING)).all()
    return [row.delivery_id for row in rows if row.is_held], [row.delivery_id for row in rows if not row.is_held]


def let_go(connection: Connection, ids: Sequence[int]) -> None:
    """Held deliveries become ready."""
    change = f"update waiting set is_held = :no where is_held and delivery_id {THESE[connection.dialect.name]}"  # noqa: S608
    if ids:
        connection.execute(text(change), {"ids": numbers(connection, ids), "no": False})


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Deliveries leave, wherever they stand."""
    if ids:
        change = f"delete from waiting where delivery_id {THESE[connection.dialect.name]}"  # noqa: S608
        connection.execute(text(change), {"ids": numbers(connection, ids)})


def come(now: datetime, *, is_held: Sequence[bool] = (False, True)) -> Any:
    """Those whose time has come, campaign by campaign along the key: whatever waits for later is not looked at.

    What is ready once more may end before its time comes; it is given up when that is.
    """
    campaigns = WAITING.c.campaign_id.in_(select(CAMPAIGNS.c.id))
    return and_(campaigns, WAITING.c.is_held.in_(is_held), WAITING.c.not_before_at <= now)


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether the time of anything has come: a step along the key for each campaign, on either database."""
    return connection.execute(_due_query(), {"now": now}).first() is not None


@lru_cache(maxsize=1)
def _due_query() -> Any:
    w = WAITING.c
    first = select(func.min(w.not_before_at)).where(w.campaign_id == CAMPAIGNS.c.id)
    now = bindparam("now", type_=UtcTime)
    come_ = (first.where(w.is_held.is_(is_held)).scalar_subquery() <= now for is_held in (False, True))
    return select(CAMPAIGNS.c.id).where(or_(*come_)).limit(1)
