"""What a profile takes from a history, alone or among others."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.values import ArticleText, Histories
from data.wire import EVENT_KINDS
from recommender.index import ArticleIndex
from recommender.profile import HALF_LIFE_H, Profiles, liked
from recommender.signals import HOUR_US
from recommender.snapshot import spoken

NOW = 1_000 * HOUR_US
Event = tuple[int, str, float, float]  # article, kind, hours ago, dwell (nan: not measured)
events = st.lists(
    st.tuples(
        st.integers(1, 12), st.sampled_from(EVENT_KINDS), st.floats(-20, 400), st.sampled_from([np.nan, 3.0, 90.0])
    ),
    max_size=15,
)


@pytest.fixture(scope="module")
def index(make_text: Callable[..., ArticleText]) -> ArticleIndex:
    """Twelve articles: three categories, four sources, the last three in Danish; two are not on a known subject."""
    words = ("tariff trade talks", "volcano ash island", "tennis final serve")
    return ArticleIndex.build(
        [
            make_text(
                number,
                f"{words[number % 3]} report{number}",
                category="abc"[number % 3],
                source_id=number % 4,
                language="da" if number > 9 else "en",
            )
            for number in range(1, 13)
        ]
    )


def histories(*readers: list[Event]) -> Histories:
    rows = [sorted(one, key=lambda event: event[2]) for one in readers]
    flat = [event for one in rows for event in one]
    return Histories(
        np.arange(1, len(rows) + 1),
        np.cumsum([0, *map(len, rows)]),
        np.array([one[0] for one in flat], np.int64),
        np.array([NOW - int(one[2] * HOUR_US) for one in flat], np.int64),
        np.array([EVENT_KINDS.index(one[1]) for one in flat], np.int8),
        np.array([one[3] for one in flat], np.float32),
    )


def read(article: int, hours: float = 1.0, kind: str = "read", dwell_s: float = np.nan) -> Event:
    return article, kind, hours, dwell_s


def weight(index: ArticleIndex, *done: Event) -> float:
    return float(Profiles.build(index, histories(list(done)), NOW).evidence[0])


@given(readers=st.lists(events, min_size=1, max_size=4))
def test_a_batch_is_its_readers_one_by_one(index: ArticleIndex, readers: list[list[Event]]) -> None:
    together = Profiles.build(index, histories(*readers), NOW)
    rows = np.arange(12)
    for place, one in enumerate(readers):
        alone = Profiles.build(index, histories(one), NOW)
        for name in ("similarity", "usual_share", "drawn", "affinity"):
            mine, theirs = getattr(alone, name)(index, rows)[0], getattr(together, name)(index, rows)[place]
            np.testing.assert_allclose(mine, theirs, atol=1e-5, err_msg=name)


@given(done=events, later=events)
def test_what_comes_after_the_instant_counts_nothing(
    index: ArticleIndex, done: list[Event], later: list[Event]
) -> None:
    past = [one for one in done if one[2] >= 0]
    future = [(one[0], one[1], -1 - abs(one[2]), one[3]) for one in later]
    rows = np.arange(12)
    without, within = (Profiles.build(index, histories(one), NOW) for one in (past, past + future))
    np.testing.assert_array_equal(without.similarity(index, rows), within.similarity(index, rows))


def test_the_profile_is_closest_to_what_was_read(index: ArticleIndex) -> None:
    found = Profiles.build(index, histories([read(3), read(6)]), NOW)
    liked = index.columns.id[np.argsort(-found.similarity(index, np.arange(12))[0])][:4]
    assert set((liked % 3).tolist()) == {0}


def test_finishing_weighs_more_than_reading_and_reading_more_than_opening(index: ArticleIndex) -> None:
    opened, done, finished = (weight(index, read(1, kind=kind)) for kind in ("open", "read", "finish"))
    assert opened < done < finished


def test_an_article_counts_once_with_the_strongest_thing_done(index: ArticleIndex) -> None:
    assert weight(index, read(1, 1, "open"), read(1, 1, "read"), read(1, 1, "finish")) == weight(
        index, read(1, 1, "finish")
    )


def test_a_read_counts_half_after_the_half_life(index: ArticleIndex) -> None:
    assert weight(index, read(1, 5 + HALF_LIFE_H)) == pytest.approx(weight(index, read(1, 5)) / 2)


def test_a_glance_weighs_less_than_an_unmeasured_read(index: ArticleIndex) -> None:
    assert weight(index, read(1, dwell_s=1)) < weight(index, read(1, dwell_s=60)) == weight(index, read(1))


@pytest.mark.parametrize("kind", ["impression", "hide", "less_like_this", "push_dismiss"])
def test_what_is_no_liking_makes_no_profile(index: ArticleIndex, kind: str) -> None:
    assert weight(index, read(1, kind=kind)) == 0


def test_unknown_articles_are_passed_over(index: ArticleIndex) -> None:
    assert weight(index, read(999)) == 0


def test_who_read_nothing_is_like_everybody(index: ArticleIndex) -> None:
    nobody = Profiles.build(index, histories([]), NOW)
    rows = np.arange(12)
    assert nobody.similarity(index, rows).tolist() == [[0.0] * 12]
    assert nobody.usual_share(index, rows).tolist() == [[1.0] * 12]
    assert nobody.affinity(index, rows).tolist() == [[0.5] * 12]
    assert nobody.drawn(index, rows).tolist() == [[0.0] * 12]
    assert spoken(index, nobody, "") == ()


def test_the_favourite_category_draws_most_and_the_favourite_source_is_liked_most(index: ArticleIndex) -> None:
    mine = Profiles.build(index, histories([read(4), read(8), read(2)]), NOW)  # sources 0 0 2, categories b c c
    rows = index.rows_of([5, 4, 3])  # c, b, a
    drawn = mine.drawn(index, rows)[0]
    assert drawn[0] == 1.0 > drawn[1] > drawn[2] == 0.0
    liked = mine.affinity(index, index.rows_of([10, 1]))[0]  # source 2, read once; source 1, never
    assert 0 < liked[1] < liked[0] < 1


def test_a_second_language_is_spoken_from_a_fifth_of_the_reads(index: ArticleIndex) -> None:
    english = [read(one) for one in range(1, 8)]
    assert spoken(index, Profiles.build(index, histories([*english, read(10)]), NOW), "en") == ("en",)
    both = Profiles.build(index, histories([*english[:3], read(10)]), NOW)
    assert spoken(index, both, "en-GB") == ("en", "da")


@given(done=events)
def test_the_tastes_of_one_reader_in_one_pass_are_the_profiles_own(index: ArticleIndex, done: list[Event]) -> None:
    profiles, sources = Profiles.build(index, histories(done), NOW), np.arange(5)
    mine = liked(profiles, sources)
    assert mine.evidence == profiles.evidence[0]
    assert mine.shares.tolist() == profiles.categories[0].tolist()
    assert mine.liking.tolist() == profiles.liking(sources)[0].tolist()
