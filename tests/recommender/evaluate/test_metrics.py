"""Each metric against an independent reckoning: scikit-learn, scipy, or the definition written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, ndcg_score

from recommender.evaluate.average_precision import average_precision
from recommender.evaluate.bcubed import bcubed
from recommender.evaluate.correlation import pearson, spearman
from recommender.metrics.ndcg import ndcg_at
from recommender.metrics.precision import precision_at

RELEVANCE = st.lists(st.booleans(), min_size=1, max_size=30)
GROUPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30)
PAIRS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=30)


def descending(count: int) -> np.ndarray:
    return np.arange(count, 0, -1, dtype=float)


@given(RELEVANCE.filter(any))
def test_average_precision_is_scikit_learns(relevant: list[bool]) -> None:
    ranked = np.array(relevant)
    assert average_precision(ranked) == pytest.approx(average_precision_score(ranked, descending(len(ranked))))


def test_average_precision_of_nothing_relevant_is_nan() -> None:
    assert np.isnan(average_precision(np.zeros(3, dtype=bool)))


@given(RELEVANCE.filter(lambda one: any(one) and len(one) > 1), st.integers(1, 12))
def test_ndcg_is_scikit_learns(relevant: list[bool], k: int) -> None:
    gains = np.array(relevant, dtype=float)
    assert ndcg_at(gains, k) == pytest.approx(ndcg_score([gains], [descending(len(gains))], k=k))


def test_ndcg_knows_graded_gains_and_nothing_to_gain() -> None:
    gains = np.array([1.0, 3.0, 0.0, 2.0])
    assert ndcg_at(gains, 3) == pytest.approx(ndcg_score([gains], [descending(4)], k=3))
    assert np.isnan(ndcg_at(np.zeros(4), 10))


def test_precision_counts_the_first_k_and_pads() -> None:
    ranked = np.array([True, False, True])
    assert [precision_at(ranked, k) for k in (1, 2, 3, 5)] == [1.0, 0.5, pytest.approx(2 / 3), 0.4]


@given(GROUPS)
def test_bcubed_is_what_its_definition_says(groups: list[tuple[int, int]]) -> None:
    stories, labels = zip(*groups, strict=True)
    count = len(groups)
    both = [[groups[i] == groups[j] for j in range(count)] for i in range(count)]
    precision = np.mean([sum(both[i]) / sum(stories[j] == stories[i] for j in range(count)) for i in range(count)])
    recall = np.mean([sum(both[i]) / sum(labels[j] == labels[i] for j in range(count)) for i in range(count)])
    found = bcubed(stories, labels)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_bcubed_of_one_heap_and_of_singletons() -> None:
    labels = np.array([0, 0, 1, 1])
    assert bcubed(np.zeros(4), labels) == (0.5, 1.0, pytest.approx(2 / 3))
    assert bcubed(np.arange(4), labels) == (1.0, 0.5, pytest.approx(2 / 3))
    assert bcubed(labels + 7, labels).f1 == 1


@given(PAIRS)
def test_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    left, right = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        assert np.isnan(pearson(left, right))
        assert np.isnan(spearman(left, right))
        return
    assert pearson(left, right) == pytest.approx(stats.pearsonr(left, right).statistic, abs=1e-9)
    assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic, abs=1e-9)
