"""What readers like, from what they did: a weighted sum of article vectors, and their usual categories and sources."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from data.values import FloatArray, Histories, IntArray
from data.wire import EVENT_KINDS
from recommender.index import ArticleIndex, Rows
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
    """Row i of every array is reader i; one reader is a batch of one."""

    vectors: Vectors  # (readers), each view of length 1, zero where nothing was read
    evidence: FloatArray  # (readers,) weight of all reads: about how many whole, recent ones
    categories: FloatArray  # (readers x categories) share of that weight; rows sum to 1, or 0
    sources: FloatArray  # (readers x index sources) weight of reads per source
    source_ids: IntArray  # (index sources,) ascending
    reads: sparse.csr_matrix  # (readers x index rows) weight of each read

    @classmethod
    def build(cls, index: ArticleIndex, histories: Histories, at_us: int) -> Self:
        """The profiles at `at_us`: what was done after it, or with articles the index does not hold, counts nothing.

        Cost: about the terms of the articles read.
        """
        reads = read_matrix(index, histories, at_us)
        if not reads.nnz:
            return cls._of_nothing(index, reads)
        used = np.unique(reads.indices)
        mine = reads[:, used]
        source_ids, source = np.unique(index.columns.source_id[used], return_inverse=True)
        categories = mine @ _one_hot(index.columns.category[used], len(index.categories))
        evidence = np.asarray(mine.sum(axis=1)).ravel().astype(np.float32)
        return cls(
            vectors=_weighted_sum(mine, index.vectors(used)),
            evidence=evidence,
            categories=categories / np.maximum(evidence, 1e-9)[:, None],
            sources=mine @ _one_hot(source, len(source_ids)),
            source_ids=source_ids,
            reads=reads,
        )

    @classmethod
    def _of_nothing(cls, index: ArticleIndex, reads: sparse.csr_matrix) -> Self:
        readers = reads.shape[0]
        empty = sparse.csr_matrix((readers, 0), dtype=np.float32)
        pieces = sparse.csr_matrix((readers, index.epoch.settings.piece_buckets), dtype=np.float32)
        categories = np.zeros((readers, len(index.categories)), np.float32)
        evidence, nowhere = np.zeros(readers, np.float32), np.zeros((readers, 0), np.float32)
        return cls(Vectors(empty, pieces, None), evidence, categories, nowhere, np.zeros(0, np.int64), reads)

    def __len__(self) -> int:
        return len(self.evidence)

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
        """Liking of the candidate's source in [0, 1] (readers x rows): half for who read nothing at all.

        (reads of it + 1) / (reads of the favourite + 2): the favourite comes near 1, the never read near 0.
        """
        if not len(self.source_ids):
            return np.full((len(self), len(rows)), 0.5, np.float32)
        wanted = index.columns.source_id[rows]
        place = np.minimum(np.searchsorted(self.source_ids, wanted), len(self.source_ids) - 1)
        known = (self.source_ids[place] == wanted) & (wanted != 0)
        mine = np.where(known, self.sources[:, place], 0.0)
        most = self.sources.max(axis=1, initial=0.0)[:, None]
        return np.asarray((mine + SOURCE_PRIOR / 2) / (most + SOURCE_PRIOR), np.float32)


def read_matrix(index: ArticleIndex, histories: Histories, at_us: int) -> sparse.csr_matrix:
    """H (readers x index rows): how much each read counts at `at_us`.

    The strongest thing done with an article counts, once: finish 1, read 0.7, open 0.3; short dwell takes up to
    half away; halved every seven days since.
    """
    reader = np.repeat(np.arange(len(histories.reader_id)), np.diff(histories.indptr))
    row = index.rows_of(histories.article_id)
    weight = _WEIGHTS[histories.kind] * _dwell_factor(histories.dwell_s)
    weight = weight * 0.5 ** (np.maximum(at_us - histories.at_us, 0) / (HALF_LIFE_H * HOUR_US))
    good = (weight > 0) & (row >= 0) & (histories.at_us <= at_us)
    reader, row, weight = reader[good], row[good], weight[good]
    order = np.lexsort((-weight, row, reader))
    reader, row, weight = reader[order], row[order], weight[order]
    first = np.ones(len(row), bool)
    first[1:] = (reader[1:] != reader[:-1]) | (row[1:] != row[:-1])
    shape = (len(histories.reader_id), len(index.columns))
    return sparse.csr_matrix((weight[first].astype(np.float32), (reader[first], row[first])), shape=shape)


def _dwell_factor(dwell_s: FloatArray) -> np.ndarray:
    """0.5 for a glance to 1 from half a minute on; 1 where not measured."""
    measured = np.nan_to_num(dwell_s, nan=USUAL_DWELL_S)
    return np.asarray(0.5 + 0.5 * np.clip(measured / USUAL_DWELL_S, 0.0, 1.0), np.float64)


def _one_hot(codes: np.ndarray, width: int) -> FloatArray:
    made = np.zeros((len(codes), width), np.float32)
    made[np.arange(len(codes)), codes] = 1.0
    return made


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
