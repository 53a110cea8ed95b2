"""Figures of scored slates, with the interval that a bootstrap over readers gives."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Mapping
from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.replay.log import Slates

MEASURES = ("AUC", "MRR", "nDCG@5", "nDCG@10")
SAMPLES = 1_000


@dataclass(frozen=True)
class Figure:
    """A mean over slates and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def judged(
    slates: Slates, score: FloatArray, *, seed: int = 0, among: NDArray[np.bool_] | None = None
) -> Mapping[str, Figure]:
    """AUC, MRR over all clicks, nDCG@5 and nDCG@10, means over the slates with clicks and others beside them.

    Equal scores are put into a seeded random order. `among` (slates,) leaves others out.
    """
    values = per_slate(slates, score, seed)
    kept = ~np.isnan(values[:, 0]) & (True if among is None else among)
    means, bounds = bootstrap(values[kept], slates.reader[kept], seed)
    return {name: Figure(float(means[i]), *map(float, bounds[i])) for i, name in enumerate(MEASURES)}


def per_slate(slates: Slates, score: FloatArray, seed: int = 0) -> NDArray[np.float64]:
    """(slates x MEASURES), nan where nothing or everything was clicked."""
    chance = np.random.default_rng(seed).random(len(score))
    return np.asarray(_per_slate(slates.start, slates.clicked, np.asarray(score, np.float64), chance))


def bootstrap(
    values: NDArray[np.float64], reader: NDArray[np.int32], seed: int = 0, samples: int = SAMPLES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (measures,) and 95 % bounds (measures x 2): readers are drawn with replacement, each with all slates."""
    _, code = np.unique(reader, return_inverse=True)
    count = np.bincount(code).astype(np.float64)
    sums = np.stack([np.bincount(code, column) for column in values.T], 1)
    rng, means = np.random.default_rng(seed), np.empty((samples, values.shape[1]))
    for one in range(samples):
        drawn = np.bincount(rng.integers(0, len(count), len(count)), minlength=len(count)).astype(np.float64)
        means[one] = drawn @ sums / (drawn @ count)
    return sums.sum(0) / count.sum(), np.quantile(means, [0.025, 0.975], axis=0).T


@nb.njit(nogil=True, cache=True)
def _per_slate(start, clicked, score, chance):
    found = np.full((len(start) - 1, 4), np.nan)
    for slate in range(len(start) - 1):
        first, end = start[slate], start[slate + 1]
        size, clicks = end - first, int(clicked[first:end].sum())
        if clicks == 0 or clicks == size:
            continue
        mrr = won = 0.0
        gains, ideal = np.zeros(2), np.zeros(2)
        for one in range(first, end):
            if not clicked[one]:
                continue
            place, beaten = 0, 0
            for other in range(first, end):
                ahead = score[other] > score[one] or (score[other] == score[one] and chance[other] > chance[one])
                place += ahead
                beaten += not ahead and not clicked[other]
            won += beaten
            mrr += 1.0 / (place + 1)
            for cut in range(2):
                if place < 5 * (cut + 1):
                    gains[cut] += 1.0 / np.log2(place + 2.0)
        for cut in range(2):
            for place in range(min(clicks, 5 * (cut + 1))):
                ideal[cut] += 1.0 / np.log2(place + 2.0)
        found[slate, 0], found[slate, 1] = won / (clicks * (size - clicks)), mrr / clicks
        found[slate, 2], found[slate, 3] = gains[0] / ideal[0], gains[1] / ideal[1]
    return found
