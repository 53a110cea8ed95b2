"""What the last fetch of each feed address told."""

from datetime import datetime

from sqlalchemy import select

from data.models import Feed
from data.store.database import Database, table
from data.values import FeedRow

FEEDS = table(Feed)


class Feeds(Database):
    """Validators for conditional GETs."""

    def feed(self, url: str) -> FeedRow | None:
        """The state of one address, or None before its first fetch."""
        with self.reading() as connection:
            row = connection.execute(select(FEEDS).where(FEEDS.c.url == url)).first()
        return FeedRow(row.url, row.etag, row.last_modified, row.fetched_at, row.error) if row else None

    def feeds(self) -> list[FeedRow]:
        """Every address that was ever fetched."""
        with self.reading() as connection:
            rows = connection.execute(select(FEEDS).order_by(FEEDS.c.url))
            return [FeedRow(row.url, row.etag, row.last_modified, row.fetched_at, row.error) for row in rows]

    def put_feed(
        self, url: str, *, etag: str | None, last_modified: str | None, fetched_at: datetime, error: str | None = None
    ) -> None:
        """Remember the outcome of a fetch. Call it only after the items are committed."""
        values = {"etag": etag, "last_modified": last_modified, "fetched_at": fetched_at, "error": error}
        with self.transaction() as connection:
            made = self.insert(Feed).values(url=url, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["url"], set_=values))
