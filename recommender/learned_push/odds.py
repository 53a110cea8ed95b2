"""A probability as a sum of named effects in log odds, calibrated on what came later; no pickle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from data.errors import InvalidInput
from recommender.metrics.ece import ece

LEAST_OUTCOMES = 50  # of the rarer kind: with fewer an effect is noise
ISOTONIC_FROM = 1_000  # outcomes of the rarer kind; below, Platt's two numbers are steadier
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Odds:
    """Effects in log odds by name, and the map from what they say to what came true."""

    names: tuple[str, ...]
    effects: tuple[float, ...]
    base: float
    said: tuple[float, ...] = ()  # a monotone map from probability to probability, linear between; () for none
    true: tuple[float, ...] = ()

    @classmethod
    def fit(cls, X: Doubles, outcome: npt.ArrayLike, names: Sequence[str]) -> "Odds":
        """Logistic regression of outcomes (n,) on X (n x effects), hardly shrunk; InvalidInput with few outcomes."""
        y = np.asarray(outcome, bool)
        rarer = int(min(y.sum(), (~y).sum()))
        if rarer < LEAST_OUTCOMES:
            raise InvalidInput(f"{rarer} outcomes are too few to learn from; collect {LEAST_OUTCOMES} of each kind")
        found = LogisticRegression(C=1e3, max_iter=1_000).fit(X, y)
        return cls(tuple(names), tuple(found.coef_[0].tolist()), float(found.intercept_[0]))

    def effect(self, name: str) -> float:
        """What one unit of something adds to the log odds."""
        return self.effects[self.names.index(name)]

    def parts(self, X: Doubles) -> Doubles:
        """What each effect adds to the log odds (n x effects); with `base` they sum to them exactly."""
        return np.asarray(np.asarray(X, np.float64) * np.array(self.effects))

    def probability(self, X: Doubles) -> Doubles:
        """The calibrated probability (n,)."""
        raw: Doubles = 1 / (1 + np.exp(-(self.parts(X).sum(axis=1) + self.base)))
        return np.asarray(np.interp(raw, self.said, self.true)) if self.said else raw

    def calibrated(self, X: Doubles, outcome: npt.ArrayLike) -> "Odds":
        """The same effects, mapped to what came true in cases that they were not fitted on.

        Isotonic regression (Zadrozny and Elkan, KDD 2002) where there are enough outcomes, else Platt's sigmoid.
        """
        y = np.asarray(outcome, np.float64)
        raw = Odds(self.names, self.effects, self.base).probability(X)
        if min(y.sum(), len(y) - y.sum()) < LEAST_OUTCOMES:
            raise InvalidInput(f"too few outcomes to calibrate with; collect {LEAST_OUTCOMES} of each kind")
        said, true = _isotonic(raw, y) if y.sum() >= ISOTONIC_FROM else _platt(raw, y)
        return Odds(self.names, self.effects, self.base, tuple(said.tolist()), tuple(true.tolist()))

    def error(self, X: Doubles, outcome: npt.ArrayLike) -> float:
        """The expected calibration error on some cases, in bins of even counts."""
        return ece(self.probability(X), outcome, even_counts=True)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Odds":
        """Back from `to_json`."""
        given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
        return cls(**given)


def _isotonic(raw: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    found = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, y)
    return np.asarray(found.X_thresholds_, np.float64), np.asarray(found.y_thresholds_, np.float64)


def _platt(raw: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    """The sigmoid at so many points that lines between them are as good."""
    odds = np.log(np.clip(raw, 1e-9, 1 - 1e-9) / np.clip(1 - raw, 1e-9, 1))
    found = LogisticRegression(C=1e6).fit(odds[:, None], y)
    points = np.linspace(min(odds.min(), -8.0), max(odds.max(), 4.0), 200)
    return 1 / (1 + np.exp(-points)), np.asarray(found.predict_proba(points[:, None])[:, 1])
