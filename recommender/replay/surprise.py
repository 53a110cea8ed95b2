"""Clicks against what a model of texts and readers expected: popularity that is not owed to who was asked."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

from data.values import FloatArray
from recommender.compiled import compiled_at_use
from recommender.replay.log import HOUR_US, Log

LIVES_H = np.array([2.0, 12.0, 72.0])
PRIOR = 0.5  # expected clicks
STEP = 0.6
SURPRISE_NAMES = ("surprise_2h", "surprise_12h", "surprise_72h", "quality_beyond")


def surprise_features(log: Log, score: FloatArray, delay_us: int, until_us: int = 2**62) -> FloatArray:
    """(items x SURPRISE_NAMES) of each candidate, from slates at least `delay_us` old and before `until_us`.

    `score` (items,) is the expectation: its softmax over a slate says where clicks were due. Surprise: log of clicks
    to due clicks, decayed and shrunk. Quality beyond: a number an article learned on top of the score (AdaGrad).
    """
    X = np.zeros((len(log.slates.item), 4), np.float32)
    _surprise(log.slates, np.asarray(score, np.float64), len(log.ids), max(delay_us, 1), until_us, X)
    return X


@compiled_at_use()
def _surprise(slates, score, articles, delay_us, until_us, X):
    heat, touched = np.zeros((articles, 2, 3)), np.zeros(articles, np.int64)
    quality, square = np.zeros(articles), np.full(articles, 0.25)
    told = 0
    for slate in range(len(slates.at)):
        at = slates.at[slate]
        while told < slate and slates.at[told] <= min(at - delay_us, until_us - 1):
            _tell(slates, told, score, heat, touched, quality, square)
            told += 1
        for one in range(slates.start[slate], slates.start[slate + 1]):
            item = slates.item[one]
            gap_h = (at - touched[item]) / HOUR_US
            for life in range(3):
                factor = np.exp2(-gap_h / LIVES_H[life])
                clicks, due = heat[item, 0, life] * factor, heat[item, 1, life] * factor
                X[one, life] = np.log((clicks + PRIOR) / (due + PRIOR))
            X[one, 3] = quality[item]


@nb.njit(nogil=True)
def _tell(slates, slate, score, heat, touched, quality, square):
    first, end = slates.start[slate], slates.start[slate + 1]
    clicks = slates.clicked[first:end].sum()
    if clicks == 0 or clicks == end - first:
        return
    due = np.exp(score[first:end] - score[first:end].max())
    due /= due.sum()
    beyond = np.empty(end - first)
    for one in range(end - first):
        beyond[one] = due[one] * np.exp(quality[slates.item[first + one]])
    beyond /= beyond.sum()
    for one in range(end - first):
        item = slates.item[first + one]
        gap_h = (slates.at[slate] - touched[item]) / HOUR_US
        heat[item] *= np.exp2(-gap_h / LIVES_H)
        touched[item] = slates.at[slate]
        heat[item, 0] += slates.clicked[first + one]
        heat[item, 1] += due[one] * clicks
        slope = slates.clicked[first + one] / clicks - beyond[one]
        square[item] += slope * slope
        quality[item] += STEP * slope / np.sqrt(square[item])
