"""The demo's readers as choices, and what one of them read last."""

from collections.abc import Iterable
from dataclasses import dataclass

from data.store import Store
from data.values import ArticleRow, ReaderRow
from data.wire import EVENT_KINDS

OFFERED = 12
HISTORY = 100  # events looked at for the last reads
READS = frozenset(EVENT_KINDS.index(kind) for kind in ("open", "read", "finish", "push_open"))


@dataclass(frozen=True)
class Choice:
    """A reader in the form's list."""

    key: str
    label: str


def choices(store: Store, chosen: str | None) -> list[Choice]:
    """The readers to choose from: the first there are, the chosen one, and somebody new."""
    keys = store.reader_keys(OFFERED)
    if chosen and chosen not in keys:
        keys.append(chosen)
    rows = (store.reader(key) or ReaderRow(0, key) for key in keys)
    return [*(Choice(row.key, _label(row)) for row in rows), Choice("new", "somebody new, nothing read yet")]


def _label(row: ReaderRow) -> str:
    """Like "reader-017, Oslo: climate, football"."""
    name = row.key if row.zone == "UTC" else f"{row.key}, {city(row.zone)}"
    topics = ", ".join(row.followed_topics[:3])
    return f"{name}: {topics}" if topics else name


def city(zone: str) -> str:
    """The place in the name of a time zone."""
    return zone.rpartition("/")[2].replace("_", " ")


def recently_read(store: Store, reader: ReaderRow, limit: int = 6) -> list[ArticleRow]:
    """The articles a reader read last, newest first."""
    return store.articles(list(_read_ids(store, reader))[:limit])


def has_read(store: Store, reader: ReaderRow, article: ArticleRow) -> bool:
    """Whether the reader's last events hold a read of the article."""
    return article.id in _read_ids(store, reader)


def _read_ids(store: Store, reader: ReaderRow) -> Iterable[int]:
    if not reader.id:
        return {}.keys()
    events = store.histories([reader.id], limit=HISTORY)
    pairs = zip(events.article_id.tolist(), events.kind.tolist(), strict=True)
    return dict.fromkeys(article for article, kind in pairs if kind in READS).keys()
