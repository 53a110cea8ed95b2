"""Effects in log odds: scikit-learn's, exact sums, calibration by what came later, JSON instead of pickle."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from data.errors import InvalidInput
from recommender.learned_push.odds import Odds
from recommender.metrics.ece import ece


def cases(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(count, 2))
    return X, random.random(count) < 1 / (1 + np.exp(-(X @ [1.0, -0.5] - 1.0)))


def test_effects_and_probabilities_are_scikit_learns() -> None:
    X, y = cases(4_000)
    ours, theirs = Odds.fit(X, y, ("a", "b")), LogisticRegression(C=1e3, max_iter=1_000).fit(X, y)
    np.testing.assert_allclose(ours.probability(X), theirs.predict_proba(X)[:, 1])
    assert ours.effect("b") == pytest.approx(-0.5, abs=0.12)


def test_parts_sum_to_the_log_odds_exactly() -> None:
    X, y = cases(500)
    odds = Odds.fit(X, y, ("a", "b"))
    said = odds.probability(X)
    np.testing.assert_allclose(odds.parts(X).sum(axis=1) + odds.base, np.log(said / (1 - said)), atol=1e-9)


@pytest.mark.parametrize("count", [2_000, 40_000])  # Platt's sigmoid, isotonic regression
def test_calibration_mends_probabilities_that_are_off_and_keeps_the_order(count: int) -> None:
    X, y = cases(count)
    bold = Odds(("a", "b"), (3.0, -1.5), 1.0)  # three times too sure, and too high
    mended = bold.calibrated(X, y)
    fresh, true = cases(20_000, 1)
    assert ece(bold.probability(fresh), true, even_counts=True) > 0.1
    assert mended.error(fresh, true) < 0.03
    order = np.argsort(bold.probability(fresh))
    assert (np.diff(mended.probability(fresh)[order]) >= -1e-12).all()


def test_it_comes_back_from_json_with_the_same_answers() -> None:
    X, y = cases(3_000)
    odds = Odds.fit(X, y, ("a", "b")).calibrated(X, y)
    again = Odds.from_json(json.loads(json.dumps(odds.to_json())))
    assert again == odds
    np.testing.assert_array_equal(again.probability(X), odds.probability(X))


def test_too_few_outcomes_are_refused() -> None:
    X, y = cases(60)
    with pytest.raises(InvalidInput, match="too few"):
        Odds.fit(X, y, ("a", "b"))
    with pytest.raises(InvalidInput, match="too few"):
        Odds(("a", "b"), (1.0, 1.0), 0.0).calibrated(X, y)
