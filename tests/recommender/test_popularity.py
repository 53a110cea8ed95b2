"""Counters are a fold of the log: order, batches and repeats change nothing, and the future is not read."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data.values import EventBatch
from data.wire import EVENT_KINDS
from recommender.popularity import HALF_LIFE_H, Popularity, _sums
from recommender.signals import HOUR_US

Row = tuple[int, int, int, int]
rows = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(0, 90), st.integers(0, len(EVENT_KINDS) - 1)),
    max_size=40,
)
IDS = np.arange(1, 8)
NOW = 100 * HOUR_US


def batch(events: list[Row]) -> EventBatch:
    """(article, reader, hour, kind) as the store hands them out."""
    columns = np.array(events, np.int64).reshape(-1, 4)
    return EventBatch(0, columns[:, 0], columns[:, 1], columns[:, 2] * HOUR_US, columns[:, 3].astype(np.int8))


def read(article: int, reader: int, hour: int) -> Row:
    return article, reader, hour, EVENT_KINDS.index("read")


@given(rows, st.integers(0, 40), st.randoms(use_true_random=False), st.integers(0, 90))
def test_neither_cuts_nor_order_matter(events: list[Row], cut: int, random: Random, hour: int) -> None:
    shuffled = random.sample(events, len(events))
    at_us = hour * HOUR_US
    whole = Popularity().add(batch(events)).reads(IDS, at_us)
    parts = Popularity().add(batch(shuffled[:cut])).add(batch(shuffled[cut:])).reads(IDS, at_us)
    np.testing.assert_allclose(whole, parts, atol=1e-9)


@given(rows)
def test_repeats_count_once(events: list[Row]) -> None:
    once = Popularity().add(batch(events))
    assert once.add(batch(events)) is once or not events
    np.testing.assert_allclose(once.add(batch(events)).reads(IDS, NOW), once.reads(IDS, NOW))


@given(rows, rows, st.integers(1, 89))
def test_the_future_changes_no_count(events: list[Row], later: list[Row], hour: int) -> None:
    past, future = [one for one in events if one[2] <= hour], [one for one in later if one[2] > hour]
    then = hour * HOUR_US
    without = Popularity().add(batch(past)).reads(IDS, then)
    for first, second in ((past, future), (future, past)):
        found = Popularity().add(batch(first)).add(batch(second)).reads(IDS, then)
        np.testing.assert_allclose(found, without, atol=1e-9)


def test_a_count_halves_with_the_half_life() -> None:
    counted = Popularity().add(batch([read(1, 1, 10)]))
    now, later = (counted.reads(np.array([1]), int((10 + h) * HOUR_US))[0] for h in (0, HALF_LIFE_H))
    assert later == now / 2 > 0


def test_impressions_make_nothing_popular() -> None:
    shown = [(1, reader, 10, EVENT_KINDS.index("impression")) for reader in range(50)]
    assert Popularity().add(batch(shown)).reads(np.array([1]), NOW)[0] == 0


def test_one_eager_reader_weighs_no_more_than_another() -> None:
    many = [read(1, 1, hour) for hour in range(50, 60)]
    counted = Popularity().add(batch(many)).add(batch([read(2, 2, 59)]))
    one, other = counted.reads(np.array([1, 2]), NOW)
    assert one <= other


def test_a_new_article_is_usual_and_an_old_unread_one_is_not() -> None:
    """Shrunk to the prior: nobody could have read the new one yet."""
    counted = Popularity().add(batch([read(1, reader, 98) for reader in range(20)]))
    published = np.array([90, 100, 90]) * HOUR_US
    hit, fresh, ignored = counted.signal(np.array([1, 2, 3]), published, NOW)
    assert hit > fresh > ignored
    assert abs(fresh - 0.5) < 0.01


def test_old_events_are_forgotten() -> None:
    counted = Popularity().add(batch([read(1, 1, 0)])).add(batch([read(2, 1, 900)]))
    assert counted.article_id.tolist() == [2]


@given(st.lists(st.tuples(st.one_of(st.integers(1, 20), st.integers(1, 2**40)), st.floats(0, 9)), max_size=40))
def test_numbers_near_and_far_are_summed_alike(read: list[tuple[int, float]]) -> None:
    ids, sums = _sums(np.array([one for one, _ in read], np.int64), np.array([value for _, value in read]))
    plain: dict[int, float] = {}
    for one, value in read:
        plain[one] = plain.get(one, 0.0) + value
    assert dict(zip(ids.tolist(), sums.tolist(), strict=True)) == plain
    assert ids.tolist() == sorted(plain)
