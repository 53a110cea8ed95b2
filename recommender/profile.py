"""What readers like, from what they did: a weighted sum of article vectors, and their usual categories and sources."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from data.values import FloatArray, Histories, IntArray
from data.wire import EVENT_KINDS
from recommender.compiled import compiled
from recommender.index import ArticleIndex, Rows
from recommender.packed import F32, F64, I32, I64
from recommender.signals import HOUR_US
from recommender.subject import SUBJECT
from recommender.vectors import Vectors, similarity

HALF_LIFE_H = 7 * 24.0  # a read counts half as much a week later
KIND_WEIGHT = {"open": 0.3, "push_open": 0.3, "read": 0.7, "finish": 1.0, "share": 1.0, "save": 0.8}
READ_KINDS = ("open", "push_open", "read", "finish", "share")  # after these the article is known to the reader
AWAY_KINDS = ("hide", "less_like_this")
USUAL_DWELL_S = 30.0
SOURCE_PRIOR = 2.0  # reads of one source that make liking it certain
_WEIGHTS = np.array([KIND_WEIGHT.get(kind, 0.0) for kind in EVENT_KINDS])


def kinds(*names: str) -> NDArray[np.int8]:
    """The numbers of event kinds, as histories hold them."""
    return np.array([EVENT_KINDS.index(name) for name in names], np.int8)


@dataclass(frozen=True)
class Profiles:
    """Row i of every array is reader i; one reader is a batch of one.

    What was read is found when it is built, the rest when it is asked for.
    """

    index: ArticleIndex
    indptr: IntArray  # (readers + 1,): reader i read rows[indptr[i]:indptr[i + 1]], ascending
    rows: Rows  # of the index
    weights: FloatArray  # of each read

    @classmethod
    def build(cls, index: ArticleIndex, histories: Histories, at_us: int, rows: Rows | None = None) -> Self:
        """The profiles at `at_us`: what was done after it, or with articles the index does not hold, counts nothing.

        The strongest thing done with an article counts, once: finish 1, read 0.7, open 0.3; short dwell takes up to
        half away; halved every seven days since. `rows` of `histories.article_id`, where they are known already.
        """
        rows = index.rows_of(histories.article_id) if rows is None else rows
        indptr, read, weights = _counted(
            histories.indptr, np.asarray(rows, np.int64), histories.at_us, histories.kind, histories.dwell_s, at_us,
            _WEIGHTS, USUAL_DWELL_S, HALF_LIFE_H * HOUR_US,
        )  # fmt: skip
        return cls(index, indptr, read, weights)

    @cached_property
    def reads(self) -> sparse.csr_matrix:
        """H (readers x index rows): the weight of each read."""
        shape = (len(self), len(self.index.columns))
        return sparse.csr_matrix((self.weights, self.rows, self.indptr), shape=shape)

    @cached_property
    def vectors(self) -> Vectors:
        """(readers), each view of length 1, zero where nothing was read."""
        if not len(self.rows):
            empty = sparse.csr_matrix((len(self), 0), dtype=np.float32)
            pieces = sparse.csr_matrix((len(self), self.index.epoch.settings.piece_buckets), dtype=np.float32)
            return Vectors(empty, pieces, None)
        used, column = np.unique(self.rows, return_inverse=True)
        mine = sparse.csr_matrix((self.weights, column, self.indptr), shape=(len(self), len(used)))
        return _weighted_sum(mine, self.index.vectors(used))

    @cached_property
    def evidence(self) -> FloatArray:
        """(readers,) weight of all reads: about how many whole, recent ones."""
        return self._sums(np.zeros(len(self.rows), np.int64), 1)[:, 0]

    @cached_property
    def categories(self) -> FloatArray:
        """(readers x categories) share of that weight; rows sum to 1, or 0."""
        sums = self._sums(self.index.columns.category[self.rows], len(self.index.categories))
        return np.asarray(sums / np.maximum(self.evidence, np.float32(1e-9))[:, None], np.float32)

    @cached_property
    def source_ids(self) -> IntArray:
        """Sources read by anybody here, ascending."""
        return np.unique(self.index.columns.source_id[self.rows])

    @cached_property
    def sources(self) -> FloatArray:
        """(readers x source_ids) weight of reads per source."""
        code = np.searchsorted(self.source_ids, self.index.columns.source_id[self.rows])
        return self._sums(code, len(self.source_ids))

    def _sums(self, code: NDArray[np.int64] | NDArray[np.int32], width: int) -> FloatArray:
        """(readers x width) sums of the reads' weights by a number each read has."""
        reader = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        sums = np.bincount(reader * width + code, self.weights, len(self) * width)
        return np.asarray(sums.reshape(len(self), width), np.float32)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def similarity(self, index: ArticleIndex, rows: Rows) -> FloatArray:
        """Blended cosine of every profile with every candidate (readers x rows)."""
        if len(self) == 1:
            return index.similarity_to(self.vectors, rows)[None, :]
        return similarity(self.vectors, index.vectors(rows), SUBJECT)

    def usual_share(self, index: ArticleIndex, rows: Rows) -> FloatArray:
        """The share of a reader's reads in the candidate's category (readers x rows); 1 for who read nothing."""
        share = self.categories[:, index.columns.category[rows]]
        return np.where(self.evidence[:, None] > 0, share, 1.0).astype(np.float32)

    def drawn(self, index: ArticleIndex, rows: Rows) -> FloatArray:
        """Liking of the candidate's category, the reader's favourite being 1 (readers x rows); 0 for "" and unread."""
        most = np.maximum(self.categories.max(axis=1, initial=0.0), 1e-9)
        liked = self.categories[:, index.columns.category[rows]] / most[:, None]
        return np.where(index.columns.category[rows] == index.categories.find(""), 0.0, liked).astype(np.float32)

    def affinity(self, index: ArticleIndex, rows: Rows) -> FloatArray:
        """Liking of the candidate's source in [0, 1] (readers x rows): half for who read nothing at all."""
        return self.liking(index.columns.source_id[rows])

    def liking(self, source_ids: IntArray) -> FloatArray:
        """Liking of some sources in [0, 1] (readers x sources): half where nobody here read anything.

        (reads of it + 1) / (reads of the favourite + 2): the favourite comes near 1, the never read near 0.
        """
        if not len(self.source_ids):
            return np.full((len(self), len(source_ids)), 0.5, np.float32)
        place = np.minimum(np.searchsorted(self.source_ids, source_ids), len(self.source_ids) - 1)
        known = (self.source_ids[place] == source_ids) & (source_ids != 0)
        mine = np.where(known, self.sources[:, place], 0.0)
        most = self.sources.max(axis=1, initial=0.0)[:, None]
        return np.asarray((mine + SOURCE_PRIOR / 2) / (most + SOURCE_PRIOR), np.float32)


