"""A table of numbers finds the newest row of each, however rows came in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender import lookup
from recommender.growing import Growing
from recommender.latent import CHUNK, Latent
from recommender.lookup import Lookup

NUMBERS = st.lists(st.integers(0, 12), max_size=30)


@given(first=NUMBERS, batches=st.lists(NUMBERS, max_size=5))
def test_the_newest_row_of_a_number_is_found_and_all_of_them_are_known(
    first: list[int], batches: list[list[int]]
) -> None:
    table = Lookup.of(np.array(first, np.int64), np.arange(len(first)))
    bearers = list(first)
    for batch in batches:
        rows = np.arange(len(bearers), len(bearers) + len(batch))
        table = table.with_rows(np.array(batch, np.int64), rows)
        bearers += batch
    newest = {number: row for row, number in enumerate(bearers)}
    asked = np.arange(14)
    assert table.last(asked).tolist() == [newest.get(number, -1) for number in asked.tolist()]
    wanted = np.array([1, 5, 9], np.int64)
    assert sorted(table.all(wanted).tolist()) == [row for row, number in enumerate(bearers) if number in (1, 5, 9)]


def test_a_long_short_list_asks_to_be_sorted() -> None:
    table = Lookup().with_rows(np.arange(lookup.LATE), np.arange(lookup.LATE))
    assert not table.is_long
    assert table.with_rows(np.array([1]), np.array([1])).is_long


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=20), max_size=8))
def test_what_a_snapshot_sees_of_a_growing_array_never_changes(parts: list[list[int]]) -> None:
    room, seen = Growing(np.zeros(0, np.int64)), [np.zeros(0, np.int64)]
    for part in parts:
        room, view = room.extended(len(seen[-1]), np.array(part))
        seen.append(view)
    for place, view in enumerate(seen):
        assert view.tolist() == [one for part in parts[:place] for one in part]


def test_two_that_go_on_from_one_snapshot_do_not_see_each_other() -> None:
    room, start = Growing(np.zeros(0, np.int64)).extended(0, np.array([1, 2, 3]))
    _, left = room.extended(len(start), np.array([4]))
    _, right = room.extended(len(start), np.array([5, 6]))
    assert (start.tolist(), left.tolist(), right.tolist()) == ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 5, 6])


def test_latent_rows_come_back_across_chunks_as_they_were_given() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(CHUNK + 700, 3)).astype(np.float16)
    held = Latent(3)
    for start in (0, 5, 600, CHUNK - 3, CHUNK + 2):
        end = {0: 5, 5: 600, 600: CHUNK - 3, CHUNK - 3: CHUNK + 2, CHUNK + 2: CHUNK + 700}[start]
        held = held.joined(rows[start:end].astype(np.float32))
    assert len(held) == len(rows)
    asked = np.array([CHUNK + 699, 0, CHUNK - 1, CHUNK, 4, 5])
    np.testing.assert_array_equal(held.take(asked), rows[asked].astype(np.float32))
    assert held.nbytes == rows.nbytes
