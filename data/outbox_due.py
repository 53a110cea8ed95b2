"""What is true now about deliveries that are about to be sent."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, String, and_, bindparam, cast, func, or_, select

from data.alerts import Due
from data.clock import micros
from data.columns import UtcTime
from data.models import Article, Campaign, Delivery, Device, Event, Reader, Source
from data.store.database import table

DELIVERIES, CAMPAIGNS, ARTICLES, SOURCES = table(Delivery), table(Campaign), table(Article), table(Source)
READERS, DEVICES, EVENTS = table(Reader), table(Device), table(Event)
# Whoever did one of these knows the story, or does not want it.
READ_KINDS = ("open", "read", "finish", "share", "save", "push_open", "hide", "less_like_this")
HANDED_OVER = ("sending", "sent", "unknown")


# Campaigns of an earlier lane go first, however long those of a later one have waited.
LANES = (("breaking",), ("follow_up", "manual", "test"), ("digest",))


def ready(connection: Connection, now: datetime, limit: int, without_apps: Collection[str] = ()) -> list[int]:
    """The numbers of ready deliveries of campaigns that are on, lane by lane, the oldest of each lane first, locked.

    Rows another sender holds are passed over. Asked campaign by campaign: each is a short walk along an index, while
    one query over all would sort everything that waits.
    """
    campaigns = connection.execute(select(CAMPAIGNS.c.id, CAMPAIGNS.c.kind).where(CAMPAIGNS.c.state == "on")).all()
    found: list[int] = []
    for lane in LANES:
        lined_up: list[tuple[datetime, int]] = []
        for campaign in (row.id for row in campaigns if row.kind in lane):
            lined_up += _ready_of(connection, campaign, now, limit - len(found), without_apps)
        found += [number for _, number in sorted(lined_up)[: limit - len(found)]]
        if len(found) >= limit:
            break
    return found


def _ready_of(
    connection: Connection, campaign: int, now: datetime, limit: int, without_apps: Collection[str]
) -> list[tuple[datetime, int]]:
    d = DELIVERIES.c
    query = (
        select(d.not_before_at, d.id)
        .where(d.state == "ready", d.campaign_id == campaign, d.not_before_at <= now)
        .order_by(d.not_before_at, d.id)
        .limit(limit)
    )
    if without_apps:
        query = query.join(DEVICES, DEVICES.c.id == d.device_id).where(DEVICES.c.app.not_in(without_apps))
    rows = connection.execute(query.with_for_update(skip_locked=True, of=DELIVERIES))
    return [(row.not_before_at, row.id) for row in rows]


def facts(connection: Connection, ids: Sequence[int], now: datetime) -> list[Due]:
    """The deliveries in the order of `ids`, their readers' rows locked until the caller commits."""
    if not ids:
        return []
    if connection.dialect.name == "postgresql":  # on SQLite the whole database has one writer: us
        connection.execute(_LOCK, {"ids": ids}).all()
    rows = connection.execute(_WHO, {"ids": ids}).all()
    articles = _articles(connection, {row.article_id for row in rows})
    campaigns = _campaigns(connection, {row.campaign_id for row in rows})
    read = set(connection.execute(_READ, {"ids": ids}).scalars())
    others = _other_alerts(connection, ids, now)
    due = {
        row.id: _due(row, articles[row.article_id], campaigns[row.campaign_id], others.get(row.id, ()), row.id in read)
        for row in rows
    }
    return [due[one] for one in ids]


def _due(
    row: Any, article: dict[str, Any], campaign: dict[str, Any], alerts: Sequence[Row[Any]], has_read: bool
) -> Due:
    fields = dict(row._mapping)
    for name in _MUTED:
        fields[name] = _names(fields[name])
    if alerts:
        story = article["story_id"] or -row.article_id
        fields["is_told"] = any(one.story == story and one.again for one in alerts)
        fields["alerts_us"] = tuple(micros(one.sent_at) for one in alerts)
    return Due(**fields, **article, **campaign, has_read=has_read)


