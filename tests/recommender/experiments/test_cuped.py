"""What readers did before: less noise, the same effect, no more false alarms."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clock import micros
from data.errors import InvalidInput
from data.experiments import Arm, ExperimentRow
from recommender.experiments.compare import ratio_path, variation
from recommender.experiments.counts import count
from recommender.experiments.cuped import Before, adjusted_path, variation_beside
from recommender.experiments.metrics import RATES
from recommender.experiments.power import readers_needed
from recommender.simulate.traffic import Habits, Traffic, traffic
from recommender.simulate.trials import seen_before, split_trial

DAYS = 5
seeds = st.integers(0, 10_000)
Drawn = tuple[Traffic, np.ndarray, Before]


def drawn(seed: int, readers: int = 400, lift: float = 0.0) -> Drawn:
    random = np.random.default_rng(seed)
    habits, arm = Habits.draw(readers, random), random.integers(0, 2, readers)
    return traffic(habits, DAYS, random, lift_share=lift * arm), arm, seen_before(habits, 14, random)


@given(seeds)
@settings(max_examples=20)
def test_a_past_in_which_nobody_was_seen_changes_nothing(seed: int) -> None:
    found, arm, past = drawn(seed)
    nobody = Before(0 * past.above, 0 * past.below)
    plain, adjusted = ratio_path(found.opens, found.lists, arm), adjusted_path(found.opens, found.lists, arm, nobody)
    np.testing.assert_array_equal(plain.effect, adjusted.effect)
    np.testing.assert_array_equal(plain.error, adjusted.error)


@given(seeds, st.floats(0.1, 50.0))
@settings(max_examples=20)
def test_only_the_shape_of_the_past_counts(seed: int, factor: float) -> None:
    found, arm, past = drawn(seed)
    one = adjusted_path(found.opens, found.lists, arm, past)
    other = adjusted_path(found.opens, found.lists, arm, Before(factor * past.above, factor * past.below))
    np.testing.assert_allclose(one.effect, other.effect, atol=1e-9)
    np.testing.assert_allclose(one.error, other.error, rtol=1e-9)


@given(seeds)
@settings(max_examples=20)
def test_other_arms_other_sign_same_error(seed: int) -> None:
    found, arm, past = drawn(seed)
    one = adjusted_path(found.opens, found.lists, arm, past)
    other = adjusted_path(found.opens, found.lists, 1 - arm, past)
    np.testing.assert_allclose(one.effect, -other.effect, atol=1e-9)
    np.testing.assert_allclose(one.error, other.error, rtol=1e-9)


@given(seeds)
@settings(max_examples=20)
def test_the_error_is_never_larger_but_for_what_fitting_costs(seed: int) -> None:
    found, arm, past = drawn(seed)
    plain, adjusted = ratio_path(found.opens, found.lists, arm), adjusted_path(found.opens, found.lists, arm, past)
    assert np.all(adjusted.error <= 1.02 * plain.error)
    noise = np.random.default_rng(seed).permutation(len(arm))
    useless = adjusted_path(found.opens, found.lists, arm, Before(past.above[noise], past.below[noise]))
    np.testing.assert_allclose(useless.error, plain.error, rtol=0.06)


def test_the_variance_falls_by_the_square_of_the_correlation() -> None:
    """Where all came equally often a rate is a mean, and the formula is that of the paper."""
    random = np.random.default_rng(3)
    taste, arm, ones = random.normal(size=6_000), random.integers(0, 2, 6_000), np.ones(6_000)
    past = 10 + taste + random.normal(size=6_000)
    now = (10 + taste + random.normal(size=6_000))[:, None]
    plain = ratio_path(now, ones[:, None], arm)
    adjusted = adjusted_path(now, ones[:, None], arm, Before(past, ones))
    correlation = np.corrcoef(past, now[:, 0])[0, 1]
    assert adjusted.error[0] ** 2 / plain.error[0] ** 2 == pytest.approx(1 - correlation**2, rel=0.02)
    theta = np.cov(past, now[:, 0])[0, 1] / past.var() / now.mean()
    gap = past[arm == 1].mean() - past[arm == 0].mean()
    assert adjusted.effect[0] == pytest.approx(plain.effect[0] - theta * gap, abs=2e-4)


def test_the_effect_is_the_planted_one_and_the_error_that_of_repeated_experiments() -> None:
    ends = []
    for seed in range(150):
        found, arm, past = drawn(seed, 600, lift=0.1)
        path = adjusted_path(found.opens, found.lists, arm, past)
        ends.append((path.effect[-1], path.error[-1]))
    effects, errors = np.array(ends).T
    assert effects.mean() == pytest.approx(np.log(1.1), abs=3 * effects.std() / np.sqrt(150))
    assert effects.std() == pytest.approx(errors.mean(), rel=0.2)


def test_looked_at_daily_one_version_against_itself_is_rarely_found_different() -> None:
    random = np.random.default_rng(5)
    alarms = np.mean([split_trial(600, 7, random, before_days=14).is_beyond_chance for _ in range(300)])
    assert abs(alarms - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / 300)


def test_fewer_readers_are_needed() -> None:
    found, _, past = drawn(1, 4_000)
    plain, beside = variation(found.opens, found.lists), variation_beside(found.opens, found.lists, past)
    assert readers_needed(0.02, beside, 14) < 0.6 * readers_needed(0.02, plain, 14)
    nobody = Before(0 * past.above, 0 * past.below)
    assert variation_beside(found.opens, found.lists, nobody) == pytest.approx(plain, rel=1e-9)


def test_a_past_of_other_readers_is_refused() -> None:
    found, arm, past = drawn(0)
    with pytest.raises(InvalidInput, match="as many rows as readers"):
        adjusted_path(found.opens, found.lists, arm, Before(past.above[1:], past.below[1:]))


@pytest.mark.parametrize(("readers", "is_adjusted"), [(62, False), (80, True)])
def test_few_readers_are_judged_without_their_past(readers: int, is_adjusted: bool) -> None:
    found, _, past = drawn(0, readers)
    arm, lists = np.arange(readers) % 2, np.maximum(found.lists, 1)
    plain, adjusted = ratio_path(found.opens, lists, arm), adjusted_path(found.opens, lists, arm, past)
    assert plain.is_known.all()
    assert np.array_equal(plain.effect, adjusted.effect) is not is_adjusted


def test_the_past_is_counted_for_readers_of_the_experiment_alone() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    row = ExperimentRow(
        "try", "for_you", "split", "for_you", "s", 0, 1_000, (Arm(1, 0.5), Arm(2, 0.5)), "opens", 2, start,
        start + timedelta(days=2), "", "",
    )  # fmt: skip
    at = micros(start)
    lists = [("a1", "ann", at + 1), ("b1", "bob", at + 2)]
    before = [("a0", "ann", at - 9), ("a00", "ann", at - 8), ("c0", "cy", at - 7)], [
        ("a0", 1, "open", at - 6), ("a0", 1, "read", at - 5), ("a0", 2, "open", at - 4), ("c0", 1, "open", at - 3),
    ]  # fmt: skip
    rates = [one for one in RATES.values() if one.kinds]
    found = count(row, rates, lists, [], {}, at + 2 * 86_400_000_000, before)
    opens, visits = found.before(RATES["opens"]), found.before(RATES["visits"])
    assert opens is not None
    assert visits is not None
    assert (opens.above.tolist(), opens.below.tolist()) == ([2, 0], [2, 0])
    assert (visits.above.tolist(), visits.below.tolist()) == ([2, 0], [1, 0])
    assert count(row, rates, lists, [], {}, at + 2 * 86_400_000_000).before(RATES["opens"]) is None
    assert replace(found, past={}).before(RATES["opens"]) is None
