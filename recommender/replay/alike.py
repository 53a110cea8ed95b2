"""What readers who read alike opened: readers as directions of what they read, articles as directions of who opened."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from data.values import FloatArray
from recommender.compiled import compiled_at_use
from recommender.replay.causal import Features
from recommender.replay.log import HOUR_US, Log

ALIKE_NAMES = ("alike_lift", "alike_quality")
RANK = 24
LIFE_H = 12.0
PRIOR = 1.0  # expected clicks
STEP = 0.3
FIRST_SQUARE = 0.05  # AdaGrad's sum of squares before the first step


def reader_directions(log: Log, until_us: int, rank: int = RANK, seed: int = 0) -> FloatArray:
    """(readers x rank) rows of length 1, or 0 for who read nothing: a decomposition of readers by articles read.

    Of reads before `until_us`, articles weighted by how few read them. The first direction, which all share, is left
    out. Cost: one randomised SVD of a sparse matrix with an entry a read.
    """
    early = log.reads.at < until_us
    read = (log.reads.reader[early], log.reads.item[early])
    shape = (len(log.readers), len(log.ids))
    R = sparse.csr_matrix((np.ones(len(read[0]), np.float32), read), shape=shape)
    R.data[:] = 1
    many = np.asarray(R.sum(0)).ravel()
    R = R @ sparse.diags(np.log((1 + shape[0]) / (1 + many)))
    lengths = np.sqrt(np.asarray(R.multiply(R).sum(1)).ravel())
    R = sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-6)) @ R)
    left, values, _ = randomized_svd(R, min(rank + 1, *shape), n_iter=4, random_state=seed)
    found = (left * values)[:, 1:]
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def alike_features(log: Log, readers: FloatArray, delay_us: int) -> FloatArray:
    """(items x ALIKE_NAMES) of each candidate, from slates at least `delay_us` old; `readers` (readers x rank).

    Lift: the reader's direction times those of who opened the article less those of who would have by chance, decayed
    and shrunk. Quality: the same product with directions learned by softmax over slates beside a number an article
    (AdaGrad steps). 0 for an article nobody was shown and a reader nobody knows.
    """
    X = np.zeros((len(log.slates.item), len(ALIKE_NAMES)), np.float32)
    _alike(log.slates, np.asarray(readers, np.float64), len(log.ids), max(delay_us, 1), X)
    return X


def with_alike(features: Features, log: Log, delay_us: int, from_slate: int = 0) -> Features:
    """Features of the slates from `from_slate` on with ALIKE_NAMES; readers are as known when the first was shown."""
    directions = reader_directions(log, int(log.slates.at[from_slate]) if from_slate < len(log) else 2**62)
    more = alike_features(log, directions, delay_us)[log.slates.start[from_slate] :]
    count = features.candidate
    X = np.concatenate([features.X[:, :count], more, features.X[:, count:]], 1)
    names = (*features.names[:count], *ALIKE_NAMES, *features.names[count:])
    return Features(X, names, count + len(ALIKE_NAMES))


@compiled_at_use(fastmath=True)
def _alike(slates, readers, articles, delay_us, X):
    rank = readers.shape[1]
    opened, touched, mass = np.zeros((articles, rank)), np.zeros(articles, np.int64), np.zeros(articles)
    learned, squares = np.zeros((articles, rank)), np.full((articles, rank), FIRST_SQUARE)
    quality, square = np.zeros(articles), np.full(articles, 5 * FIRST_SQUARE)
    told = 0
    for slate in range(len(slates.at)):
        at, reader = slates.at[slate], readers[slates.reader[slate]]
        while told < slate and slates.at[told] <= at - delay_us:
            clicks = slates.clicked[slates.start[told] : slates.start[told + 1]].sum()
            if clicks:
                _count(slates, told, clicks, readers[slates.reader[told]], opened, touched, mass)
                _learn(slates, told, clicks, readers[slates.reader[told]], learned, squares, quality, square)
            told += 1
        for one in range(slates.start[slate], slates.start[slate + 1]):
            item = slates.item[one]
            factor = np.exp2(-(at - touched[item]) / HOUR_US / LIFE_H)
            X[one, 0] = reader.dot(opened[item]) * factor / (mass[item] * factor + PRIOR)
            X[one, 1] = reader.dot(learned[item])


@nb.njit(nogil=True)
def _count(slates, slate, clicks, reader, opened, touched, mass):
    first, end = slates.start[slate], slates.start[slate + 1]
    due = clicks / (end - first)
    for one in range(first, end):
        item = slates.item[one]
        factor = np.exp2(-(slates.at[slate] - touched[item]) / HOUR_US / LIFE_H)
        touched[item] = slates.at[slate]
        opened[item] = opened[item] * factor + (slates.clicked[one] - due) * reader
        mass[item] = mass[item] * factor + due


@nb.njit(nogil=True)
def _learn(slates, slate, clicks, reader, learned, squares, quality, square):
    first, end = slates.start[slate], slates.start[slate + 1]
    if clicks == end - first:
        return
    score = np.empty(end - first)
    for one in range(first, end):
        score[one - first] = quality[slates.item[one]] + reader.dot(learned[slates.item[one]])
    share = np.exp(score - score.max())
    share /= share.sum()
    for one in range(first, end):
        item, slope = slates.item[one], slates.clicked[one] / clicks - share[one - first]
        square[item] += slope * slope
        quality[item] += STEP * slope / np.sqrt(square[item])
        slopes = slope * reader
        squares[item] += slopes * slopes
        learned[item] += STEP * slopes / np.sqrt(squares[item])
