"""ArticleIndex: a vocabulary epoch, immutable segments, and one array per field beside them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.values import ArticleText, FloatArray, IntArray
from recommender.columns import Columns, Names, fold_name
from recommender.ranking import SCORE_STEP, Likeness, by_score
from recommender.segment import SUBJECT, Segment
from recommender.titles import Tails, repeated_tails, without_tail
from recommender.vectors import Document, Epoch, Vectors, concat

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Progress = Callable[[int], None]
ENCODED_AT_ONCE = 1_000
NO_ROWS = np.zeros(0, np.intp)


@dataclass(frozen=True)
class ArticleIndex:
    """A snapshot of every article; `add` and `compact` give another and leave this one as it was.

    A *row* is a place in this snapshot, an *id* an article for ever. Dead rows are what an update left behind: they
    are in no answer. `Names` are shared between snapshots and only grow.
    """

    epoch: Epoch
    segments: tuple[Segment, ...]
    columns: Columns
    alive: Mask
    topics: Mapping[str, Rows] = field(default_factory=dict)  # folded topic -> rows, dead ones included
    categories: Names = field(default_factory=Names)
    languages: Names = field(default_factory=Names)
    tails: Tails = frozenset()  # endings of titles that are names of outlets

    @classmethod
    def empty(cls, epoch: Epoch, tails: Tails = frozenset()) -> Self:
        """An index of no articles."""
        categories, languages = Names(), Names()
        columns = Columns.of([], categories, languages)
        return cls(epoch, (), columns, np.zeros(0, np.bool_), {}, categories, languages, tails)

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

        Cost: encoding the new texts, a copy of the columns, and now and then a merge of small segments (each article
        is merged about log2(n) times in its life). An article whose text is the same keeps its vector.
        """
        latest = list({text.id: text for text in texts}.values())
        columns = Columns.of(latest, self.categories, self.languages)
        rows = self.rows_of(columns.id)
        known = np.flatnonzero(rows >= 0)
        same = known[self.columns.text_sum[rows[known]] == columns.text_sum[known]]
        index = replace(self, columns=self.columns.replaced(rows[same], columns.take(same))) if len(same) else self
        fresh = np.setdiff1d(np.arange(len(latest)), same)
        if not len(fresh):
            return index
        gone = rows[fresh][rows[fresh] >= 0]
        return index._appended([latest[i] for i in fresh], columns.take(fresh), gone, progress)

    def compact(self) -> Self:
        """One segment without dead rows: ranks the same, and is a little faster."""
        if len(self.segments) <= 1 and self.alive.all():
            return self
        rows = np.flatnonzero(self.alive)
        if not len(rows):
            return replace(self.empty(self.epoch, self.tails), categories=self.categories, languages=self.languages)
        place = np.cumsum(self.alive) - 1
        topics = {name: place[found[self.alive[found]]] for name, found in self.topics.items()}
        return replace(
            self,
            segments=(Segment(self.vectors(rows)),),
            columns=self.columns.take(rows),
            alive=np.ones(len(rows), np.bool_),
            topics={name: found for name, found in topics.items() if len(found)},
        )

    def with_stories(self, stories: Mapping[int, int]) -> Self:
        """The index in which these articles (id -> story id) have these stories; unknown ids are ignored."""
        ids = np.fromiter(stories, np.int64, len(stories))
        rows = self.rows_of(ids)
        changed = self.columns.story_id.copy()
        changed[rows[rows >= 0]] = np.fromiter(stories.values(), np.int64, len(stories))[rows >= 0]
        return replace(self, columns=replace(self.columns, story_id=changed))

    def rows_of(self, ids: Iterable[int] | IntArray) -> Rows:
        """The living row of each id, -1 where there is none."""
        wanted = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        known, rows = self._by_id
        if not len(known):
            return np.full(len(wanted), -1, np.intp)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, rows[place], -1)

    def row_of(self, article_id: int) -> int:
        """The living row of one id, -1 if there is none."""
        return int(self.rows_of([article_id])[0])

    def window(self, from_us: int, until_us: int) -> Rows:
        """Living rows published in [from, until], oldest row first."""
        at_us = self.columns.published_at_us
        return np.flatnonzero(self.alive & (at_us >= from_us) & (at_us <= until_us))

    def topic_mask(self, topic: str) -> Mask:
        """Which rows are of this topic or category, whatever the case; dead rows may be marked too (rows,)."""
        mask = self.columns.category == self.categories.find(fold_name(topic)) if topic.strip() else ~self.alive
        mask[self.topics.get(fold_name(topic), NO_ROWS)] = True
        return mask

    def vectors(self, rows: Rows) -> Vectors:
        """The vectors of these rows, in this order."""
        if not len(rows):
            return self.epoch.encode([])
        starts = self._starts
        of = np.searchsorted(starts, rows, side="right") - 1
        used = np.unique(of)
        parts: list[Vectors] = [
            self.segments[number].vectors.rows(rows[of == number] - starts[number]) for number in used
        ]
        if len(parts) == 1:
            return parts[0]
        order = np.argsort(np.concatenate([np.flatnonzero(of == number) for number in used]))
        return concat(parts).rows(order)

    def similarity(self, query: Vectors) -> FloatArray:
        """Cosine of the one query with every row, dead ones included (rows,)."""
        if not self.segments:
            return np.zeros(0, np.float32)
        return np.concatenate([segment.similarity(query) for segment in self.segments])

    def similarity_to(self, query: Vectors, rows: Rows) -> FloatArray:
        """Cosine of the one query with these rows (rows,). Cost: that of the span they lie in, not of the archive."""
        found = np.zeros(len(self.columns), np.float32)
        for start, segment in zip(self._starts.tolist(), self.segments, strict=True):
            inside = rows[(rows >= start) & (rows < start + len(segment))] - start
            if len(inside):
                low, high = int(inside.min()), int(inside.max()) + 1
                found[start + low : start + high] = segment.similarity(query, slice(low, high))
        return found[rows]

    def nearest(self, query: Vectors, k: int, mask: Mask | None = None) -> tuple[IntArray, FloatArray]:
        """The k most similar articles: (ids, scores), best first, fewer where `mask` (rows,) leaves fewer.

        Exact. Equal scores (to SCORE_STEP) by newer, then by smaller id.
        """
        found = self.similarity(query)
        rows = np.flatnonzero(self.alive if mask is None else self.alive & mask)
        if 0 < k < len(rows):
            bar = np.partition(found[rows], len(rows) - k)[len(rows) - k]
            rows = rows[found[rows] >= bar - 2 * SCORE_STEP]  # ties at the edge are decided below
        rows = rows[by_score(found[rows], self.columns.published_at_us[rows], self.columns.id[rows])][: max(k, 0)]
        return self.columns.id[rows], found[rows]

    def word_cosines(self, row: int, rows: Rows) -> tuple[FloatArray, IntArray]:
        """Of one row with others (rows,): cosine of the stems alone, and how many stems the shorter of the two has."""
        words = self.vectors(np.append(rows, row)).words
        lengths = np.diff(words.indptr)
        own = slice(words.indptr[-2], words.indptr[-1])
        spread = np.zeros(words.shape[1], np.float32)
        spread[words.indices[own]] = words.data[own]
        return np.asarray((words @ spread)[:-1], np.float32), np.minimum(lengths[:-1], lengths[-1])

    def cosines_among(self, rows: Rows) -> Callable[[int], FloatArray]:
        """For a few rows: the i-th of them -> its cosine with each of them (rows,)."""
        return _Pool(self.vectors(rows)).cosines

    def likeness(self, rows: Rows) -> "RowLikeness":
        """Cosines among candidates that stand on these rows."""
        return RowLikeness(self, rows)

    def _appended(self, texts: Sequence[ArticleText], columns: Columns, gone: Rows, progress: Progress | None) -> Self:
        start = len(self.columns)
        alive = np.concatenate([self.alive, np.ones(len(texts), np.bool_)])
        alive[gone] = False
        return replace(
            self,
            segments=_merged((*self.segments, Segment(self._encoded(texts, progress)))),
            columns=self.columns.joined(columns),
            alive=alive,
            topics=_with_topics(self.topics, texts, np.arange(start, start + len(texts))),
        )

    def _encoded(self, texts: Sequence[ArticleText], progress: Progress | None) -> Vectors:
        parts = []
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            batch = texts[start : start + ENCODED_AT_ONCE]
            parts.append(self.epoch.encode([document(text, self.tails) for text in batch]))
            if progress:
                progress(len(batch))
        return concat(parts)

    def story_sources(self, rows: Rows, at_us: int) -> IntArray:
        """How many outlets had told each row's story by `at_us` (rows,); 1 for an article without a story.

        Cost: one pass over the pairs of story and outlet, which are found once a snapshot.
        """
        stories, of_pair, first_us, story = self._told
        if not len(stories):
            return np.ones(len(rows), np.int64)
        counts = np.bincount(of_pair[first_us <= at_us], minlength=len(stories))
        return np.where(story[rows] >= 0, np.maximum(counts[story[rows]], 1), 1)

    @cached_property
    def _told(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Stories ascending; by pair of story and outlet its story's place and first telling; by row its story's."""
        columns = self.columns
        told = np.flatnonzero(self.alive & ~columns.retracted & (columns.story_id != 0))
        stories, of_row = np.unique(columns.story_id[told], return_inverse=True)
        order = np.lexsort((columns.published_at_us[told], columns.source_id[told], of_row))
        of_row, outlet, at_us = of_row[order], columns.source_id[told[order]], columns.published_at_us[told[order]]
        first = np.ones(len(order), np.bool_)
        first[1:] = (of_row[1:] != of_row[:-1]) | (outlet[1:] != outlet[:-1])
        place = np.searchsorted(stories, columns.story_id)
        known = stories[np.minimum(place, len(stories) - 1)] == columns.story_id if len(stories) else place < 0
        return stories, of_row[first], at_us[first], np.where(known, place, -1)

    @cached_property
    def _by_id(self) -> tuple[IntArray, Rows]:
        """Ids of living rows ascending, and their rows."""
        rows = np.flatnonzero(self.alive)
        rows = rows[np.argsort(self.columns.id[rows], kind="stable")]
        return self.columns.id[rows], rows

    @cached_property
    def _starts(self) -> IntArray:
        """The first row of each segment."""
        return np.cumsum([0, *map(len, self.segments)])[:-1].astype(np.int64)


class RowLikeness(Likeness):
    """Cosines between candidates that are rows of an index."""

    def __init__(self, index: ArticleIndex, rows: Rows) -> None:
        self._index, self._rows = index, rows

    def take(self, rows: NDArray[np.intp]) -> "RowLikeness":
        return RowLikeness(self._index, self._rows[rows])

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self._index.cosines_among(self._rows[rows])


class _Pool:
    """A few articles laid out to compare one of them with all.

    Cost of `cosines`: one pass over the stems of the pool, about 50 microseconds for 200 articles.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._words, self._dense = vectors.words, vectors.dense
        self._spread = np.zeros(self._words.shape[1], np.float32)
        self._worded = (np.diff(self._words.indptr) > 0).astype(np.float32)
        self._directed: FloatArray = np.zeros(len(vectors), np.float32)
        if self._dense is not None:
            self._directed = np.asarray(self._dense.any(axis=1), np.float32)

    def cosines(self, one: int) -> FloatArray:
        """Cosine of the one-th of the pool with each (pool,), over the views both have."""
        part = slice(self._words.indptr[one], self._words.indptr[one + 1])
        terms = self._words.indices[part]
        self._spread[terms] = self._words.data[part]
        total: FloatArray = SUBJECT.words * (self._words @ self._spread)
        self._spread[terms] = 0.0
        weight: FloatArray = SUBJECT.words * self._worded[one] * self._worded
        if self._dense is not None:
            total += SUBJECT.dense * (self._dense @ self._dense[one])
            weight = weight + SUBJECT.dense * self._directed[one] * self._directed
        return np.asarray(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0), np.float32)


def document(text: ArticleText, tails: Tails = frozenset()) -> Document:
    """What of an article is compared. Not the outlet's name: a shared name is no shared subject."""
    return Document(without_tail(text.title, tails), text.summary, text.body, text.language)


def _merged(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Join the last two while the last is at least half as long: about log2(n) segments remain."""
    while len(segments) > 1 and 2 * len(segments[-1]) >= len(segments[-2]):
        segments = (*segments[:-2], Segment(concat([segments[-2].vectors, segments[-1].vectors])))
    return segments


def _with_topics(topics: Mapping[str, Rows], texts: Sequence[ArticleText], rows: Rows) -> Mapping[str, Rows]:
    found: dict[str, list[int]] = {}
    for text, row in zip(texts, rows.tolist(), strict=True):
        for topic in {fold_name(topic) for topic in text.topics}:
            found.setdefault(topic, []).append(row)
    made = {name: np.append(topics.get(name, NO_ROWS), np.array(more, np.intp)) for name, more in found.items()}
    return {**topics, **made}
