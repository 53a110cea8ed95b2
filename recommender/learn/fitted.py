"""The three models, fitted on the training part of a study: editors' weights, curves, and trees."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.learn.branching import Branching, fit_pointwise
from recommender.learn.shapes import Shapes, Shaping, shape
from recommender.learn.study import Study, centred
from recommender.learn.trees import Growth, Trees, grow
from recommender.learn.weights import fit_weights
from recommender.replay.causal import Features

AFTER_HOLDOUT = 1.15  # trees of the fit on everything, for each of the fit that stopped at the holdout


@dataclass(frozen=True)
class Weighted:
    """Curves that rise or fall alone, spread over [0, 1] as signals, with one weight each, none below 0."""

    shapes: Shapes
    weights: NDArray[np.float64]  # (used,)

    @property
    def names(self) -> tuple[str, ...]:
        """The signals, in the order of the weights."""
        return tuple(self.shapes.names[one] for one in self.shapes.used)

    def predict(self, features: Features) -> FloatArray:
        """Signals times weights, a number a row; columns are found by name (ValueError where one is missing)."""
        X = features.X[:, [features.names.index(name) for name in self.shapes.names]]
        return np.asarray(self.shapes.signals(X) @ self.weights.astype(np.float32), np.float32)


def fit_trees(study: Study, holdout: IntArray, growth: Growth, until: int | None = None) -> Trees:
    """Trees on the slates before `until` (None: the training part): stopped at the holdout, then grown on all."""
    count, X = until or study.trained, study.features.X
    items = study.items(count)
    part = X[:items], study.clicked[:items], study.start[: count + 1]
    stopped = grow(*part, holdout, growth)
    return grow(*part, np.zeros(0, np.int64), replace(growth, trees=max(1, int(len(stopped) * AFTER_HOLDOUT))))


def fit_branching(study: Study, holdout: IntArray, *, seed: int = 0, **settings: Any) -> Branching:
    """scikit-learn's trees on the training part, row by row: stopped at the holdout, then grown on all."""
    items = study.items(study.trained)
    X, clicked = study.features.X[:items], study.clicked[:items]
    held = np.isin(np.repeat(np.arange(study.trained), np.diff(study.start[: study.trained + 1])), holdout)
    stopped = fit_pointwise(X[~held], clicked[~held], (X[held], clicked[held]), seed=seed, **settings)
    return fit_pointwise(X, clicked, seed=seed, **{**settings, "max_iter": int(len(stopped) * AFTER_HOLDOUT)})


def fit_shapes(study: Study, holdout: IntArray, shaping: Shaping) -> Shapes:
    """Curves on the training part: the number of rounds is chosen on the holdout, then learned on all."""
    items = study.items(study.trained)
    part = (
        study.features.X[:items], study.features.names, study.clicked[:items], study.start[: study.trained + 1],
    )  # fmt: skip
    said: list[tuple[int, float]] = []
    shape(*part, holdout, shaping, lambda number, loss: said.append((number, loss)))
    rounds = min(said, key=lambda one: one[1])[0] + 1
    return shape(*part, np.zeros(0, np.int64), replace(shaping, rounds=max(20, int(rounds * AFTER_HOLDOUT))))


def fit_weighted(study: Study, holdout: IntArray, shaping: Shaping, ridge: float = 1e-4) -> Weighted:
    """At most `shaping.most` signals, each with one weight that is not negative.

    More than twice as many are tried; those that say least beside the others are left out a few at a time.
    """
    wide = replace(shaping, monotone=True, most=int(2.25 * shaping.most), rounds=min(shaping.rounds, 400))
    study = study.only(_telling(study, fit_shapes(study, holdout, wide), shaping.most, ridge))
    shapes = fit_shapes(study, holdout, replace(shaping, monotone=True))
    S, clicked, start = _trained(study, shapes)
    return Weighted(shapes, fit_weights(S, clicked, start, ridge=ridge))


def _trained(study: Study, shapes: Shapes) -> tuple[FloatArray, NDArray[np.uint8], IntArray]:
    items = study.items(study.trained)
    return shapes.signals(study.features.X[:items]), study.clicked[:items], study.start[: study.trained + 1]


def _telling(study: Study, shapes: Shapes, most: int, ridge: float) -> IntArray:
    """The features whose signals move the order of slates most: weight times deviation within a slate."""
    S, clicked, start = _trained(study, shapes)
    spread = np.array([centred(S[:, one], start).std() for one in range(S.shape[1])])
    kept = np.arange(S.shape[1])
    while len(kept) > most:
        moves = fit_weights(S[:, kept], clicked, start, ridge=ridge) * spread[kept]
        kept = np.sort(kept[np.argsort(-moves)[: max(most, len(kept) - 6)]])
    return shapes.used[kept]


def refitted(
    study: Study, fit: Callable[[int], Trees], delay_us: int, every_us: int, say: Callable[[str], None] | None = None
) -> FloatArray:
    """Scores of the tested part by models fitted again and again as a newsroom would, centred by slate.

    At each step `every_us` apart the model is fitted on the slates that are `delay_us` old by then, and scores what
    is shown until the next. `fit` takes how many slates are known.
    """
    score, first, end = np.zeros(len(study.clicked), np.float32), study.trained, len(study.at)
    while first < end:
        now = study.at[first]
        known = int(np.searchsorted(study.at, now - max(delay_us, 1), side="right"))
        until = int(np.searchsorted(study.at, now + every_us))
        model = fit(max(known, study.trained) if known >= study.trained else study.trained)
        items = slice(study.items(first), study.items(until))
        score[items] = model.predict(study.features.X[items])
        if say:
            say(f"{until - study.trained} of {end - study.trained}")
        first = until
    return centred(score, study.start)
