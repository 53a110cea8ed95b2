"""The articles that readers of one plan have read, each at a place of its own, filled in as readers come."""

from dataclasses import dataclass
from typing import Any, Protocol

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import IntArray
from recommender.compiled import compiled
from recommender.index import ArticleIndex, Rows
from recommender.push_similarity import LANES, Candidacy
from recommender.push_words import PackedWords
from recommender.vectors import Vectors

BUDGET_BYTES = 400_000_000  # of the cosines and vectors kept at once
WORD_BYTES = 800  # of one article, for the budget alone
NO_ARTICLE, NOT_MET = -1, -2
Places = NDArray[np.int32]


@dataclass(frozen=True)
class Facts:
    """Of some articles: their category, source, story and language."""

    category: NDArray[np.int32]
    source_id: IntArray
    story_id: IntArray  # minus the article's id where it has no story
    language: NDArray[np.int32]


class Archive(Protocol):
    """What a plan asks of articles that were read."""

    def rows_of(self, ids: IntArray) -> Rows:
        """The row of each id, -1 where there is none."""

    def vectors(self, rows: Rows) -> Vectors:
        """Their vectors."""

    def facts(self, rows: Rows) -> Facts:
        """Their facts."""


@dataclass(frozen=True)
class IndexArchive:
    """The articles of an index."""

    index: ArticleIndex

    def rows_of(self, ids: IntArray) -> Rows:
        """The row of each id, -1 where there is none."""
        return self.index.rows_of(ids)

    def vectors(self, rows: Rows) -> Vectors:
        """Their vectors."""
        return self.index.vectors(rows)

    def facts(self, rows: Rows) -> Facts:
        """Their facts."""
        columns = self.index.columns
        story = columns.story_id[rows]
        story = np.where(story != 0, story, -columns.id[rows])
        return Facts(columns.category[rows], columns.source_id[rows], story, columns.language[rows])


class ReadArticles:
    """Cosines with the candidates, vectors and facts of articles read, by place. Beyond its budget it begins anew.

    Memory: about 12 kB an article where there are 1,000 candidates, touched as articles are met.
    """

    def __init__(
        self, archive: Archive, candidacy: Candidacy, stories: IntArray, common: IntArray, budget: int = BUDGET_BYTES
    ) -> None:
        self._archive, self._candidacy, self._stories = archive, candidacy, stories
        blocks, rank, views = candidacy.blocks, candidacy.rank, candidacy.views
        each = blocks * views * (LANES + 1) * 4 + rank * 2 + WORD_BYTES + 64
        self.most = max(budget // each, 1_024)
        # Zeros cost nothing until they are written.
        self._S = np.zeros((blocks, self.most, views, LANES), np.float32)
        self._top = np.zeros((self.most, views, blocks), np.float32)
        self.words = PackedWords(self.most, common)
        self._dense = np.zeros((self.most, rank), np.uint16)  # the bits of float16, which hold latent rows
        self._facts = np.zeros((self.most, 4), np.int32)  # category, source, story, language
        self._forget()

    def __len__(self) -> int:
        """How many articles are at a place now."""
        return self._count

    @property
    def tables(self) -> tuple[Any, ...]:
        """The arrays as the kernel takes them."""
        return (self._S, self._top, self.words.table, self._dense, self._facts)

    @property
    def bytes_held(self) -> int:
        """Bytes in use; what is reserved and was never written is not counted."""
        each = self._S[:, 0].nbytes + self._top[0].nbytes + self._dense[0].nbytes + self._facts[0].nbytes
        return int(self._count * each) + self.words.nbytes + self._keys.nbytes + self._at.nbytes

    def places(self, ids: IntArray) -> Places:
        """The place of each article (ids,), NO_ARTICLE where the archive holds none; at most `most` different ones."""
        found = np.empty(len(ids), np.int32)
        _look_up(ids, self._keys, self._at, found)
        fresh = np.unique(ids[found == NOT_MET])
        if not len(fresh):
            return found
        if self._count + len(fresh) > self.most and self._count:
            self._forget()
            return self.places(ids)
        self._meet(fresh)
        _look_up(ids, self._keys, self._at, found)
        return found

    def _forget(self) -> None:
        self._count = self._met = 0
        self.words.clear()
        self._keys, self._at = np.zeros(0, np.int64), np.zeros(0, np.int32)
        self._grow_table(4_096)

    def _meet(self, ids: IntArray) -> None:
        rows = self._archive.rows_of(ids)
        known = rows >= 0
        at = np.full(len(ids), NO_ARTICLE, np.int32)
        at[known] = self._count + np.arange(known.sum(), dtype=np.int32)
        self._add(rows[known])
        self._met += len(ids)
        if 2 * self._met > len(self._keys):
            self._grow_table(4 * self._met)
        _put(ids, at, self._keys, self._at)

    def _grow_table(self, least: int) -> None:
        keys, at = self._keys, self._at
        size = 1 << int(least - 1).bit_length()
        self._keys, self._at = np.zeros(size, np.int64), np.full(size, NOT_MET, np.int32)
        used = at != NOT_MET
        _put(keys[used], at[used], self._keys, self._at)

    def _add(self, rows: Rows) -> None:
        if not len(rows):
            return
        vectors, facts = self._archive.vectors(rows), self._archive.facts(rows)
        words, part = vectors.words, slice(self._count, self._count + len(rows))
        starts = np.ascontiguousarray(words.indptr, np.int64)
        terms, values = np.asarray(words.indices, np.int32), np.asarray(words.data, np.float32)
        self.words.append(part.start, starts, terms, values, words.shape[1])
        dense = np.zeros((len(rows), self._candidacy.rank), np.float32)
        if self._candidacy.rank and vectors.dense is not None:
            dense = vectors.dense
            self._dense[part] = dense.astype(np.float16).view(np.uint16)
        self._candidacy.products((starts, terms, values), dense, part.start, self._S, self._top)
        place = np.searchsorted(self._stories, facts.story_id)
        known = np.append(self._stories, np.iinfo(np.int64).max)[place] == facts.story_id
        story = np.where(known, place, len(self._stories))
        self._facts[part] = np.stack([facts.category, facts.source_id, story, facts.language], axis=1)
        self._count = part.stop


_IDS, _AT = nb.types.Array(nb.int64, 1, "C", readonly=True), nb.types.Array(nb.int32, 1, "C", readonly=True)


@compiled(nb.int64(nb.int64, _IDS, _AT))
def _slot(key, keys, at):  # type: ignore[no-untyped-def]
    """Where a key stands in the open-addressed table, or the free slot it belongs in."""
    mask = np.uint64(len(keys) - 1)
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed >> np.uint64(32)) & mask
    while at[slot] != NOT_MET and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@compiled(nb.void(_IDS, _IDS, _AT, nb.int32[::1]))
def _look_up(ids, keys, at, found):  # type: ignore[no-untyped-def]
    for one in range(len(ids)):
        found[one] = at[_slot(ids[one], keys, at)]


@compiled(nb.void(_IDS, _AT, nb.int64[::1], nb.int32[::1]))
def _put(ids, places, keys, at):  # type: ignore[no-untyped-def]
    for one in range(len(ids)):
        slot = _slot(ids[one], keys, at)
        keys[slot], at[slot] = ids[one], places[one]
