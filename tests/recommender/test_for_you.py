"""The list of one reader, decided on plain values."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import micros
from data.values import ArticleText, EventBatch, Histories, RuleRow, WeightRow
from data.wire import EVENT_KINDS
from recommender.for_you import Ask, Ranked, for_you
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.profile import Profiles
from recommender.rules import Choices, DeskRule
from recommender.signals import HOUR_US, SIGNALS
from recommender.snapshot import NOBODY, ReaderView, Snapshot, empty_history, signal_matrix

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_US = micros(NOW)
WORDS = ("tariff trade talks minister", "volcano ash island sea", "tennis final serve champion", "vaccine trial dose")


@pytest.fixture(scope="module")
def index(make_text: Callable[..., ArticleText]) -> ArticleIndex:
    """Forty articles an hour apart on four subjects, each its own story; a quarter is Danish; eight sources."""
    return ArticleIndex.build(
        [
            make_text(
                number,
                f"{WORDS[number % 4]} {number * 37 % 101} item{number}",
                published_at_us=NOW_US - number * HOUR_US,
                source_id=1 + number % 8,
                category=("World", "Science", "Sport", "Health")[number % 4],
                language="da" if number % 4 == 3 else "en",
                story_id=number,
                news_value=5 if number == 17 else 0,
            )
            for number in range(1, 41)
        ]
    )


def view(*events: tuple[int, str, float], **choices: Any) -> ReaderView:
    """(article, kind, hours ago)."""
    history = Histories(
        np.ones(1, np.int64),
        np.array([0, len(events)], np.int64),
        np.array([one[0] for one in events], np.int64),
        np.array([NOW_US - int(one[2] * HOUR_US) for one in events], np.int64),
        np.array([EVENT_KINDS.index(one[1]) for one in events], np.int8),
        np.full(len(events), np.nan, np.float32),
    )
    return ReaderView(Choices(**choices), history, empty_history(), 1)


def listed(index: ArticleIndex, found: Ranked) -> list[int]:
    return index.columns.id[found.rows[found.order[: found.served]]].tolist()


def ask(index: ArticleIndex, reader: ReaderView = NOBODY, limit: int = 10, **given: Any) -> list[int]:
    language = given.pop("language_of_reader", "")
    snapshot = given.pop("snapshot", Snapshot(index))
    at_us = given.pop("at_us", NOW_US)
    return listed(index, for_you(snapshot, reader, Ask(limit=limit, **given), at_us=at_us, language=language))


def test_a_newcomer_gets_what_is_new_and_important(index: ArticleIndex) -> None:
    found = ask(index)
    assert len(found) == 10
    assert 17 in found
    assert sum(one <= 14 for one in found) >= 8


def test_a_newcomer_who_follows_a_topic_gets_it_first(index: ArticleIndex) -> None:
    found = ask(index, view(followed_topics=("sport",)), limit=5)
    assert all(one % 4 == 2 for one in found[:3])


def test_what_others_read_helps_a_newcomer(index: ArticleIndex) -> None:
    many = np.arange(1, 41)
    kinds = np.full(40, EVENT_KINDS.index("read"), np.int8)
    at_us = np.full(40, NOW_US - HOUR_US)
    popular = Popularity().add(EventBatch(1, np.full(40, 12), many, at_us, kinds))
    before, after = ask(index, limit=40), ask(index, limit=40, snapshot=Snapshot(index, popular))
    assert after.index(12) < before.index(12)


def test_reading_moves_the_subject_up_and_the_read_out(index: ArticleIndex) -> None:
    before = ask(index, limit=40)
    after = ask(index, view((20, "finish", 1), (24, "read", 2), (28, "read", 3)), limit=40)
    assert not {20, 24, 28} & set(after)
    mine = [one for one in range(4, 41, 4) if one not in (20, 24, 28)]
    ahead = sum(after.index(one) for one in mine) / len(mine)
    assert ahead < sum(before.index(one) for one in mine) / len(mine)


def test_the_language_of_the_reader_comes_first_and_others_only_fill_up(index: ArticleIndex) -> None:
    found = ask(index, view(), limit=40, language_of_reader="da")
    danish = [one % 4 == 3 for one in found]
    assert len(found) == 40
    assert danish == sorted(danish, reverse=True)
    assert ask(index, view(), limit=5, language_of_reader="da") == found[:5]
    assert all(one % 4 == 3 for one in ask(index, view(), limit=40, language="da"))


def test_a_category_narrows(index: ArticleIndex) -> None:
    assert {one % 4 for one in ask(index, category="science", limit=40)} == {1}


def test_a_second_page_goes_on_where_the_first_ended(index: ArticleIndex) -> None:
    whole = ask(index, limit=12)
    assert ask(index, limit=6, offset=6)[6:] == whole[6:]


def test_as_of_a_time_nothing_later_is_known(index: ArticleIndex) -> None:
    then = NOW_US - 20 * HOUR_US
    reads = ((30, "read", 25.0), (1, "read", 1.0))
    assert all(one >= 20 for one in ask(index, view(*reads), limit=40, at_us=then))
    assert ask(index, view(*reads), at_us=then) == ask(index, view(reads[0]), at_us=then)


def test_an_archive_without_a_recent_window_still_makes_a_list(index: ArticleIndex) -> None:
    assert len(ask(index, at_us=NOW_US + 9_000 * HOUR_US)) == 10


def rule(kind: str, article: int, **fields: Any) -> DeskRule:
    usual: dict[str, Any] = {
        "id": article, "kind": kind, "surface": "for_you", "target": "article", "target_key": str(article),
        "strength": 0.0, "slot": None, "starts_at": NOW - timedelta(hours=1), "ends_at": NOW + timedelta(hours=1),
        "author": "desk", "reason": "",
    }  # fmt: skip
    return DeskRule(RuleRow(**usual | fields), article)


def ruled(index: ArticleIndex, *rules: DeskRule, weights: dict[str, float] | None = None) -> Snapshot:
    row = {"for_you": WeightRow("for_you", 2, weights)} if weights else {}
    return Snapshot(index, weights=row, rules={"for_you": rules})


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_a_pin_holds_for_every_weight_set(index: ArticleIndex, values: list[float]) -> None:
    weights = dict(zip(SIGNALS, values, strict=True))
    pinned = ruled(index, rule("pin", 36, slot=2), weights=weights)
    assert ask(index, limit=5, snapshot=pinned)[1] == 36


def test_a_block_wins_over_a_pin_and_a_read_over_both_pin_and_must_show(index: ArticleIndex) -> None:
    both = ruled(index, rule("pin", 36, slot=1), rule("block", 36))
    assert 36 not in ask(index, limit=40, snapshot=both)
    held = ruled(index, rule("pin", 36, slot=1), rule("must_show", 35))
    assert {35, 36} <= set(ask(index, limit=5, snapshot=held))
    assert not {35, 36} & set(ask(index, view((35, "open", 1), (36, "open", 1)), limit=38, snapshot=held))


def test_a_pin_on_an_old_article_brings_it_back(index: ArticleIndex) -> None:
    snapshot = ruled(index, rule("pin", 40, slot=1))
    assert ask(index, limit=5, window_h=35, snapshot=snapshot)[0] == 40
    assert 40 not in ask(index, limit=40, window_h=35)


def test_a_boost_lifts_and_a_bury_lowers(index: ArticleIndex) -> None:
    plain = ask(index, limit=40)
    lifted = ask(index, limit=40, snapshot=ruled(index, rule("boost", 30, strength=0.3)))
    lowered = ask(index, limit=40, snapshot=ruled(index, rule("bury", 17, strength=0.3)))
    assert lifted.index(30) < plain.index(30)
    assert lowered.index(17) > plain.index(17)


def test_many_readers_at_once_get_the_numbers_of_each_alone(index: ArticleIndex) -> None:
    readers = [view(), view((3, "read", 2)), view((4, "finish", 9), (9, "open", 1), followed_topics=("World",))]
    histories = [one.history for one in readers]
    together = Histories(
        np.arange(1, 4),
        np.cumsum([0, *(len(one.article_id) for one in histories)]),
        *(np.concatenate([getattr(one, name) for one in histories]) for name in ("article_id", "at_us", "kind")),
        np.concatenate([one.dwell_s for one in histories]),
    )
    rows, snapshot = np.arange(40), Snapshot(index)
    options = snapshot.options_of("for_you")
    choices = [one.choices for one in readers]
    S = signal_matrix(snapshot, rows, Profiles.build(index, together, NOW_US), choices, at_us=NOW_US, options=options)
    for place, one in enumerate(readers):
        mine = Profiles.build(index, one.history, NOW_US)
        alone = signal_matrix(snapshot, rows, mine, [one.choices], at_us=NOW_US, options=options)
        np.testing.assert_allclose(S[place], alone[0], atol=1e-5)


def test_compacting_the_index_changes_no_list(index: ArticleIndex, make_text: Callable[..., ArticleText]) -> None:
    grown = index.add([make_text(41, "tariff trade late word", published_at_us=NOW_US - HOUR_US, story_id=41)])
    grown = grown.add([replace(make_text(2, "tennis rewritten", published_at_us=NOW_US - HOUR_US), story_id=2)])
    reader = view((20, "finish", 1), (7, "read", 2))
    assert ask(grown, reader, limit=40) == ask(grown.compact(), reader, limit=40)
