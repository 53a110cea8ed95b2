"""What keeps an article out, for whom, and what the desk's rules do to the rest."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import micros
from data.values import ArticleText, Histories, RuleRow
from data.wire import EVENT_KINDS
from recommender.index import ArticleIndex
from recommender.rules import AWAY_FADES_H, SENTENCES, Choices, DeskRule, Judge, Reason, in_effect, outsiders, resolve
from recommender.rules import placement as placed
from recommender.signals import HOUR_US
from recommender.snapshot import empty_history

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_US = micros(NOW)
ROWS = np.arange(10)
REASONS = [reason for reason in Reason if reason]
WORDS = ("tariff trade talks minister", "volcano ash island sea")


@pytest.fixture(scope="module")
def index(make_text: Callable[..., ArticleText]) -> ArticleIndex:
    """Ten articles an hour apart; odd ones on volcanoes; stories of two, sources of five, 10 in Danish."""
    return ArticleIndex.build(
        [
            make_text(
                number,
                f"{WORDS[number % 2]} report{number}",
                published_at_us=NOW_US - number * HOUR_US,
                story_id=(number + 1) // 2,
                source_id=1 + number % 2,
                category="Science" if number % 2 else "World",
                topics=("Europe",) if number == 4 else (),
                language="da" if number == 10 else "en",
            )
            for number in range(1, 11)
        ]
    )


def rule(kind: str, target: str, value: Any, number: int = 1, **fields: Any) -> DeskRule:
    usual: dict[str, Any] = {
        "surface": "all", "strength": 0.0, "slot": None, "author": "desk", "reason": "",
        "starts_at": NOW - timedelta(hours=1), "ends_at": NOW + timedelta(hours=1),
    }  # fmt: skip
    return DeskRule(RuleRow(id=number, kind=kind, target=target, target_key=str(value), **(usual | fields)), value)


def history(*events: tuple[int, str, float]) -> Histories:
    """(article, kind, hours ago) of one reader."""
    return Histories(
        np.ones(1, np.int64),
        np.array([0, len(events)], np.int64),
        np.array([one[0] for one in events], np.int64),
        np.array([NOW_US - int(one[2] * HOUR_US) for one in events], np.int64),
        np.array([EVENT_KINDS.index(one[1]) for one in events], np.int8),
        np.full(len(events), np.nan, np.float32),
    )


def out(judge: Judge) -> dict[int, Reason]:
    """Reasons by article, the allowed left out."""
    ids = judge.index.columns.id[judge.rows]
    found = judge.judged()
    return {int(one): Reason(int(why)) for one, why in zip(ids, found.reason, strict=True) if why}


def judge(index: ArticleIndex, at_us: int = NOW_US) -> Judge:
    return Judge(index, ROWS, at_us)


@given(st.sampled_from(["article", "story", "source"]), st.integers(1, 10))
def test_a_block_takes_exactly_its_target_out(index: ArticleIndex, target: str, value: int) -> None:
    of = {"article": index.columns.id, "story": index.columns.story_id, "source": index.columns.source_id}[target]
    found = out(judge(index).publication([rule("block", target, value)]))
    assert found == {int(one): Reason.BLOCKED for one in index.columns.id[of == value]}


def test_a_topic_block_means_category_and_topics_in_any_case(index: ArticleIndex) -> None:
    assert set(out(judge(index).publication([rule("block", "topic", "sCience")]))) == {1, 3, 5, 7, 9}
    assert set(out(judge(index).publication([rule("block", "topic", "europe")]))) == {4}


def test_an_article_not_out_yet_or_under_embargo_is_no_candidate(index: ArticleIndex) -> None:
    early = NOW_US - 2 * HOUR_US - HOUR_US // 2
    assert out(judge(index, early).publication([])) == {1: Reason.NOT_YET, 2: Reason.NOT_YET}
    held = np.zeros(10, np.int64)
    held[2] = NOW_US + 1
    under = replace(index, columns=replace(index.columns, embargo_until_us=held))
    assert out(judge(under).publication([rule("embargo", "article", 5)])) == {
        3: Reason.EMBARGOED, 5: Reason.EMBARGOED,
    }  # fmt: skip
    assert out(Judge(under, ROWS, NOW_US + 1).publication([])) == {}


def test_the_most_important_reason_is_told_with_its_rule(index: ArticleIndex) -> None:
    found = judge(index).publication([rule("embargo", "article", 1, 7), rule("block", "article", 1, 8)])
    found.choices(Choices(muted_sources=(2,))).history(history((1, "read", 1)), Choices())
    assert out(found)[1] == Reason.BLOCKED
    assert found.judged().rule_id[0] == 8
    assert out(found)[3] == Reason.MUTED_SOURCE


def test_reader_mutes(index: ArticleIndex) -> None:
    choices = Choices(muted_topics=("europe",), muted_sources=(2,), muted_stories=(5,))
    assert out(judge(index).choices(choices)) == {
        1: Reason.MUTED_SOURCE, 3: Reason.MUTED_SOURCE, 5: Reason.MUTED_SOURCE, 7: Reason.MUTED_SOURCE,
        9: Reason.MUTED_SOURCE, 4: Reason.MUTED_TOPIC, 10: Reason.MUTED_STORY,
    }  # fmt: skip


def test_a_read_story_is_read_in_every_outlet(index: ArticleIndex) -> None:
    found = out(judge(index).history(history((1, "open", 0.5)), Choices()))
    assert found == {1: Reason.READ, 2: Reason.READ_STORY}


def test_what_happened_later_keeps_nothing_out(index: ArticleIndex) -> None:
    assert out(judge(index).history(history((1, "read", -1), (3, "hide", -1)), Choices())) == {}


def test_a_followed_story_comes_back_with_newer_articles_only(index: ArticleIndex) -> None:
    """Story 2 is articles 3 and 4, three and four hours old."""
    follows = Choices(followed_stories=(2,))
    assert out(judge(index).history(history((4, "read", 3.5)), follows)) == {4: Reason.READ}
    assert out(judge(index).history(history((4, "read", 2)), follows)) == {4: Reason.READ, 3: Reason.READ_STORY}


def test_hidden_takes_the_story_with_it(index: ArticleIndex) -> None:
    assert out(judge(index).history(history((6, "hide", 1)), Choices())) == {5: Reason.HIDDEN, 6: Reason.HIDDEN}


def test_less_like_this_fades_but_its_story_stays_away(index: ArticleIndex) -> None:
    fresh, faded = (
        out(judge(index).history(history((1, "less_like_this", hours)), Choices())) for hours in (1, AWAY_FADES_H)
    )
    assert faded == {1: Reason.HIDDEN, 2: Reason.HIDDEN}
    assert {one for one, why in fresh.items() if why == Reason.UNWANTED} == {3, 5, 7, 9}


def test_seen_often_and_never_opened(index: ArticleIndex) -> None:
    shown = history(*[(8, "impression", 1.0)] * 3, *[(9, "impression", 1.0)] * 2)
    assert out(judge(index).seen(shown, 3)) == {8: Reason.SEEN}
    assert out(judge(index).seen(empty_history(), 3)) == {}


def test_the_request_narrows(index: ArticleIndex) -> None:
    assert out(judge(index).request(exclude=[2, 3])) == {2: Reason.EXCLUDED, 3: Reason.EXCLUDED}
    assert set(out(judge(index).request(category="world"))) == {1, 3, 5, 7, 9}
    assert set(out(judge(index).request(languages=["da-DK"]))) == set(range(1, 10))
    assert set(out(judge(index).request(from_us=NOW_US - 3 * HOUR_US))) == set(range(4, 11))


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(REASONS)


def test_rules_of_other_surfaces_and_unknown_targets_do_nothing() -> None:
    rows = [
        replace(rule("block", "article", "a1", 1).row, surface="push"),
        rule("block", "article", "a1", 2).row,
        rule("block", "article", "gone", 3).row,
        replace(rule("block", "source", "herald", 4).row, surface="for_you"),
        rule("block", "story", "12", 5).row,
        rule("block", "story", "no number", 6).row,
        rule("block", "topic", "War", 7).row,
    ]
    found = resolve(rows, "for_you", {"a1": 11}, {"herald": 3})
    assert [(one.row.id, one.value) for one in found] == [(2, 11), (4, 3), (5, 12), (7, "War")]


def test_a_rule_holds_from_its_start_up_to_its_end() -> None:
    one = rule("pin", "article", 1)
    ends = [micros(one.row.starts_at), micros(one.row.ends_at or NOW)]
    held = [bool(in_effect([one], at)) for at in (ends[0] - 1, ends[0], ends[1] - 1, ends[1])]
    assert held == [False, True, True, False]


def test_boosts_and_buries_add_up(index: ArticleIndex) -> None:
    rules = [rule("boost", "source", 2, 1, strength=0.3), rule("bury", "article", 3, 2, strength=0.1)]
    found = placed(index, ROWS, rules, np.zeros(10))
    assert found.adjust.tolist() == pytest.approx([0.3, 0, 0.2, 0, 0.3, 0, 0.3, 0, 0.3, 0])


def test_of_two_pins_on_a_slot_the_newer_wins(index: ArticleIndex) -> None:
    older = rule("pin", "article", 3, 1, slot=1, starts_at=NOW - timedelta(hours=2))
    newer = rule("pin", "article", 7, 2, slot=1)
    assert list(placed(index, ROWS, [older, newer], np.zeros(10)).pinned.items()) == [(6, 1), (2, 1)]


def test_a_pinned_story_shows_its_best_article(index: ArticleIndex) -> None:
    worth = np.arange(10) / 10
    assert placed(index, ROWS, [rule("pin", "story", 3, slot=2)], worth).pinned == {5: 2}


def test_must_show_ends_once_the_reader_saw_it(index: ArticleIndex) -> None:
    rules = [rule("must_show", "article", 4)]
    assert placed(index, ROWS, rules, np.zeros(10)).must_show == {3}
    assert placed(index, ROWS, rules, np.zeros(10), np.array([4])).must_show == frozenset()


def test_pins_reach_beyond_the_window(index: ArticleIndex) -> None:
    rules = [rule("pin", "article", 9), rule("must_show", "story", 1), rule("boost", "source", 1)]
    assert index.columns.id[outsiders(index, rules)].tolist() == [1, 2, 9]
    assert outsiders(index, []).tolist() == []
