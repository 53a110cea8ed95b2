"""What is true now about deliveries that are about to be sent."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from data.alerts import Due
from data.clock import micros
from data.models import Article, Campaign, Delivery, Device, Event, Reader, Source
from data.store.database import table

DELIVERIES, CAMPAIGNS, ARTICLES, SOURCES = table(Delivery), table(Campaign), table(Article), table(Source)
READERS, DEVICES, EVENTS = table(Reader), table(Device), table(Event)
# Whoever did one of these knows the story, or does not want it.
READ_KINDS = ("open", "read", "finish", "share", "save", "push_open", "hide", "less_like_this")
HANDED_OVER = ("sending", "sent", "unknown")
_TUPLES = ("topics", "muted_topics", "muted_sources", "muted_stories")


def facts(connection: Connection, ids: Sequence[int], now: datetime) -> list[Due]:
    """The deliveries in the order of `ids`, their readers' rows locked until the caller commits."""
    if not ids:
        return []
    readers = select(DELIVERIES.c.reader_id).where(DELIVERIES.c.id.in_(ids))
    connection.execute(
        select(READERS.c.id).where(READERS.c.id.in_(readers)).order_by(READERS.c.id).with_for_update()
    ).all()
    due = {row.id: _due(row) for row in connection.execute(_now_query(ids))}
    for delivery_id in _read_by_now(connection, ids):
        due[delivery_id] = replace(due[delivery_id], has_read=True)
    others = _other_alerts(connection, ids, now)
    for delivery_id, rows in others.items():
        mine = due[delivery_id]
        told = any(row.story == (mine.story_id or -mine.article_id) and row.again for row in rows)
        due[delivery_id] = replace(mine, is_told=told, alerts_us=tuple(micros(row.sent_at) for row in rows))
    return [due[one] for one in ids]


def _now_query(ids: Sequence[int]) -> Any:
    d, c, a, r, p = DELIVERIES.c, CAMPAIGNS.c, ARTICLES.c, READERS.c, DEVICES.c
    columns = (
        *(d.id, d.key, d.campaign_id, d.slot, (d.attempt + 1).label("attempt"), d.expires_at, d.article_id),
        *(c.key.label("campaign_key"), c.kind.label("campaign_kind"), c.policy, c.message),
        *(a.key.label("article_key"), a.title, a.summary, a.url, a.image_url, a.category, a.topics),
        *(a.published_at, a.embargo_until, a.retracted_at, a.story_id, SOURCES.c.key.label("source_key")),
        *(d.reader_id, r.zone, r.push, r.quiet_from, r.quiet_until, r.daily_cap),
        *(r.muted_topics, r.muted_sources, r.muted_stories),
        *(p.fid, p.token, p.platform, p.is_test, p.state.label("device_state")),
        p.reader_id.label("device_reader_id"),
    )
    joined = (
        DELIVERIES.join(CAMPAIGNS, c.id == d.campaign_id)
        .join(ARTICLES, a.id == d.article_id)
        .outerjoin(SOURCES, SOURCES.c.id == a.source_id)
        .join(READERS, r.id == d.reader_id)
        .join(DEVICES, p.id == d.device_id)
    )
    return select(*columns).select_from(joined).where(d.id.in_(ids))


def _due(row: Row[Any]) -> Due:
    fields = dict(row._mapping)
    written = fields.pop("message")  # of the desk's own: an alert says what the desk wrote
    fields |= {"title": written["title"], "summary": written.get("body", "")} if written else {}
    return Due(**fields | {name: tuple(fields[name]) for name in _TUPLES})


def _read_by_now(connection: Connection, ids: Sequence[int]) -> set[int]:
    """The deliveries whose article, or another of its story, the reader has read."""
    told, read = ARTICLES.alias("told"), ARTICLES.alias("read")
    query = (
        select(DELIVERIES.c.id)
        .join(told, told.c.id == DELIVERIES.c.article_id)
        .join(EVENTS, EVENTS.c.reader_id == DELIVERIES.c.reader_id)
        .join(read, read.c.id == EVENTS.c.article_id)
        .where(
            DELIVERIES.c.id.in_(ids),
            EVENTS.c.kind.in_(READ_KINDS),
            or_(read.c.id == told.c.id, read.c.story_id == told.c.story_id),
        )
    )
    return set(connection.execute(query.distinct()).scalars())


def _other_alerts(connection: Connection, ids: Sequence[int], now: datetime) -> dict[int, list[Row[Any]]]:
    """Per delivery, the other alerts handed over to its reader: those of the last day, and those of its story."""
    other, theirs, ours = DELIVERIES.alias("other"), ARTICLES.alias("theirs"), ARTICLES.alias("ours")
    story = func.coalesce(theirs.c.story_id, -theirs.c.id)
    query = (
        select(
            DELIVERIES.c.id,
            story.label("story"),
            (other.c.update_no >= DELIVERIES.c.update_no).label("again"),
            func.min(other.c.sent_at).label("sent_at"),
        )
        .join(ours, ours.c.id == DELIVERIES.c.article_id)
        .join(other, other.c.reader_id == DELIVERIES.c.reader_id)
        .join(theirs, theirs.c.id == other.c.article_id)
        .where(
            DELIVERIES.c.id.in_(ids),
            other.c.state.in_(HANDED_OVER),
            or_(other.c.sent_at > now - timedelta(hours=24), story == func.coalesce(ours.c.story_id, -ours.c.id)),
            ~and_(other.c.campaign_id == DELIVERIES.c.campaign_id, other.c.slot == DELIVERIES.c.slot),
        )
        .group_by(DELIVERIES.c.id, other.c.campaign_id, other.c.slot, "story", "again")
    )
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.id].append(row)
    return found
