"""Slate-relative forms: how a candidate differs from its slate's mean, and its rank within the slate."""

import numpy as np

from data.values import IntArray
from recommender.compiled import compiled_at_use
from recommender.replay.causal import Features


def with_relative(features: Features, start: IntArray) -> Features:
    """The features with two more of each that differs within a slate: `over_NAME` and `rank_NAME`.

    Rank is the share of the others that are below, ties half: 0 lowest, 1 highest, 0.5 alone.
    """
    count = features.candidate
    made = np.empty((len(features.X), features.X.shape[1] + 2 * count), np.float32)
    made[:, :count] = features.X[:, :count]
    made[:, 3 * count :] = features.X[:, count:]
    _relative(features.X, start, count, made)
    names = features.names[:count]
    over, rank = (tuple(f"{form}_{name}" for name in names) for form in ("over", "rank"))
    return Features(made, (*names, *over, *rank, *features.names[count:]), 3 * count)


@compiled_at_use()
def _relative(X, start, count, made):  # type: ignore[no-untyped-def]
    for slate in range(len(start) - 1):
        first, end = start[slate], start[slate + 1]
        size = end - first
        for column in range(count):
            mean = 0.0
            for row in range(first, end):
                mean += X[row, column]
            mean /= max(size, 1)
            for row in range(first, end):
                value = X[row, column]
                made[row, count + column] = value - mean
                below = 0.0
                for other in range(first, end):
                    below += 1.0 if X[other, column] < value else 0.5 if X[other, column] == value else 0.0
                made[row, 2 * count + column] = (below - 0.5) / (size - 1) if size > 1 else 0.5
