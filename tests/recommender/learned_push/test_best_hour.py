"""When a reader looks at the phone: own habit on top of everybody's, old opens worth less."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import micros
from data.errors import InvalidInput
from recommender.learned_push.best_hour import (
    best_hour,
    best_hours,
    hour_histograms,
    hour_shares,
    local_hours,
    population_shares,
)

EVEN = np.full(24, 1 / 24)
MORNING = population_shares(hour_histograms([0] * 100, [7] * 100, [0] * 100, 1))


def test_a_reader_without_opens_gets_the_populations_hour() -> None:
    assert best_hour([], [], MORNING, fallback=20) == 7


def test_where_nothing_is_known_the_fallback_holds() -> None:
    assert best_hour([], [], EVEN, fallback=18) == 18
    assert best_hour([], [], EVEN, fallback=18, allowed=[16, 20]) == 16  # as near: the earlier
    assert best_hour([], [], EVEN, fallback=0, allowed=[22, 3]) == 22  # round the clock


def test_a_few_opens_do_not_outweigh_everybody_and_many_do() -> None:
    assert best_hour([21], [0], MORNING, fallback=12) == 7
    assert best_hour([21] * 30, [0] * 30, MORNING, fallback=12) == 21


def test_old_habits_fade_by_half_in_thirty_days() -> None:
    hours = [8] * 10 + [20] * 6
    assert best_hour(hours, [0] * 16, EVEN, fallback=12) == 8
    assert best_hour(hours, [30] * 10 + [0] * 6, EVEN, fallback=12) == 20
    assert hour_histograms([0], [8], [30], 1)[0, 8] == pytest.approx(0.5)


def test_only_allowed_hours_are_chosen_and_none_is_an_error() -> None:
    assert best_hour([23] * 50, [0] * 50, MORNING, fallback=12, allowed=range(8, 22)) == 12
    with pytest.raises(InvalidInput, match="no hour left"):
        best_hour([7], [0], EVEN, fallback=7, allowed=[])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 23), st.floats(0, 90)), max_size=40), st.integers(0, 23))
def test_many_readers_at_once_are_each_reader_alone(opens: list[tuple[int, int, float]], fallback: int) -> None:
    reader, hours, age = ([one[part] for one in opens] for part in range(3))
    together = best_hours(hour_histograms(reader, hours, age, 4), MORNING, fallback=fallback)
    for number in range(4):
        own = [one for one in opens if one[0] == number]
        alone = best_hour([one[1] for one in own], [one[2] for one in own], MORNING, fallback=fallback)
        assert together[number] == alone


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 23), st.floats(0, 90)), max_size=40))
def test_shares_sum_to_one_and_no_hour_is_impossible(opens: list[tuple[int, int, float]]) -> None:
    reader, hours, age = ([one[part] for one in opens] for part in range(3))
    shares = hour_shares(hour_histograms(reader, hours, age, 3), MORNING)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares > 0).all()


def test_local_hours_follow_the_clocks_of_the_zone() -> None:
    at = [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)]  # clocks go forward between
    assert local_hours([micros(one) for one in at], "Europe/Prague").tolist() == [13, 14]
    assert local_hours([micros(at[0])], "Asia/Kathmandu").tolist() == [17]  # + 5:45


@pytest.mark.parametrize(("hours", "age"), [([24], [0]), ([-1], [0]), ([5], [-1]), ([5], [np.nan])])
def test_what_is_no_hour_of_the_past_is_refused(hours: list[int], age: list[float]) -> None:
    with pytest.raises(InvalidInput, match="local"):
        best_hour(hours, age, EVEN, fallback=7)
