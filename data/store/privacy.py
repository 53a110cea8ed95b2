"""Everything held on one reader: handed out, or removed."""

from typing import Any

from sqlalchemy import Connection, delete, func, select

from data.clock import instant
from data.errors import NotFound
from data.models import Article, Delivery, Device, Event, Reader, Served
from data.store.database import Database, bump, chunks, table

READERS, ARTICLES = table(Reader), table(Article)
HELD = {"devices": table(Device), "events": table(Event), "deliveries": table(Delivery), "served": table(Served)}
_TIMES = frozenset({"at", "received_at", "seen_at", "created_at", "served_at", "planned_at", "not_before_at", "sent_at",
                    "expires_at", "lease_until"})  # fmt: skip
_OURS = frozenset({"id", "reader_id", "device_id", "campaign_id", "plan_id", "batch", "fence"})  # numbers of the tables


class Privacy(Database):
    """A reader's rights, over every table that names one."""

    def export_reader(self, key: str) -> dict[str, Any]:
        """Everything held on a reader, as JSON values; NotFound for one we never saw.

        Articles are named by the publisher's ids, times are RFC 3339.
        """
        with self.reading() as connection:
            reader = self._reader(connection, key)
            found: dict[str, Any] = {"reader": _plain(reader._mapping)}
            for name, rows in HELD.items():
                query = select(rows).where(rows.c.reader_id == reader.id).order_by(rows.c.id)
                found[name] = [_plain(row._mapping) for row in connection.execute(query)]
            keys = self._article_keys(connection, found)
        for item in (item for name in ("events", "deliveries", "served") for item in found[name]):
            _name_articles(item, keys)
        return found

    def erase_reader(self, key: str) -> dict[str, int]:
        """Remove a reader and everything held on them, in one transaction; how many rows of each kind went.

        NotFound for one we never saw. An event of theirs that is posted again later makes the reader known again.
        """
        with self.transaction() as connection:
            bump(connection, "event")  # event writers take turns: none of theirs slips in between
            reader = self._reader(connection, key)
            counts = {}
            for name, rows in HELD.items():
                wanted = select(func.count()).select_from(rows).where(rows.c.reader_id == reader.id)
                counts[name] = int(connection.execute(wanted).scalar_one())
            connection.execute(delete(READERS).where(READERS.c.id == reader.id))  # the others follow by foreign key
        return counts

    def _reader(self, connection: Connection, key: str) -> Any:
        reader = connection.execute(select(READERS).where(READERS.c.key == key)).first()
        if reader is None:
            raise NotFound(f"reader {key!r} is unknown; nothing is held on them")
        return reader

    def _article_keys(self, connection: Connection, found: dict[str, Any]) -> dict[int, str]:
        wanted = {item.get("article_id") for name in ("events", "deliveries", "served") for item in found[name]}
        wanted |= {one for item in found["served"] for one in item["article_ids"]}
        keys: dict[int, str] = {}
        for part in chunks(sorted(wanted - {None})):
            rows = connection.execute(select(ARTICLES.c.id, ARTICLES.c.key).where(ARTICLES.c.id.in_(part)))
            keys.update((row.id, row.key) for row in rows)
        return keys


def _plain(row: Any) -> dict[str, Any]:
    """A row as JSON values; our own numbers are of no use outside."""
    values = {name: _value(name, value) for name, value in row.items() if name not in _OURS}
    return {name: value for name, value in values.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return (instant(value) if isinstance(value, int) else value).isoformat()
    return value


def _name_articles(item: dict[str, Any], keys: dict[int, str]) -> None:
    """Put the publisher's ids in place of our numbers."""
    if number := item.pop("article_id", None):
        item["article"] = keys.get(number, "")
    if "article_ids" in item:
        item["articles"] = [keys.get(one, "") for one in item.pop("article_ids")]
