"""Following the rows: what changed in the database becomes the next snapshot."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from data.clock import micros
from data.store import Store
from data.values import ArticleText, RuleRow
from recommender import rules
from recommender.index import ArticleIndex, document
from recommender.popularity import KEEP_H, Popularity
from recommender.rules import DeskRule
from recommender.snapshot import SURFACES, Snapshot
from recommender.stories import Member, StoryKeeper
from recommender.vectors import Epoch

log = logging.getLogger(__name__)
PAGE = 1_000
FIT_AT_MOST = 20_000  # newest articles an epoch is fitted on: enough for its word weights, seconds to compute
REFIT_GROWTH = 2.0  # refit when the archive grew by this factor since
MERGE_EVERY_S = 60.0
Progress = Callable[[int], None]


class Follower:
    """Keeps one snapshot up to date. Not safe to use from several threads at once: `Service` takes turns."""

    def __init__(self, store: Store, progress: Progress | None = None) -> None:
        self.store, self.progress = store, progress
        self.snapshot = Snapshot(ArticleIndex.empty(Epoch.fit([])))
        self.keeper = StoryKeeper()
        self.rev = self.batch = self.fitted_on = 0
        self.is_new = False  # articles came since the last merge pass
        self.merged_at: datetime | None = None

    def follow(self, now: datetime) -> bool:
        """Bring the snapshot up to the rows committed by now; whether anything changed."""
        before = self.snapshot
        self._follow_articles(now)
        self._follow_events(now)
        self._follow_desk(now)
        return self.snapshot is not before

    def _follow_articles(self, now: datetime) -> None:
        if self.store.article_rev() > self.rev:
            texts = self._texts()
            if len(self.snapshot.index) + len(texts) > REFIT_GROWTH * self.fitted_on:
                self._refit(texts)
            self._take(texts)
            self._assign(texts, now)
        if self.is_new and (self.merged_at is None or now - self.merged_at >= timedelta(seconds=MERGE_EVERY_S)):
            self._merge(now)

    def _texts(self) -> list[ArticleText]:
        texts: list[ArticleText] = []
        while page := self.store.article_texts(self.rev, limit=PAGE):
            texts += page
            self.rev = page[-1].rev
        return texts

    def _refit(self, texts: list[ArticleText]) -> None:
        """Learn the vocabulary anew from the newest articles, and encode everything with it."""
        if len(self.snapshot.index):
            self.rev = 0
            texts[:] = self._texts()
        newest = sorted(texts, key=lambda text: -text.published_at_us)[:FIT_AT_MOST]
        epoch = Epoch.fit([document(text) for text in newest])
        self.fitted_on = len(texts)
        self.snapshot = replace(self.snapshot, index=ArticleIndex.empty(epoch))
        self.keeper = StoryKeeper()
        log.info("fitted a vocabulary of %d terms on %d articles", epoch.width, len(newest))

    def _take(self, texts: Sequence[ArticleText]) -> None:
        """Add the texts to the index and those that have a story to the keeper."""
        if not texts:
            return
        index = self.snapshot.index
        rows = index.rows_of([text.id for text in texts])
        moved = [
            (int(index.columns.story_id[row]), text.story_id)
            for row, text in zip(rows, texts, strict=True)
            if row >= 0 and text.story_id not in (0, index.columns.story_id[row])
        ]
        known = {text.id for row, text in zip(rows, texts, strict=True) if row >= 0}
        index = index.add(texts, self.progress)
        self.snapshot = replace(self.snapshot, index=index)
        self.keeper.merge(sorted({(old, new) for old, new in moved if old}))  # another process merged them
        told = [text for text in texts if text.story_id and (text.id not in known or not len(self.keeper))]
        self._place([(text, text.story_id) for text in told])

    def _place(self, told: Sequence[tuple[ArticleText, int]]) -> None:
        if not told:
            return
        index = self.snapshot.index
        vectors = index.vectors(index.rows_of([text.id for text, _ in told]))
        members = [
            Member(text.id, story, vectors.rows([place]), text.published_at_us)
            for place, (text, story) in enumerate(told)
        ]
        if len(self.keeper):
            for one in members:
                self.keeper.place(one.story_id, one.vector, one.published_at_us)
        else:
            self.keeper = StoryKeeper.rebuild(members)

    def _assign(self, texts: Sequence[ArticleText], now: datetime) -> None:
        """Give the articles that have none a story, in the order of publication; the database has the last word."""
        waiting = sorted(
            (text for text in texts if not text.story_id and not text.retracted),
            key=lambda text: (text.published_at_us, text.id),
        )
        for start in range(0, len(waiting), PAGE):
            self._assign_page(waiting[start : start + PAGE], now)

    def _assign_page(self, waiting: Sequence[ArticleText], now: datetime) -> None:
        index = self.snapshot.index
        vectors = index.vectors(index.rows_of([text.id for text in waiting]))
        wanted = {
            text.id: self.keeper.assign(text.id, vectors.rows([place]), text.published_at_us)
            for place, text in enumerate(waiting)
        }
        found = self.store.assign_stories(list(wanted.items()), now=now)
        lost = {text.id: text for text in waiting if found.get(text.id, wanted[text.id]) != wanted[text.id]}
        for text in lost.values():  # another process was first
            row = index.rows_of([text.id])
            self.keeper.place(found[text.id], index.vectors(row), text.published_at_us)
        self.snapshot = replace(self.snapshot, index=index.with_stories(wanted | found))
        self.is_new = True

    def _merge(self, now: datetime) -> None:
        """Join stories that grew towards each other; their articles' new story comes back through the rows."""
        pairs = self.keeper.merge_pass()
        self.store.merge_stories(pairs)
        if pairs:
            self._take(self._texts())
            log.info("merged %d stories", len(pairs))
        self.is_new, self.merged_at = False, now

    def _follow_events(self, now: datetime) -> None:
        while self.store.event_batch() > self.batch:
            if not self.batch:  # the first time: nothing older than the counters remember
                self.batch = self.store.batch_before(now - timedelta(hours=KEEP_H))
            events = self.store.events_since(self.batch)
            if not len(events.at_us):
                return
            self.batch = events.last
            popularity = (self.snapshot.popularity or Popularity()).add(events)
            if popularity is not self.snapshot.popularity:
                self.snapshot = replace(self.snapshot, popularity=popularity)

    def _follow_desk(self, now: datetime) -> None:
        """Outlets, live weights and rules; small tables, read whole."""
        sources = self.store.sources()
        live = {surface: self.store.live_weights(surface) for surface in SURFACES}
        weights = {surface: row for surface, row in live.items() if row}
        looked_up = self._rules(self.store.rules(now), {row.key: number for number, row in sources.items()})
        old = self.snapshot
        if (sources, weights, looked_up) != (old.sources, old.weights, old.rules):
            self.snapshot = replace(old, sources=sources, weights=weights, rules=looked_up)

    def _rules(self, rows: Sequence[RuleRow], source_ids: dict[str, int]) -> dict[str, tuple[DeskRule, ...]]:
        wanted = [row.target_key for row in rows if row.target == "article"]
        article_ids = self.store.article_ids(wanted) if wanted else {}
        return {surface: rules.resolve(rows, surface, article_ids, source_ids) for surface in SURFACES}


def age_s(snapshot: Snapshot, now: datetime) -> float | None:
    """Seconds since the newest article that is out, None where there is none."""
    at_us = snapshot.index.columns.published_at_us
    past = at_us[at_us <= micros(now)]
    return float(micros(now) - np.max(past)) / 1e6 if len(past) else None
