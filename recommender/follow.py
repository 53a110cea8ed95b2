"""Following the rows: what changed in the database becomes the next snapshot."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from data.clock import instant, micros
from data.experiments import LIVE
from data.store import Store
from data.values import ArticleText, IntArray, RuleRow
from recommender import index_files, rules
from recommender.beside import Apply, Beside
from recommender.build import PAGE, Built, build, pages
from recommender.experiments.serving import Trials
from recommender.index import ArticleIndex, Rows
from recommender.index_files import Kept, Stamp
from recommender.interest import name_of
from recommender.interest_files import Models
from recommender.popularity import KEEP_H
from recommender.rules import DeskRule
from recommender.signals import HOUR_US
from recommender.snapshot import SURFACES, Snapshot
from recommender.stories import StoryKeeper, StorySettings
from recommender.vectors import Epoch

log = logging.getLogger(__name__)
REFIT_GROWTH = 2.0  # refit when the archive grew by this factor since
SMALL = 5_000  # an archive up to this size is fitted anew at once and kept nowhere: that takes seconds
MERGE_EVERY_S = 60.0
SAVE_EVERY = timedelta(minutes=10)
Progress = Callable[[int], None]


class Follower:
    """Keeps one snapshot up to date. Not safe to use from several threads at once: `Service` takes turns.

    With `beside`, slow work (a new vocabulary, joining large segments, saving) goes on in a thread, and `follow` puts
    its results in place. With `keep`, the folder an index is kept in, a start goes on from what is kept there.
    """

    def __init__(
        self, store: Store, progress: Progress | None = None, *, beside: Beside | None = None, keep: Path | None = None,
        models: Path | None = None,
    ) -> None:  # fmt: skip
        self.store, self.progress, self.beside, self.keep = store, progress, beside, keep
        self.models = Models(models)
        self.snapshot = Snapshot(ArticleIndex.empty(Epoch.fit([])))
        self.keeper = StoryKeeper()
        self.rev = self.batch = self.fitted_on = 0
        self.is_new = False  # articles came since the last merge pass
        self.merged_at: datetime | None = None
        self.saved_at: datetime | None = None
        self.saved_rev = 0
        self.opened: Stamp | None = None  # of the kept index this began with
        self.now_us = 0
        self._missed = 0  # the click model that is not there

    def follow(self, now: datetime) -> bool:
        """Bring the snapshot up to the rows committed by now; whether anything changed."""
        before, self.now_us = self.snapshot, micros(now)
        if self.beside:
            self.beside.settle()
        self._follow_articles(now)
        self._follow_events(now)
        self._follow_desk(now)
        self._look_after(now)
        return self.snapshot is not before

    def save(self) -> None:
        """Keep the index for the next start, if it is to be kept and no other process is doing so."""
        if self._is_unsaved:
            self._save(self.snapshot.index, self.rev, self.fitted_on)

    def _follow_articles(self, now: datetime) -> None:
        before = self.rev
        try:
            counter = self.store.article_rev()
            if counter > self.rev:
                if not len(self.snapshot.index):
                    self._begin(now)
                self._absorb(self._texts(self.rev), now)
                self.rev = max(self.rev, counter)  # numbers may be taken without a row to show for it
            if self.is_new and (self.merged_at is None or now - self.merged_at >= timedelta(seconds=MERGE_EVERY_S)):
                self._merge(now)
        except Exception:
            self.rev = before  # the same rows again next time: taking them twice is harmless
            self._rebuild()  # what was decided and not committed is forgotten
            raise

    def _begin(self, now: datetime) -> None:
        """The first index: what was kept, or else everything read anew."""
        if kept := self._kept():
            self.snapshot = replace(self.snapshot, index=kept.index)
            self.opened = kept.stamp
            self.rev = self.saved_rev = kept.stamp.rev
            self.fitted_on = kept.stamp.fitted_on
            self._rebuild()
            log.info("opened the index kept in %s: %d articles", self.keep, len(kept.index))
            return
        self._take_built(build(self.store, self.progress), now)

    def _kept(self) -> Kept | None:
        """The kept index, if it is of this database."""
        if self.keep is None:
            return None
        try:
            kept = index_files.load(self.keep)
        except index_files.IndexUnreadable as error:
            log.info("reading every article anew: %s", error)
            return None
        is_ours = kept.stamp.identity == self.store.identity() and kept.stamp.rev <= self.store.article_rev()
        return kept if is_ours else None

    def _take_built(self, built: Built, now: datetime) -> None:
        """Put a new index in place of the present one, with what changed since it was begun."""
        self.rev, self.fitted_on = built.rev, len(built.index)
        index = built.index.add(self._texts(built.rev))
        self.snapshot = replace(self.snapshot, index=index)
        self._rebuild()
        waiting = np.flatnonzero(index.alive & (index.columns.story_id == 0) & ~index.columns.retracted)
        self._assign_rows(waiting, now)
        log.info("fitted a vocabulary of %d terms, %d articles", index.epoch.width, len(index))

    def _texts(self, since: int) -> list[ArticleText]:
        """What changed since, each article once, as it is now."""
        texts: dict[int, ArticleText] = {}
        for page in pages(self.store, since):
            texts.update((text.id, text) for text in page)
            self.rev = page[-1].rev
        return list(texts.values())

    def _absorb(self, texts: Sequence[ArticleText], now: datetime) -> None:
        """Make the texts part of the snapshot and give each a story."""
        if not texts:
            return
        index = self.snapshot.index
        fresh = int((index.rows_of([text.id for text in texts]) < 0).sum())
        if len(index) + fresh > REFIT_GROWTH * self.fitted_on and self._may_refit_at_once(len(index) + fresh):
            self._take_built(build(self.store, self.progress), now)
            return
        self._take(texts)
        ids = [text.id for text in texts if not text.story_id and not text.retracted]
        self._assign_rows(self.snapshot.index.rows_of(ids), now)

    def _may_refit_at_once(self, articles: int) -> bool:
        return articles <= SMALL or self.beside is None

    def _look_after(self, now: datetime) -> None:
        """Begin the slow work that is due, one piece at a time, the most useful first."""
        if self.beside is None or self.beside.is_busy:
            return
        index = self.snapshot.index
        if len(index) > max(SMALL, REFIT_GROWTH * self.fitted_on):
            self.beside.start("refit", self._refit)
        elif places := index.to_join():
            self.beside.start("join", partial(self._join, index, places))
        elif self._is_unsaved and (self.saved_at is None or now - self.saved_at >= SAVE_EVERY):
            self.saved_at = now
            # Taken here, where they belong together: while rows are followed, `rev` runs ahead of the index.
            self.beside.start("save", partial(self._save, index, self.rev, self.fitted_on))

    @property
    def _is_unsaved(self) -> bool:
        return self.keep is not None and len(self.snapshot.index) > SMALL and self.rev > self.saved_rev

    def _refit(self) -> Apply:
        built = build(self.store)
        return lambda: self._take_built(built, instant(self.now_us))

    def _join(self, index: ArticleIndex, places: range) -> Apply:
        joined = index.join(places)

        def put() -> None:
            now = self.snapshot.index
            self.snapshot = replace(
                self.snapshot, index=now.with_joined(index.segments[places.start : places.stop], joined)
            )

        return put

    def _save(self, index: ArticleIndex, rev: int, fitted_on: int) -> Apply:
        stamp = Stamp(self.store.identity(), rev, fitted_on)
        if self.keep and index_files.save(index, self.keep, stamp):
            self.saved_rev = rev
        return lambda: None

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
        self.keeper = StoryKeeper.restored(vectors, columns.story_id[rows].tolist(), at_us.tolist())

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
        merged = self._merged(moved)
        if merged != moved:  # the desk took articles out of a story
            self._rebuild()
        else:
            self.keeper.merge(sorted(merged))
            self._place(told)
        # Whoever assigned an article to a story while another process merged that story away left it behind.
        left = np.isin(index.columns.story_id[index.alive], [old for old, _ in merged])
        if left.any():
            self.store.merge_stories(sorted(merged))

    def _merged(self, moved: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Those of the (old story, new story) moves that were merges; the others are splits by hand."""
        if not moved:
            return moved
        into = self.store.merged_into([old for old, _ in moved])
        return {(old, new) for old, new in moved if into.get(old) == new}

    def _place(self, told: Sequence[ArticleText]) -> None:
        index = self.snapshot.index
        vectors = index.vectors(index.rows_of([text.id for text in told]))
        for place, text in enumerate(told):
            self.keeper.place(text.story_id, vectors.rows([place]), self._known_at(text))

    def _assign_rows(self, rows: Rows, now: datetime) -> None:
        """Give the articles on these rows a story, in the order of publication; the database has the last word."""
        columns = self.snapshot.index.columns
        ids = columns.id[rows[np.lexsort((columns.id[rows], columns.published_at_us[rows]))]]
        for start in range(0, len(ids), PAGE):
            self._assign_page(ids[start : start + PAGE], now)

    def _assign_page(self, ids: IntArray, now: datetime) -> None:
        index = self.snapshot.index
        rows = index.rows_of(ids)
        vectors = index.vectors(rows)
        known_at = np.minimum(index.columns.published_at_us[rows], self.now_us).tolist()
        wanted = {
            number: self.keeper.assign(number, vectors.rows([place]), known_at[place])
            for place, number in enumerate(ids.tolist())
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
        pairs = self.keeper.merge_pass(self.store.stories_apart())
        if pairs:
            done = self.store.merge_stories(pairs)
            self._absorb(self._texts(self.rev), now)
            if len(done) < len(pairs):  # taken apart this very moment
                self._rebuild()
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
        old, trials = self.snapshot, self._trials(now)
        if (sources, weights, looked_up, trials) != (old.sources, old.weights, old.rules, old.trials):
            self.snapshot = replace(old, sources=sources, weights=weights, rules=looked_up, trials=trials)

        self._follow_models()

    def _follow_models(self) -> None:
        """The click models there are; that the live version names one which is not there is said once."""
        models = self.models.follow()
        if models.keys() != self.snapshot.models.keys():
            self.snapshot = replace(self.snapshot, models=models)
        row = self.snapshot.weights.get("for_you")
        wanted = int(row.options.get("interest_model", 0)) if row and row.weights.get("interest") else 0
        if wanted and wanted not in models and self._missed != wanted:
            log.warning(
                "for-you weights %d name the click model %s, which is not in %s: interest weighs 0 until it is",
                row.version if row else 0, name_of(wanted), self.models.folder,
            )  # fmt: skip
        self._missed = wanted if wanted not in models else 0

    def _trials(self, now: datetime) -> Trials:
        """The experiments that run, and the versions they try, which never change."""
        running = tuple(self.store.experiments(now))
        wanted = {(one.surface, arm.version) for one in running for arm in one.arms if arm.version != LIVE}
        known = self.snapshot.trials.versions
        return Trials(running, {key: known.get(key) or self.store.weight_version(*key) for key in wanted})

    def _rules(self, rows: Sequence[RuleRow], source_ids: dict[str, int]) -> dict[str, tuple[DeskRule, ...]]:
        wanted = [row.target_key for row in rows if row.target == "article"]
        article_ids = self.store.article_ids(wanted) if wanted else {}
        return {surface: rules.resolve(rows, surface, article_ids, source_ids) for surface in SURFACES}


def age_s(snapshot: Snapshot, now: datetime) -> float | None:
    """Seconds since the newest article that is out, None where there is none."""
    at_us = snapshot.index.columns.published_at_us
    past = at_us[at_us <= micros(now)]
    return float(micros(now) - np.max(past)) / 1e6 if len(past) else None
