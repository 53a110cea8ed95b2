"""The index: segments, updates and compaction are invisible in what it answers, and answers are exact."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.values import ArticleText
from recommender.index import ArticleIndex, document
from recommender.subject import SUBJECT
from recommender.vectors import Epoch, similarity

SUBJECTS = ("tariff trade minister talks", "volcano island ash evacuation", "tennis final champion serve",
            "bank rate inflation loan", "vaccine trial patients dose", "satellite orbit launch rocket")  # fmt: skip
Make = Callable[..., ArticleText]


@pytest.fixture(scope="module")
def texts(make_text: Make) -> list[ArticleText]:
    """Sixty articles on six subjects; every fifth is told in the very same words, so ties occur."""
    return [
        make_text(
            number,
            f"{SUBJECTS[number % 6]} {'same' if number % 5 == 0 else f'word{number} other{number % 7}'}",
            topics=(f"T{number % 4}",),
            category="abc"[number % 3],
        )
        for number in range(1, 61)
    ]


@pytest.fixture(scope="module")
def epoch(texts: list[ArticleText]) -> Epoch:
    return Epoch.fit([document(text) for text in texts])


def answers(index: ArticleIndex, texts: list[ArticleText]) -> list[tuple[list[int], list[float]]]:
    """The ten nearest of every tenth article."""
    found = []
    for text in texts[::10]:
        ids, scores = index.nearest(index.epoch.encode([document(text)]), 10)
        found.append((ids.tolist(), np.round(scores, 5).tolist()))
    return found


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_adding_in_parts_ranks_as_adding_at_once(texts: list[ArticleText], epoch: Epoch, cuts: list[int]) -> None:
    whole = ArticleIndex.empty(epoch).add(texts)
    edges = [0, *sorted(cuts), len(texts)]
    parts = ArticleIndex.empty(epoch)
    for start, end in pairwise(edges):
        parts = parts.add(texts[start:end])
    assert answers(parts, texts) == answers(whole, texts)


@given(updated=st.lists(st.integers(1, 60), max_size=20))
def test_compacting_changes_nothing(
    texts: list[ArticleText], epoch: Epoch, make_text: Make, updated: list[int]
) -> None:
    index = ArticleIndex.empty(epoch).add(texts)
    for number in updated:
        index = index.add([make_text(number, f"{SUBJECTS[(number + 1) % 6]} rewritten", topics=("new",))])
    packed = index.compact()
    assert len(packed.segments) == 1
    assert packed.alive.all()
    assert answers(packed, texts) == answers(index, texts)
    for topic in ("T1", "new", "a"):
        mine, theirs = (np.sort(one.columns.id[one.topic_mask(topic) & one.alive]) for one in (index, packed))
        assert mine.tolist() == theirs.tolist()


def test_one_by_one_keeps_few_segments(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch)
    for text in texts:
        index = index.add([text])
    assert len(index) == 60
    assert len(index.segments) <= 7
    assert answers(index, texts) == answers(ArticleIndex.empty(epoch).add(texts), texts)


def test_fast_similarity_is_the_defined_one(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch).add(texts[:40]).add(texts[40:])
    for query in (index.vectors(np.array([3])), epoch.encode([document(texts[7])]), epoch.encode([document(texts[8])])):
        np.testing.assert_allclose(
            index.similarity(query), similarity(query, epoch.encode(list(map(document, texts))), SUBJECT)[0], atol=1e-5
        )


@given(st.lists(st.integers(0, 59), min_size=1, max_size=12))
def test_asking_about_a_few_rows_gives_what_asking_about_all_does(
    texts: list[ArticleText], epoch: Epoch, rows: list[int]
) -> None:
    index = ArticleIndex.empty(epoch).add(texts[:30]).add(texts[30:45]).add(texts[45:])
    query, wanted = index.vectors(np.array([3])), np.array(rows)
    np.testing.assert_allclose(index.similarity_to(query, wanted), index.similarity(query)[wanted], atol=1e-6)
    pool = index.cosines_among(wanted)
    whole = similarity(index.vectors(wanted), index.vectors(wanted), SUBJECT)
    np.testing.assert_allclose([pool(place) for place in range(len(rows))], whole, atol=1e-5)


def test_nearest_is_exact_and_breaks_ties_by_newer_then_smaller_id(epoch: Epoch, make_text: Make) -> None:
    same = [make_text(n, SUBJECTS[0], published_at_us=at) for n, at in ((5, 10), (3, 30), (9, 30), (4, 20))]
    index = ArticleIndex.empty(epoch).add(same)
    query = epoch.encode([document(same[0])])
    for k in (1, 2, 3, 4, 9):
        assert index.nearest(query, k)[0].tolist() == [3, 9, 4, 5][:k]
    assert index.nearest(query, 0)[0].tolist() == []
    assert index.nearest(query, 2, index.columns.id != 3)[0].tolist() == [9, 4]


def test_an_update_replaces_the_row(texts: list[ArticleText], epoch: Epoch, make_text: Make) -> None:
    before = ArticleIndex.empty(epoch).add(texts)
    after = before.add([make_text(7, "tennis final champion serve match"), make_text(7, SUBJECTS[1], news_value=5)])
    assert len(after) == len(before) == 60
    assert after.columns.news_value[after.row_of(7)] == 5
    assert before.columns.news_value[before.row_of(7)] == 0  # the older snapshot is as it was
    assert 7 in after.nearest(epoch.encode([document(make_text(0, SUBJECTS[1]))]), 11)[0]


def test_a_change_beside_the_text_keeps_the_vector(texts: list[ArticleText], epoch: Epoch, make_text: Make) -> None:
    index = ArticleIndex.empty(epoch).add(texts)
    changed = make_text(12, texts[11].title, topics=texts[11].topics, category="z", retracted=True, story_id=3)
    after = index.add([changed])
    row = after.row_of(12)
    assert after.segments == index.segments
    assert (bool(after.columns.retracted[row]), int(after.columns.story_id[row])) == (True, 3)
    assert after.topic_mask("Z")[row]


def test_topics_compare_without_case_and_categories_are_topics(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch).add(texts)
    assert index.columns.id[index.topic_mask("t1")].tolist() == [n for n in range(1, 61) if n % 4 == 1]
    assert index.columns.id[index.topic_mask(" A ")].tolist() == [n for n in range(1, 61) if n % 3 == 0]
    assert not index.topic_mask("").any()
    assert not index.topic_mask("unheard of").any()


def test_window_and_rows(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch).add(texts)
    assert index.columns.id[index.window(10_000_000, 12_000_000)].tolist() == [10, 11, 12]
    assert index.rows_of([5, 999]).tolist() == [4, -1]
    stories = index.with_stories({5: 77, 999: 1})
    assert int(stories.columns.story_id[stories.row_of(5)]) == 77
    assert int(index.columns.story_id[index.row_of(5)]) == 0


def test_vectors_come_in_the_order_asked(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch).add(texts[:30]).add(texts[30:45]).add(texts[45:])
    rows = np.array([50, 3, 40, 3, 59])
    wanted = epoch.encode([document(texts[row]) for row in rows])
    found = index.vectors(rows)
    assert abs(found.words - wanted.words).max() < 1e-6
    assert len(index.vectors(rows[:0])) == 0


def test_an_empty_index_answers(epoch: Epoch) -> None:
    index = ArticleIndex.empty(Epoch.fit([]))
    ids, scores = index.nearest(epoch.encode([document_of_nothing()]), 5)
    assert (len(ids), len(scores), len(index)) == (0, 0, 0)
    assert index.compact() is index


def document_of_nothing() -> "object":
    from recommender.vectors import Document

    return Document("")


@given(cuts=st.lists(st.integers(0, 60), max_size=8), updated=st.lists(st.integers(1, 60), max_size=5))
def test_joining_segments_beside_changes_nothing(
    texts: list[ArticleText], epoch: Epoch, make_text: Make, cuts: list[int], updated: list[int]
) -> None:
    index = ArticleIndex.empty(epoch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recommender.index.JOINED_AT_ONCE", 0)
        for start, end in pairwise([0, *sorted(cuts), len(texts)]):
            index = index.add(texts[start:end])
        waiting = index.to_join()
        joined = index.join(waiting) if waiting else None
        former = index.segments[waiting.start : waiting.stop] if waiting else ()
        changed = index.add([make_text(number, "tennis bank rewritten") for number in updated])  # meanwhile
        tidy = changed.with_joined(former, joined) if joined else changed
        while places := tidy.to_join():
            tidy = tidy.with_joined(tidy.segments[places.start : places.stop], tidy.join(places))
    assert all(2 * len(later) < len(earlier) for earlier, later in pairwise(tidy.segments))
    assert answers(tidy, texts) == answers(changed, texts)


def test_a_join_of_segments_that_are_gone_is_dropped(texts: list[ArticleText], epoch: Epoch) -> None:
    index = ArticleIndex.empty(epoch).add(texts[:30]).add(texts[30:])
    joined = index.join(range(len(index.segments)))
    packed = index.compact()
    assert packed.with_joined(index.segments, joined) is packed or len(index.segments) == 1


def test_snapshots_answer_the_same_while_others_grow_and_join(
    texts: list[ArticleText], epoch: Epoch, make_text: Make
) -> None:
    first = ArticleIndex.empty(epoch).add(texts[:20])
    wanted, current = answers(first, texts), [first]

    def ask(_: int) -> bool:
        now = current[0]
        return answers(first, texts) == wanted and answers(now, texts) == answers(now, texts)

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, number) for number in range(12)]
        for start in range(20, 60, 2):
            current[0] = current[0].add(texts[start : start + 2])
        assert all(one.result() for one in asked)
    assert answers(current[0], texts) == answers(ArticleIndex.empty(epoch).add(texts), texts)


def test_outlets_of_a_story_count_from_when_they_told_it(epoch: Epoch, make_text: Make) -> None:
    told = [(1, 1, 10, 7), (2, 1, 20, 7), (3, 2, 30, 7), (4, 3, 40, 8), (5, 4, 50, 0)]
    index = ArticleIndex.empty(epoch).add(
        [make_text(n, source_id=outlet, published_at_us=at, story_id=story) for n, outlet, at, story in told]
    )
    rows = index.rows_of([1, 3, 4, 5])
    assert index.story_sources(rows, 25).tolist() == [1, 1, 1, 1]
    assert index.story_sources(rows, 35).tolist() == [2, 2, 1, 1]
    moved = index.with_stories({4: 7})
    assert moved.story_sources(rows, 45).tolist() == [3, 3, 3, 1]
    assert index.story_sources(rows, 45).tolist() == [2, 2, 1, 1]
    gone = moved.add([make_text(3, source_id=2, published_at_us=30, story_id=7, retracted=True)])
    assert gone.story_sources(rows, 45).tolist() == [2, 2, 2, 1]


@given(
    times=st.lists(st.integers(0, 50), min_size=1, max_size=40), edges=st.tuples(st.integers(0, 50), st.integers(0, 50))
)
def test_a_window_holds_just_what_was_published_in_it(
    epoch: Epoch, make_text: Make, times: list[int], edges: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recommender.index.TIMED_AT_ONCE", 3)
        index = ArticleIndex.empty(epoch).add([make_text(n, published_at_us=at) for n, at in enumerate(times)])
        low, high = min(edges), max(edges)
        assert index.window(low, high).tolist() == [row for row, at in enumerate(times) if low <= at <= high]
