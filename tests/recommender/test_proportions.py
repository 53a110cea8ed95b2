"""Intervals of shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.proportions import Proportion, difference

counts = st.integers(0, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(counts, counts)
def test_intervals_hold_what_was_found(one: tuple[int, int], other: tuple[int, int]) -> None:
    a, b = Proportion(*one), Proportion(*other)
    assert 0 <= a.interval[0] <= a.share + 1e-9
    assert a.share - 1e-9 <= a.interval[1] <= 1
    found, low, high = difference(a, b)
    assert low - 1e-9 <= found <= high + 1e-9
    back, back_low, back_high = difference(b, a)
    assert (back, back_low, back_high) == pytest.approx((-found, -high, -low))


def test_they_are_wilsons_and_newcombes() -> None:
    low, high = Proportion(15, 148).interval
    assert (round(low, 4), round(high, 4)) == (0.0624, 0.1605)  # Newcombe 1998, table I
    found, low, high = difference(Proportion(56, 70), Proportion(48, 80))
    assert (round(found, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)  # Newcombe 1998, table II
