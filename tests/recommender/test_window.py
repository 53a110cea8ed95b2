"""The compiled list of a window is the list of the plain parts: Judge, signal_matrix, score, placement, rank."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.clock import micros
from data.values import ArticleText, EventBatch, FloatArray, Histories, RuleRow, SourceRow, WeightRow
from data.wire import EVENT_KINDS
from recommender import packer, rules, windowed
from recommender.for_you import Ask, Ranked, for_you, judge
from recommender.index import ArticleIndex, Rows, document
from recommender.popularity import Popularity
from recommender.profile import Profiles
from recommender.ranking import Candidates, Likeness, Placement, Query, rank, score
from recommender.rules import Choices, DeskRule
from recommender.signals import HOUR_US
from recommender.snapshot import ReaderView, Snapshot, signal_matrix, spoken
from recommender.vectors import Epoch
from recommender.window import FEW, NEWEST, Windows

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_US = micros(NOW)
COUNT = 160
SUBJECTS = (
    "tariff trade talks minister",
    "volcano ash island sea",
    "tennis final serve champion",
    "vaccine trial dose",
)
TOPICS = ("Europe", "science", "Weather")


def article(random: np.random.Generator, make_text: Callable[..., ArticleText], number: int) -> ArticleText:
    words = " ".join(f"word{one}" for one in random.integers(0, 60, 12))
    return make_text(
        number,
        f"{SUBJECTS[number % 4]} {words}" if number % 10 else "",
        published_at_us=NOW_US - int(random.uniform(-5, 300) * HOUR_US),
        source_id=int(random.integers(0, 6)),
        category=("World", "Science", "")[number % 3],
        topics=tuple(TOPICS[: int(random.integers(0, 3))]),
        language=("en", "en", "da", "und")[int(random.integers(0, 4))],
        story_id=int(random.choice([0, number, *range(1, 20)])),
        news_value=int(random.integers(0, 6)),
        lifetime=("short", "medium", "long")[number % 3],
        embargo_until_us=NOW_US + HOUR_US if number % 31 == 0 else 0,
        retracted=number % 29 == 0,
    )


@pytest.fixture(scope="module")
def snapshot(make_text: Callable[..., ArticleText]) -> Snapshot:
    """160 articles of two weeks in three segments, some changed, some taken back; readers' events and outlets."""
    random = np.random.default_rng(7)
    texts = [article(random, make_text, number) for number in range(1, COUNT + 1)]
    index = ArticleIndex.build(texts[:120]).add(texts[120:140]).add(texts[140:]).add([replace(texts[3], title="new")])
    count = 400
    events = EventBatch(
        1,
        random.integers(1, COUNT, count),
        random.integers(1, 50, count),
        NOW_US - (random.uniform(-10, 90, count) * HOUR_US).astype(np.int64),
        random.integers(0, len(EVENT_KINDS), count).astype(np.int8),
    )
    sources = {one: SourceRow(one, f"s{one}", f"S{one}", None, one / 5) for one in range(1, 5)}
    return Snapshot(index, Popularity().add(events), sources)