@dataclass(frozen=True, slots=True)
class Liked:
    """What one reader is drawn to: `Profiles.evidence`, `categories` and `liking`, the same numbers in one pass."""

    evidence: float
    shares: FloatArray  # (categories,) of the weight of the reads
    liking: FloatArray  # (sources,)


def liked(profiles: Profiles, source_ids: IntArray) -> Liked:
    """The tastes of a batch of one. `source_ids` ascending. Cost: 0.1 us a read."""
    columns = profiles.index.columns
    evidence, shares, liking = _liked(
        profiles.rows, profiles.weights, columns.category, columns.source_id, len(profiles.index.categories),
        source_ids, SOURCE_PRIOR,
    )  # fmt: skip
    return Liked(evidence, shares, liking)


_I8 = nb.types.Array(nb.int8, 1, "C", readonly=True)


@compiled(
    nb.types.Tuple((nb.int64[::1], nb.int64[::1], nb.float32[::1]))(  # type: ignore[no-untyped-call]
        I64, I64, I64, _I8, F32, nb.int64, F64, nb.float64, nb.float64
    ),
)
def _counted(indptr, rows, at, kind, dwell_s, at_us, kind_weight, usual_dwell_s, half_life_us):  # type: ignore[no-untyped-def]
    """Reader by reader the rows read, ascending, each once with the greatest weight."""
    made, row, weight = np.zeros(len(indptr), np.int64), np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    filled = 0
    worth = np.empty(len(rows), np.float64)
    for reader in range(len(indptr) - 1):
        start = filled
        for event in range(indptr[reader], indptr[reader + 1]):
            value = kind_weight[kind[event]]
            if value > 0 and rows[event] >= 0 and at[event] <= at_us:
                glance = dwell_s[event] / usual_dwell_s if not np.isnan(dwell_s[event]) else 1.0
                value *= 0.5 + 0.5 * min(max(glance, 0.0), 1.0)
                worth[filled] = value * 0.5 ** ((at_us - at[event]) / half_life_us)
                row[filled] = rows[event]
                filled += 1
        order = np.argsort(row[start:filled])
        some, values = row[start:filled][order], worth[start:filled][order]
        filled = start
        for one in range(len(some)):
            if filled > start and row[filled - 1] == some[one]:
                weight[filled - 1] = max(weight[filled - 1], np.float32(values[one]))
            elif values[one] > 0:
                row[filled], weight[filled] = some[one], values[one]
                filled += 1
        made[reader + 1] = filled
    return made, row[:filled].copy(), weight[:filled].copy()


