"""Linear models of standardised features, fitted listwise: the best for few slates, and the way to few signals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.learn.study import Study
from recommender.learn.weights import fit_weights

CLIP = 4.0  # standard deviations


@dataclass(frozen=True)
class Linear:
    """Each feature less its mean, over its deviation, cut at CLIP and spread over [0, 1]: a signal; times a weight."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]  # below 0 where less is better
    weights: NDArray[np.float64]

    def signals(self, X: FloatArray) -> FloatArray:
        """S (rows x features) in [0, 1]."""
        return np.asarray((np.clip((X - self.mean) / self.scale, -CLIP, CLIP) + CLIP) / (2 * CLIP), np.float32)

    def predict(self, X: FloatArray) -> FloatArray:
        """Signals times weights."""
        return np.asarray(self.signals(X) @ self.weights.astype(np.float32), np.float32)


def fit_linear(study: Study, until: int | None = None, *, ridge: float = 4e-5, rows: IntArray | None = None) -> Linear:
    """Fit on the slates before `until` (None: the training part), or on the slates `rows`; weights are not negative.

    The way of each feature, more or less is better, is the sign it has in a fit without bounds; a feature whose sign
    does not hold beside the others gets weight 0.
    """
    slates = np.arange(until or study.trained) if rows is None else rows
    X, clicked, start = _part(study, slates)
    mean, spread = X.mean(0).astype(np.float64), X.std(0).astype(np.float64) + 1e-6
    free = Linear(study.features.names, mean, spread, np.zeros(X.shape[1]))
    signs = np.sign(fit_weights(free.signals(X), clicked, start, ridge=ridge, signed=True))
    made = Linear(free.names, mean, spread * np.where(signs < 0, -1, 1), free.weights)
    return Linear(made.names, mean, made.scale, fit_weights(made.signals(X), clicked, start, ridge=ridge))


def fewest(study: Study, most: int, *, ridge: float = 4e-5, at_once: float = 0.3) -> IntArray:
    """Which features a model of `most` keeps: those of the least weight are left out a part at a time."""
    kept = np.arange(len(study.features.names))
    while True:
        model = fit_linear(study.only(kept), ridge=ridge)
        kept = kept[model.weights > 1e-6]
        weights = model.weights[model.weights > 1e-6]
        if len(kept) <= most:
            return kept
        drop = max(1, min(len(kept) - most, int(at_once * len(kept))))
        kept = np.sort(kept[np.argsort(-weights)[: len(kept) - drop]])


def out_of_fold(study: Study, *, folds: int = 5, ridge: float = 4e-5) -> FloatArray:
    """Scores of every item by a model that did not learn from its reader; of the tested part by one of them all."""
    X, score = study.features.X, np.zeros(len(study.clicked), np.float32)
    score[study.items(study.trained) :] = fit_linear(study, ridge=ridge).predict(X[study.items(study.trained) :])
    fold = study.reader[: study.trained] % folds
    for one in range(folds):
        model = fit_linear(study, rows=np.flatnonzero(fold != one), ridge=ridge)
        items = _items(study.start, np.flatnonzero(fold == one))
        score[items] = model.predict(X[items])
    return score


def _part(study: Study, slates: IntArray) -> tuple[FloatArray, NDArray[np.uint8], IntArray]:
    items = _items(study.start, slates)
    start = np.concatenate([[0], np.cumsum(np.diff(study.start)[slates])])
    return study.features.X[items], study.clicked[items], start


def _items(start: IntArray, slates: IntArray) -> IntArray:
    """The items of some slates."""
    sizes = np.diff(start)[slates]
    ends = np.cumsum(sizes)
    return np.asarray(np.repeat(start[slates] - ends + sizes, sizes) + np.arange(sizes.sum()))
