"""Bounds against the published tables and against simulated walks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InvalidInput
from recommender.experiments.power import drift, effect_found, readers_needed, readers_needed_interleaved
from recommender.experiments.spending import bounds, crossed_share, even, obrien_fleming

FIFTHS = np.arange(1, 6) / 5


def test_five_looks_as_lan_and_demets_have_them() -> None:
    found = bounds(FIFTHS, obrien_fleming(FIFTHS, 0.05))
    np.testing.assert_allclose(found, [4.877, 3.357, 2.680, 2.290, 2.031], atol=1e-3)


def test_one_look_is_the_plain_test() -> None:
    assert bounds([3.0], [0.05]) == pytest.approx(1.959964, abs=1e-4)
    assert drift(1) == pytest.approx(1.959964 + 0.841621, abs=1e-3)


@given(st.lists(st.floats(0.05, 3.0), min_size=1, max_size=12), st.sampled_from([even, obrien_fleming]))
def test_what_is_spent_is_what_is_crossed(steps: list[float], spend: object) -> None:
    information = np.cumsum(steps)
    spent = spend(np.arange(1, len(steps) + 1) / len(steps), 0.05)  # type: ignore[operator]
    crossed = crossed_share(information, bounds(information, spent))
    np.testing.assert_allclose(crossed, spent, atol=2e-4)


def test_simulated_walks_cross_as_often_as_was_reckoned() -> None:
    random, information = np.random.default_rng(0), np.array([1.0, 1.5, 1.6, 4.0])
    edge = bounds(information, [0.01, 0.02, 0.03, 0.05])
    steps = random.normal(size=(200_000, 4)) * np.sqrt(np.diff(information, prepend=0.0))
    for effect in (0.0, 1.0):
        z = (np.cumsum(steps, axis=1) + effect * information) / np.sqrt(information)
        seen = np.maximum.accumulate(np.abs(z) >= edge, axis=1).mean(axis=0)
        np.testing.assert_allclose(crossed_share(information, edge, effect), seen, atol=0.004)


def test_without_bounds_that_grow_daily_looks_cry_wolf() -> None:
    daily = np.arange(1, 15) / 14
    assert crossed_share(daily, np.full(14, 1.96))[-1] > 0.2


def test_information_that_stands_still_spends_no_more_than_allowed() -> None:
    information = np.array([1.0, 1.0, 0.9, 1.2])
    assert np.isfinite(bounds(information, even(np.arange(1, 5) / 4, 0.05))).all()


@pytest.mark.parametrize(("information", "spent"), [([0.0], [0.05]), ([1.0, 2.0], [0.05, 0.04]), ([1.0], [1.0])])
def test_what_cannot_be_spent_is_refused(information: list[float], spent: list[float]) -> None:
    with pytest.raises(InvalidInput):
        bounds(information, spent)


def test_more_readers_find_smaller_effects() -> None:
    needed = readers_needed(0.02, 1.5, 14)
    assert 85_000 < needed < 95_000  # 2 (1.5 x 2.861 / log 1.02)^2
    assert effect_found(needed, 1.5, 14) == pytest.approx(0.02, rel=1e-3)
    assert readers_needed(0.02, 1.5, 14, power=0.9) > needed > readers_needed(0.04, 1.5, 14)
    assert readers_needed_interleaved(0.1, 1.5, 14) == pytest.approx((1.5 * drift(14) / 0.1) ** 2, abs=1)


@pytest.mark.parametrize("ask", [lambda: readers_needed(0, 1, 14), lambda: drift(0), lambda: effect_found(1, 1, 14)])
def test_a_question_without_an_answer_is_refused(ask: object) -> None:
    with pytest.raises(InvalidInput):
        ask()  # type: ignore[operator]
