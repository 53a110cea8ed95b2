"""Many transitions in few statements: rows travel as one JSON value, which both databases unpack themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from data.alerts import Due, Outcome
from data.clock import micros

# One row of `given` a delivery: id, attempt, state, reason, name (of the message), retry_us.
_GIVEN = {
    "sqlite": """(select json_extract(value, '$[0]') id, json_extract(value, '$[1]') attempt,
        json_extract(value, '$[2]') state, json_extract(value, '$[3]') reason, json_extract(value, '$[4]') name,
        json_extract(value, '$[5]') retry_us from json_each(:given))""",
    "postgresql": """(select (value->>0)::bigint id, (value->>1)::int attempt, value->>2 state, value->>3 reason,
        value->>4 as name, (value->>5)::bigint retry_us from jsonb_array_elements(cast(:given as jsonb)) value)""",
}
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
_MAY = """d.attempt = given.attempt and (d.state = 'sending' or (d.state = 'unknown'
    and given.state not in ('unknown', 'ready')))"""
_NOTE_SETTLED = """insert into delivery_event (delivery_id, at, before, after, reason)
    select d.id, cast(:now as bigint), d.state, given.state, given.reason
    from {given} given join delivery d on d.id = given.id where {may}"""
_SETTLE = """update delivery as d set state = given.state, reason = given.reason, message_name = given.name,
    lease_until = null, not_before_at = coalesce(given.retry_us, d.not_before_at),
    sent_at = case when given.state = 'ready' then null else d.sent_at end
    from {given} given where d.id = given.id and {may}"""
_PRUNE = """update device set state = :state where fid in {fids} and state = 'active'"""
_FIDS = {
    "sqlite": "(select value from json_each(:fids))",
    "postgresql": "(select jsonb_array_elements_text(cast(:fids as jsonb)))",
}


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
    given = _json(
        [
            (
                *(due.id, due.attempt, outcome.state, outcome.reason, outcome.message_name),
                micros(outcome.retry_at) if outcome.retry_at else None,
            )
            for due, outcome in results
        ]
    )
    _run(connection, _NOTE_SETTLED, given=given, now=micros(now))
    return int(_run(connection, _SETTLE, given=given).rowcount)


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
    places = {"ids": _IDS[name], "given": _GIVEN[name], "fids": _FIDS[name], "may": _MAY}
    return connection.execute(text(statement.format_map(places)), values)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