@pytest.fixture(autouse=True, scope="module")
def _bounds_at_once() -> Iterator[None]:
    """Small windows are compared whole; here scores are bounded first, as in large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windowed, "BOUNDED", 1)
        yield


def histories(events: list[tuple[int, str, float]]) -> Histories:
    return Histories(
        np.ones(1, np.int64),
        np.array([0, len(events)], np.int64),
        np.array([one[0] for one in events], np.int64),
        np.array([NOW_US - int(one[2] * HOUR_US) for one in events], np.int64),
        np.array([EVENT_KINDS.index(one[1]) for one in events], np.int8),
        np.array([np.nan if one[0] % 3 else 12.0 for one in events], np.float32),
    )


known = st.integers(1, COUNT + 3)
events_of = st.lists(st.tuples(known, st.sampled_from(EVENT_KINDS), st.floats(-20, 700)), max_size=25)
shown_of = st.lists(st.tuples(st.integers(1, 9), st.just("impression"), st.floats(-5, 90)), max_size=40)
few_ids = st.lists(known, max_size=2).map(tuple)
few_topics = st.lists(st.sampled_from([*TOPICS, "world", "nothing"]), max_size=2, unique=True).map(tuple)
stories = st.lists(st.integers(1, 12), max_size=6).map(tuple)
choices_of = st.builds(
    Choices, few_topics, st.sampled_from([(), ("europe",)]), st.sampled_from([(), (2,), (9,)]), stories, few_ids
)
readers = st.builds(lambda c, h, i: ReaderView(c, histories(h), histories(i), 1), choices_of, events_of, shown_of)
asks = st.builds(
    Ask,
    st.integers(0, 30),
    st.integers(0, 5),
    st.sampled_from([None, None, "science", "nothing"]),
    st.sampled_from([None, None, "da"]),
    few_ids,
    st.sampled_from([2.0, 50.0, 240.0]),
)
targets = st.one_of(
    st.tuples(st.sampled_from(["article", "story", "source"]), known), st.tuples(st.just("topic"), st.just("science"))
)
kinds_of = st.sampled_from(["pin", "must_show", "boost", "bury", "block", "embargo"])
rules_of = st.lists(st.tuples(kinds_of, targets, st.integers(1, 3), st.integers(1, 9)), max_size=4)


def desk(made: list[tuple[str, tuple[str, Any], int, int]]) -> tuple[DeskRule, ...]:
    return tuple(
        DeskRule(
            RuleRow(
                id=number, kind=kind, surface="for_you", target=target, target_key=str(value), strength=0.1 * slot,
                slot=slot, starts_at=NOW - timedelta(hours=hours), ends_at=None, author="desk", reason="",
            ),
            value,
        )
        for number, (kind, (target, value), slot, hours) in enumerate(made, 1)
    )  # fmt: skip


class Plain(Likeness):
    def __init__(self, index: ArticleIndex, rows: Rows) -> None:
        self.index, self.rows = index, rows

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self.index.cosines_among(self.rows[rows])


def plain(snapshot: Snapshot, reader: ReaderView, ask: Ask, at_us: int, language: str, S: FloatArray) -> Ranked:
    """The list as its parts say it, over the signals given; their own are checked beside it."""
    index, options = snapshot.index, snapshot.options_of("for_you")
    desk = rules.in_effect(snapshot.rules.get("for_you", ()), at_us)
    considered = index.window(at_us - int(ask.window_h * HOUR_US), at_us)
    if len(considered) < FEW:
        older = index.window(0, at_us)
        newest = np.argsort(-index.columns.published_at_us[older], kind="stable")[:NEWEST]
        considered = np.sort(older[newest])
    considered = np.union1d(considered, rules.outsiders(index, desk)).astype(np.intp)
    rows = considered[judge(snapshot, reader, considered, ask, at_us=at_us).allowed]
    profiles = Profiles.build(index, reader.history, at_us)
    expected = signal_matrix(snapshot, rows, profiles, [reader.choices], at_us=at_us, options=options)[0]
    np.testing.assert_allclose(S, expected, atol=2e-6)
    placed = rules.placement(index, rows, desk, score(S, snapshot.weights_of("for_you")), reader.impressions.article_id)
    languages = () if ask.language else spoken(index, profiles, language)
    codes = [index.languages.find(one) for one in (*languages, "und")]
    tier = (~np.isin(index.columns.language[rows], codes) & bool(languages)).astype(np.int8)
    placed = Placement(
        placed.adjust,
        {one: slot for one, slot in placed.pinned.items() if not tier[one]},
        frozenset(one for one in placed.must_show if not tier[one]),
    )
    columns = index.columns
    candidates = Candidates(
        columns.id[rows], columns.published_at_us[rows], columns.source_id[rows], columns.story_id[rows], S,
        Plain(index, rows), tier,
    )  # fmt: skip
    result = rank(Query(snapshot.weights_of("for_you"), ask.places, options), candidates, placed)
    return Ranked(rows, S, result, profiles, options)


@settings(max_examples=250, deadline=None)
@given(readers, asks, rules_of, st.sampled_from([0, 0, 30, 200]), st.sampled_from(["", "en", "da-DK"]), st.booleans())
def test_the_list_is_that_of_its_parts(
    snapshot: Snapshot, reader: ReaderView, ask: Ask, made: Any, hours_ago: int, language: str, narrow: bool
) -> None:
    weights = WeightRow("for_you", 1, snapshot.weights_of("for_you"), {"pool": 8.0, "same": 0.5} if narrow else {})
    snapshot = replace(snapshot, rules={"for_you": desk(made)}, weights={"for_you": weights})
    at_us = NOW_US - hours_ago * HOUR_US
    found = for_you(snapshot, reader, ask, at_us=at_us, language=language)
    first = found.signals_of(found.head)
    np.testing.assert_array_equal(found.S[found.head], first)  # the same numbers however many texts were compared
    expected = plain(snapshot, reader, ask, at_us, language, found.S)
    assert found.rows.tolist() == expected.rows.tolist()
    np.testing.assert_allclose(found.result.score, expected.result.score, atol=1e-6)
    assert found.order.tolist() == expected.order.tolist()
    assert (found.served, found.result.held) == (expected.served, expected.result.held)


def reader_of(seed: int) -> ReaderView:
    random = np.random.default_rng(seed)
    kinds = ("read", "open", "finish", "hide")
    done = [(int(one), kinds[int(one) % 4], float(random.uniform(0, 300))) for one in random.integers(1, COUNT, 12)]
    return ReaderView(Choices(), histories(done), histories([]), seed)


def listed(snapshot: Snapshot, reader: ReaderView, at_us: int = NOW_US) -> list[int]:
    found = for_you(snapshot, reader, Ask(limit=15), at_us=at_us)
    return snapshot.index.columns.id[found.rows[found.order]].tolist()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_many_readers_one_after_the_other_get_the_numbers_of_each_alone(snapshot: Snapshot, seeds: list[int]) -> None:
    """To the last bit, whatever was packed before."""
    shared = replace(snapshot, windows=Windows())
    for seed in seeds:
        together = for_you(shared, reader_of(seed), Ask(limit=15), at_us=NOW_US)
        alone = for_you(replace(snapshot, windows=Windows()), reader_of(seed), Ask(limit=15), at_us=NOW_US)
        np.testing.assert_allclose(together.S, alone.S, atol=1e-6)
        again = for_you(shared, reader_of(seed), Ask(limit=15), at_us=NOW_US)
        np.testing.assert_array_equal(together.S, again.S)
        assert together.order.tolist() == again.order.tolist()


def test_bounding_scores_changes_no_list_and_spares_most_texts(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Similarity alone decides, so that a bound too low by a little would lose an article."""
    weights = WeightRow("for_you", 1, {"similarity": 0.5, "freshness": 0.5}, {"pool": 3.0})
    snapshot, compared = replace(snapshot, weights={"for_you": weights}), []
    for seed in range(60):
        monkeypatch.setattr(windowed, "BOUNDED", 1)
        bounded = for_you(snapshot, reader_of(seed), Ask(limit=3), at_us=NOW_US)
        assert isinstance(bounded.signals, windowed.Windowed)
        compared.append(bounded.signals.compared.mean())
        monkeypatch.setattr(windowed, "BOUNDED", 10_000)
        whole = for_you(snapshot, reader_of(seed), Ask(limit=3), at_us=NOW_US)
        assert bounded.head.tolist() == whole.head.tolist()
        assert bounded.order.tolist() == whole.order.tolist()
    assert np.mean(compared) < 0.9


