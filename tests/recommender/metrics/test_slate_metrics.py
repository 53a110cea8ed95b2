"""Metrics of slates against independent libraries: scikit-learn, trec_eval and scipy."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import ndcg_score, roc_auc_score

from data.errors import InvalidInput
from recommender.metrics.auc import auc
from recommender.metrics.hit_rate import hit_rate
from recommender.metrics.mrr import mrr
from recommender.metrics.ndcg import ndcg
from recommender.metrics.ranked import RankedSlates

Slate = tuple[list[float], list[bool]]
# Distinct scores: an independent library breaks ties its own way.
SLATES = st.lists(
    st.lists(st.tuples(st.integers(-99, 99), st.booleans()), max_size=12, unique_by=lambda one: one[0]), max_size=6
)


def ranked(slates: list[list[tuple[int, bool]]], seed: int = 0) -> RankedSlates:
    items = [item for slate in slates for item in slate]
    indptr = np.cumsum([0, *map(len, slates)])
    return RankedSlates.of(indptr, [one[0] for one in items], [one[1] for one in items], np.random.default_rng(seed))


def trec(slates: list[list[tuple[int, bool]]], measure: str) -> list[float]:
    """trec_eval's figure of each slate with a click, nan else."""
    truth = {str(n): {str(i): int(click) for i, (_, click) in enumerate(one)} for n, one in enumerate(slates)}
    run = {str(n): {str(i): float(score) for i, (score, _) in enumerate(one)} for n, one in enumerate(slates)}
    name = measure.replace("_5", ".5")
    found = pytrec_eval.RelevanceEvaluator({k: v for k, v in truth.items() if v}, {name}).evaluate(
        {k: v for k, v in run.items() if v}
    )
    return [found[str(n)][measure] if any(c for _, c in one) else np.nan for n, one in enumerate(slates)]


@given(SLATES)
def test_auc_is_scikit_learns_and_nan_without_a_pair(slates: list[list[tuple[int, bool]]]) -> None:
    expected = [
        roc_auc_score([c for _, c in one], [s for s, _ in one]) if len({c for _, c in one}) == 2 else np.nan
        for one in slates
    ]
    np.testing.assert_allclose(auc(ranked(slates)), expected)


@given(SLATES, st.integers(1, 12))
def test_ndcg_is_scikit_learns(slates: list[list[tuple[int, bool]]], k: int) -> None:
    expected = [
        ndcg_score([[c for _, c in one]], [[s for s, _ in one]], k=k) if any(c for _, c in one) and len(one) > 1
        else (1.0 if any(c for _, c in one) else np.nan)
        for one in slates
    ]  # fmt: skip
    np.testing.assert_allclose(ndcg(ranked(slates), k), expected)


@given(SLATES)
def test_ndcg_and_hit_rate_are_trec_evals(slates: list[list[tuple[int, bool]]]) -> None:
    np.testing.assert_allclose(ndcg(ranked(slates), 5), trec(slates, "ndcg_cut_5"))
    np.testing.assert_allclose(hit_rate(ranked(slates), 5), np.nan_to_num(trec(slates, "success_5")))


@given(SLATES)
def test_mrr_is_the_mean_over_all_clicks_by_scipys_ranks(slates: list[list[tuple[int, bool]]]) -> None:
    expected = []
    for one in slates:
        places = stats.rankdata([-score for score, _ in one], method="ordinal")
        clicked = [1 / place for place, (_, click) in zip(places, one, strict=True) if click]
        expected.append(np.mean(clicked) if clicked else np.nan)
    np.testing.assert_allclose(mrr(ranked(slates)), expected)


def test_mrr_of_one_click_is_trec_evals() -> None:
    slates = [[(3, False), (2, True), (1, False)], [(9, True)], [(1, True), (2, False), (3, False)]]
    np.testing.assert_allclose(mrr(ranked(slates)), trec(slates, "recip_rank"))


def test_ties_fall_by_the_seed_and_evenly() -> None:
    slates = [[(0, True), (0, False)]] * 4_000
    first, again, other = (auc(ranked(slates, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.mean() == pytest.approx(0.5, abs=0.03)  # four standard errors


def test_an_order_given_by_scores_does_not_depend_on_the_seed() -> None:
    slates = [[(score, score % 3 == 0) for score in range(10)]]
    assert np.array_equal(ranked(slates, 1).order, ranked(slates, 2).order)


def test_the_head_holds_the_first_places_of_every_slate() -> None:
    found = ranked([[(1, False), (3, True), (2, False)], [], [(7, True)]]).head(2)
    assert found.indptr.tolist() == [0, 2, 2, 3]
    assert found.order.tolist() == [1, 2, 3]
    assert found.place.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("indptr", "score", "label", "said"),
    [
        ([0, 2], [1.0, np.nan], [0, 1], "nan"),
        ([0, 2], [1.0], [0, 1], "2 scores"),
        ([0, 2], [1.0, 2.0], [0, -1], "negative"),
        ([0, 2, 1], [1.0], [1], "rise from 0"),
        ([1, 2], [1.0], [1], "rise from 0"),
    ],
)
def test_what_is_no_slate_is_refused(indptr: list[int], score: list[float], label: list[int], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        RankedSlates.of(indptr, score, label, np.random.default_rng(0))
