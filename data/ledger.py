"""The story ledger: what readers were told, when and by which kind of campaign. One for push, for-you and related.

Plans and claims ask it the same questions. Lists need no second one: an alert that was opened is an event of its
reader, so for-you leaves its story out, and related the article, as they do with any other that was read.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, text

from data.alerts import EDITORIAL, GROUP, HANDED_OVER, TOLD_STATES, Tally, Told
from data.broadcasts import followed, said
from data.clock import micros, zone
from data.numbers import THESE
from data.store import Store
from data.values import IntArray

DAY_US = 86_400_000_000
UNOPENED_DAYS = 28  # alerts that went out longer ago count no more
FOREVER_US = 2**62

_LIST = {
    "sqlite": "(select value from json_each(:{0}))",
    "postgresql": "(select value::bigint from jsonb_array_elements_text(cast(:{0} as jsonb)) value)",
}
_TOLD = """select d.reader_id, min(coalesce(d.sent_at, d.not_before_at)) handed_us, coalesce(a.story_id, -a.id) story,
    d.update_no, max(d.told_no), c.kind
    from delivery d join article a on a.id = d.article_id join campaign c on c.id = d.campaign_id
    where d.reader_id in {readers} and d.state in ({states}) and c.kind <> 'test'
    and coalesce(d.sent_at, d.not_before_at) < :until
    and (coalesce(d.sent_at, d.not_before_at) > :since or coalesce(a.story_id, -a.id) in {stories})
    group by d.reader_id, d.campaign_id, d.slot, coalesce(a.story_id, -a.id), d.update_no, c.kind"""
# One row of `given` for each reader, or delivery, that is asked for: an `Asked`.
_GIVEN = {
    "sqlite": """(select value->>0 place, value->>1 reader, value->>2 day, value->>3 week, value->>4 campaign,
    value->>5 slot from json_each(:given)) given""",
    "postgresql": """(select (value->>0)::bigint place, (value->>1)::bigint reader, (value->>2)::bigint as day,
    (value->>3)::bigint week, (value->>4)::bigint campaign, value->>5 slot
    from jsonb_array_elements(cast(:given as jsonb)) value) given""",
}
# Of deliveries that are judged, the database knows itself who asks; where days begin is told zone by zone.
_JUDGED = """(select mine.id place, mine.reader_id reader, weeks.day, weeks.week, mine.campaign_id campaign, mine.slot
    from delivery mine join reader on reader.id = mine.reader_id join weeks on weeks.zone = reader.zone
    where mine.id {these}) given"""
_WEEKS = {
    "sqlite": """weeks as materialized (select value->>0 zone, value->>1 day, value->>2 week
    from json_each(:weeks)),""",
    "postgresql": """weeks as materialized (select value->>0 as zone, (value->>1)::bigint as day,
    (value->>2)::bigint week from jsonb_array_elements(cast(:weeks as jsonb)) value),""",
}
# PostgreSQL goes by its statistics, which know nothing of a table that a plan has just filled. Fenced in, it can only
# go reader by reader.
_THEIRS = {
    "sqlite": "join delivery d on d.reader_id = given.reader",
    "postgresql": "cross join lateral (select * from delivery where reader_id = given.reader offset 0) d",
}
_ALERTS = """select given.place, given.day, given.week, d.reader_id,
    min(coalesce(d.sent_at, d.not_before_at)) handed_us, max(case when d.state in ({handed}) then 1 else 0 end) is_sent
    from {given} {theirs} join campaign c on c.id = d.campaign_id
    where d.state in ({states}) and c.kind <> 'test' and coalesce(d.sent_at, d.not_before_at) > :since
    and coalesce(d.sent_at, d.not_before_at) < :until and not (d.campaign_id = given.campaign and d.slot = given.slot)
    group by given.place, given.day, given.week, d.reader_id, d.campaign_id, d.slot"""
# What was opened last is looked up once a reader that was told anything at all.
_TALLY = """with {weeks} alerts as materialized ({alerts}),
    told as (select distinct place, reader_id from alerts),
    opened as materialized (select place, coalesce((select max(e.at) from event e where e.reader_id = told.reader_id
        and e.kind = 'push_open' and e.at <= :now), 0) opened_us from told)
    select alerts.place,
    sum(case when handed_us >= day and handed_us < day + 86400000000 then 1 else 0 end),
    sum(case when handed_us >= week and handed_us < week + 604800000000
        and (handed_us < day or handed_us >= day + 86400000000) then 1 else 0 end),
    sum(case when is_sent = 1 and handed_us <= :now and handed_us > opened_us then 1 else 0 end),
    max(case when is_sent = 1 and handed_us <= :now and handed_us > opened_us then handed_us else 0 end)
    from alerts join opened on opened.place = alerts.place group by alerts.place"""


class Asked(NamedTuple):
    """One question to the tally: a reader, and where their local day and week begin."""

    place: int
    reader_id: int
    day_us: int
    week_us: int
    campaign_id: int = 0  # nobody's: nothing is left out
    slot: str = ""


class Ledger:
    """What a plan asks of it; with `until`, as it was then."""

    def __init__(self, store: Store, *, until: datetime | None = None) -> None:
        self.store, self.until = store, until

    def told(self, reader_ids: Sequence[int], *, since: datetime, story_ids: Iterable[int] = ()) -> Told:
        """See `told`."""
        return told(self.store, reader_ids, since=since, story_ids=story_ids, until=self.until)

    def tally(self, reader_ids: Sequence[int], day_us: IntArray, week_us: IntArray, *, now: datetime) -> Tally:
        """The tally of readers of one block, each with the beginning of their own local day and week."""
        columns = zip(reader_ids, day_us.tolist(), week_us.tolist(), strict=True)
        asked = [Asked(place, reader, day, week) for place, (reader, day, week) in enumerate(columns)]
        made = np.zeros((4, len(asked)), np.int64)
        with self.store.reading() as connection:
            found = _tally(connection, asked, now=now, until=self.until)
        for place, numbers in found.items():
            made[:, place] = numbers
        return Tally(*made)


def told(
    store: Store,
    reader_ids: Sequence[int],
    *,
    since: datetime,
    story_ids: Iterable[int] = (),
    until: datetime | None = None,
) -> Told:
    """What these readers were told since `since`, and whatever they were ever told of these stories.

    An alert that went to three devices is one row, a message to a topic one for each reader it reached; tests are none.
    Its story is the one its article is in now: merged stories count under the id they have today, an article without a
    story under minus its own id. Cost: about 2 microseconds an alert.
    """
    stories = [int(one) for one in story_ids]
    until_us = FOREVER_US if until is None else micros(until)
    place = {reader_id: row for row, reader_id in enumerate(reader_ids)}
    with store.reading() as connection:
        given = {"readers": _json(list(reader_ids)), "stories": _json(stories)}
        times = {"since": micros(since), "until": until_us}
        rows = connection.execute(_query(connection.dialect.name, "told"), given | times).all()
        found: list[tuple[int, ...]] = [
            (place[reader], at_us, story, update_no, GROUP[kind], told_no)
            for reader, at_us, story, update_no, told_no, kind in rows
        ]
        found += _broadcasts(connection, place, since, stories, until_us)
    return Told(*(np.array(found, np.int64).reshape(-1, 6).T.copy()))


Tallies = dict[int, tuple[int, int, int, int]]


def tally_of(connection: Connection, ids: str, zones: Collection[str], *, now: datetime) -> Tallies:
    """Delivery -> what its reader had over longer times and has left us, this alert left out: (alerts today, on other
    days of the week, unopened in a row, when the newest of those went out). Those without any are left out.

    `ids`: as `numbers` writes them; `zones`: of their readers.
    """
    now_us = micros(now)
    weeks = [(name, *local_week(now_us, name)) for name in zones]
    if not weeks:
        return {}
    first = min(week_us for _, _, week_us in weeks)
    return _tallies(connection, "judged", {"ids": ids, "weeks": _json(weeks)}, first, now)


def _tally(connection: Connection, asked: Sequence[Asked], *, now: datetime, until: datetime | None) -> Tallies:
    """The same by place, of readers, with what still waits."""
    if not asked:
        return {}
    first = min(one.week_us for one in asked)
    return _tallies(connection, "tally", {"given": _json(asked)}, first, now, until)


def _tallies(
    connection: Connection,
    name: str,
    given: dict[str, str],
    first_us: int,
    now: datetime,
    until: datetime | None = None,
) -> Tallies:
    since = min(micros(now - timedelta(days=UNOPENED_DAYS)), first_us - 1)
    until_us = FOREVER_US if until is None else micros(until)
    values = given | {"since": since, "now": micros(now), "until": until_us}
    found = connection.execute(_query(connection.dialect.name, name), values)
    return {int(row[0]): (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in found}


def local_week(now_us: int, zone_name: str) -> tuple[int, int]:
    """Where the local day and the local week, from Monday, of an instant begin, by the offset of that instant."""
    offset_s = _offset_s(zone_name, now_us // 1_000_000)
    day = (now_us + offset_s * 1_000_000) // DAY_US
    day_us = day * DAY_US - offset_s * 1_000_000
    return day_us, day_us - (day + 3) % 7 * DAY_US  # 1970-01-01 was a Thursday


def local_weeks(now_us: IntArray, local_s: IntArray) -> tuple[IntArray, IntArray]:
    """The same of many readers (n,), given what their walls show as seconds since 1970."""
    offset_us = (local_s - now_us // 1_000_000) * 1_000_000
    day = local_s // 86_400
    day_us = day * DAY_US - offset_us
    return day_us, day_us - (day + 3) % 7 * DAY_US


@lru_cache(maxsize=4_096)
def _offset_s(zone_name: str, at_s: int) -> int:
    from data.clock import instant

    found = instant(at_s * 1_000_000).astimezone(zone(zone_name)).utcoffset()
    return 0 if found is None else int(found.total_seconds())


def _broadcasts(
    connection: Connection, place: dict[int, int], since: datetime, stories: Collection[int], until_us: int
) -> list[tuple[int, ...]]:
    """Messages to topics, a row for each reader they reached."""
    broadcasts = [one for one in said(connection, since=since, stories=stories) if micros(one.sent_at) < until_us]
    topics = followed(connection, list(place)) if any(one.reader_topic for one in broadcasts) else {}
    return [
        (row, micros(one.sent_at), one.story, one.update_no, EDITORIAL, one.told_no)
        for one in broadcasts
        for reader, row in place.items()
        if one.reaches(topics.get(reader, ()))
    ]


@lru_cache(maxsize=8)
def _query(dialect: str, name: str) -> Any:
    states = ", ".join(f"'{one}'" for one in TOLD_STATES)
    handed = ", ".join(f"'{one}'" for one in HANDED_OVER)
    if name == "told":
        readers, stories = (_LIST[dialect].format(one) for one in ("readers", "stories"))
        return text(_TOLD.format(readers=readers, stories=stories, states=states))
    is_judged = name == "judged"
    given = _JUDGED.format(these=THESE[dialect]) if is_judged else _GIVEN[dialect]
    counted = handed if is_judged else states
    alerts = _ALERTS.format(given=given, theirs=_THEIRS[dialect], handed=handed, states=counted)
    return text(_TALLY.format(weeks=_WEEKS[dialect] if is_judged else "", alerts=alerts))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
