"""The next thing to read after an article: same subject, not the same story retold, not stale, not off-topic."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender import rules, signals
from recommender.for_you import Ask, Ranked, candidates_of, judge
from recommender.index import ArticleIndex, Rows
from recommender.profile import Profiles
from recommender.ranking import Options, Query, rank, score
from recommender.snapshot import ReaderView, Snapshot, shared_signals, trust

SURFACE = "related"
FLOOR = 0.21  # cosine from which an article is about the same subject
SHARED = 0.08, 0.12  # cosine of the words alone that it takes too, in long and in short texts
LONG, SHORT = 80, 20  # different stems of the shorter text
ANGLE = 0.70  # within one story: above it is the same report retold, below it another angle
SAME = 0.85  # above it is the same text, whatever the story
NEXT = 0.40  # within one story: below it the story has moved on, and the article is as good as another subject
OWN_STORY = 3  # angles of the article's own story, while other articles are left
NEAREST = 300  # only the closest are weighed by the other signals
INSTEAD = 60  # the newest that stand in where nothing is related


@dataclass(frozen=True)
class Related:
    """`ranked.rows` in `ranked.order`; `fallback` says what they are where they are not related."""

    ranked: Ranked
    cosine: FloatArray  # (n,) to the article asked about, aligned with ranked.rows
    fallback: str | None  # "category" or "latest"; None: related
    same_story: int  # articles left out because they tell the same again


def related(snapshot: Snapshot, row: int, reader: ReaderView, ask: Ask, *, at_us: int) -> Related:
    """Rank what to read after the article on `row` of the index, over the whole archive.

    Left out: what nobody or this reader may see or has read, texts that say the same again, and whatever is less
    alike than the floor. If nothing is left, the newest of the same category, or else of all, visibly as such. Only
    the article's own language, unless `ask.language` names one.
    """
    return _Search(snapshot, row, reader, ask, at_us).run()


def is_retold(index: ArticleIndex, row: int, cosine: FloatArray, at_us: int) -> NDArray[np.bool_]:
    """Which rows tell what the article on `row` tells: the same text, or the same story from the same angle."""
    story = index.columns.story_id
    own = (story == story[row]) & (story[row] != 0)
    found = np.asarray((cosine >= SAME) | (own & (cosine >= ANGLE)))
    found &= index.alive & ~index.columns.retracted & (index.columns.published_at_us <= at_us)
    found[row] = False
    return found


def shares_words(cosine: FloatArray, stems: IntArray) -> NDArray[np.bool_]:
    """Whether two texts share enough words to be about one subject; arrays of any equal shape.

    Short texts also meet in the latent space for what they are (a column, a live ticker, "new study says"). Between
    SHORT and LONG stems the bar falls in a straight line.
    """
    low, high = SHARED
    return np.asarray(cosine >= high - (high - low) * np.clip((stems - SHORT) / (LONG - SHORT), 0.0, 1.0))


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

    @cached_property
    def cosine(self) -> FloatArray:
        return self.index.similarity(self.index.vectors(np.array([self.row])))

    @cached_property
    def retold(self) -> NDArray[np.bool_]:
        return is_retold(self.index, self.row, self.cosine, self.at_us)

    def run(self) -> Related:
        others = self._others()
        rows = _most(others[self.cosine[others] >= (self.options.floor or FLOOR)], self.cosine, NEAREST)
        rows = self._allowed(_where(rows, shares_words(*self.index.word_cosines(self.row, rows))))
        cosine, fallback = self.cosine, None
        if not len(rows):
            rows, fallback = self._instead(others)
            cosine = np.zeros_like(cosine)  # what is not related earns nothing by a chance likeness
        ranked = self._ranked(np.sort(rows), cosine)
        return Related(ranked, self.cosine[ranked.rows], fallback, int(self.retold.sum()))

    def _others(self) -> Rows:
        """Every other article that does not say the same again, in the language wanted."""
        rows: Rows = np.flatnonzero(self.index.alive & ~self.retold)
        rows = _where(rows, rows != self.row)
        if self.ask.language:
            return rows
        language = self.index.columns.language
        return _where(rows, language[rows] == language[self.row])

    def _allowed(self, rows: Rows) -> Rows:
        judged = judge(self.snapshot, self.reader, rows, self.ask, at_us=self.at_us, surface=SURFACE)
        return _where(rows, judged.allowed)

    def _instead(self, others: Rows) -> tuple[Rows, str]:
        """The newest articles of the category, or else of all, that may be shown; and which of the two."""
        columns = self.index.columns
        own = columns.category[self.row]
        if own != self.index.categories.find(""):
            alike = self._newest(others[columns.category[others] == own])
            if len(alike):
                return alike, "category"
        return self._newest(others), "latest"

    def _newest(self, rows: Rows) -> Rows:
        published_at_us = self.index.columns.published_at_us
        past = rows[published_at_us[rows] <= self.at_us]
        allowed = self._allowed(_most(past, published_at_us, 10 * INSTEAD))
        return _most(allowed, published_at_us, INSTEAD)

    def _tier(self, own: NDArray[np.bool_], rows: Rows) -> NDArray[np.int8]:
        """Of the article's own story only the angles closest to it compete; others follow where nothing else is."""
        tier = np.zeros(len(rows), np.int8)
        angles = np.flatnonzero(own & (self.cosine[rows] >= NEXT))
        closest = np.argsort(-self.cosine[rows[angles]], kind="stable")
        tier[angles[closest[OWN_STORY:]]] = 1
        return tier

    def _ranked(self, rows: Rows, cosine: FloatArray) -> Ranked:
        index, options, weights = self.index, self.options, self.snapshot.weights_of(SURFACE)
        profiles = Profiles.build(index, self.reader.history, self.at_us)
        columns = {
            **shared_signals(self.snapshot, rows, self.at_us, options),
            "similarity": signals.similarity(cosine[rows]),
            "source": signals.source(trust(self.snapshot, rows), profiles.affinity(index, rows)[0]),
        }
        S = signals.matrix(columns)
        desk = rules.in_effect(self.snapshot.rules.get(SURFACE, ()), self.at_us)
        placed = rules.placement(index, rows, desk, score(S, weights), self.reader.impressions.article_id)
        own = (index.columns.story_id[rows] == index.columns.story_id[self.row]) & (index.columns.story_id[rows] != 0)
        candidates = candidates_of(index, rows, S)
        # The own story has a cap of its own, the tier; every other one has that of the options.
        freed = replace(candidates, story_id=np.where(own, 0, candidates.story_id), tier=self._tier(own, rows))
        return Ranked(rows, S, rank(Query(weights, self.ask.places, options), freed, placed), profiles, options)


def _where(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return np.asarray(rows[mask])


def _most(rows: Rows, values: NDArray[np.float32] | NDArray[np.int64], count: int) -> Rows:
    """The `count` rows of the greatest values, all ties at the edge included, in row order."""
    if len(rows) <= count:
        return rows
    found = values[rows]
    bar = np.partition(found, len(rows) - count)[len(rows) - count]
    return _where(rows, found >= bar)


def heading(fallback: str | None, category: str | None) -> str | None:
    """The heading of a list that is not related; None where it is."""
    if fallback is None:
        return None
    return f"More from {category}" if fallback == "category" and category else "Latest"
