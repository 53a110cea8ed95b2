"""A story that the desk split stays split: whatever arrives, merges or starts again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from data.store import Store
from recommender.follow import Follower
from recommender.stories import _compatible

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
WORDS = "trade tariffs negotiation minister border customs"


def put(store: Store, article: Any, *numbers: int) -> None:
    made = [
        article(
            f"n{number}",
            title=f"{WORDS} report {number}",
            body=f"{WORDS}. Account{number} of the day by witness{number}.",
            published_at=NOW - timedelta(minutes=number),
            source={"id": f"s{number % 3}", "name": f"Source {number % 3}"},
        )
        for number in numbers
    ]
    store.put_articles(made, now=NOW)


def story_of(store: Store, key: str) -> int:
    return int(store.article(key).story_id or 0)


def agrees(follower: Follower, store: Store) -> bool:
    index = follower.snapshot.index
    rows = np.flatnonzero(index.alive)
    held = dict(zip(index.columns.id[rows].tolist(), index.columns.story_id[rows].tolist(), strict=True))
    return held == {text.id: text.story_id for text in store.article_texts(0)}


@pytest.fixture
def split(store: Store, article: Any) -> tuple[Store, Follower, int, int]:
    """One story of six articles about the same thing, of which two were taken out by hand."""
    put(store, article, *range(1, 7))
    follower = Follower(store)
    follower.follow(NOW)
    ids = store.article_ids([f"n{n}" for n in range(1, 7)])
    (old,) = {story_of(store, key) for key in ids}
    free = [number for number in ids.values() if number != old][:2]
    new = store.split_story(old, free, by="ada", now=NOW, reason="another dispute")
    return store, follower, old, new


def test_a_split_outlives_every_following_and_merging(split: Any, article: Any) -> None:
    store, follower, old, new = split
    before = {key: story_of(store, key) for key in store.article_ids([f"n{n}" for n in range(1, 7)])}
    other = Follower(store)
    for minutes in range(1, 8):
        put(store, article, 10 + minutes)
        for one in (follower, other):
            one.follow(NOW + timedelta(minutes=2 * minutes))
    assert {key: story_of(store, key) for key in before} == before
    assert set(before.values()) == {old, new}
    assert agrees(follower, store)
    assert agrees(other, store)


def test_who_starts_later_keeps_the_split_too(split: Any, article: Any) -> None:
    store, _, old, new = split
    late = Follower(store)
    put(store, article, 20)
    late.follow(NOW + timedelta(minutes=5))
    late.follow(NOW + timedelta(minutes=10))
    assert story_of(store, "n20") in {old, new}
    assert {story_of(store, f"n{n}") for n in range(1, 7)} == {old, new}


def test_stories_kept_apart_do_not_meet_in_a_third(store: Store, article: Any) -> None:
    put(store, article, 1, 2, 3)
    one, two, three = sorted(store.article_ids(["n1", "n2", "n3"]).values())
    store.assign_stories([(one, one), (two, one), (three, three)], now=NOW)
    assert store.split_story(one, [two], by="ada", now=NOW) == two
    assert store.merge_stories([(two, one)]) == []
    assert store.merge_stories([(three, two)]) == [(three, two)]  # the split-off story takes another one in
    assert store.stories_apart() == {(one, two)}
    assert store.merge_stories([(two, one)]) == []


def test_what_a_merged_story_was_kept_from_its_keeper_is_kept_from(store: Store, article: Any) -> None:
    put(store, article, 1, 2, 3)
    one, two, three = sorted(store.article_ids(["n1", "n2", "n3"]).values())
    store.assign_stories([(one, one), (two, two), (three, two)], now=NOW)
    store.split_story(two, [three], by="ada", now=NOW)
    assert store.merge_stories([(two, one)]) == [(two, one)]
    assert store.stories_apart() == {(one, three)}
    assert store.merge_stories([(three, one)]) == []


def test_joining_by_hand_takes_the_word_back(split: Any) -> None:
    store, follower, old, new = split
    store.join_stories(old, new, by="ada", now=NOW)
    assert store.stories_apart() == frozenset()
    follower.follow(NOW + timedelta(minutes=3))
    assert {story_of(store, f"n{n}") for n in range(1, 7)} == {min(old, new)}
    assert agrees(follower, store)


def test_groups_hold_no_two_that_are_apart() -> None:
    assert _compatible([5, 1, 3], ()) == [[1, 3, 5]]
    assert _compatible([5, 1, 3], {(1, 3)}) == [[1, 5], [3]]
    assert _compatible([5, 1, 3, 7], {(1, 3), (1, 5), (3, 5)}) == [[1, 7], [3], [5]]
