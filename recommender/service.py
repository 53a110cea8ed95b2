"""The live snapshot behind every face: follows the database, answers from memory and the reader's own rows."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from random import Random
from threading import Event, Lock, Thread
from time import monotonic
from typing import Unpack

import numpy as np

from data.clock import Clock, micros
from data.errors import NotFound
from data.experiments import LIVE
from data.settings import Settings
from data.store import Store
from data.values import ReaderRow, ServedPage
from recommender import catch_up, slates
from recommender import for_you as listing
from recommender.answers import RelatedList, Shown, Slate, for_you_cards, related_cards, told_of
from recommender.beside import Beside
from recommender.experiments.mixing import Mixed, by_team, mix
from recommender.explain import Asked, explain
from recommender.explore import explore
from recommender.follow import Follower, Progress
from recommender.for_you import Ask, Ranked
from recommender.ids import fresh_id
from recommender.index_files import Stamp
from recommender.observe import Observer
from recommender.related import heading, related
from recommender.rules import Choices
from recommender.served_pages import Again, Beneath, ForYouWanted, Page, RelatedWanted, Since
from recommender.shelf import Shelf, Titles
from recommender.slates import Cursors, Kept, Rest
from recommender.snapshot import NOBODY, OPTIONS, SURFACES, WEIGHTS, ReaderView, Snapshot
from recommender.why import Explanation
from recommender.writer import Writer

log = logging.getLogger(__name__)
READS = 200
IMPRESSIONS = 400


class Behind(NotFound):
    """The article is known, but this process has not taken it in yet."""


class Service:
    """Answers for one process. Reads of the reader come from the rows at each request, so they count at once."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, progress: Progress | None = None) -> None:
        self.store, self.settings, self.clock = store, settings, clock
        self.observer = Observer()
        self.writer = Writer(store, clock, self)
        self._follower = Follower(store, progress, keep=settings.index_dir, models=settings.models_dir)
        self.shelf = Shelf(store)
        self.followed_at = float("-inf")  # of `monotonic`
        self._newest = 0  # the largest article number taken in
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
            batch = self._follower.batch
            changed = self._follower.follow(self.clock.now())
            self.followed_at = monotonic()
            self.observer.followed(len(self.snapshot.index))
            if changed:
                self._tell_lag(batch)
            return changed

    @property
    def behind_s(self) -> float:
        """Seconds since the rows were last looked through to the end."""
        return monotonic() - self.followed_at

    def _tell_lag(self, batch: int) -> None:
        """How long ago what was just taken in had been received; nothing is told of the first load."""
        now_us = micros(self.clock.now())
        fresh = self.store.received_after(self._newest) if self._newest else []
        for _, received_us in fresh:
            self.observer.visible("article", (now_us - received_us) / 1e6)
        ids = self.snapshot.index.columns.id
        self._newest = max(self._newest, int(ids.max(initial=0)))
        if 0 < batch < self._follower.batch:  # of the new batches the one that waited longest
            received = self.store.received_in(batch + 1)
            if received is not None:
                self.observer.visible("event", (now_us - received) / 1e6)

    def start(self) -> None:
        """Load everything, then follow the rows in the background every `settings.refresh_s`.

        Slow work on the index goes on beside; the index is kept in `settings.index_dir` for the next start.
        """
        self.refresh()
        self._warm()
        self._follower.beside = Beside()
        self.writer.start()
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="newsbell-follow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, stop following and keep the index; answers go on from the last snapshot."""
        self.writer.stop()
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            self._follower.save()

    def _run(self) -> None:
        while not self._stopping.wait(self.settings.refresh_s):
            try:
                if self.refresh():
                    self._warm()
            except Exception:
                log.exception("could not follow the database; trying again")  # answers go on from what we have

    def _warm(self) -> None:
        """Lay out the window for what changed and take samples of it, so that nobody's list waits for it."""
        snapshot, at_us = self.snapshot, micros(self.clock.now())
        snapshot.index.prepare()
        listing.for_you(snapshot, NOBODY, self._ask(1, None, None, ()), at_us=at_us)

    def related(self, key: str, **wanted: Unpack[RelatedWanted]) -> RelatedList:
        """What to read after an article; NotFound if nobody knows it or it was taken back.

        An article that this process has not taken in yet is taken in first, which may last; without `wait` raises
        Behind. A list that the desk looks at is not served, and not logged as such.
        """
        return self.related_page(key, **wanted)[0]

    def related_page(
        self,
        key: str,
        *,
        limit: int = 10,
        reader: str | None = None,
        at: datetime | None = None,
        language: str | None = None,
        explain: bool = False,
        wait: bool = True,
        is_served: bool = True,
    ) -> tuple[RelatedList, Beneath]:
        """`related`, and what it was made of, for a face that keeps answers."""
        article = self.shelf.article(key)
        if article.retracted_at is not None:
            raise NotFound(f"article {key!r} was retracted; nothing is shown beside it")
        row = self._row(article.id, wait=wait)
        snapshot, at_us = self.snapshot, micros(at or self.clock.now())
        view, language_of_reader, _ = self._view(reader, at) if reader else (NOBODY, "", "")
        found = related(snapshot, row, view, Ask(limit=limit, language=language), at_us=at_us)
        shown = Shown(at_us, language_of_reader or language or article.language, explain)
        told = told_of(snapshot, row, found, limit)
        cards = related_cards(self.shelf, told, shown, found.ranked)
        self.observer.listed("related", len(found.ranked.rows))
        served_id = _served_id()
        if is_served:
            version = self._version("related")
            self._note(ServedPage(served_id, "related", view.id or None, article.id, shown.at, 0, told.ids, version))
        title = heading(found.fallback, article.category)
        seen = np.concatenate([[row], found.seen, found.ranked.rows]).astype(np.int32)
        beneath = Beneath(served_id, title, told, article.id, row, seen, found.reach, shown.language)
        return RelatedList(served_id, title, cards), beneath

    def related_again(self, made: Beneath, at_us: int) -> RelatedList:
        """The same related list with the ages of another minute."""
        cards = related_cards(self.shelf, made.told, Shown(at_us, made.language, explain=False))
        return RelatedList(made.served_id, made.heading, cards)

    def for_you(self, key: str, **wanted: Unpack[ForYouWanted]) -> Slate:
        """A reader's list; a reader never seen gets the newcomers'. `cursor` continues one, with the same filters.

        `since` puts first what came out after a time, or after the reader's last visit: `catch_up`. `locale` is a
        language that counts where nothing is known of the reader.

        Continuing a list that holds what this process has not taken in yet takes it in first; without `wait` raises
        Behind.
        """
        return self.for_you_page(key, **wanted).slate

    def for_you_page(
        self,
        key: str,
        *,
        limit: int = 20,
        category: str | None = None,
        language: str | None = None,
        exclude: Sequence[str] = (),
        explain: bool = False,
        at: datetime | None = None,
        cursor: str | None = None,
        since: Since | None = None,
        locale: str = "",
        wait: bool = True,
    ) -> Page:
        """`for_you`, for a face that keeps answers."""
        owner = slates.whose(key, category, language)
        view, spoken, zone_name = self._view(key, at)
        spoken, at_us = spoken or locale, micros(at or self.clock.now())
        if cursor:
            slate, ask = self._kept(cursor, owner, wait=wait), self._ask(limit, None, None, exclude)
            snapshot = self._seated(key, slate.at_us)[0]
            return self._continued(slate, snapshot, view, ask, spoken or language, explain)
        snapshot, other = self._seated(key, at_us)
        ask = self._ask(limit, category, language, exclude, snapshot)
        ask = self._caught_up(ask, since, view, zone_name, at_us)
        ranked = listing.for_you(snapshot, view, ask, at_us=at_us, language=spoken)
        self.observer.listed("for_you", len(ranked.rows), is_cold=not len(view.history.at_us))
        served_id, mixed, propensity = _served_id(), None, None
        if other is None:
            explored = explore(snapshot, ranked, at_us, np.random.default_rng(int(served_id, 16)))
            ranked, propensity = explored.ranked, explored.propensity
        else:
            second = listing.for_you(other, view, ask, at_us=at_us, language=spoken)
            mixed = mix(snapshot.index, ranked, second, Random(served_id))  # noqa: S311  # a draft, not a secret
            ranked = mixed.first
        slate = Kept(served_id, at_us, owner, 0, slates.order_of(snapshot.index, ranked, limit))
        count = min(limit, ranked.served)
        shown = Shown(at_us, spoken or language or "en", explain)
        return self._page(slate, slate.after(count), snapshot, view, ranked, count, shown, propensity, mixed)

    def _seated(self, key: str, at_us: int) -> tuple[Snapshot, Snapshot | None]:
        """The snapshot under the version that is the reader's, and the other one where lists are interleaved."""
        snapshot = self.snapshot
        seat = snapshot.trials.seat("for_you", key, at_us)
        versions = seat.versions if seat else (LIVE,)
        first, *rest = [snapshot.under_version("for_you", one) for one in versions]
        return first, rest[0] if rest else None

    def _kept(self, cursor: str, owner: bytes, *, wait: bool) -> Kept:
        slate = self._cursors.read(cursor, owner, micros(self.clock.now()))
        if (self.snapshot.index.rows_of(slate.ids) < 0).any():  # another process knew an article that we do not yet
            if not wait:
                raise Behind("this part of the list is not indexed yet; try again in a moment")
            self.refresh()
        return slate

    def _continued(
        self, slate: Kept, snapshot: Snapshot, view: ReaderView, ask: Ask, language: str | None, explain: bool
    ) -> Page:
        """The next page of a kept slate: the articles it was decided to hold, whatever arrived since."""
        now_us = micros(self.clock.now())
        ranked, places = slates.still(snapshot, view, slate, ask.exclude, now_us)
        count = min(ask.limit, len(places))
        rest = slate.after(places[count - 1] + 1) if count < len(places) else None
        return self._page(slate, rest, snapshot, view, ranked, count, Shown(now_us, language or "en", explain))

    def _page(
        self,
        slate: Kept,
        rest: Kept | None,
        snapshot: Snapshot,
        view: ReaderView,
        ranked: Ranked,
        count: int,
        shown: Shown,
        propensity: tuple[float, ...] | None = None,
        mixed: Mixed | None = None,
    ) -> Page:
        """The first `count` of a ranking as a page of the slate, logged; `rest` is what `next` continues with."""
        cards = for_you_cards(self.shelf, snapshot, view, ranked, range(count), shown)
        ids, version = _ids(snapshot, ranked, count), snapshot.version_of("for_you")
        page = ServedPage(
            slate.served_id, "for_you", view.id or None, None, shown.at, slate.offset, ids, version, propensity
        )
        if mixed is not None:
            theirs = for_you_cards(self.shelf, snapshot, view, mixed.second, range(count), shown)
            cards = by_team(cards, theirs, mixed)
            page = replace(page, teams=mixed.teams[:count])
        self._note(page)
        told = Slate(slate.served_id, cards, self._cursors.write(rest) if rest else None)
        is_cold = not len(view.history.at_us)
        again = Again(page, Rest.of(rest) if rest else None, len(ranked.rows), is_cold, shown.language)
        return Page(told, again, is_drafted=mixed is not None)

    def serve_again(self, page: Again, owner: bytes) -> tuple[str, str | None]:
        """Serve a first page once more, as a list of its own that begins now: its id and its `next`."""
        at, served_id, rest = self.clock.now(), _served_id(), page.rest
        served = page.served
        self.observer.listed("for_you", page.candidates, is_cold=page.is_cold)
        self._note(
            ServedPage(
                served_id, served.surface, served.reader_id, None, at, 0, served.article_ids, served.weight_version,
                served.propensity,
            )
        )  # fmt: skip
        if rest is None:
            return served_id, None
        return served_id, self._cursors.write_rest(served_id, micros(at), owner, rest)

    def _note(self, page: ServedPage) -> None:
        if page.article_ids:
            self.writer.note(page)

    def _version(self, surface: str) -> int:
        return self.snapshot.version_of(surface)

    @cached_property
    def _cursors(self) -> Cursors:
        return Cursors(self.store.secret("cursor"))

    def why(
        self, reader: str, article: str, surface: str = "for_you", limit: int = 20, at: datetime | None = None
    ) -> Explanation:
        """Why an article is on a reader's list, or why not; NotFound for an article nobody knows."""
        found = self.shelf.article(article)
        view, spoken, zone_name = self._view(reader, at)
        at_us = micros(at or self.clock.now())
        snapshot = self._seated(reader, at_us)[0]
        ask = self._caught_up(self._ask(limit, None, None, (), snapshot), None, view, zone_name, at_us)
        asked = Asked(reader, found, at_us, ask, spoken, surface)
        return explain(snapshot, view, asked, Titles(self.shelf))

    def _ask(
        self,
        limit: int,
        category: str | None,
        language: str | None,
        exclude: Sequence[str],
        snapshot: Snapshot | None = None,
    ) -> Ask:
        ids = tuple(self.store.article_ids(exclude).values()) if exclude else ()
        options = (snapshot or self.snapshot).options_of("for_you")
        window_h = options.window_h or self.settings.window_days * 24
        return Ask(limit=limit, category=category, language=language, exclude=ids, window_h=window_h)

    def _row(self, article_id: int, *, wait: bool) -> int:
        row = self.snapshot.index.row_of(article_id)
        if row < 0 and wait:  # committed a moment ago, here or elsewhere
            self.refresh()
            row = self.snapshot.index.row_of(article_id)
        if row < 0:
            raise Behind("the article is not indexed yet; try again in a moment")
        return row

    def _caught_up(self, ask: Ask, since: Since | None, view: ReaderView, zone_name: str, at_us: int) -> Ask:
        """The request with the time from which freshness counts: what the caller says, or for newcomers their day."""
        wanted_us = None
        if since is not None:
            visit = catch_up.last_visit_us(view, at_us) if not isinstance(since, datetime) else micros(since)
            wanted_us = catch_up.since_us(visit, at_us)
        if wanted_us is not None:
            return replace(ask, since_us=wanted_us, unseen_first=True)
        is_new = not len(view.history.at_us)
        return replace(ask, since_us=catch_up.day_begin_us(zone_name, at_us)) if is_new else ask

    def _view(self, key: str, at: datetime | None) -> tuple[ReaderView, str, str]:
        """The reader as ranking sees one at `at`, the language chosen ("" if unknown), and the time zone."""
        state = self.store.reader_state(key, reads=READS, impressions=IMPRESSIONS, until=at)
        if state is None:
            return NOBODY, "", self.settings.zone
        row = state.row
        return ReaderView(self._choices(row), state.reads, state.impressions, row.id), row.language, row.zone

    def _choices(self, row: ReaderRow) -> Choices:
        sources = {source.key: number for number, source in self.snapshot.sources.items()} if row.muted_sources else {}
        return Choices(
            followed_topics=row.followed_topics,
            muted_topics=row.muted_topics,
            muted_sources=tuple(sources[key] for key in row.muted_sources if key in sources),
            followed_stories=tuple(int(key) for key in row.followed_stories if key.isdecimal()),
            muted_stories=tuple(int(key) for key in row.muted_stories if key.isdecimal()),
        )


def _ids(snapshot: Snapshot, ranked: Ranked, count: int) -> tuple[int, ...]:
    """The numbers of the first `count` articles of a ranking."""
    return tuple(snapshot.index.columns.id[ranked.rows[ranked.head[:count]]].tolist())


def _served_id() -> str:
    return fresh_id()


def ensure_default_weights(store: Store, now: datetime) -> None:
    """Publish the built-in weights of every surface that has none, as version 1."""
    for surface in SURFACES:
        if store.live_weights(surface) is None:
            weights = dict(WEIGHTS[surface])
            options = {name: float(value) for name, value in vars(OPTIONS[surface]).items()}
            store.publish_weights(surface, weights, options, author="newsbell", reason="first weights", now=now)