def _weighted_sum(weights: sparse.csr_matrix, vectors: Vectors) -> Vectors:
    """The sums of `vectors` under each row of `weights`, every view brought to length 1.

    Without pieces: what many titles share in letters is no taste.
    """
    dense = None if vectors.dense is None else _unit(np.asarray(weights @ vectors.dense, np.float32))
    pieces = sparse.csr_matrix((weights.shape[0], vectors.pieces.shape[1]), dtype=np.float32)
    return Vectors(_unit_rows(weights @ vectors.words), pieces, dense)


def _unit_rows(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    rows = sparse.csr_matrix(rows, dtype=np.float32)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    lengths = np.sqrt(np.bincount(row, rows.data**2, rows.shape[0]))
    rows.data /= np.where(lengths > 0, lengths, 1)[row].astype(np.float32)
    return rows


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 1e-9, lengths, 1.0), np.float32)


@compiled(
    nb.types.Tuple((nb.float64, nb.float32[::1], nb.float32[::1]))(  # type: ignore[no-untyped-call]
        I64, F32, I32, I64, nb.int64, I64, nb.float64
    ),
)
def _liked(rows, weights, category, source_id, categories, ids, prior):  # type: ignore[no-untyped-def]
    total, sums = 0.0, np.zeros(categories, np.float64)
    source, liking = np.empty(len(rows), np.int64), np.zeros(len(ids), np.float32)
    for one in range(len(rows)):
        total += weights[one]
        sums[category[rows[one]]] += weights[one]
        source[one] = source_id[rows[one]]
    evidence, shares = np.float32(total), np.empty(categories, np.float32)
    for one in range(categories):
        shares[one] = np.float32(sums[one]) / max(evidence, np.float32(1e-9))
    order, most, mine = np.argsort(source, kind="mergesort"), np.float32(0), 0.0
    for place in range(len(order)):
        one = source[order[place]]
        mine = weights[order[place]] + (mine if place and source[order[place - 1]] == one else 0.0)
        if place + 1 == len(order) or source[order[place + 1]] != one:
            most = max(most, np.float32(mine))
            at = np.searchsorted(ids, one)
            if one and at < len(ids) and ids[at] == one:
                liking[at] = np.float32(mine)
    for at in range(len(ids)):
        liking[at] = (liking[at] + np.float32(prior / 2)) / (most + np.float32(prior))
    if not len(rows):
        liking[:] = np.float32(0.5)
    return np.float64(evidence), shares, liking
