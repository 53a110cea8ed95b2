"""What must never have happened, told from what left and from what people did: slow, plain, and of no production code.

Everything is a list walked from the beginning; times are aware datetimes, wall clocks are zoneinfo's own.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(hours=24)
PERSONAL = ("digest", "follow_up")


@dataclass(frozen=True)
class Left:
    """One alert that left: its first message, however many devices."""

    at: datetime
    reader: str
    campaign: str
    kind: str
    slot: str
    article: str
    update_no: int
    lifts_quiet: bool


@dataclass
class Life:
    """What one reader was and did: (when, fields as they were from then on), and (when, kind, article)."""

    key: str
    since: datetime
    states: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    events: list[tuple[datetime, str, str]] = field(default_factory=list)

    def at(self, when: datetime) -> dict[str, Any]:
        """The reader's choices at an instant."""
        return [fields for begun, fields in self.states if begun <= when][-1]


@dataclass(frozen=True)
class News:
    """The articles as the test wrote them: story, topics, source, when published; and when stories were updated."""

    story: Mapping[str, str]
    topics: Mapping[str, Sequence[str]]
    source: Mapping[str, str]
    published: Mapping[str, datetime]
    updates: Sequence[tuple[datetime, str]]
    retracted: Sequence[tuple[datetime, str]]


def broken(left: Sequence[Left], lives: Mapping[str, Life], news: News, limits: Mapping[str, Any]) -> Iterator[str]:
    """One line for every rule that an alert broke when it left."""
    for number, one in enumerate(left):
        life = lives[one.reader]
        earlier = [other for other in left[:number] if other.reader == one.reader]
        reasons = (
            *_reader(one, life, limits),
            *_article(one, life, news),
            *_story(one, earlier, life, news, limits),
            *_volume(one, earlier, life, limits),
            *_week(one, earlier, life, limits),
        )
        for reason in reasons:
            yield f"{one.at:%a %H:%M} {one.reader} {one.kind} {one.article}: {reason}"


def _reader(one: Left, life: Life, limits: Mapping[str, Any]) -> Iterator[str]:
    now = life.at(one.at)
    if not now["push"]:
        yield "opted out"
    point = int.from_bytes(hashlib.blake2b(life.key.encode(), digest_size=8, person=b"holdout").digest())
    if point < limits["holdout_share"] * 2**64:
        yield "held out"
    wall = one.at.astimezone(ZoneInfo(now["zone"])).time()
    begin, end = time.fromisoformat(now["quiet_from"]), time.fromisoformat(now["quiet_until"])
    is_quiet = begin <= wall < end if begin <= end else wall >= begin or wall < end
    if is_quiet and not one.lifts_quiet:
        yield f"quiet hours {begin} to {end}, {wall} there"


def _article(one: Left, life: Life, news: News) -> Iterator[str]:
    now = life.at(one.at)
    if set(news.topics[one.article]) & set(now["muted_topics"]):
        yield "muted topic"
    if news.source[one.article] in now["muted_sources"]:
        yield "muted source"
    if news.published[one.article] > one.at:
        yield "not published yet"
    if any(at <= one.at and article == one.article for at, article in news.retracted):
        yield "retracted"


def _story(one: Left, earlier: Sequence[Left], life: Life, news: News, limits: Mapping[str, Any]) -> Iterator[str]:
    story, window = news.story[one.article], timedelta(hours=limits["told_window_h"])
    told = [other for other in earlier if news.story[other.article] == story and other.update_no >= one.update_no]
    if any(one.at - other.at < window for other in told):
        yield f"story told {one.at - told[-1].at} before"
    since = max((at for at, updated in news.updates if updated == story and at <= one.at), default=None)
    if one.kind == "follow_up":
        since = max(news.published[one.article], since or news.published[one.article])
    read = [
        at
        for at, kind, article in life.events
        if kind in ("read", "push_open") and news.story[article] == story and at <= one.at
    ]
    if any(since is None or at >= since for at in read):
        yield "story read"


def _volume(one: Left, earlier: Sequence[Left], life: Life, limits: Mapping[str, Any]) -> Iterator[str]:
    day = [other for other in earlier if one.at - other.at < DAY]
    own = [other for other in day if _group(other.kind) == _group(one.kind)]
    caps = {"personal": limits["personal_cap"], "breaking": limits["breaking_cap"], "editorial": limits["daily_cap"]}
    if len(day) >= limits["daily_cap"] or len(day) >= life.at(one.at)["daily_cap"]:
        yield f"{len(day)} alerts in 24 hours before"
    if len(own) >= caps[_group(one.kind)]:
        yield f"{len(own)} alerts of its group in 24 hours before"
    is_new = one.at - life.since < timedelta(days=limits["first_days"])
    if is_new and one.kind != "breaking" and len(day) >= limits["first_cap"]:
        yield f"{len(day)} alerts in 24 hours to a new reader"
    gap = timedelta(seconds=limits[f"{_group(one.kind)}_gap_s"])
    if any(one.at - other.at < gap for other in earlier):
        yield f"{one.at - earlier[-1].at} behind another"
    if sum(one.at - other.at < timedelta(hours=1) for other in earlier) >= limits["hourly_cap"]:
        yield "too many in an hour"


def _week(one: Left, earlier: Sequence[Left], life: Life, limits: Mapping[str, Any]) -> Iterator[str]:
    opened = max((at for at, kind, _ in life.events if kind == "push_open" and at <= one.at), default=None)
    silent = [other for other in earlier if opened is None or other.at > opened]
    is_silent = limits["stop_after"] and len(silent) >= limits["stop_after"]
    if is_silent and one.at - silent[-1].at < timedelta(days=limits["stop_days"]):
        yield f"{len(silent)} unopened in a row"
    if one.kind not in PERSONAL or not limits["weekly_budget"]:
        return
    here = ZoneInfo(life.at(one.at)["zone"])
    today = one.at.astimezone(here).date()
    dates = [other.at.astimezone(here).date() for other in earlier]
    monday = today - timedelta(days=today.weekday())
    before, this_day = sum(monday <= date < today for date in dates), dates.count(today)
    days_left = 7 - today.weekday()
    if this_day * days_left >= limits["weekly_budget"] - before:
        yield f"{before} alerts this week and {this_day} today of {limits['weekly_budget']} a week"


def _group(kind: str) -> str:
    return "personal" if kind in PERSONAL else "breaking" if kind == "breaking" else "editorial"
