"""Many transitions in few statements: rows travel as one JSON value, which both databases unpack themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, text

from data.alerts import TOLD_STATES, Due, NewDelivery, Outcome
from data.clock import micros
from data.models import Claimed
from data.numbers import THESE, numbers
from data.outbox_waiting import enter
from data.store.database import table

CLAIMED = table(Claimed)

_NOTED = "insert into delivery_event (delivery_id, at, before, after, reason)"
_NOTE = f"""{_NOTED} select id, cast(:now as bigint), cast(:before as varchar), cast(:after as varchar),
    cast(:reason as varchar) from"""
_MOVE = """update delivery set state = cast(:after as varchar), reason = cast(:reason as varchar), is_told = :told,
    lease_until = null, sent_at = case when cast(:after as varchar) = 'ready' then null else sent_at end
    where id {these} and state = cast(:before as varchar)"""
_TAKE = """update delivery set state = 'sending', reason = '', lease_until = :lease, sent_at = :now,
    attempt = attempt + 1, fence = :fence where id {these} and state = 'ready'"""
_TOLD_STATES = ", ".join(f"'{state}'" for state in TOLD_STATES)
_GIVEN = """(select (value->>0)::bigint id, (value->>1)::int attempt, value->>2 state, value->>3 reason,
    value->>4 as name, (value->>5)::bigint retry_us from jsonb_array_elements(cast(:given as jsonb)) value) given"""
# A late answer replaces `unknown`, but what was given up as unknown is never made ready again.
# One statement locks, moves and notes: what another changes while this waits for its row, it sees as it has become.
# By id, as everybody locks: nobody waits in a circle.
# Fenced in as in `ledger`: by statistics of before the sending PostgreSQL looks for its rows among all.
_SETTLE_JOINED = f"""with old as (select d.id, d.state as before, given.attempt, given.state, given.reason, given.name,
    given.retry_us from (select * from {_GIVEN} order by id) given cross join lateral
    (select id, state, attempt from delivery where id = given.id offset 0 for update) d
    where d.attempt = given.attempt and (d.state = 'sending' or (d.state = 'unknown'
    and given.state not in ('unknown', 'ready')))),
    changed as (update delivery as d set state = old.state, reason = old.reason, message_name = old.name,
    lease_until = null, not_before_at = coalesce(old.retry_us, d.not_before_at),
    sent_at = case when old.state = 'ready' then null else d.sent_at end, is_told = old.state in ({_TOLD_STATES})
    from old where d.id = old.id) {_NOTED} select id, cast(:now as bigint), before, state, reason from old"""  # noqa: S608  nothing but the constants above
# SQLite has them in a table of the connection's own, those that ended alike at once: what they share is a value of the
# statement. Without an index, so that deliveries are looked up by those given, not the other way round. And it writes
# the key of the story ledger anew whenever a statement names `is_told`: few rows need that.
_GIVEN_HERE = "given (id int, name text, retry_us int)"
_ALIKE = "d.attempt = :attempt and (d.state = 'sending' or (d.state = 'unknown' and :may_late))"
_NOTE_ALIKE = f"""{_NOTED} select given.id, :now, d.state, :state, :reason from temp.given
    cross join delivery d on d.id = given.id where {_ALIKE} order by given.rowid"""  # noqa: S608  constants
_SETTLE_ALIKE = f"""update delivery as d set state = :state, reason = :reason, message_name = given.name,
    lease_until = null, not_before_at = coalesce(given.retry_us, d.not_before_at){{also}} from temp.given
    where d.id = given.id and {_ALIKE}"""  # noqa: S608  constants
_PRUNE = """update device set state = :state where fid in {fids} and state = 'active'"""
_FIDS = {
    "sqlite": "(select value from json_each(:fids))",
    "postgresql": "(select jsonb_array_elements_text(cast(:fids as jsonb)))",
}


# In the order of `_row`.
_COLUMNS = """key, reader_id, device_id, article_id, story_id, update_no, told_no, slot, not_before_at, expires_at,
    score, parts, reason, attempt, campaign_id, plan_id, state, planned_at, fence, is_told"""
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
    same = ("", 0, campaign_id, plan_id, state, micros(now), fence, True)
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


def move(connection: Connection, ids: Sequence[int], before: str, after: str, now: datetime, reason: str) -> int:
    """One transition of these deliveries, each noted. Returns how many there were."""
    if not ids:
        return 0
    noted = {"now": micros(now), "before": before, "after": after, "reason": reason}
    return _changed(connection, _MOVE, ids, noted, told=after in TOLD_STATES)


def take(connection: Connection, ids: Sequence[int], now: datetime, *, lease_s: float, fence: int) -> None:
    """ready -> sending, with a lease, under which they are written down together."""
    if ids:
        noted = {"now": micros(now), "before": "ready", "after": "sending", "reason": ""}
        lease_until = now + timedelta(seconds=lease_s)
        _changed(connection, _TAKE, ids, noted, are_looked_at=True, lease=micros(lease_until), fence=fence)
        connection.execute(insert(CLAIMED).values(lease_until=lease_until, delivery_ids=list(ids)))


def left_behind(connection: Connection, now: datetime) -> list[int]:
    """The deliveries whose lease is over and that are `sending` still, locked by id. Their claims are forgotten."""
    over = select(CLAIMED.c.id).where(CLAIMED.c.lease_until <= now).order_by(CLAIMED.c.id)
    mine = CLAIMED.c.id.in_(over.with_for_update(skip_locked=True))  # what another takes care of is left to it
    claims = connection.execute(delete(CLAIMED).where(mine).returning(CLAIMED.c.delivery_ids)).scalars()
    ids = sorted({one for claim in claims for one in claim})
    if not ids:
        return []
    lock = "order by id for update" if connection.dialect.name == "postgresql" else ""
    lost = f"select id from delivery where id {THESE[connection.dialect.name]} and lease_until <= :now {lock}"  # noqa: S608
    given = {"ids": numbers(connection, ids), "now": micros(now)}
    return [int(one) for one in connection.execute(text(lost), given).scalars()]


def settle(connection: Connection, results: Sequence[tuple[Due, Outcome]], now: datetime) -> int:
    """sending (or unknown) -> how each ended. Returns how many rows changed."""
    rows = [_given(due, outcome) for due, outcome in results]
    each = _settle_given if connection.dialect.name == "sqlite" else _settle_joined
    changed = each(connection, rows, micros(now))
    enter(connection, [due.id for due, outcome in results if outcome.state == "ready"])
    return changed


def _settle_given(connection: Connection, rows: Sequence[tuple[Any, ...]], now_us: int) -> int:
    alike: dict[tuple[int, str, str], list[tuple[int, str | None, int | None]]] = {}
    for number, attempt, state, reason, name, retry_us in rows:
        alike.setdefault((attempt, state, reason), []).append((number, name, retry_us))
    connection.exec_driver_sql(f"create temporary table if not exists {_GIVEN_HERE}")
    return sum(_settle_alike(connection, some, *shared, now_us) for shared, some in alike.items())


def _settle_alike(
    connection: Connection,
    rows: Sequence[tuple[int, str | None, int | None]],
    attempt: int,
    state: str,
    reason: str,
    now_us: int,
) -> int:
    run = connection.exec_driver_sql
    run("insert into temp.given values (?, ?, ?)", list(rows))
    shared = {"now": now_us, "attempt": attempt, "state": state, "reason": reason}
    shared["may_late"] = state not in ("unknown", "ready")
    run(_NOTE_ALIKE, shared)
    also = (", sent_at = null" if state == "ready" else "") + ("" if state in TOLD_STATES else ", is_told = 0")
    changed = int(run(_SETTLE_ALIKE.format(also=also), shared).rowcount)
    run("delete from temp.given")
    return changed


def _settle_joined(connection: Connection, rows: Sequence[tuple[Any, ...]], now_us: int) -> int:
    return int(connection.execute(text(_SETTLE_JOINED), {"given": _json(rows), "now": now_us}).rowcount)


def _given(due: Due, outcome: Outcome) -> tuple[Any, ...]:
    retry_us = micros(outcome.retry_at) if outcome.retry_at else None
    return (due.id, due.attempt, outcome.state, outcome.reason, outcome.message_name, retry_us)


def prune(connection: Connection, results: Sequence[tuple[Due, Outcome]]) -> None:
    """Devices that a send found to be gone, or of another project, get no more."""
    for state in ("gone", "quarantined"):
        fids = [due.fid for due, outcome in results if outcome.device == state]
        if fids:
            statement = text(_PRUNE.format(fids=_FIDS[connection.dialect.name]))
            connection.execute(statement, {"fids": _json(fids), "state": state})


def _changed(
    connection: Connection,
    change: str,
    ids: Sequence[int],
    noted: dict[str, Any],
    *,
    are_looked_at: bool = False,
    **values: Any,
) -> int:
    """Change these deliveries and note it: one statement on PostgreSQL, where each is a way there and back.

    `are_looked_at`: all of them are what `change` asks for, as this transaction has seen.
    """
    name = connection.dialect.name
    change, given = change.format(these=THESE[name]), {"ids": numbers(connection, ids), **noted, **values}
    if name == "postgresql":
        both = f"with moved as ({change} returning id) {_NOTE} moved"
        return int(connection.execute(text(both), given).rowcount)
    each = "(select value id from json_each(:ids))"  # SQLite has one writer: us
    which = each if are_looked_at else f"delivery where id {THESE[name]} and state = :before"
    connection.execute(text(f"{_NOTE} {which}"), given)
    return int(connection.execute(text(change), given).rowcount)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
