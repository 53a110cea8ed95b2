"""The live snapshot behind every face: follows the database, answers from memory and the reader's own rows."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from threading import Event, Lock, Thread
from uuid import uuid4

import numpy as np

from data.clock import Clock, micros
from data.errors import NotFound
from data.settings import Settings
from data.store import Store
from data.values import Histories, ReaderRow
from data.wire import EVENT_KINDS
from recommender import for_you as listing
from recommender.answers import RelatedList, Shown, Slate, for_you_cards, related_cards
from recommender.beside import Beside
from recommender.explain import Asked, TitlesOf, explain
from recommender.follow import Follower, Progress
from recommender.for_you import Ask
from recommender.index_files import Stamp
from recommender.related import heading, related
from recommender.rules import Choices
from recommender.shelf import Shelf
from recommender.snapshot import NOBODY, OPTIONS, SURFACES, WEIGHTS, ReaderView, Snapshot
from recommender.why import Explanation

log = logging.getLogger(__name__)
READS = 200
IMPRESSIONS = 400


class Service:
    """Answers for one process. Reads of the reader come from the rows at each request, so they count at once."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, progress: Progress | None = None) -> None:
        self.store, self.settings, self.clock = store, settings, clock
        self._follower = Follower(store, progress, keep=settings.index_dir)
        self._shelf = Shelf(store)
        self._turn = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What answers are computed from; immutable, replaced as a whole."""
        return self._follower.snapshot

    @property
    def opened(self) -> Stamp | None:
        """What the kept index held that this process started from, None where it read every text."""
        return self._follower.opened

    def refresh(self) -> bool:
        """Take in every row committed by now; whether anything changed. Cheap when nothing did."""
        with self._turn:
            return self._follower.follow(self.clock.now())

    def start(self) -> None:
        """Load everything, then follow the rows in the background every `settings.refresh_s`.

        Slow work on the index goes on beside; the index is kept in `settings.index_dir` for the next start.
        """
        self.refresh()
        self._follower.beside = Beside()
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="newsbell-follow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following and keep the index; answers go on from the last snapshot."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            self._follower.save()

    def _run(self) -> None:
        while not self._stopping.wait(self.settings.refresh_s):
            try:
                self.refresh()
            except Exception:
                log.exception("could not follow the database; trying again")  # answers go on from what we have

    def related(
        self,
        key: str,
        *,
        limit: int = 10,
        reader: str | None = None,
        at: datetime | None = None,
        language: str | None = None,
        explain: bool = False,
    ) -> RelatedList:
        """What to read after an article; NotFound if nobody knows it or it was taken back."""
        article = self._shelf.article(key)
        if article.retracted_at is not None:
            raise NotFound(f"article {key!r} was retracted; nothing is shown beside it")
        row = self._row(article.id)
        snapshot, at_us = self.snapshot, micros(at or self.clock.now())
        view, language_of_reader = self._view(reader, at) if reader else (NOBODY, "")
        found = related(snapshot, row, view, Ask(limit=limit, language=language), at_us=at_us)
        shown = Shown(at_us, language_of_reader or language or article.language, explain)
        cards = related_cards(self._shelf, snapshot, row, found, limit, shown)
        return RelatedList(_served_id(), heading(found.fallback, article.category), cards)

    def for_you(
        self,
        key: str,
        *,
        limit: int = 20,
        category: str | None = None,
        language: str | None = None,
        exclude: Sequence[str] = (),
        explain: bool = False,
        at: datetime | None = None,
    ) -> Slate:
        """A reader's list; a reader never seen gets the newcomers'."""
        snapshot, at_us = self.snapshot, micros(at or self.clock.now())
        view, spoken = self._view(key, at)
        ask = self._ask(limit, category, language, exclude)
        ranked = listing.for_you(snapshot, view, ask, at_us=at_us, language=spoken)
        shown = Shown(at_us, spoken or language or "en", explain)
        places = range(min(ask.limit, ranked.served))
        return Slate(_served_id(), for_you_cards(self._shelf, snapshot, view, ranked, places, shown))

    def why(
        self, reader: str, article: str, surface: str = "for_you", limit: int = 20, at: datetime | None = None
    ) -> Explanation:
        """Why an article is on a reader's list, or why not; NotFound for an article nobody knows."""
        found = self._shelf.article(article)
        view, spoken = self._view(reader, at)
        at_us = micros(at or self.clock.now())
        asked = Asked(reader, found, at_us, self._ask(limit, None, None, ()), spoken, surface)
        return explain(self.snapshot, view, asked, _Titles(self._shelf))

    def _ask(self, limit: int, category: str | None, language: str | None, exclude: Sequence[str]) -> Ask:
        ids = tuple(self.store.article_ids(exclude).values()) if exclude else ()
        options = self.snapshot.options_of("for_you")
        window_h = options.window_h or self.settings.window_days * 24
        return Ask(limit=limit, category=category, language=language, exclude=ids, window_h=window_h)

    def _row(self, article_id: int) -> int:
        row = self.snapshot.index.row_of(article_id)
        if row < 0:  # committed a moment ago, here or elsewhere
            self.refresh()
            row = self.snapshot.index.row_of(article_id)
        if row < 0:
            raise NotFound("the article is not indexed yet; try again in a moment")
        return row

    def _view(self, key: str, at: datetime | None) -> tuple[ReaderView, str]:
        """The reader as ranking sees one at `at`, and the language chosen ("" if unknown)."""
        row = self.store.reader(key)
        if row is None:
            return NOBODY, ""
        history = self.store.histories([row.id], limit=READS, until=at)
        shown = self.store.histories([row.id], limit=IMPRESSIONS, until=at, impressions=True)
        return ReaderView(self._choices(row), history, _impressions(shown), row.id), row.language

    def _choices(self, row: ReaderRow) -> Choices:
        sources = {source.key: number for number, source in self.snapshot.sources.items()} if row.muted_sources else {}
        return Choices(
            followed_topics=row.followed_topics,
            muted_topics=row.muted_topics,
            muted_sources=tuple(sources[key] for key in row.muted_sources if key in sources),
            followed_stories=tuple(int(key) for key in row.followed_stories if key.isdecimal()),
            muted_stories=tuple(int(key) for key in row.muted_stories if key.isdecimal()),
        )


class _Titles(TitlesOf):
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def __call__(self, ids: list[int]) -> dict[int, tuple[str, str]]:
        return {number: (one.key, one.title) for number, one in self.shelf.articles(ids).items()}


def _impressions(history: Histories) -> Histories:
    """Only what was shown, of one reader's history."""
    shown = history.kind == EVENT_KINDS.index("impression")
    return replace(
        history,
        indptr=np.array([0, int(shown.sum())], np.int64),
        article_id=history.article_id[shown],
        at_us=history.at_us[shown],
        kind=history.kind[shown],
        dwell_s=history.dwell_s[shown],
    )


def _served_id() -> str:
    return uuid4().hex


def ensure_default_weights(store: Store, now: datetime) -> None:
    """Publish the built-in weights of every surface that has none, as version 1."""
    for surface in SURFACES:
        if store.live_weights(surface) is None:
            weights = dict(WEIGHTS[surface])
            options = {name: float(value) for name, value in vars(OPTIONS[surface]).items()}
            store.publish_weights(surface, weights, options, author="newsbell", reason="first weights", now=now)
