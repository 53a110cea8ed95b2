"""What is marked rather than sorted is the same; the next change is remembered only while it holds."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data.values import ArticleText
from recommender.changes import NEVER_US, NextChange, _heat, _merged
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.snapshot import Snapshot

numbers = st.lists(st.one_of(st.integers(1, 60), st.integers(1, 2**40)), max_size=30, unique=True).map(sorted)


@given(numbers, numbers)
def test_numbers_near_and_far_are_merged_as_sets_are(some: list[int], others: list[int]) -> None:
    if some or others:
        made = _merged(np.array(some, np.int64), np.array(others, np.int64))
        assert made.tolist() == sorted({*some, *others})


@given(numbers.filter(len), numbers)
def test_reads_stand_beside_their_articles_among_others(read: list[int], others: list[int]) -> None:
    ids, heat = np.array(sorted({*read, *others}), np.int64), np.arange(1.0, len(read) + 1)
    found = _heat(Popularity(ids=np.array(read, np.int64), heat=heat), ids)
    assert dict(zip(ids.tolist(), found.tolist(), strict=True)) == dict.fromkeys(others, 0.0) | dict(
        zip(read, heat.tolist(), strict=True)
    )


def test_the_next_change_is_looked_for_again_when_it_has_come_or_anything_differs(
    make_text: Callable[..., ArticleText],
) -> None:
    def at(*hours: int) -> Snapshot:
        return Snapshot(ArticleIndex.build([make_text(n, f"word{n}", published_at_us=n) for n in hours]))

    first, second, turns = at(10, 20), at(10, 15), NextChange("related")
    assert [turns.after(first, now) for now in (5, 9, 10, 19, 20, 21)] == [10, 10, 20, 20, NEVER_US, NEVER_US]
    assert turns.after(first, 7) == 10  # a clock that was set back
    assert turns.after(second, 10) == 15
    assert turns.after(Snapshot(second.index, Popularity(last_us=12)), 10) == 12
