"""The ledger of messages to topics: what everybody, or everybody who follows a topic, was told."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from data.alerts import Outcome
from data.errors import Conflict, NotFound
from data.models import Alert, Article, Broadcast, Reader
from data.store import Store
from data.store.audit import note
from data.store.database import chunks, table

ALERTS, BROADCASTS, ARTICLES, READERS = table(Alert), table(Broadcast), table(Article), table(Reader)
TOLD = ("sending", "sent", "unknown")
WINDOW_H = 48.0  # a story is told again after this
LEASE_S = 120.0  # longer than a post takes: its turn in the pace, and 15 s for an answer
VANISHED = "the sender vanished"


@dataclass(frozen=True, slots=True)
class NewBroadcast:
    """One message to one topic, about to be sent. `reader_topic` None: everybody gets it."""

    key: str
    app: str
    topic: str
    reader_topic: str | None
    article_id: int
    story_id: int  # minus the article's id without a story
    update_no: int
    author: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """That some readers were told of a story."""

    story: int  # the one its article is in now
    update_no: int
    sent_at: datetime
    reader_topic: str | None
    told_no: int = 0

    def reaches(self, followed: Collection[str]) -> bool:
        """Whether a reader who follows these topics was among them."""
        return self.reader_topic is None or self.reader_topic.casefold() in followed


class Broadcasts:
    """Broadcasts, each written down before it is sent."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self, one: NewBroadcast, *, now: datetime, window_h: float = WINDOW_H) -> int:  # -> sending
        """Write it down; Conflict if this topic was told of the story in its present state within `window_h`, or may
        have been."""
        with self.store.transaction() as connection:
            return enter(connection, self.store, one, now, window_h=window_h)

    def settle(self, number: int, outcome: Outcome) -> None:  # sending -> sent | failed | unknown
        """Write how it ended. What certainly did not leave is `failed`, and may be tried again.

        A late answer also replaces `unknown`: it is the truth about the one attempt.
        """
        state = outcome.state if outcome.state in ("sent", "unknown") else "failed"
        change = update(BROADCASTS).where(BROADCASTS.c.id == number, BROADCASTS.c.state.in_(("sending", "unknown")))
        with self.store.transaction() as connection:
            connection.execute(change.values(state=state, reason=outcome.reason, message_name=outcome.message_name))

    def recover(self, now: datetime) -> list[int]:  # sending -> unknown
        """Close what a sender left behind when its lease is over: it may have arrived, so it is never sent again.

        Each is noted in the log of changes, under its alert if it has one. Returns their numbers.
        """
        lost = (BROADCASTS.c.state == "sending", BROADCASTS.c.sent_at <= now - timedelta(seconds=LEASE_S))
        change = update(BROADCASTS).where(*lost).values(state="unknown", reason=VANISHED)
        with self.store.transaction() as connection:
            found = sorted(connection.execute(change.returning(BROADCASTS.c.id)).scalars())
            for number in found:
                alert = connection.execute(select(ALERTS.c.id).where(ALERTS.c.broadcast_id == number)).scalar()
                target = f"broadcast {number}" if alert is None else f"alert {alert}"
                note(connection, "newsbell", "does not know what became of", target, why=VANISHED, now=now)
        return found

    def counts(self) -> dict[str, int]:
        """How many broadcasts are in each state."""
        query = select(BROADCASTS.c.state, func.count()).group_by(BROADCASTS.c.state).order_by(BROADCASTS.c.state)
        with self.store.reading() as connection:
            return {state: int(number) for state, number in connection.execute(query)}

    def get(self, number: int) -> dict[str, Any]:
        """One broadcast; NotFound if there is none of that number."""
        with self.store.reading() as connection:
            row = connection.execute(select(BROADCASTS).where(BROADCASTS.c.id == number)).first()
        if row is None:
            raise NotFound(f"no broadcast {number}; the ledger lists those there are")
        return dict(row._mapping)

    def all(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest, newest first."""
        with self.store.reading() as connection:
            rows = connection.execute(select(BROADCASTS).order_by(BROADCASTS.c.id.desc()).limit(limit))
            return [dict(row._mapping) for row in rows]


def enter(
    connection: Connection, store: Store, one: NewBroadcast, now: datetime, *, window_h: float = WINDOW_H
) -> int:  # -> sending
    """Write a broadcast down inside the caller's transaction; Conflict as `Broadcasts.begin` says."""
    row = {name: getattr(one, name) for name in NewBroadcast.__dataclass_fields__}
    told_no = _times_told(connection, one, now - timedelta(hours=window_h))
    made = store.insert(Broadcast).values(**row, told_no=told_no, state="sending", reason="", sent_at=now)
    found = connection.execute(made.on_conflict_do_nothing().returning(BROADCASTS.c.id)).scalar()
    if found is None:
        raise Conflict(
            f"topic {one.topic!r} was told of this story already; it may be told again after a material update"
        )
    return int(found)


def said(connection: Connection, *, since: datetime, stories: Iterable[int]) -> list[Said]:
    """What was said to topics since `since`, and whatever was ever said of these stories: few rows, usually none."""
    story = func.coalesce(ARTICLES.c.story_id, -ARTICLES.c.id)
    columns = (
        story.label("story"),
        BROADCASTS.c.update_no,
        BROADCASTS.c.sent_at,
        BROADCASTS.c.reader_topic,
        BROADCASTS.c.told_no,
    )
    wanted = or_(BROADCASTS.c.sent_at > since, story.in_(list(stories)))
    joined = BROADCASTS.join(ARTICLES, ARTICLES.c.id == BROADCASTS.c.article_id)
    rows = connection.execute(select(*columns).select_from(joined).where(BROADCASTS.c.state.in_(TOLD), wanted))
    return [Said(*row) for row in rows]


def _times_told(connection: Connection, one: NewBroadcast, since: datetime) -> int:
    """How often the topic was told of this before; the last number itself, which the key refuses, if since `since`."""
    b = BROADCASTS.c
    same = (b.topic == one.topic, b.story_id == one.story_id, b.update_no == one.update_no, b.state.in_(TOLD))
    last = connection.execute(select(b.told_no, b.sent_at).where(*same).order_by(b.told_no.desc()).limit(1)).first()
    return 0 if last is None else int(last.told_no) + (last.sent_at <= since)


def followed(connection: Connection, reader_ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Reader -> the topics they follow, folded."""
    found: dict[int, frozenset[str]] = defaultdict(frozenset)
    for part in chunks(reader_ids):
        query = select(READERS.c.id, READERS.c.followed_topics).where(READERS.c.id.in_(part))
        for row in connection.execute(query):
            found[row.id] = frozenset(topic.casefold() for topic in row.followed_topics)
    return found
