"""The next thing to read after an article: same subject, not the same story retold, not stale, not off-topic."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender import near, rules, signals
from recommender.for_you import Ask, Ranked, candidates_of, judge
from recommender.index import ArticleIndex, Rows
from recommender.postings.take import terms_of
from recommender.profile import Profiles
from recommender.ranking import Options, Query, rank, score
from recommender.snapshot import NOBODY, ReaderView, Snapshot
from recommender.vectors import Vectors

SURFACE = "related"
FLOOR = 0.21  # cosine from which an article is about the same subject
SHARED = 0.08, 0.12  # cosine of the words alone that it takes too, in long and in short texts
LONG, SHORT = 80, 20  # different stems of the shorter text
ANGLE = 0.70  # within one story: above it is the same report retold, below it another angle
SAME = 0.85  # above it is the same text, whatever the story
NEXT = 0.40  # within one story: below it the story has moved on, and the article is as good as another subject
OWN_STORY = 3  # angles of the article's own story, while other articles are left
NEAREST = 300  # only the nearest by words are weighed by the latent directions and the other signals
MOST = 10_000  # nearest looked at where the first ones all tell the same
INSTEAD = 60  # the newest that stand in where nothing is related


@dataclass(frozen=True)
class Related:
    """`ranked.rows` in `ranked.order`; `fallback` says what they are where they are not related."""

    ranked: Ranked
    cosine: FloatArray  # (n,) to the article asked about, aligned with ranked.rows
    outlets: IntArray  # (n,) that tell the story of each
    fallback: str | None  # "category" or "latest"; None: related
    same_story: int  # articles left out because they tell the same again
    seen: Rows  # looked at: the list stays as it is while nothing about these changes...
    reach: float  # ...and nothing comes whose words are as close as this to the article


def related(snapshot: Snapshot, row: int, reader: ReaderView, ask: Ask, *, at_us: int) -> Related:
    """Rank what to read after the article on `row` of the index, over the whole archive.

    Left out: what nobody or this reader may see or has read, texts that say the same again, and whatever is less
    alike than the floor. If nothing is left, the newest of the same category, or else of all, visibly as such. Only
    the article's own language, unless `ask.language` names one.
    """
    return _Search(snapshot, row, reader, ask, at_us).run()


def is_retold(index: ArticleIndex, row: int, rows: Rows, cosine: FloatArray, at_us: int) -> NDArray[np.bool_]:
    """Which rows tell what the article on `row` tells: the same text, or the same story from the same angle (rows,).

    `cosine` (rows,) to that article.
    """
    columns = index.columns
    own = (columns.story_id[rows] == columns.story_id[row]) & (columns.story_id[row] != 0)
    found = (cosine >= SAME) | (own & (cosine >= ANGLE))
    return np.asarray(found & ~columns.retracted[rows] & (columns.published_at_us[rows] <= at_us))


def shares_words(cosine: FloatArray, stems: IntArray) -> NDArray[np.bool_]:
    """Whether two texts share enough words to be about one subject; arrays of any equal shape.

    Short texts also meet in the latent space for what they are (a column, a live ticker, "new study says"). Between
    SHORT and LONG stems the bar falls in a straight line.
    """
    low, high = SHARED
    return np.asarray(cosine >= high - (high - low) * np.clip((stems - SHORT) / (LONG - SHORT), 0.0, 1.0))


@dataclass(frozen=True)
class _Near:
    """What may be shown of the nearest by words."""

    rows: Rows
    cosine: FloatArray  # (rows,)
    retold: int  # how many tell the same again
    is_full: bool  # there may be more, farther away
    seen: Rows  # of which these are what may be shown
    reach: float  # cosine of the words from which another article would have been looked at


@dataclass(frozen=True)
class _Search:
    snapshot: Snapshot
    row: int
    reader: ReaderView
    ask: Ask
    at_us: int

    @cached_property
    def index(self) -> ArticleIndex:
        return self.snapshot.index

    @cached_property
    def options(self) -> Options:
        return self.snapshot.options_of(SURFACE)

    def run(self) -> Related:
        found, count = self._near(NEAREST), NEAREST
        while not len(found.rows) and found.is_full and count < MOST:  # so many tell the same that nothing else is near
            count = 8 * count
            found = self._near(count)
        rows, cosine, fallback = found.rows, found.cosine, None
        if not len(rows):
            rows, fallback = self._instead()
            cosine = self.index.similarity_to(self.query, rows)
        order = np.argsort(rows, kind="stable")
        rows, cosine = rows[order], cosine[order]
        # What is not related earns nothing by a chance likeness.
        ranked, outlets = self._ranked(rows, np.zeros_like(cosine) if fallback else cosine)
        # Where nothing is related, the newest stand in: any other article may be one of them.
        reach = -1.0 if fallback else found.reach
        return Related(ranked, cosine, outlets, fallback, found.retold, found.seen, reach)

    @cached_property
    def query(self) -> Vectors:
        return self.index.vectors(np.array([self.row]))

    def _near(self, count: int) -> "_Near":
        """The articles about the same subject that may be shown, of the `count` nearest by words."""
        rows, words = self.index.near_row(self.row, count, minimum=SHARED[0])
        is_full = len(rows) == count
        found = near.compared(self.index, self.row, rows, words, self.at_us, SAME, ANGLE)
        about = ~found.is_retold & (found.cosine >= (self.options.floor or FLOOR)) & self._shares_words(rows, words)
        about &= (found.out & (~near.OTHER_LANGUAGE if self.ask.language else ~0)) == 0
        kept = np.flatnonzero(about)
        if not self._is_plain:
            kept = kept[self._judged(rows[kept])]
        reach = float(words[-1]) if is_full else SHARED[0]
        return _Near(rows[kept], found.cosine[kept], int(found.is_retold.sum()), is_full, rows, reach)

    def _shares_words(self, rows: Rows, words: FloatArray) -> NDArray[np.bool_]:
        """`shares_words` of rows whose words are as close as that, the closest first."""
        told = np.ones(len(rows), np.bool_)
        unclear = int(np.searchsorted(-words, -np.float32(SHARED[1]), side="right"))  # enough for any text before
        if unclear < len(rows):
            stems = terms_of(self.index.postings, np.append(rows[unclear:], self.row))
            told[unclear:] = shares_words(words[unclear:], np.minimum(stems[:-1], stems[-1]))
        return told

    @property
    def _is_plain(self) -> bool:
        """Whether nothing is known of the reader and no rule and no wish keeps more away than from everybody."""
        ask, reader = self.ask, self.reader
        wishes = ask.exclude or ask.category or ask.language or self.snapshot.rules.get(SURFACE)
        done = len(reader.history.at_us) or len(reader.impressions.at_us)
        return not (wishes or done or reader.choices != NOBODY.choices)

    def _is_wanted(self, rows: Rows) -> NDArray[np.bool_]:
        """Which are in the article's own language; all of them where the request names one, which is judged later."""
        language = self.index.columns.language
        return np.ones(len(rows), np.bool_) if self.ask.language else np.asarray(language[rows] == language[self.row])

    def _judged(self, rows: Rows) -> NDArray[np.bool_]:
        return judge(self.snapshot, self.reader, rows, self.ask, at_us=self.at_us, surface=SURFACE).allowed

    def _instead(self) -> tuple[Rows, str]:
        """The newest articles of the category, or else of all, that may be shown; and which of the two."""
        own = self.index.columns.category[self.row]
        if own != self.index.categories.find(""):
            alike = self._newest(own)
            if len(alike):
                return alike, "category"
        return self._newest(None), "latest"

    def _newest(self, category: np.int32 | None) -> Rows:
        """The newest INSTEAD that may be shown. Cost: windows of the past, each longer, until there are enough."""
        columns = self.index.columns
        for window_h in (240.0, 2_400.0, 24_000.0, np.inf):
            from_us = 0 if window_h == np.inf else self.at_us - int(window_h * signals.HOUR_US)
            rows = self.index.window(from_us, self.at_us)
            rows = rows[self._is_wanted(rows) & (rows != self.row)]
            if category is not None:
                rows = rows[columns.category[rows] == category]
            rows = _most(rows, columns.published_at_us[rows], 10 * INSTEAD)
            cosine = self.index.similarity_to(self.query, rows)
            rows = rows[~is_retold(self.index, self.row, rows, cosine, self.at_us)]
            rows = rows[self._judged(rows)]
            if len(rows) >= INSTEAD:
                break
        return _most(rows, columns.published_at_us[rows], INSTEAD)

    @staticmethod
    def _tier(own: NDArray[np.bool_], cosine: FloatArray) -> NDArray[np.int8]:
        """Of the article's own story only the angles closest to it compete; others follow where nothing else is."""
        tier = np.zeros(len(own), np.int8)
        angles = np.flatnonzero(own & (cosine >= NEXT))
        closest = np.argsort(-cosine[angles], kind="stable")
        tier[angles[closest[OWN_STORY:]]] = 1
        return tier

    def _ranked(self, rows: Rows, cosine: FloatArray) -> tuple[Ranked, IntArray]:
        """The ranking, and how many outlets tell the story of each candidate."""
        index, options, weights = self.index, self.options, self.snapshot.weights_of(SURFACE)
        profiles = Profiles.build(index, self.reader.history, self.at_us)
        liking = profiles.affinity(index, rows)[0] if len(profiles.rows) else np.full(len(rows), 0.5, np.float32)
        S, outlets = near.signal_matrix(self.snapshot, rows, cosine, liking, options, self.at_us)
        desk, placed = rules.in_effect(self.snapshot.rules.get(SURFACE, ()), self.at_us), None
        if desk:
            placed = rules.placement(index, rows, desk, score(S, weights), self.reader.impressions.article_id)
        own = (index.columns.story_id[rows] == index.columns.story_id[self.row]) & (index.columns.story_id[rows] != 0)
        candidates = candidates_of(index, rows, S)
        if own.any():  # it has a cap of its own, the tier; every other story has that of the options
            stories = np.where(own, 0, candidates.story_id)
            candidates = replace(candidates, story_id=stories, tier=self._tier(own, cosine))
        return Ranked(
            rows, S, rank(Query(weights, self.ask.places, options), candidates, placed), profiles, options
        ), outlets


def _most(rows: Rows, values: IntArray, count: int) -> Rows:
    """The `count` rows of the greatest values, all ties at the edge included, in row order."""
    if len(rows) <= count:
        return rows
    bar = np.partition(values, len(rows) - count)[len(rows) - count]
    return np.asarray(rows[values >= bar])


def heading(fallback: str | None, category: str | None) -> str | None:
    """The heading of a list that is not related; None where it is."""
    if fallback is None:
        return None
    return f"More from {category}" if fallback == "category" and category else "Latest"
