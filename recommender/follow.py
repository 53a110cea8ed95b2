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
from recommender.index import ArticleIndex
from recommender.popularity import KEEP_H
from recommender.rules import DeskRule
from recommender.signals import HOUR_US
from recommender.snapshot import SURFACES, Snapshot
from recommender.stories import Member, StoryKeeper, StorySettings
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
        self.now_us = 0

    def follow(self, now: datetime) -> bool:
        """Bring the snapshot up to the rows committed by now; whether anything changed."""
        before, self.now_us = self.snapshot, micros(now)
        self._follow_articles(now)
        self._follow_events(now)
        self._follow_desk(now)
        return self.snapshot is not before

    def _follow_articles(self, now: datetime) -> None:
        before = self.rev
        try:
            counter = self.store.article_rev()
            if counter > self.rev:
                self._absorb(self._texts(self.rev), now)
                self.rev = max(self.rev, counter)  # numbers may be taken without a row to show for it
            if self.is_new and (self.merged_at is None or now - self.merged_at >= timedelta(seconds=MERGE_EVERY_S)):
                self._merge(now)
        except Exception:
            self.rev = before  # the same rows again next time: taking them twice is harmless
            self._rebuild()  # what was decided and not committed is forgotten
            raise

    def _texts(self, since: int) -> list[ArticleText]:
        """What changed since, each article once, as it is now."""
        texts: dict[int, ArticleText] = {}
        while page := self.store.article_texts(since, limit=PAGE):
            texts.update((text.id, text) for text in page)
            since = page[-1].rev
        self.rev = since
        return list(texts.values())

    def _absorb(self, texts: Sequence[ArticleText], now: datetime) -> None:
        """Make the texts part of the snapshot and give each a story."""
        index = self.snapshot.index
        fresh = int((index.rows_of([text.id for text in texts]) < 0).sum())
        if len(index) + fresh > REFIT_GROWTH * self.fitted_on:
            texts = self._texts(0) if len(index) else texts
            self._refit(texts)
        else:
            self._take(texts)
        self._assign(texts, now)

    def _refit(self, texts: Sequence[ArticleText]) -> None:
        """Learn the vocabulary anew from the newest articles and encode everything with it; then swap, at once."""
        newest = sorted(texts, key=lambda text: -text.published_at_us)[:FIT_AT_MOST]
        index = ArticleIndex.fitted(newest).add(texts, self.progress)
        self.snapshot = replace(self.snapshot, index=index)
        self.fitted_on = len(texts)
        self._rebuild()
        log.info("fitted a vocabulary of %d terms on %d articles", index.epoch.width, len(newest))

    def _rebuild(self) -> None:
        """The keeper as the index knows the stories."""
        columns, alive = self.snapshot.index.columns, self.snapshot.index.alive
        rows = np.flatnonzero(alive & (columns.story_id != 0))
        at_us = np.minimum(columns.published_at_us[rows], self.now_us)
        recent = at_us >= at_us.max(initial=0) - int(2 * StorySettings().window_h * HOUR_US)
        rows, at_us = rows[recent], at_us[recent]
        order = np.lexsort((columns.id[rows], at_us))
        rows, at_us = rows[order], at_us[order]
        vectors = self.snapshot.index.vectors(rows)
        self.keeper = StoryKeeper.rebuild(
            Member(int(columns.id[row]), int(columns.story_id[row]), vectors.rows([place]), int(at))
            for place, (row, at) in enumerate(zip(rows, at_us, strict=True))
        )

    def _take(self, texts: Sequence[ArticleText]) -> None:
        """Add the texts to the index, and to the keeper what other processes decided about them."""
        index = self.snapshot.index
        rows = index.rows_of([text.id for text in texts])
        moved = {
            (int(index.columns.story_id[row]), text.story_id)
            for row, text in zip(rows, texts, strict=True)
            if row >= 0 and 0 != index.columns.story_id[row] != text.story_id != 0
        }
        told = [
            text
            for row, text in zip(rows, texts, strict=True)
            if text.story_id and (row < 0 or not index.columns.story_id[row])
        ]
        index = index.add(texts, self.progress)
        self.snapshot = replace(self.snapshot, index=index)
        self.keeper.merge(sorted(moved))
        self._place(told)
        # Whoever assigned an article to a story while another process merged that story away left it behind.
        left = np.isin(index.columns.story_id[index.alive], [old for old, _ in moved])
        if left.any():
            self.store.merge_stories(sorted(moved))

    def _place(self, told: Sequence[ArticleText]) -> None:
        index = self.snapshot.index
        vectors = index.vectors(index.rows_of([text.id for text in told]))
        for place, text in enumerate(told):
            self.keeper.place(text.story_id, vectors.rows([place]), self._known_at(text))

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
            text.id: self.keeper.assign(text.id, vectors.rows([place]), self._known_at(text))
            for place, text in enumerate(waiting)
        }
        found = self.store.assign_stories(list(wanted.items()), now=now)
        self.snapshot = replace(self.snapshot, index=index.with_stories(wanted | found))
        if any(wanted[one] != story for one, story in found.items()):  # another process was first
            self._rebuild()
        self.is_new = True

    def _known_at(self, text: ArticleText) -> int:
        """When an article was out, as far as stories go: one dated ahead must not close those of today."""
        return min(text.published_at_us, self.now_us)

    def _merge(self, now: datetime) -> None:
        """Join stories that grew towards each other; their articles' new story comes back through the rows."""
        pairs = self.keeper.merge_pass()
        if pairs:
            self.store.merge_stories(pairs)
            self._absorb(self._texts(self.rev), now)
            log.info("merged %d stories", len(pairs))
        self.is_new, self.merged_at = False, now

    def _follow_events(self, now: datetime) -> None:
        if not self.batch:  # the first time: nothing older than the counters remember
            self.batch = self.store.batch_before(now - timedelta(hours=KEEP_H))
        while (counter := self.store.event_batch()) > self.batch:
            events = self.store.events_since(self.batch)
            # Numbers may be taken without an event to show for it: all of them were duplicates.
            self.batch = events.last if len(events.at_us) else counter
            popularity = self.snapshot.popularity.add(events)
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
