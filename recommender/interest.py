"""The click model behind the `interest` signal: features of the candidates it is asked about, and its answer."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numba as nb
import numpy as np

from data.values import FloatArray
from recommender import signals
from recommender.compiled import compiled
from recommender.packed import F32_2, array

CONSIDERED = 500  # candidates of a list that are asked about: the best by the other signals
DIGITS = 12  # of a model's digest, that name it
# What differs between candidates, by what an editor would call it. Each comes as it is, less the mean of the
# considered (`over_`), and as the share of them below it (`rank_`).
GROUPS: Mapping[str, tuple[str, ...]] = {
    "the reader's taste": ("similarity", "source", "breadth"),
    "freshness": ("freshness", "age"),
    "the desk": ("news_value",),
    "other readers": ("popularity", "reads"),
    "the story": ("story_size",),
    "shown before": ("shown_before", "since_shown"),
}
CANDIDATE = tuple(name for names in GROUPS.values() for name in names)
CONTEXT = ("evidence", "hour")  # the same for all candidates: how much is known of the reader, the hour of the day
NAMES = (*CANDIDATE, *(f"over_{one}" for one in CANDIDATE), *(f"rank_{one}" for one in CANDIDATE), *CONTEXT)
FROM_SIGNALS = ("similarity", "source", "breadth", "freshness", "news_value", "popularity", "story_size")


@dataclass(frozen=True)
class Reference:
    """What features are compared with: those of the candidates considered for one list."""

    ascending: FloatArray  # (CANDIDATE x considered), each row sorted
    mean: FloatArray  # (CANDIDATE,)

    @classmethod
    def of(cls, columns: FloatArray) -> "Reference":
        """Of the columns (CANDIDATE x considered)."""
        count = max(columns.shape[1], 1)
        return cls(np.sort(columns, axis=1), np.asarray(columns.sum(axis=1, dtype=np.float64) / count, np.float32))

    def features(self, columns: FloatArray, context: FloatArray) -> FloatArray:
        """X (NAMES x candidates) of the columns (CANDIDATE x candidates), some or all of them considered.

        Each candidate's features depend on its own column and the reference alone.
        """
        order = np.argsort(columns, axis=1)
        made = _features(np.ascontiguousarray(columns), order, self.ascending, self.mean, context)
        return np.asarray(made, np.float32)


@dataclass(frozen=True)
class Interest:
    """A learned model. The signal is p / (p + usual): 0.5 a usual chance of being opened, 0.9 nine times that.

    p = 1 / (1 + exp(-(slope x score + offset))), the score a sum of symmetric trees, calibrated on later lists
    (Platt 1999). `told` is what editors are told of it: lists, days, figures, gain by group.
    """

    feature: np.ndarray  # int32 (trees x depth), places in NAMES
    edge: FloatArray  # (trees x depth)
    value: FloatArray  # (trees x 2 ** depth)
    slope: float
    offset: float
    usual: float
    told: Mapping[str, Any] = field(default_factory=dict)

    def score(self, X: FloatArray) -> FloatArray:
        """(candidates,); X (NAMES x candidates). One candidate gets the same alone and among others."""
        return np.asarray(sum_of_trees(np.ascontiguousarray(X), self.feature, self.edge, self.value), np.float32)

    def probability(self, X: FloatArray) -> FloatArray:
        """The calibrated chance that each is opened where it is shown (candidates,)."""
        wanted = self.slope * self.score(X).astype(np.float64) + self.offset
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(wanted, -50.0, 50.0))), np.float32)

    def signal(self, X: FloatArray) -> FloatArray:
        """The signal in [0, 1] (candidates,)."""
        return signals.interest(self.probability(X), self.usual)

    @cached_property
    def gain(self) -> Mapping[str, float]:
        """How much of what it knows comes from each group of features, as shares."""
        return {str(name): float(share) for name, share in dict(self.told.get("gain", {})).items()}


def number_of(digest: str) -> int:
    """The model's name as a number, which an option of weights can hold: 48 bits, exact in a float."""
    return int(digest[:DIGITS], 16)


def name_of(number: float) -> str:
    """The name of the folder that keeps a model."""
    return f"{int(number):0{DIGITS}x}"


@compiled(nb.float32[:, ::1](F32_2, array(nb.int64, 2), F32_2, array(nb.float32), array(nb.float32)))
def _features(columns, order, ascending, mean, context):
    """Both sides are in order, so that one walk over the known ones ranks all: a search each would cost tenfold."""
    kinds, count, size = columns.shape[0], columns.shape[1], ascending.shape[1]
    X = np.empty((3 * kinds + len(context), count), np.float32)
    for kind in range(kinds):
        known, below, upto = ascending[kind], 0, 0  # how many are less, and how many are not more
        for place in range(count):
            one = order[kind, place]
            value = columns[kind, one]
            while below < size and known[below] < value:
                below += 1
            upto = max(upto, below)
            while upto < size and known[upto] <= value:
                upto += 1
            X[kind, one] = value
            X[kinds + kind, one] = value - mean[kind]
            X[2 * kinds + kind, one] = (below + upto) / (2.0 * max(size, 1))
    for place in range(len(context)):
        X[3 * kinds + place] = context[place]
    return X


@compiled(nb.float32[::1](F32_2, array(nb.int32, 2), F32_2, F32_2))
def sum_of_trees(X, feature, edge, value):
    """The sum of symmetric trees for each row (rows,): X (features x rows), the rest as in `learn.trees.Trees`."""
    rows, depth = X.shape[1], feature.shape[1]
    score, leaf = np.zeros(rows, np.float32), np.empty(rows, np.int32)
    for tree in range(len(feature)):
        leaf[:] = 0
        for level in range(depth):
            column, cut, bit = X[feature[tree, level]], edge[tree, level], np.int32(1 << level)
            for row in range(rows):
                leaf[row] |= bit if column[row] > cut else np.int32(0)
        values = value[tree]
        for row in range(rows):
            score[row] += values[leaf[row]]
    return score
