"""Symmetric trees: each level of a tree asks one question of every row, so a leaf is a number made of its answers.

Grown by gradient boosting on the listwise loss; 500 rows pass 300 trees in a fraction of a millisecond.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled_at_use
from recommender.interest import sum_of_trees
from recommender.learn.bins import BINS, Bins
from recommender.learn.softmax import slopes


@dataclass(frozen=True)
class Growth:
    """How trees are grown."""

    trees: int = 400
    depth: int = 6
    step: float = 0.08
    ridge: float = 10.0
    feature_share: float = 0.5
    slate_share: float = 0.6
    patience: int = 40  # trees without a better holdout
    seed: int = 0


@dataclass(frozen=True)
class Trees:
    """A sum of symmetric trees: row r is in the leaf whose bit d says whether X[r, feature[t, d]] > edge[t, d]."""

    feature: NDArray[np.int32]  # (trees x depth)
    edge: FloatArray  # (trees x depth)
    value: FloatArray  # (trees x 2 ** depth)

    def __len__(self) -> int:
        return len(self.feature)

    def predict(self, X: FloatArray) -> FloatArray:
        """Score of each row; X (rows x features)."""
        columns, place = np.unique(self.feature, return_inverse=True)
        turned = np.ascontiguousarray(X.T[columns], np.float32)
        places = place.reshape(self.feature.shape).astype(np.int32)
        return np.asarray(sum_of_trees(turned, places, self.edge, self.value), np.float32)

    def first(self, count: int) -> "Trees":
        """The first trees alone."""
        return Trees(self.feature[:count], self.edge[:count], self.value[:count])


def grow(
    X: FloatArray, clicked: NDArray[np.uint8], start: IntArray, holdout: IntArray, growth: Growth,
    say: Callable[[int, float], None] | None = None,
) -> Trees:  # fmt: skip
    """Boosted trees; those after the best loss on the `holdout` slates are cut off (none given: all are kept)."""
    rng, bins = np.random.default_rng(growth.seed), Bins.fit(X, seed=growth.seed)
    B = bins.places(X)
    learned = np.ones(len(start) - 1)
    learned[holdout] = 0
    score, g, h = np.zeros(len(X)), np.zeros(len(X)), np.zeros(len(X))
    made: list[tuple[NDArray[np.int32], FloatArray, FloatArray]] = []
    best, best_loss = 0, np.inf
    slate_of = np.repeat(np.arange(len(start) - 1), np.diff(start))
    for number in range(growth.trees):
        slopes(score, clicked, start, learned, g, h)
        chosen = (rng.random(len(start) - 1) < growth.slate_share) & (learned > 0)
        rows = np.flatnonzero(chosen[slate_of])
        some = np.sort(rng.permutation(X.shape[1])[: max(1, int(growth.feature_share * X.shape[1]))])
        feature, cut, value = _grow_one(B, rows, g, h, some, growth.depth, growth.ridge)
        value *= growth.step
        _add(B, feature, cut, value, score)
        made.append((feature, bins.edges[feature, np.minimum(cut, BINS - 2)], value.astype(np.float32)))
        if len(holdout):
            held = np.zeros(len(start) - 1)
            held[holdout] = 1
            loss = slopes(score, clicked, start, held, g, h)
            if say and number % 20 == 0:
                say(number, loss)
            if loss < best_loss:
                best, best_loss = number + 1, loss
            elif number + 1 - best >= growth.patience:
                break
    kept = made[:best] if len(holdout) else made
    return Trees(*(np.array([one[part] for one in kept]) for part in range(3)))


@compiled_at_use()
def _add(B, feature, cut, value, score):
    for row in range(len(score)):
        leaf = 0
        for level in range(len(feature)):
            leaf |= (B[row, feature[level]] > cut[level]) << level
        score[row] += value[leaf]


@compiled_at_use()
def _grow_one(B, rows, g, h, some, depth, ridge):
    leaf = np.zeros(len(rows), np.uint8)
    feature, cut = np.zeros(depth, np.int32), np.full(depth, 255, np.int64)
    sums = np.zeros((1, len(some), BINS, 2), np.float32)
    _collect(B, rows, g, h, some, leaf, np.zeros(1, np.int64), sums)
    for level in range(depth):
        found, place = _best_split(sums, ridge)
        feature[level] = some[found]
        cut[level] = place
        _descend(B, rows, leaf, feature[level], cut[level], level)
        if level + 1 < depth:
            sums = _children(B, rows, g, h, some, leaf, sums, level)
    values = np.zeros((1 << depth, 2))
    for one in range(len(rows)):
        values[leaf[one], 0] += g[rows[one]]
        values[leaf[one], 1] += h[rows[one]]
    return feature, cut, -values[:, 0] / (values[:, 1] + ridge)


@compiled_at_use()
def _descend(B, rows, leaf, feature, cut, level):
    for one in range(len(rows)):
        if B[rows[one], feature] > cut:
            leaf[one] |= 1 << level


@compiled_at_use()
def _children(B, rows, g, h, some, leaf, sums, level):
    """The sums of both halves of every leaf: the smaller ones are collected, the others are what is left."""
    half = 1 << level
    counts = np.zeros(2 * half, np.int64)
    for one in range(len(rows)):
        counts[leaf[one]] += 1
    made = np.zeros((2 * half, *sums.shape[1:]), np.float32)
    target = np.full(2 * half, -1, np.int64)
    for parent in range(half):
        small = parent if counts[parent] <= counts[parent + half] else parent + half
        target[small] = small
    _collect(B, rows, g, h, some, leaf, target, made)
    for parent in range(half):
        small = parent if target[parent] >= 0 else parent + half
        other = parent + half if small == parent else parent
        made[other] = sums[parent] - made[small]
    return made


@compiled_at_use()
def _collect(B, rows, g, h, some, leaf, target, sums):
    for one in range(len(rows)):
        into = target[leaf[one]]
        if into < 0:
            continue
        row = rows[one]
        slope, curve = np.float32(g[row]), np.float32(h[row])
        mine, bins = sums[into], B[row]
        for place in range(len(some)):
            cell = mine[place, bins[some[place]]]
            cell[0] += slope
            cell[1] += curve


@compiled_at_use()
def _best_split(sums, ridge):
    best, best_feature, best_cut = -np.inf, 0, 255
    for feature in range(sums.shape[1]):
        gain = np.zeros(BINS - 1)
        for leaf in range(sums.shape[0]):
            mine = sums[leaf, feature]
            g_all, h_all = mine[:, 0].sum(), mine[:, 1].sum()
            g, h = 0.0, 0.0
            for cut in range(BINS - 1):
                g += mine[cut, 0]
                h += mine[cut, 1]
                gain[cut] += g * g / (h + ridge) + (g_all - g) ** 2 / (h_all - h + ridge)
        cut = int(np.argmax(gain))
        if gain[cut] > best:
            best, best_feature, best_cut = gain[cut], feature, cut
    return best_feature, best_cut