def _articles(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """What is true of the articles now: read once, however many deliveries they have."""
    found = {}
    for row in connection.execute(_WHAT, {"ids": list(ids)}):
        fields = dict(row._mapping) | {"topics": tuple(row.topics)}
        number = fields.pop("id")
        found[number] = fields
    return found


def _campaigns(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    found = {}
    for row in connection.execute(_WHY, {"ids": list(ids)}):
        fields = dict(row._mapping)
        number = fields.pop("id")
        found[number] = fields
    return found


@lru_cache(maxsize=10_000)
def _names(text: str) -> tuple[str, ...]:
    """A JSON list of strings; nearly all of them are the same few."""
    return tuple(msgspec.json.decode(text, type=list[str]))


def _other_alerts(connection: Connection, ids: Sequence[int], now: datetime) -> dict[int, list[Row[Any]]]:
    """Per delivery, the other alerts handed over to its reader: those of the last day, and those of its story."""
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_OTHERS, {"ids": ids, "since": now - timedelta(hours=24)}):
        found[row.id].append(row)
    return found


# --- the queries, written once: building one costs as much as running it ---

_D, _R, _P, _A, _C = DELIVERIES.c, READERS.c, DEVICES.c, ARTICLES.c, CAMPAIGNS.c
_IDS: Any = bindparam("ids", expanding=True)
_MUTED = ("muted_topics", "muted_sources", "muted_stories")
_LOCK = select(_R.id).where(_R.id.in_(select(_D.reader_id).where(_D.id.in_(_IDS)))).order_by(_R.id).with_for_update()
_WHO = (
    select(
        *(_D.id, _D.key, _D.campaign_id, _D.slot, (_D.attempt + 1).label("attempt"), _D.expires_at, _D.article_id),
        *(_D.reader_id, _R.zone, _R.push, _R.quiet_from, _R.quiet_until, _R.daily_cap),
        *(cast(_R[name], String).label(name) for name in _MUTED),
        *(_P.fid, _P.token, _P.platform, _P.app, _P.is_test, _P.state.label("device_state")),
        _P.reader_id.label("device_reader_id"),
    )
    .join(READERS, _R.id == _D.reader_id)
    .join(DEVICES, _P.id == _D.device_id)
    .where(_D.id.in_(_IDS))
)
_WHAT = (
    select(
        *(_A.id, _A.key.label("article_key"), _A.title, _A.summary, _A.url, _A.image_url, _A.category, _A.topics),
        *(_A.published_at, _A.embargo_until, _A.retracted_at, _A.story_id, SOURCES.c.key.label("source_key")),
    )
    .outerjoin(SOURCES, SOURCES.c.id == _A.source_id)
    .where(_A.id.in_(_IDS))
)
_WHY = select(_C.id, _C.key.label("campaign_key"), _C.kind.label("campaign_kind"), _C.policy, _C.mode).where(
    _C.id.in_(_IDS)
)
_told, _read_article = ARTICLES.alias("told"), ARTICLES.alias("read")
# The deliveries whose article, or another of its story, the reader has read.
_READ = (
    select(_D.id)
    .join(_told, _told.c.id == _D.article_id)
    .join(EVENTS, EVENTS.c.reader_id == _D.reader_id)
    .join(_read_article, _read_article.c.id == EVENTS.c.article_id)
    .where(
        _D.id.in_(_IDS),
        EVENTS.c.kind.in_(READ_KINDS),
        or_(_read_article.c.id == _told.c.id, _read_article.c.story_id == _told.c.story_id),
    )
    .distinct()
)
_other, _theirs, _ours = DELIVERIES.alias("other"), ARTICLES.alias("theirs"), ARTICLES.alias("ours")
_story = func.coalesce(_theirs.c.story_id, -_theirs.c.id)
_OTHERS = (
    select(
        _D.id,
        _story.label("story"),
        (_other.c.update_no >= _D.update_no).label("again"),
        func.min(_other.c.sent_at).label("sent_at"),
    )
    .join(_ours, _ours.c.id == _D.article_id)
    .join(_other, _other.c.reader_id == _D.reader_id)
    .join(_theirs, _theirs.c.id == _other.c.article_id)
    .where(
        _D.id.in_(_IDS),
        _other.c.state.in_(HANDED_OVER),
        or_(
            _other.c.sent_at > bindparam("since", type_=UtcTime),
            _story == func.coalesce(_ours.c.story_id, -_ours.c.id),
        ),
        ~and_(_other.c.campaign_id == _D.campaign_id, _other.c.slot == _D.slot),
    )
    .group_by(_D.id, _other.c.campaign_id, _other.c.slot, "story", "again")
)