def test_snapshots_hand_their_packed_articles_on(
    snapshot: Snapshot, make_text: Callable[..., ArticleText], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = replace(snapshot, windows=Windows())
    listed(before, reader_of(1))
    asked: list[int] = []
    vectors = ArticleIndex.vectors
    monkeypatch.setattr(ArticleIndex, "vectors", lambda self, rows: (asked.append(len(rows)), vectors(self, rows))[1])
    text = make_text(COUNT + 1, "tariff trade late word", published_at_us=NOW_US - 1)
    after = replace(before, index=before.index.add([text]))
    found = listed(after, reader_of(1))
    assert COUNT + 1 in found
    assert asked == [1]  # the article that came
    assert found == listed(Snapshot(after.index, after.popularity, after.sources), reader_of(1))


def test_compacting_and_relearning_pack_anew_what_they_must(snapshot: Snapshot) -> None:
    shared = replace(snapshot, windows=Windows())
    before = listed(shared, reader_of(2))
    compact = replace(shared, index=shared.index.compact())
    assert listed(compact, reader_of(2)) == before
    assert listed(shared, reader_of(2)) == before  # the older snapshot still answers
    other = ArticleIndex.empty(Epoch.fit([document(text) for text in ()]), shared.index.tails)
    assert listed(replace(shared, index=other), reader_of(2)) == []
    assert listed(shared, reader_of(2)) == before


def test_guests_are_forgotten_when_they_become_many(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packer, "GUESTS", 5)
    shared, recent = replace(snapshot, windows=Windows()), NOW_US - 200 * HOUR_US
    lists = [listed(shared, reader_of(seed), recent) for seed in range(30)]
    window = shared.windows.of(shared.index, recent - 240 * HOUR_US, recent, np.zeros(0, np.intp))
    assert shared.windows.packed_count <= 2 * len(window) + 30
    assert lists == [listed(replace(snapshot, windows=Windows()), reader_of(seed), recent) for seed in range(30)]


def test_threads_share_windows_while_snapshots_are_swapped(snapshot: Snapshot) -> None:
    shared = replace(snapshot, windows=Windows())
    snapshots = [shared, replace(shared, index=shared.index.compact())]
    expected = {seed: listed(replace(snapshot, windows=Windows()), reader_of(seed)) for seed in range(8)}

    def work(number: int) -> bool:
        return listed(snapshots[number % 2], reader_of(number % 8)) == expected[number % 8]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))
