"""ArticleIndex: a vocabulary epoch, immutable segments of words, latent rows, and one array per field beside them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.values import ArticleText, FloatArray, IntArray
from recommender.columns import Columns, Names, fold_name
from recommender.laid import laid
from recommender.latent import Latent
from recommender.lookup import Lookup
from recommender.outlets import count_outlets
from recommender.packed import Packed
from recommender.pool import Pool
from recommender.postings import Postings, Segment
from recommender.postings.take import csr
from recommender.ranking import SCORE_STEP, Likeness, by_score
from recommender.sounding import Soundings
from recommender.subject import SUBJECT
from recommender.titles import Tails, repeated_tails, without_tail
from recommender.topics import NO_ROWS, Topics, topics_of
from recommender.vectors import Document, Epoch, Vectors, concat

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Progress = Callable[[int], None]
ENCODED_AT_ONCE = 1_000
REACH = 400  # nearest by words, of which the latent directions pick
TIMED_AT_ONCE = 4_096  # rows whose earliest and latest time are known together
JOINED_AT_ONCE = 4_096  # rows of segments that are joined at once; larger ones are joined beside (`with_joined`)


@dataclass(frozen=True)
class ArticleIndex:
    """A snapshot of every article; `add` and `compact` give another and leave this one as it was.

    A *row* is a place in this snapshot, an *id* an article for ever. Dead rows are what an update left behind: they
    are in no answer. Snapshots share whatever did not change between them; `Names` only grow.
    """

    epoch: Epoch
    segments: tuple[Segment, ...]
    latent: Latent | None  # None where the epoch knows no directions
    columns: Columns
    alive: Mask
    by_id: Lookup = field(default_factory=Lookup)
    by_story: Lookup = field(default_factory=Lookup)  # rows whose story changed stand under the old one too
    topics: Topics = field(default_factory=Topics)
    categories: Names = field(default_factory=Names)
    languages: Names = field(default_factory=Names)
    tails: Tails = frozenset()  # endings of titles that are names of outlets
    soundings: Soundings = field(default_factory=Soundings, repr=False, compare=False)  # kept from snapshot to snapshot

    @classmethod
    def empty(cls, epoch: Epoch, tails: Tails = frozenset()) -> Self:
        """An index of no articles."""
        categories, languages = Names(), Names()
        columns = Columns.of([], categories, languages)
        latent = Latent(epoch.rank) if epoch.rank else None
        alive = np.zeros(0, np.bool_)
        return cls(epoch, (), latent, columns, alive, categories=categories, languages=languages, tails=tails)

    @classmethod
    def build(cls, texts: Sequence[ArticleText], progress: Progress | None = None) -> Self:
        """Fit an epoch on these articles and add them all; `progress` is told how many were done each time."""
        return cls.fitted(texts).add(texts, progress)

    @classmethod
    def fitted(cls, texts: Sequence[ArticleText]) -> Self:
        """An index of no articles, with the vocabulary and the outlets' names of these."""
        tails = repeated_tails(text.title for text in texts)
        return cls.empty(Epoch.fit([document(text, tails) for text in texts]), tails)

    def __len__(self) -> int:
        """How many articles."""
        return int(self.alive.sum())

    def add(self, texts: Sequence[ArticleText], progress: Progress | None = None) -> Self:
        """The index with these articles; one that is known replaces its row, of equal ids the last counts.

        Cost: encoding the new texts, and now and then joining segments of at most JOINED_AT_ONCE rows. An article
        whose text is the same keeps its vector.
        """
        latest = list({text.id: text for text in texts}.values())
        columns = Columns.of(latest, self.categories, self.languages)
        rows = self.rows_of(columns.id)
        known = np.flatnonzero(rows >= 0)
        same = known[self.columns.text_sum[rows[known]] == columns.text_sum[known]]
        index = self._with_columns(rows[same], columns.take(same)) if len(same) else self
        fresh = np.setdiff1d(np.arange(len(latest)), same)
        if not len(fresh):
            return index
        gone = rows[fresh][rows[fresh] >= 0]
        added = [latest[i] for i in fresh]
        return index.with_rows(index._encoded(added, progress), columns.take(fresh), topics_of(added), gone)

    def with_rows(
        self, vectors: Vectors, columns: Columns, topics: Mapping[str, Rows] | None = None, gone: Rows = NO_ROWS
    ) -> Self:
        """The index with these rows behind the others: `topics` name places among them, `gone` are rows they replace.

        The ids must not be in the index but for those of `gone`.
        """
        start = len(self.columns)
        rows = np.arange(start, start + len(columns))
        alive = np.concatenate([self.alive, np.ones(len(columns), np.bool_)])
        alive[gone] = False
        latent = self.latent
        if latent is not None and vectors.dense is not None:
            latent = latent.joined(vectors.dense)
        told = np.flatnonzero(columns.story_id != 0)
        made = replace(
            self,
            segments=_joined((*self.segments, Segment.build(vectors.words)), self._keep(alive)),
            latent=latent,
            columns=self.columns.joined(columns),
            alive=alive,
            by_id=self.by_id.with_rows(columns.id, rows),
            by_story=self.by_story.with_rows(columns.story_id[told], rows[told]),
            topics=self.topics.with_rows(topics or {}, start),
        )
        return made._tidied()

    def compact(self) -> Self:
        """One segment without dead rows: ranks the same, and is a little faster. Cost: laying out everything anew."""
        if len(self.segments) <= 1 and self.alive.all():
            return self
        rows = np.flatnonzero(self.alive)
        if not len(rows):
            return replace(self.empty(self.epoch, self.tails), categories=self.categories, languages=self.languages)
        columns = self.columns.take(rows)
        return replace(
            self,
            segments=self.postings.compact().segments,
            latent=None if self.latent is None else Latent(self.latent.width).joined(self.latent.take(rows)),
            columns=columns,
            alive=np.ones(len(rows), np.bool_),
            by_id=Lookup.of(columns.id, np.arange(len(rows))),
            by_story=story_lookup(columns),
            topics=self.topics.taken(self.alive),
        )

    def to_join(self) -> range | None:
        """Which neighbouring segments should become one, None while they are few: about log2(n) remain.

        The last two while the last is at least half as long; a segment is joined about log2(n) times in its life.
        """
        lengths = [len(segment) for segment in self.segments]
        for last in range(len(lengths) - 1, 0, -1):
            if 2 * lengths[last] >= lengths[last - 1]:
                return range(last - 1, last + 1)
        return None

    def join(self, places: range) -> Segment:
        """These segments as one; for `with_joined`. Slow: meant for a thread beside the one that answers."""
        return self.postings.merged(places.start, places.stop).segments[places.start]

    def with_joined(self, former: Sequence[Segment], joined: Segment) -> Self:
        """The index in which `joined` stands for these neighbours; as it is where they are no longer there."""
        for place in range(len(self.segments) - len(former) + 1):
            if all(mine is theirs for mine, theirs in zip(self.segments[place:], former, strict=False)):
                return replace(self, segments=(*self.segments[:place], joined, *self.segments[place + len(former) :]))
        return self

    def with_stories(self, stories: Mapping[int, int]) -> Self:
        """The index in which these articles (id -> story id) have these stories; unknown ids are ignored."""
        rows = self.rows_of(np.fromiter(stories, np.int64, len(stories)))
        known = np.flatnonzero(rows >= 0)
        story_id = np.fromiter(stories.values(), np.int64, len(stories))
        return self._with_story_ids(rows[known], story_id[known])

    def rows_of(self, ids: Iterable[int] | IntArray) -> Rows:
        """The living row of each id, -1 where there is none."""
        return self.by_id.last(np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64))

    def row_of(self, article_id: int) -> int:
        """The living row of one id, -1 if there is none."""
        return self.by_id.last_of(article_id)

    def window(self, from_us: int, until_us: int) -> Rows:
        """Living rows published in [from, until], oldest row first. Cost: the rows near that time, not all."""
        first, last = self._times
        blocks = np.flatnonzero((last >= from_us) & (first <= until_us))
        if not len(blocks):
            return NO_ROWS
        spans = [np.arange(TIMED_AT_ONCE * low, TIMED_AT_ONCE * high) for low, high in _runs(blocks)]
        rows = np.concatenate(spans)
        rows = rows[: np.searchsorted(rows, len(self.columns))]
        at_us = self.columns.published_at_us[rows]
        return rows[self.alive[rows] & (at_us >= from_us) & (at_us <= until_us)]

    def topic_mask(self, topic: str) -> Mask:
        """Which rows are of this topic or category, whatever the case; dead rows may be marked too (rows,)."""
        mask = self.columns.category == self.categories.find(fold_name(topic)) if topic.strip() else ~self.alive
        mask[self.topics.get(fold_name(topic), NO_ROWS)] = True
        return mask

    def of_topic(self, topic: str, rows: Rows) -> Mask:
        """Which of these rows are of this topic or category, whatever the case (rows,)."""
        if not (name := fold_name(topic)):
            return np.zeros(len(rows), np.bool_)
        found = self.columns.category[rows] == self.categories.find(name)
        return np.asarray(found | self.topics.hold(name, rows))

    def vectors(self, rows: Rows) -> Vectors:
        """The vectors of these rows, in this order; without pieces, which no list looks at."""
        rows = np.asarray(rows, np.int64)
        words = csr(self.postings, rows, self.epoch.width)
        return Vectors(words, self.epoch.no_pieces(len(rows)), None if self.latent is None else self.latent.take(rows))

    def packed(self, rows: Rows) -> Packed:
        """The texts of these rows, in slots 0, 1, ..., for compiled passes. Cost: half a microsecond a row."""
        return laid(self.postings, self.latent, np.asarray(rows, np.int64), self.epoch.width)

    def similarity(self, query: Vectors) -> FloatArray:
        """Cosine of the one query with every row, dead ones included (rows,). Cost: the whole archive; for checks."""
        return self.similarity_to(query, np.arange(len(self.columns)))

    def similarity_to(self, query: Vectors, rows: Rows) -> FloatArray:
        """Cosine of the one query with these rows (rows,), the mean of both views, or of the one that both have.

        Cost: the terms of the rows, and 0.1 microseconds a row for the latent directions.
        """
        rows = np.asarray(rows, np.int64)
        words = query.words
        dots, stems = self.postings.compared(words.indices, words.data, rows)
        total = SUBJECT.words * dots.astype(np.float64)
        weight = SUBJECT.words * ((stems > 0) & (words.nnz > 0))
        if self.latent is not None and query.dense is not None and query.dense.any():
            along, directed = self.latent.dots(rows, np.ascontiguousarray(query.dense[0], np.float32))
            total += SUBJECT.dense * along
            weight += SUBJECT.dense * directed
        return np.asarray(np.divide(total, weight, out=total, where=weight > 0), np.float32)

    def nearest(self, query: Vectors, k: int, mask: Mask | None = None) -> tuple[IntArray, FloatArray]:
        """The k most similar articles: (ids, scores), best first, fewer where `mask` (rows,) or the words leave fewer.

        Of the articles that share words with the query, the nearest by words (REACH of them, or 4 k) are found
        exactly; the mean with the latent directions orders them. Equal scores (to SCORE_STEP) by newer, then by
        smaller id.
        """
        if k <= 0:
            return self.columns.id[NO_ROWS], np.zeros(0, np.float32)
        rows, _ = self.nearest_by_words(query, max(REACH, 4 * k), mask=mask)
        found = self.similarity_to(query, rows)
        rows_order = by_score(found, self.columns.published_at_us[rows], self.columns.id[rows])[:k]
        return self.columns.id[rows[rows_order]], found[rows_order]

    def nearest_by_words(
        self, query: Vectors, k: int, *, mask: Mask | None = None, minimum: float = 0.0
    ) -> tuple[Rows, FloatArray]:
        """The k rows of the greatest cosine of the words, and it: exact over the whole archive, best first.

        Only rows that share words, and of at least `minimum`; ties as in `nearest`. Cost: `postings.search`.
        """
        words = query.words
        found = self.postings.search(
            words.indices, words.data, k, allowed=mask, minimum=minimum, step=SCORE_STEP,
            ties=self.columns.published_at_us, numbers=self.columns.id,
        )  # fmt: skip
        return found.rows.astype(np.intp), found.scores

    def near_row(self, row: int, k: int, *, minimum: float = 0.0) -> tuple[Rows, FloatArray]:
        """As `nearest_by_words` of one row, itself left out; quicker where `prepare` took samples."""
        found = self.soundings.nearest(
            self.postings, row, k, minimum=minimum, step=SCORE_STEP,
            ties=self.columns.published_at_us, numbers=self.columns.id,
        )  # fmt: skip
        return found.rows.astype(np.intp), found.scores

    def prepare(self) -> Self:
        """Take what makes the nearest of a row quicker to find, for this snapshot and those made of it; itself."""
        self.soundings.prepare(self.segments)
        return self

    def cosines_among(self, rows: Rows) -> Callable[[int], FloatArray]:
        """For a few rows: the i-th of them -> its cosine with each of them (rows,)."""
        return Pool(self.vectors(rows)).cosines

    def likeness(self, rows: Rows) -> "RowLikeness":
        """Cosines among candidates that stand on these rows."""
        return RowLikeness(self, rows)

    def story_sources(self, rows: Rows, at_us: int) -> IntArray:
        """How many outlets had told each row's story by `at_us` (rows,); 1 for an article without a story.

        Cost: a look at the articles of those stories.
        """
        columns, told = self.columns, self.by_story
        stories, of_row = np.unique(columns.story_id[rows], return_inverse=True)
        counts = count_outlets(
            stories, told.numbers, told.rows, told.late_numbers, told.late_rows, columns.story_id, columns.source_id,
            self.alive, columns.retracted, columns.published_at_us, at_us,
        )  # fmt: skip
        return np.asarray(counts[of_row], np.int64)

    @cached_property
    def postings(self) -> Postings:
        """The words of every row, to search."""
        return Postings(self.segments, self._keep(self.alive))

    @property
    def nbytes(self) -> int:
        """Bytes of what articles add to memory, the vocabulary aside."""
        topics = sum(rows.nbytes for rows in self.topics.values())
        latent = self.latent.nbytes if self.latent else 0
        return self.postings.nbytes + latent + self.columns.nbytes + self.alive.nbytes + topics

    def _encoded(self, texts: Sequence[ArticleText], progress: Progress | None) -> Vectors:
        parts = []
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            batch = texts[start : start + ENCODED_AT_ONCE]
            parts.append(self.epoch.encode([document(text, self.tails) for text in batch], with_pieces=False))
            if progress:
                progress(len(batch))
        return parts[0] if len(parts) == 1 else concat(parts)

    def _with_columns(self, rows: Rows, columns: Columns) -> Self:
        """These rows with other values beside the same text."""
        index = self._with_story_ids(rows, columns.story_id)
        return replace(index, columns=index.columns.replaced(rows, columns))

    def _with_story_ids(self, rows: Rows, story_id: IntArray) -> Self:
        moved = np.flatnonzero(self.columns.story_id[rows] != story_id)
        if not len(moved):
            return self
        changed = self.columns.story_id.copy()
        changed[rows[moved]] = story_id[moved]
        columns = self.columns.with_arrays({"story_id": changed})
        return replace(self, columns=columns, by_story=self.by_story.with_rows(story_id[moved], rows[moved]))._tidied()

    def _tidied(self) -> Self:
        """The same with tables sorted anew where the short lists became long."""
        by_id, by_story = self.by_id, self.by_story
        if by_id.is_long:
            rows = np.flatnonzero(self.alive)
            by_id = Lookup.of(self.columns.id[rows], rows)
        if by_story.is_long:
            by_story = story_lookup(self.columns)
        return (
            self if by_id is self.by_id and by_story is self.by_story else replace(self, by_id=by_id, by_story=by_story)
        )

    @staticmethod
    def _keep(alive: Mask) -> Mask | None:
        return None if alive.all() else alive

    @cached_property
    def _times(self) -> tuple[IntArray, IntArray]:
        """Earliest and latest publication of each TIMED_AT_ONCE rows."""
        at_us = self.columns.published_at_us
        starts = np.arange(0, len(at_us), TIMED_AT_ONCE)
        if not len(starts):
            return at_us, at_us
        return np.minimum.reduceat(at_us, starts), np.maximum.reduceat(at_us, starts)


