"""Reading the newsroom's own log out of the store."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from data.clock import micros
from data.store import Store
from data.values import EventBatch, Histories, ReaderRow, ServedPage
from data.wire import EVENT_KINDS
from recommender.popularity import KEEP_H
from recommender.replay.served_log import WINDOW_H, ReaderPast, ServedLog, ServedSlate
from recommender.rules import Choices
from recommender.signals import HOUR_US
from recommender.snapshot import Snapshot

FOLLOWS_US = HOUR_US  # an article opened this soon after a list counts for it, where the event does not name its list
MOST_EVENTS = 20_000  # of a reader
_IMPRESSION = EVENT_KINDS.index("impression")


def read_log(
    store: Store, snapshot: Snapshot, since: datetime, until: datetime, *, surface: str = "for_you",
    window_h: float = WINDOW_H, most: int = 20_000,
) -> ServedLog:  # fmt: skip
    """The lists of a surface served in [since, until), the latest `most`, with all that was known when they were.

    `snapshot` is the serving one: its articles, outlets, rules and weights are taken as they are now.
    """
    pages = [page for page in store.served_since(since) if page.surface == surface and page.served_at < until]
    pages = pages[-most:]
    opened = store.opened_since(since)
    readers = {row.id: row for row in store.readers({page.reader_id for page in pages if page.reader_id})}
    reads = micros(since) - int(2 * KEEP_H * HOUR_US)  # counters forget by the last event, not by the clock
    return ServedLog(
        snapshot,
        tuple(_slates(pages, opened)),
        _events(store, reads, micros(until)),
        _pasts(store, snapshot, readers, until),
        window_h,
    )


def _slates(pages: Sequence[ServedPage], opened: Sequence[tuple[int, int, int, str | None]]) -> list[ServedSlate]:
    named = {(served_id, article) for _, article, _, served_id in opened if served_id}
    unnamed: dict[tuple[int, int], list[int]] = {}
    for reader, article, at_us, served_id in opened:
        if not served_id:
            unnamed.setdefault((reader, article), []).append(at_us)

    def is_opened(page: ServedPage, article: int) -> bool:
        if (page.served_id, article) in named:
            return True
        times, at_us = unnamed.get((page.reader_id or 0, article), []), micros(page.served_at)
        place = bisect_right(times, at_us)
        return place < len(times) and times[place] <= at_us + FOLLOWS_US

    return [
        ServedSlate(
            page.served_id,
            page.reader_id or 0,
            micros(page.served_at),
            np.array(page.article_ids, np.int64),
            np.array([is_opened(page, article) for article in page.article_ids], np.uint8),
            page.weight_version,
            page.propensity,
        )
        for page in pages
    ]


def _events(store: Store, since_us: int, until_us: int) -> EventBatch:
    """All events of a stretch of time, whatever the batches they came in."""
    batch, parts = 0, []
    while len((part := store.events_since(batch)).at_us):
        parts.append(part)
        batch = part.last
    joined = {
        name: np.concatenate([getattr(one, name) for one in parts]) if parts else np.zeros(0, np.int64)
        for name in ("article_id", "reader_id", "at_us", "kind")
    }
    kept = (joined["at_us"] >= since_us) & (joined["at_us"] < until_us)
    joined = {name: values[kept] for name, values in joined.items()}
    return EventBatch(batch, joined["article_id"], joined["reader_id"], joined["at_us"], joined["kind"].astype(np.int8))


def _pasts(store: Store, snapshot: Snapshot, readers: dict[int, ReaderRow], until: datetime) -> dict[int, ReaderPast]:
    ids = sorted(readers)
    done = store.histories(ids, limit=MOST_EVENTS, until=until, impressions=True)
    sources = {source.key: number for number, source in snapshot.sources.items()}
    found = {}
    for row, reader_id in enumerate(ids):
        mine, reader = done.of(row), readers[reader_id]
        choices = Choices(
            followed_topics=reader.followed_topics,
            muted_topics=reader.muted_topics,
            muted_sources=tuple(sources[key] for key in reader.muted_sources if key in sources),
            followed_stories=tuple(int(key) for key in reader.followed_stories if key.isdecimal()),
            muted_stories=tuple(int(key) for key in reader.muted_stories if key.isdecimal()),
        )
        shown = mine.kind == _IMPRESSION
        found[reader_id] = ReaderPast(choices, reader.language, _some(mine, ~shown), _some(mine, shown))
    return found


def _some(done: Histories, mask: np.ndarray) -> Histories:
    count = int(mask.sum())
    return Histories(
        done.reader_id, np.array([0, count], np.int64), done.article_id[mask], done.at_us[mask], done.kind[mask],
        done.dwell_s[mask],
    )  # fmt: skip
