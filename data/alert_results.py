"""How an alert went: who opened it, and how those who got it differ from those who were held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from data.models import Article, Delivery, Event, Reader
from data.store import Store
from data.store.database import chunks, table

DELIVERIES, EVENTS, ARTICLES, READERS = table(Delivery), table(Event), table(Article), table(Reader)
GOT = ("sent", "unknown")
READS = ("open", "read", "finish", "push_open")


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Readers of one alert: how many got it, opened it, read its story since, and have push off now."""

    got: int
    opened: int
    read: int
    off: int


class AlertResults:
    """Counts over the readers an alert was for."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def of_told(self, campaign_id: int, article_id: int, since: datetime) -> AlertCounts:
        """Readers to whom a message of this campaign was handed over."""
        got = select(DELIVERIES.c.reader_id).where(DELIVERIES.c.campaign_id == campaign_id, DELIVERIES.c.state.in_(GOT))
        with self.store.reading() as connection:
            count = connection.execute(select(func.count()).select_from(got.distinct().subquery())).scalar_one()
            opened = self._readers(article_id, since, ("push_open",)).where(EVENTS.c.reader_id.in_(got))
            read = self._readers(article_id, since, READS).where(EVENTS.c.reader_id.in_(got))
            off: Select[Any] = (
                select(func.count()).select_from(READERS).where(READERS.c.id.in_(got), READERS.c.push.is_(False))
            )
            found = [int(connection.execute(one).scalar_one()) for one in (opened, read, off)]
        return AlertCounts(int(count), *found)

    def readers_of_story(self, article_id: int, since: datetime, reader_ids: Sequence[int]) -> int:
        """How many of these readers read the story since."""
        found = 0
        with self.store.reading() as connection:
            for part in chunks(list(reader_ids)):
                query = self._readers(article_id, since, READS).where(EVENTS.c.reader_id.in_(part))
                found += int(connection.execute(query).scalar_one())
        return found

    def _readers(self, article_id: int, since: datetime, kinds: Sequence[str]) -> Select[Any]:
        story = select(ARTICLES.c.story_id).where(ARTICLES.c.id == article_id).scalar_subquery()
        members = select(ARTICLES.c.id).where((ARTICLES.c.id == article_id) | (ARTICLES.c.story_id == story))
        count = select(func.count(EVENTS.c.reader_id.distinct()))
        return count.where(EVENTS.c.article_id.in_(members), EVENTS.c.kind.in_(kinds), EVENTS.c.at >= since)
