"""Metrics of what lists hold, each against scipy, scikit-learn or the definition written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist
from sklearn.calibration import calibration_curve

from data.errors import InvalidInput
from recommender.metrics.calibration import BLEND, miscalibration
from recommender.metrics.coverage import coverage
from recommender.metrics.diversity import intra_list_diversity
from recommender.metrics.ece import ece
from recommender.metrics.gini import gini
from recommender.metrics.median_age import HOUR_US, median_age_h
from recommender.metrics.must_read_reach import must_read_reach
from recommender.metrics.novelty import novelty
from recommender.metrics.ranked import RankedSlates

SIZES = st.lists(st.integers(0, 7), min_size=1, max_size=6)


def lists(sizes: list[int], seed: int = 0) -> RankedSlates:
    """Slates of random scores."""
    random = np.random.default_rng(seed)
    count = sum(sizes)
    return RankedSlates.of(np.cumsum([0, *sizes]), random.random(count), np.zeros(count), random)


def parts(found: RankedSlates) -> list[np.ndarray]:
    return np.split(found.order, found.indptr[1:-1])


def test_coverage_counts_the_catalogue_that_was_shown() -> None:
    assert coverage([1, 1, 2, 9], [1, 2, 3, 4]) == 0.5
    with pytest.raises(InvalidInput, match="catalogue"):
        coverage([1], [])


@given(st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(any))
def test_gini_is_half_the_relative_mean_absolute_difference(exposure: list[int]) -> None:
    pairs = pdist(np.array(exposure, float)[:, None], "cityblock")
    assert gini(exposure) == pytest.approx(2 * pairs.sum() / len(exposure) ** 2 / (2 * np.mean(exposure)))


def test_gini_of_equal_shares_is_0_and_of_one_winner_near_1() -> None:
    assert gini([3, 3, 3]) == pytest.approx(0)
    assert gini([0] * 99 + [5]) == pytest.approx(0.99)
    assert np.isnan(gini([0, 0]))


@given(SIZES)
def test_intra_list_diversity_is_scipys_mean_cosine_distance(sizes: list[int]) -> None:
    V = np.random.default_rng(1).normal(size=(sum(sizes), 5))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    found = lists(sizes)
    expected = [pdist(V[one], "cosine").mean() if len(one) > 1 else np.nan for one in parts(found)]
    np.testing.assert_allclose(intra_list_diversity(found, V), expected, atol=1e-9)


def test_novelty_is_self_information_in_bits() -> None:
    found = RankedSlates.of([0, 2, 2], [2.0, 1.0], [0, 0], np.random.default_rng(0))
    assert novelty(found, [8, 0], 8).tolist() == [pytest.approx((0 + 3) / 2), pytest.approx(np.nan, nan_ok=True)]


def test_calibration_is_scipys_relative_entropy() -> None:
    random = np.random.default_rng(2)
    read, listed = random.integers(0, 9, (20, 4)), random.integers(1, 9, (20, 4))
    wanted, shown = read / read.sum(axis=1, keepdims=True), listed / listed.sum(axis=1, keepdims=True)
    expected = [stats.entropy(w, (1 - BLEND) * s + BLEND * w) for w, s in zip(wanted, shown, strict=True)]
    np.testing.assert_allclose(miscalibration(read, listed), expected, atol=1e-12)


def test_calibration_of_the_same_proportions_is_0_and_of_nothing_read_is_nan() -> None:
    found = miscalibration([[2, 4], [0, 0], [1, 0]], [[1, 2], [1, 1], [0, 5]])
    assert found[0] == pytest.approx(0)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(-np.log(BLEND))  # finite, though the category is missing


@given(SIZES)
def test_median_age_is_numpys_median(sizes: list[int]) -> None:
    published = np.random.default_rng(3).integers(0, 50 * HOUR_US, sum(sizes))
    served = np.full(len(sizes), 40 * HOUR_US)
    found = lists(sizes)
    expected = [np.median(np.maximum(40 - published[one] / HOUR_US, 0)) if len(one) else np.nan for one in parts(found)]
    np.testing.assert_allclose(median_age_h(found, published, served), expected)


def test_must_read_reach_counts_readers_once_and_the_first_places_alone() -> None:
    #            reader 7: lists 0 and 1      reader 8: list 2
    article = [1, 2, 3, 1, 2, 3, 3, 2, 1]
    found = RankedSlates.of([0, 3, 6, 9], [3, 2, 1] * 3, [0] * 9, np.random.default_rng(0))
    assert must_read_reach(found, article, [7, 7, 8], [1, 3, 2, 99], k=1).tolist() == [0.5, 0.5, 0, 0]
    assert must_read_reach(found, article, [7, 7, 8], [2], k=2).tolist() == [1.0]


def test_ece_is_scikit_learns_curve_weighed_by_bins() -> None:
    random = np.random.default_rng(4)
    said = random.random(500)
    true = random.random(500) < said**2
    rate, mean = calibration_curve(true, said, n_bins=15)
    sizes = np.histogram(said, np.linspace(0, 1, 16))[0]
    assert ece(said, true) == pytest.approx(np.abs(rate - mean) @ sizes[sizes > 0] / 500)
    rate, mean = calibration_curve(true, said, n_bins=10, strategy="quantile")
    assert ece(said, true, 10, even_counts=True) == pytest.approx(np.abs(rate - mean).mean(), abs=1e-3)


def test_ece_of_the_truth_is_0_and_what_is_no_probability_is_refused() -> None:
    assert ece([0, 1, 1], [0, 1, 1]) == 0
    assert np.isnan(ece([], []))
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        ece([1.5], [1])
