"""Who gets which version: stable, even, and independent between experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from data.errors import Conflict, InvalidInput
from recommender.experiments.assignment import BUCKETS, arm, bucket, check_shares, free_buckets, point

READERS = [f"reader-{number}" for number in range(4_000)]


def test_a_reader_stays_where_the_hash_puts_one_on_every_machine() -> None:
    assert point("salt", "reader-1") == pytest.approx(0.47854118946464314, abs=1e-15)
    assert [arm("salt", "reader-1", (0.4, 0.6)), arm("salt", "reader-1", (0.5, 0.5))] == [1, 0]


def test_readers_fall_evenly_and_in_the_shares_asked_for() -> None:
    assert kstest([point("a", one) for one in READERS], "uniform").pvalue > 0.01
    counts = np.bincount([arm("a", one, (0.2, 0.3, 0.5)) for one in READERS])
    np.testing.assert_allclose(counts / len(READERS), [0.2, 0.3, 0.5], atol=0.03)


@pytest.mark.parametrize("other", ["b", "layer"])
def test_another_salt_is_another_draw(other: str) -> None:
    table = np.zeros((2, 2))
    for one in READERS:
        second = arm("b", one, (0.5, 0.5)) if other == "b" else int(bucket("for_you", one) < BUCKETS // 2)
        table[arm("a", one, (0.5, 0.5)), second] += 1
    assert chi2_contingency(table).pvalue > 0.01


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 100)), max_size=8), st.integers(1, BUCKETS))
def test_buckets_are_never_given_twice(taken: list[tuple[int, int]], wanted: int) -> None:
    owned = {number for first, count in taken for number in range(first, first + count)}
    try:
        first = free_buckets(taken, wanted)
    except Conflict:
        return
    assert not owned & set(range(first, first + wanted))
    assert first + wanted <= BUCKETS


def test_a_full_layer_says_what_to_do() -> None:
    with pytest.raises(Conflict, match="stop one"):
        free_buckets([(0, 600)], 500)
    with pytest.raises(InvalidInput, match="share"):
        free_buckets([], 0)


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.6), (1.0, 0.0)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="sum to 1"):
        check_shares(shares)
