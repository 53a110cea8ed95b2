"""Stories: stable ids, one pass that later articles cannot change, rebuilding, merging."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.stories import HOUR_US, Member, StoryKeeper, StorySettings, is_near_duplicate
from recommender.vectors import Document, Epoch, Vectors

EVENTS = {
    "crash": "train crash near Odense kills two rescue crews railway signal failure bridge",
    "tariff": "Japan tariff talks Washington car exports Toyota deal minister trade",
    "storm": "storm floods coast harbour evacuated wind warning meteorologists surge",
    "cup": "cup final penalty goal striker stadium fans coach trophy",
}
ARTICLES = st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 2**16), st.integers(0, 200)), max_size=14)


def text(event: str, seed: int) -> Document:
    """An article about an event: some of its words in some order, and a word of its own."""
    words = np.random.default_rng(seed).permutation(EVENTS[event].split())[:7]
    return Document(" ".join(words), f"report{seed}")


EPOCH = Epoch.fit([text(event, seed) for event in EVENTS for seed in range(30)])


def encode(documents: Sequence[Document]) -> Vectors:
    return EPOCH.encode(documents)


def run(keeper: StoryKeeper, articles: Sequence[tuple[str, int, int]], first_id: int = 1) -> list[int]:
    """Assign articles (event, seed, hour) with ids counted from `first_id`."""
    return [
        keeper.assign(first_id + number, encode([text(event, seed)]), hour * HOUR_US)
        for number, (event, seed, hour) in enumerate(articles)
    ]


def test_articles_about_one_event_share_a_story_named_after_the_first() -> None:
    found = run(StoryKeeper(), [("crash", 1, 0), ("storm", 2, 0), ("crash", 3, 1), ("storm", 4, 2), ("crash", 5, 3)])
    assert found == [1, 2, 1, 2, 1]


def test_a_story_closes_when_nothing_was_added_for_a_window() -> None:
    keeper = StoryKeeper(StorySettings(window_h=10))
    assert run(keeper, [("crash", 1, 0), ("crash", 2, 9), ("crash", 3, 18), ("crash", 4, 40)]) == [1, 1, 1, 4]


def test_without_times_every_story_stays_open() -> None:
    keeper = StoryKeeper()
    vectors = encode([text("cup", 1), text("cup", 2)])
    assert [keeper.assign(number, vectors.rows([number])) for number in range(2)] == [0, 0]


@given(ARTICLES, ARTICLES)
def test_later_articles_never_change_earlier_decisions(
    first: list[tuple[str, int, int]], second: list[tuple[str, int, int]]
) -> None:
    assert run(StoryKeeper(), [*first, *second])[: len(first)] == run(StoryKeeper(), first)


@given(ARTICLES, ARTICLES, st.booleans())
def test_a_rebuilt_keeper_goes_on_as_the_one_that_was_lost(
    first: list[tuple[str, int, int]], second: list[tuple[str, int, int]], merge: bool
) -> None:
    keeper = StoryKeeper()
    stories = run(keeper, first)
    into = dict(keeper.merge_pass()) if merge else {}
    members = [
        Member(1 + number, into.get(story, story), encode([text(event, seed)]), hour * HOUR_US)
        for number, ((event, seed, hour), story) in enumerate(zip(first, stories, strict=True))
    ]
    rebuilt = StoryKeeper.rebuild(members)
    assert run(rebuilt, second, 100) == run(keeper, second, 100)
    assert rebuilt.merge_pass() == keeper.merge_pass()


def test_forgetting_closed_stories_changes_no_answer() -> None:
    settings = StorySettings(window_h=5)
    articles = [(event, seed, seed) for seed in range(120) for event in ("crash", "cup")]
    plain, tidy = StoryKeeper(settings), StoryKeeper(settings)
    expected = run(plain, articles)
    found = []
    for number, (event, seed, hour) in enumerate(articles):
        found.append(tidy.assign(1 + number, encode([text(event, seed)]), hour * HOUR_US))
        tidy.forget()
    assert found == expected
    old = run(tidy, [("storm", 1, 1000)], 5000)
    tidy.forget()
    assert len(tidy) == 1
    assert old == [5000]


def test_merging_keeps_the_smaller_id_and_later_articles_follow() -> None:
    keeper = StoryKeeper()
    vectors = encode([text("crash", 1), text("crash", 2), text("storm", 3), text("crash", 4)])
    for story_id, row in ((7, 0), (3, 1), (5, 2)):
        keeper.place(story_id, vectors.rows([row]), 0)
    assert keeper.merge_pass() == [(7, 3)]
    assert keeper.assign(9, vectors.rows([3]), 0) == 3
    assert keeper.merge_pass() == []


def test_a_merge_decided_elsewhere_is_followed() -> None:
    keeper = StoryKeeper()
    run(keeper, [("crash", 1, 0), ("storm", 2, 0)])
    keeper.merge([(2, 1), (99, 1)])
    assert run(keeper, [("storm", 3, 1)], 10) == [1]


def test_equal_scores_go_to_the_smaller_id() -> None:
    keeper = StoryKeeper()
    vector = encode([text("cup", 1)])
    for story_id in (8, 4, 6):
        keeper.place(story_id, vector, 0)
    assert keeper.propose(vector, 0) == 4


def test_texts_without_content_found_stories_of_their_own() -> None:
    keeper = StoryKeeper()
    vectors = encode([Document(""), Document("!"), text("cup", 1)])
    assert [keeper.assign(number, vectors.rows([number]), 0) for number in range(3)] == [0, 1, 2]
    assert keeper.merge_pass() == []


@pytest.mark.parametrize(("terms", "threshold"), [(2, 0.27), (8, 0.27), (14, 0.335), (20, 0.4), (90, 0.4)])
def test_short_texts_merge_at_a_lower_cosine(terms: float, threshold: float) -> None:
    assert StorySettings().merge_at(terms) == pytest.approx(threshold)


def test_a_reprint_is_a_near_duplicate_and_another_report_is_not() -> None:
    original = Document("Train crash near Odense kills two", "Rescue crews worked through the night at the bridge")
    reprint = Document("TRAIN CRASH near Odense kills two", "Rescue crews worked through the night at the bridge.")
    other = Document("Two dead as trains collide on Funen", "Police say a signal failed before the accident")
    vectors = encode([original, reprint, other])
    assert is_near_duplicate(vectors.rows([0]), vectors.rows([1]))
    assert not is_near_duplicate(vectors.rows([0]), vectors.rows([2]))
