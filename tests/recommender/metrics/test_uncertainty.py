"""Intervals by reader, and estimates from logged chance."""

import numpy as np
import pytest
from scipy import stats

from data.errors import InvalidInput
from recommender.metrics.bootstrap import bootstrap, bootstrap_all
from recommender.metrics.off_policy import doubly_robust, ips, snips


def test_the_interval_of_readers_with_one_slate_is_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=300)
    found = bootstrap(values, np.arange(300), np.random.default_rng(1), rounds=4_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(theirs.low, abs=0.01)
    assert found.high == pytest.approx(theirs.high, abs=0.01)


def test_slates_of_one_reader_do_not_count_as_so_many_witnesses() -> None:
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=50), 20)  # twenty alike slates each
    wide = bootstrap(values, np.repeat(np.arange(50), 20), np.random.default_rng(1))
    narrow = bootstrap(values, np.arange(1_000), np.random.default_rng(1))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random, held = np.random.default_rng(5), 0
    for _ in range(200):
        taste = random.normal(size=60)
        reader = random.integers(0, 60, 300)
        found = bootstrap(taste[reader] + random.normal(size=300), reader, random, rounds=300)
        held += found.low <= 0 <= found.high
    assert 0.89 <= held / 200 <= 0.99  # 95 %, three standard errors


def test_nan_is_left_out_of_its_metric_alone() -> None:
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    first, second = bootstrap_all(values, [1, 2], np.random.default_rng(0))
    assert (first.mean, second.mean) == (2.0, 5.0)
    assert second.low == second.high == 5.0
    assert np.isnan(bootstrap([np.nan], [1], np.random.default_rng(0)).low)


def test_the_same_seed_gives_the_same_interval_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    values, readers = np.arange(100.0), np.arange(100)
    whole = bootstrap(values, readers, np.random.default_rng(3), rounds=100)
    monkeypatch.setattr("recommender.metrics.bootstrap._DRAWS_AT_ONCE", 700)
    assert bootstrap(values, readers, np.random.default_rng(3), rounds=100) == whole


def logged(count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """A log of three actions with known rates; the target prefers the third."""
    random = np.random.default_rng(seed)
    rates, log, target = np.array([0.1, 0.2, 0.5]), np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7])
    action = random.choice(3, count, p=log)
    reward = (random.random(count) < rates[action]).astype(float)
    return reward, log[action], target[action], rates[action], np.full(count, rates @ target)


def test_every_estimate_covers_the_truth_and_a_model_makes_it_narrower() -> None:
    truth = 0.1 * 0.1 + 0.2 * 0.2 + 0.5 * 0.7
    reward, propensity, target, predicted, expected = logged(20_000)
    estimates = [
        ips(reward, propensity, target),
        snips(reward, propensity, target),
        doubly_robust(reward, propensity, target, predicted, expected),
    ]
    for found in estimates:
        assert abs(found.estimate - truth) < 4 * found.standard_error
    assert estimates[2].standard_error < estimates[0].standard_error
    assert reward.mean() == pytest.approx(0.17, abs=0.02)  # what the log itself earned: no estimate of the target


def test_standard_errors_are_those_of_repeated_logs() -> None:
    runs = [logged(500, seed) for seed in range(300)]
    for estimator in (ips, snips):
        found = [estimator(*run[:3]) for run in runs]
        said = np.mean([one.standard_error for one in found])
        assert np.std([one.estimate for one in found]) == pytest.approx(said, rel=0.15)


def test_the_effective_sample_size_is_the_log_under_its_own_policy_and_shrinks_with_distance() -> None:
    reward, propensity, target, *_ = logged(2_000)
    assert ips(reward, propensity, propensity).effective_sample_size == pytest.approx(2_000)
    assert ips(reward, propensity, target).effective_sample_size < 600


def test_a_log_without_chance_is_refused_with_what_to_do() -> None:
    for propensity in (None, [np.nan, 0.5]):
        for estimator in (ips, snips):
            with pytest.raises(InvalidInput, match=r"without propensities.*interleaving"):
                estimator([1, 0], propensity, [0.5, 0.5])
    with pytest.raises(InvalidInput, match="outside"):
        ips([1.0], [0.0], [0.5])


def test_a_target_that_never_does_what_was_logged_is_nan_not_zero() -> None:
    found = snips([1.0, 0.0], [0.5, 0.5], [0.0, 0.0])
    assert np.isnan(found.estimate)
    assert found.effective_sample_size == 0
