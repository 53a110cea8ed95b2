"""How articles of like texts do: what an article that nobody has seen may hope for."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

from data.values import FloatArray
from recommender.compiled import compiled_at_use
from recommender.replay.log import HOUR_US, Log

LIFE_H = 72.0
POWER = 3  # of the cosine: only what is close counts
PRIOR = 1.0  # expected clicks of like articles


def nearby_lift(log: Log, dense: FloatArray, delay_us: int) -> FloatArray:
    """(items,) clicks less expected ones of other articles, weighted by likeness, over the expected ones (shrunk).

    `dense` (articles x directions), rows of length 1. Of slates at least `delay_us` old; an article's own clicks are
    left out. Cost: a product of all candidates with each other; a row of it for each candidate of a slate.
    """
    shown, place = np.unique(log.slates.item, return_inverse=True)
    S = np.maximum(dense[shown] @ dense[shown].T, 0) ** POWER
    np.fill_diagonal(S, 0)
    X = np.zeros(len(log.slates.item), np.float32)
    _pass(log.slates, place.astype(np.int64), S.astype(np.float32), max(delay_us, 1), X)
    return X


@compiled_at_use(fastmath=True)
def _pass(slates, place, S, delay_us, X):
    heat, told = np.zeros((2, len(S)), np.float32), 0
    for slate in range(len(slates.at)):
        at = slates.at[slate]
        if slate:
            heat *= np.float32(np.exp2(-(at - slates.at[slate - 1]) / HOUR_US / LIFE_H))
        while told < slate and slates.at[told] <= at - delay_us:
            _tell(slates, told, place, np.exp2(-(at - slates.at[told]) / HOUR_US / LIFE_H), heat)
            told += 1
        for one in range(slates.start[slate], slates.start[slate + 1]):
            near = S[place[one]]
            X[one] = near.dot(heat[0]) / (near.dot(heat[1]) + PRIOR)


@nb.njit(nogil=True)
def _tell(slates, slate, place, factor, heat):
    first, end = slates.start[slate], slates.start[slate + 1]
    due = slates.clicked[first:end].sum() / (end - first)
    for one in range(first, end):
        heat[0, place[one]] += factor * (slates.clicked[one] - due)
        heat[1, place[one]] += factor * due
