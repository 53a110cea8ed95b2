"""Shapes: one curve a signal, learned listwise; a score is the exact sum of what each curve gives.

Boosting without interactions: every round improves one curve. Curves are steps over the bins of a feature. A curve
may be held to rise or to fall alone: spread over [0, 1], it is a signal with one weight, which cannot be negative.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled_at_use
from recommender.learn.bins import BINS, Bins
from recommender.learn.softmax import slopes

LEAVES = 6


@dataclass(frozen=True)
class Shaping:
    """How curves are learned. `most` features at most get a curve (0: any number)."""

    rounds: int = 600
    step: float = 0.15
    ridge: float = 20.0
    slate_share: float = 0.6
    patience: int = 60
    most: int = 0
    monotone: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Shapes:
    """Curve f gives value[f, b] to what lies in bin b; features without a curve have only zeros."""

    names: tuple[str, ...]
    bins: Bins
    value: FloatArray  # (features x BINS)

    def parts(self, X: FloatArray) -> FloatArray:
        """What each curve adds to each row (rows x features)."""
        return np.take_along_axis(self.value.T, self.bins.places(X).astype(np.intp), axis=0)

    def predict(self, X: FloatArray) -> FloatArray:
        """The score of each row: the sum of its parts."""
        return np.asarray(_sum(self.bins.places(X), self.value), np.float32)

    @property
    def used(self) -> IntArray:
        """The features that have a curve, those of the widest range first."""
        width = np.ptp(self.value, axis=1)
        return np.asarray(np.argsort(-width, kind="stable")[: np.count_nonzero(width)], np.int64)

    def signals(self, X: FloatArray) -> FloatArray:
        """The used curves spread over [0, 1] (rows x used)."""
        low = self.value[self.used].min(1)
        return np.asarray((self.parts(X)[:, self.used] - low) / np.ptp(self.value[self.used], axis=1), np.float32)

    def curves(self) -> Mapping[str, list[tuple[float, float]]]:
        """Each curve as points: (from this value of the feature on, what it adds)."""
        found = {}
        for feature in self.used:
            value, edges = self.value[feature], self.bins.edges[feature]
            turns = np.flatnonzero(np.diff(value) != 0)
            turns = turns[np.isfinite(edges[turns])]
            points = [(float("-inf"), float(value[0])), *((float(edges[one]), float(value[one + 1])) for one in turns)]
            found[self.names[feature]] = points
        return found


@compiled_at_use()
def _sum(B, value):
    score = np.zeros(B.shape[0], np.float32)
    for row in range(B.shape[0]):
        for feature in range(B.shape[1]):
            score[row] += value[feature, B[row, feature]]
    return score


def shape(
    X: FloatArray, names: tuple[str, ...], clicked: NDArray[np.uint8], start: IntArray, holdout: IntArray,
    shaping: Shaping, say: Callable[[int, float], None] | None = None,
) -> Shapes:  # fmt: skip
    """Learn the curves on the slates outside of `holdout`; the round of the best holdout loss is kept."""
    bins = Bins.fit(X, seed=shaping.seed)
    B, rng = bins.places(X), np.random.default_rng(shaping.seed)
    slate_of = np.repeat(np.arange(len(start) - 1), np.diff(start))
    learned, held = np.ones(len(start) - 1), np.zeros(len(start) - 1)
    learned[holdout], held[holdout] = 0, 1
    score, g, h = np.zeros(len(X)), np.zeros(len(X)), np.zeros(len(X))
    value, sign = np.zeros((X.shape[1], BINS)), np.zeros(X.shape[1], np.int8)
    best, best_loss, best_round = value.copy(), np.inf, 0
    for number in range(shaping.rounds):
        slopes(score, clicked, start, learned, g, h)
        rows = np.flatnonzero(((rng.random(len(learned)) < shaping.slate_share) & (learned > 0))[slate_of])
        used = sign != 0
        open_to = np.ones(len(used), bool) if not shaping.most or used.sum() < shaping.most else used
        feature, steps, way = _improve(
            B, rows, g, h, np.flatnonzero(open_to), sign, shaping.monotone, shaping.ridge, LEAVES
        )
        value[feature] += shaping.step * steps
        sign[feature] = way
        score += shaping.step * steps[B[:, feature]]
        if len(holdout):
            loss = slopes(score, clicked, start, held, g, h)
            if say and number % 20 == 0:
                say(number, loss)
            if loss < best_loss:
                best, best_loss, best_round = value.copy(), loss, number
            elif number - best_round >= shaping.patience:
                break
    return Shapes(names, bins, np.asarray(best if len(holdout) else value, np.float32))


@compiled_at_use()
def _improve(B, rows, g, h, some, sign, monotone, ridge, leaves):
    """The feature whose split gains most, the steps to add to its curve, and the way it goes."""
    sums = np.zeros((B.shape[1], BINS, 2))
    for row in rows:
        slope, curve = g[row], h[row]
        for feature in some:
            cell = sums[feature, B[row, feature]]
            cell[0] += slope
            cell[1] += curve
    best, found, way = -np.inf, some[0], np.int8(1)
    for feature in some:
        gain, _, direction = _split(sums[feature], 0, BINS, ridge, sign[feature] if monotone else np.int8(0))
        if gain > best:
            best, found, way = gain, feature, direction
    kept = sign[found] if monotone and sign[found] != 0 else way
    return found, _steps(sums[found], ridge, leaves, kept if monotone else np.int8(0)), kept


@compiled_at_use()
def _split(sums, low, high, ridge, sign):
    """Gain, place and direction of the best cut of bins low..high that goes the allowed way."""
    g_all, h_all = sums[low:high, 0].sum(), sums[low:high, 1].sum()
    whole, best, place, way = g_all * g_all / (h_all + ridge), 0.0, -1, np.int8(1)
    g = h = 0.0
    for cut in range(low, high - 1):
        g += sums[cut, 0]
        h += sums[cut, 1]
        left, right = -g / (h + ridge), -(g_all - g) / (h_all - h + ridge)
        direction = np.int8(1) if right > left else np.int8(-1)
        if sign != 0 and direction != sign:  # noqa: PLR1714 numba
            continue
        gain = g * g / (h + ridge) + (g_all - g) ** 2 / (h_all - h + ridge) - whole
        if gain > best:
            best, place, way = gain, cut + 1, direction
    return best, place, way


@compiled_at_use()
def _steps(sums, ridge, leaves, sign):
    """The best few steps over the bins; with a sign they rise or fall alone (neighbours that do not are pooled)."""
    ends = np.zeros(leaves + 1, np.int64)
    ends[1], count = BINS, 1
    while count < leaves:
        best, place = 0.0, -1
        for leaf in range(count):
            gain, cut, _ = _split(sums, ends[leaf], ends[leaf + 1], ridge, sign)
            if gain > best:
                best, place = gain, cut
        if place < 0:
            break
        ends[count + 1] = place
        count += 1
        ends[: count + 1].sort()
    g, h, width = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    pooled = 0
    for leaf in range(count):
        g[pooled] = sums[ends[leaf] : ends[leaf + 1], 0].sum()
        h[pooled] = sums[ends[leaf] : ends[leaf + 1], 1].sum()
        width[pooled] = ends[leaf + 1] - ends[leaf]
        pooled += 1
        while (
            sign != 0
            and pooled > 1
            and sign * (-g[pooled - 1] / (h[pooled - 1] + ridge) + g[pooled - 2] / (h[pooled - 2] + ridge)) < 0
        ):
            g[pooled - 2] += g[pooled - 1]
            h[pooled - 2] += h[pooled - 1]
            width[pooled - 2] += width[pooled - 1]
            pooled -= 1
    made, first = np.zeros(BINS), 0
    for leaf in range(pooled):
        made[first : first + width[leaf]] = -g[leaf] / (h[leaf] + ridge)
        first += width[leaf]
    return made