class RowLikeness(Likeness):
    """Cosines between candidates that are rows of an index."""

    def __init__(self, index: ArticleIndex, rows: Rows) -> None:
        self._index, self._rows = index, rows

    def take(self, rows: NDArray[np.intp]) -> "RowLikeness":
        return RowLikeness(self._index, self._rows[rows])

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self._index.cosines_among(self._rows[rows])


def document(text: ArticleText, tails: Tails = frozenset()) -> Document:
    """What of an article is compared. Not the outlet's name: a shared name is no shared subject."""
    return Document(without_tail(text.title, tails), text.summary, text.body, text.language)


def _joined(segments: tuple[Segment, ...], alive: Mask | None) -> tuple[Segment, ...]:
    """Join the last two while the last is at least half as long and both together are small."""
    while len(segments) > 1 and 2 * len(segments[-1]) >= len(segments[-2]):
        if len(segments[-1]) + len(segments[-2]) > JOINED_AT_ONCE:
            break
        count = len(segments)
        segments = Postings(segments, alive).merged(count - 2, count).segments
    return segments


def story_lookup(columns: Columns) -> Lookup:
    """Story -> rows. Cost: a sort."""
    rows = np.flatnonzero(columns.story_id != 0)
    return Lookup.of(columns.story_id[rows], rows)


def _runs(blocks: Rows) -> list[tuple[int, int]]:
    """Ascending numbers as [first, end) of those that follow each other."""
    breaks = np.flatnonzero(np.diff(blocks) != 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(blocks, breaks)]
