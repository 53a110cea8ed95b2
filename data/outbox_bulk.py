"""Many transitions in few statements: rows travel as one JSON value, which both databases unpack themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from data.alerts import Due, NewDelivery, Outcome
from data.clock import micros

_IDS = {
    "sqlite": "(select value from json_each(:ids))",
    "postgresql": "(select value::bigint from jsonb_array_elements_text(cast(:ids as jsonb)) value)",
}
_NOTE = """insert into delivery_event (delivery_id, at, before, after, reason)
    select id, cast(:now as bigint), cast(:before as varchar), cast(:after as varchar), cast(:reason as varchar)
    from delivery where id in {ids} and state = cast(:before as varchar)"""
_MOVE = "update delivery set state = :after, reason = :reason where id in {ids} and state = :before"
_TAKE = """update delivery set state = 'sending', reason = '', lease_until = :lease, sent_at = :now,
    attempt = attempt + 1, fence = :fence where id in {ids} and state = 'ready'"""
# A late answer replaces `unknown`, but what was given up as unknown is never made ready again.
_MAY = """{d}attempt = {attempt} and ({d}state = 'sending' or ({d}state = 'unknown'
    and {state} not in ('unknown', 'ready')))"""
_CHANGED = """state = {state}, reason = {reason}, message_name = {name}, lease_until = null,
    not_before_at = coalesce({retry_us}, {d}not_before_at),
    sent_at = case when {state} = 'ready' then null else {d}sent_at end"""
# PostgreSQL joins the rows in one statement; SQLite, which would read the whole table for that, takes them one by one
# in C.
_GIVEN = """(select (value->>0)::bigint id, (value->>1)::int attempt, value->>2 state, value->>3 reason,
    value->>4 as name, (value->>5)::bigint retry_us from jsonb_array_elements(cast(:given as jsonb)) value) given"""
_GIVEN_NAMES = ("attempt", "state", "reason", "name", "retry_us")
_JOINED, _OLD = ({"d": "d."} | {name: f"{side}.{name}" for name in _GIVEN_NAMES} for side in ("given", "old"))
# One statement locks, moves and notes: what another changes while this waits for its row, it sees as it has become.
# By id, as everybody locks: nobody waits in a circle.
_SETTLE_JOINED = f"""with old as (select d.id, d.state as before, given.attempt, given.state, given.reason, given.name,
    given.retry_us from {_GIVEN} join delivery d on d.id = given.id where {_MAY.format(**_JOINED)} order by d.id
    for update of d),
    changed as (update delivery as d set {_CHANGED.format(**_OLD)} from old where d.id = old.id)
    insert into delivery_event (delivery_id, at, before, after, reason)
    select id, cast(:now as bigint), before, state, reason from old"""  # noqa: S608  nothing but the constants above
# The places of `_given`: id, attempt, state, reason, name, retry_us; of a note, then, now.
_PLACES = {"attempt": "?2", "state": "?3", "reason": "?4", "name": "?5", "retry_us": "?6"}
_NOTE_EACH = f"""insert into delivery_event (delivery_id, at, before, after, reason)
    select id, ?7, state, ?3, ?4 from delivery where id = ?1 and {_MAY.format(d="", **_PLACES)}"""  # noqa: S608
_SETTLE_EACH = (
    f"update delivery set {_CHANGED.format(d='', **_PLACES)} where id = ?1 and {_MAY.format(d='', **_PLACES)}"  # noqa: S608
)
_PRUNE = """update device set state = :state where fid in {fids} and state = 'active'"""
_FIDS = {
    "sqlite": "(select value from json_each(:fids))",
    "postgresql": "(select jsonb_array_elements_text(cast(:fids as jsonb)))",
}


# In the order of `_row`.
_COLUMNS = """key, reader_id, device_id, article_id, story_id, update_no, told_no, slot, not_before_at, expires_at,
    score, parts, reason, attempt, campaign_id, plan_id, state, planned_at, fence"""
_PUT = f"insert into delivery ({_COLUMNS}) values ({', '.join('?' * (_COLUMNS.count(',') + 1))}) on conflict do nothing"  # noqa: S608
_COPY_TO = "create temporary table new_delivery (like delivery) on commit drop"
_COPY = f"copy new_delivery ({_COLUMNS}) from stdin"
_PUT_COPIED = f"insert into delivery ({_COLUMNS}) select {_COLUMNS} from new_delivery on conflict do nothing"  # noqa: S608


def put(
    connection: Connection,
    deliveries: Sequence[NewDelivery],
    campaign_id: int,
    plan_id: int,
    state: str,
    now: datetime,
    fence: int,
) -> None:
    """Insert those that no unique key knows: prepared tuples on SQLite, COPY on PostgreSQL."""
    same = ("", 0, campaign_id, plan_id, state, micros(now), fence)
    rows = (_row(one) + same for one in deliveries)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_PUT, list(rows))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.new_delivery")
        cursor.execute(_COPY_TO)
        cursor.execute("alter table new_delivery alter id drop not null")  # the insert numbers them
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(_PUT_COPIED)
        cursor.execute("drop table new_delivery")


def _row(one: NewDelivery) -> tuple[Any, ...]:
    return (
        *(one.key, one.reader_id, one.device_id, one.article_id, one.story_id, one.update_no, one.told_no, one.slot),
        *(micros(one.not_before_at), micros(one.expires_at), one.score, _json(one.parts)),
    )


def move(connection: Connection, ids: Sequence[int], before: str, after: str, now: datetime, reason: str) -> None:
    """One transition of these deliveries, each noted."""
    if ids:
        _note(connection, ids, before, after, now, reason)
        _run(connection, _MOVE, ids=_json(ids), before=before, after=after, reason=reason)


def take(connection: Connection, ids: Sequence[int], now: datetime, *, lease_s: float, fence: int) -> None:
    """ready -> sending, with a lease."""
    if ids:
        _note(connection, ids, "ready", "sending", now, "")
        lease_us = micros(now + timedelta(seconds=lease_s))
        _run(connection, _TAKE, ids=_json(ids), lease=lease_us, now=micros(now), fence=fence)


def settle(connection: Connection, results: Sequence[tuple[Due, Outcome]], now: datetime) -> int:
    """sending (or unknown) -> how each ended. Returns how many rows changed."""
    now_us = micros(now)
    rows = [_given(due, outcome) for due, outcome in results]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_NOTE_EACH, [(*row, now_us) for row in rows])
        return int(connection.exec_driver_sql(_SETTLE_EACH, rows).rowcount)
    return int(connection.execute(text(_SETTLE_JOINED), {"given": _json(rows), "now": now_us}).rowcount)


def _given(due: Due, outcome: Outcome) -> tuple[Any, ...]:
    retry_us = micros(outcome.retry_at) if outcome.retry_at else None
    return (due.id, due.attempt, outcome.state, outcome.reason, outcome.message_name, retry_us)


def prune(connection: Connection, results: Sequence[tuple[Due, Outcome]]) -> None:
    """Devices that a send found to be gone, or of another project, get no more."""
    for state in ("gone", "quarantined"):
        fids = [due.fid for due, outcome in results if outcome.device == state]
        if fids:
            _run(connection, _PRUNE, fids=_json(fids), state=state)


def _note(connection: Connection, ids: Sequence[int], before: str, after: str, now: datetime, reason: str) -> None:
    _run(connection, _NOTE, ids=_json(ids), now=micros(now), before=before, after=after, reason=reason)


def _run(connection: Connection, statement: str, **values: Any) -> Any:
    name = connection.dialect.name
    return connection.execute(text(statement.format(ids=_IDS[name], fids=_FIDS[name])), values)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
