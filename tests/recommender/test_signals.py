"""Signals lie in [0, 1] and say what they are named for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender import signals

HOUR = signals.HOUR_US
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(finite, min_size=1, max_size=20), st.lists(finite, min_size=1, max_size=20), st.floats(0, 1e6))
def test_every_signal_stays_in_its_range(cosines: list[float], rates: list[float], evidence: float) -> None:
    times = np.array([0, HOUR, -HOUR, 10**18], np.int64)
    made = [
        signals.similarity(cosines, 0.5, evidence),
        signals.interest([0.0, 0.1, 1.0], usual=0.1),
        signals.freshness(times, np.array([0, 1, 2, 0], np.int8), HOUR),
        signals.news_value(np.arange(6, dtype=np.int8)),
        signals.popularity(np.abs(rates), 3.0),
        signals.story_size(np.abs(rates)),
        signals.source([0, 1], [1, 1]),
        signals.breadth([0, 0.3, 1]),
    ]
    for values in made:
        assert values.dtype == np.float32
        assert np.all((values >= 0) & (values <= 1))


@given(st.floats(0, 1), st.floats(0, 1))
def test_closeness_keeps_the_order_of_cosines(one: float, other: float) -> None:
    low, high = signals.closeness([min(one, other), max(one, other)])
    assert low <= high
    assert signals.closeness([0.0, 1.0]).tolist() == pytest.approx([0.0, 1.0])


def test_similarity_moves_from_topics_to_texts_as_reads_grow() -> None:
    followed_only = signals.similarity(0.0, 1.0, np.array([0.0, 1.0, 1e9]))
    assert followed_only == pytest.approx([1.0, 0.6, 0.2])
    assert signals.similarity(1.0) == pytest.approx(1.0)  # of an article, no topics stand beside the text


@pytest.mark.parametrize(("lifetime", "half_life_h"), [(0, 6), (1, 24), (2, 96)])
def test_freshness_halves_after_the_half_life_of_the_lifetime(lifetime: int, half_life_h: int) -> None:
    published = np.array([0, half_life_h * HOUR], np.int64)
    found = signals.freshness(published, np.full(2, lifetime, np.int8), half_life_h * HOUR)
    assert found == pytest.approx([0.5, 1.0])
    stretched = signals.freshness(published[:1], np.full(1, lifetime, np.int8), 2 * half_life_h * HOUR, scale=2)
    assert stretched == pytest.approx([0.5])


def test_an_article_nobody_judged_lies_between_two_and_three() -> None:
    unset, two, three = signals.news_value(np.array([0, 2, 3], np.int8))
    assert two < unset < three


def test_the_usual_rate_is_half_and_no_reads_at_all_are_neutral() -> None:
    assert signals.popularity([2.0, 0.0], 2.0) == pytest.approx([0.5, 0.0])
    assert signals.popularity([0.0, 0.0], 0.0) == pytest.approx([0.5, 0.5])


def test_story_size_counts_independent_sources_with_falling_returns() -> None:
    found = signals.story_size([0, 1, 2, 3, 5])
    assert found[:2].tolist() == [0.0, 0.0]
    assert np.all(np.diff(found[1:]) > 0)
    assert found[2] - found[1] > found[3] - found[2]


def test_the_matrix_orders_the_signals_and_refuses_strangers() -> None:
    S = signals.matrix({"breadth": [0.1, 0.2], "similarity": [[0.5, 0.6]]})
    assert S.shape == (1, 2, 8)
    assert S[0, :, 0].tolist() == pytest.approx([0.5, 0.6])
    assert S[0, :, 7].tolist() == pytest.approx([0.1, 0.2])
    with pytest.raises(KeyError, match="charm"):
        signals.matrix({"charm": [1.0]})
