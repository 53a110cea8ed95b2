"""Team draft: both rankings get their say, nobody's item comes twice."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.experiments.interleave import BOTH, FIRST, SECOND, team_draft

RANKING = st.lists(st.integers(0, 15), unique=True, max_size=12)


@given(RANKING, RANKING, st.integers(0, 12), st.integers(0, 9))
def test_a_draft_holds_each_item_once_and_fills_what_it_can(
    first: list[int], second: list[int], length: int, seed: int
) -> None:
    found = team_draft(first, second, length, Random(seed))
    assert len(set(found.items)) == len(found.items) == min(length, len({*first, *second}))
    assert set(found.items) <= {*first, *second}
    assert len(found.teams) == len(found.items)


@given(RANKING, RANKING, st.integers(0, 9))
def test_no_item_overtakes_one_its_own_ranking_puts_higher(first: list[int], second: list[int], seed: int) -> None:
    found = team_draft(first, second, 12, Random(seed))
    for ranking, team in ((first, FIRST), (second, SECOND)):
        own = [item for item, of in zip(found.items, found.teams, strict=True) if of == team]
        assert own == [item for item in ranking if item in own]


@given(RANKING, st.integers(0, 12), st.integers(0, 9))
def test_two_rankings_that_agree_give_the_list_and_no_credit(ranking: list[int], length: int, seed: int) -> None:
    found = team_draft(ranking, ranking, length, Random(seed))
    assert list(found.items) == ranking[:length]
    assert set(found.teams) <= {BOTH}


def test_captains_take_turns_and_the_draw_is_even() -> None:
    begins = [0, 0]
    for seed in range(2_000):
        found = team_draft(range(10), range(10, 20), 10, Random(seed))
        begins[found.teams[0]] += 1
        assert all({*found.teams[at : at + 2]} == {FIRST, SECOND} for at in range(0, 10, 2))
    assert begins[0] == pytest.approx(1_000, abs=90)  # four standard errors


def test_the_same_seed_gives_the_same_draft() -> None:
    assert team_draft([1, 2], [2, 1], 2, Random(3)) == team_draft([1, 2], [2, 1], 2, Random(3))
