"""What would change: movement, shares and guardrails of lists under other weights."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.signals import SIGNALS
from recommender.whatif import Line, Listing, gone, guardrails, moves, reach, shares

ZERO = dict.fromkeys(SIGNALS, 0.0)


def line(article_id: int, **adds: float) -> Line:
    return Line(article_id, sum(adds.values()), 0.0, "", ZERO, ZERO | adds)


def listing(*ids: int, age_h: float = 2.0, source: int | None = None, news_value: int = 3) -> Listing:
    count = len(ids)
    sources = tuple(source or one for one in ids)
    lines = tuple(line(one, freshness=0.3, popularity=0.1) for one in ids)
    return Listing(lines, sources, (age_h,) * count, (news_value,) * count, must_reach=news_value == 5)


ids = st.lists(st.integers(1, 30), unique=True, max_size=10)


@given(ids, ids)
def test_every_place_is_either_new_or_has_the_place_it_had(before: list[int], after: list[int]) -> None:
    old, new = listing(*before), listing(*after)
    for one in moves(old, new):
        assert one.place == after.index(one.line.article_id) + 1
        assert (one.before is None) == (one.line.article_id not in before)
        if one.before is not None:
            assert before[one.before - 1] == one.line.article_id
    assert set(gone(old, new)) == set(before) - set(after)


@given(ids)
def test_the_same_lists_change_nothing(same: list[int]) -> None:
    found = reach([listing(*same)], [listing(*same)])
    assert (found.changed, found.entered, found.left) == ((0,), (), ())
    assert found.overlap[0] == 1.0
    assert found.is_safe


def test_shares_are_of_the_score_and_sum_to_one() -> None:
    found = shares([listing(1, 2), listing(3)])
    assert found["freshness"] == pytest.approx(0.75)
    assert sum(found.values()) == pytest.approx(1)
    assert sum(shares([]).values()) == 0


def test_each_guardrail_says_its_number() -> None:
    kept = {one.name: one.holds for one in guardrails([listing(*range(1, 11), news_value=5)], [1.0])}
    assert all(kept.values())
    broken = {one.name: one for one in guardrails([listing(*range(1, 11), age_h=30, source=7)], [0.2])}
    assert not broken["sources"].holds
    assert not broken["age"].holds
    assert not broken["overlap"].holds
    assert "30.0 hours" in broken["age"].sentence
    assert not {one.name: one.holds for one in guardrails([listing()])}["empty"]


def test_a_story_of_news_value_five_must_be_among_the_first_three() -> None:
    low = replace(listing(*range(1, 11)), news_values=(3, 3, 3, 5, 3, 3, 3, 3, 3, 3), must_reach=True)
    assert not guardrails([low])[0].holds
    high = replace(low, news_values=(3, 3, 5, 3, 3, 3, 3, 3, 3, 3))
    assert guardrails([high])[0].holds


def test_what_the_live_weights_break_as_much_is_not_the_drafts_doing() -> None:
    old = listing(*range(1, 11), age_h=30)
    assert reach([old], [old]).is_safe
    assert not reach([old], [replace(old, ages_h=(31.0,) * 10)]).is_safe
    assert np.isclose(reach([old], [old]).guardrails[2].badness, 30)
