"""Who gets an alert: the vectorised plan against the rules written out for one reader at a time."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.alerts import Told
from data.clock import instant, is_quiet, micros
from data.errors import InvalidInput
from data.values import Histories, ReaderRow
from data.wire import EVENT_KINDS
from recommender import push
from recommender.push import Block, Candidates, Policy, Verdict
from recommender.push_time import quiet_now

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_US = micros(NOW)
HOUR_US = 3_600_000_000
ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Europe/Prague"]
WEIGHTS = {"similarity": 0.5, "news_value": 0.5}
LANGUAGES = ["en", "da", "ja"]


@st.composite
def readers(draw: st.DrawFn, number: int) -> ReaderRow:
    walls = st.sampled_from(["00:00", "06:30", "07:00", "12:00", "22:00", "23:45"])
    return ReaderRow(
        id=number + 1,
        key=f"r{draw(st.integers(0, 999))}",
        zone=draw(st.sampled_from(ZONES)),
        language=draw(st.sampled_from(LANGUAGES)),
        push=draw(st.integers(0, 9)) > 0,
        quiet_from=draw(walls),
        quiet_until=draw(walls),
        daily_cap=draw(st.integers(0, 3)),
        muted_topics=tuple(draw(st.lists(st.sampled_from(["Sport", "money"]), max_size=1))),
        muted_sources=tuple(draw(st.lists(st.sampled_from(["herald", "post"]), max_size=1))),
        muted_stories=tuple(draw(st.lists(st.sampled_from(["1", "2"]), max_size=1))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Block, Candidates, np.ndarray]:
    n, m = draw(st.integers(1, 6)), draw(st.integers(0, 5))
    people = [draw(readers(number)) for number in range(n)]
    minutes = st.integers(-3_000, 60)
    ints = lambda values: np.array(values, np.int64)  # noqa: E731
    column = lambda strategy: draw(st.lists(strategy, min_size=m, max_size=m))  # noqa: E731
    candidates = Candidates(
        article_id=np.arange(1, m + 1),
        story_id=ints(column(st.integers(1, 3))),
        update_no=ints(column(st.integers(0, 1))),
        published_at_us=ints([NOW_US + one * 60_000_000 for one in column(minutes)]),
        language=np.array(column(st.integers(0, 2)), np.intp),
        source_key=tuple(column(st.sampled_from(["herald", "post", ""]))),
        topics=tuple(frozenset([one]) for one in column(st.sampled_from(["sport", "money", "arts"]))),
        window_us=24 * HOUR_US,
    )
    events = [draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=4)) for _ in people]
    flat = [event for mine in events for event in mine]
    histories = Histories(
        ints([one.id for one in people]),
        np.cumsum([0, *map(len, events)]).astype(np.int64),
        ints([100 + story for story, _ in flat]),
        ints([NOW_US] * len(flat)),
        np.array([kind for _, kind in flat], np.int8),
        np.full(len(flat), np.nan, np.float32),
    )
    alert = st.tuples(st.integers(0, n - 1), st.integers(-1_600, 200), st.integers(0, 3), st.integers(0, 1))
    alerts = ints(draw(st.lists(alert, max_size=6))).reshape(-1, 4)
    told = Told(alerts[:, 0], NOW_US + alerts[:, 1] * 60_000_000, alerts[:, 2], alerts[:, 3])
    block = Block(
        readers=people,
        send_at_us=ints([NOW_US + draw(st.integers(0, 90)) * 60_000_000 for _ in people]),
        has_device=np.array([draw(st.integers(0, 9)) > 0 for _ in people], bool),
        languages=np.array([[draw(st.booleans()) for _ in LANGUAGES] for _ in people], bool),
        histories=histories,
        history_story=ints([story for story, _ in flat]),
        told=told,
    )
    similarity = draw(st.lists(st.integers(0, 20), min_size=n * m, max_size=n * m))
    return block, candidates, np.array(similarity, np.float32).reshape(n, m) / 20


POLICY = Policy(daily_cap=2, min_gap_s=7_200, holdout_share=0.1)
BAR = 0.4


def run(block: Block, candidates: Candidates, similarity: np.ndarray, policy: Policy = POLICY) -> push.Verdicts:
    value = np.linspace(0, 1, len(candidates), dtype=np.float32)
    return push.plan(
        block,
        candidates,
        policy=policy,
        bar=BAR,
        weights=WEIGHTS,
        signals=lambda rows: {"similarity": similarity[rows], "news_value": value},
    )


def left_for(block: Block, candidates: Candidates, row: int) -> tuple[list[int], list[int], list[int]]:
    """(allowed, of these not read, of these not told), one rule after the other."""
    reader, at_us = block.readers[row], int(block.send_at_us[row])
    part = slice(block.histories.indptr[row], block.histories.indptr[row + 1])
    kinds = [EVENT_KINDS[kind] for kind in block.histories.kind[part]]
    read = {
        story
        for story, kind in zip(block.history_story[part].tolist(), kinds, strict=True)
        if kind not in {"impression", "push_dismiss"}
    }
    muted = {topic.lower() for topic in reader.muted_topics}
    allowed = [
        j
        for j in range(len(candidates))
        if at_us - 24 * HOUR_US < candidates.published_at_us[j] <= at_us
        and block.languages[row, candidates.language[j]]
        and candidates.source_key[j] not in reader.muted_sources
        and not candidates.topics[j] & muted
        and str(candidates.story_id[j]) not in reader.muted_stories
    ]
    unread = [j for j in allowed if candidates.story_id[j] not in read]
    told = block.told
    mine = [
        (int(story), int(update))
        for owner, story, update in zip(told.row, told.story_id, told.update_no, strict=True)
        if owner == row
    ]
    new = [j for j in unread if not any(s == candidates.story_id[j] and u >= candidates.update_no[j] for s, u in mine)]
    return allowed, unread, new


def expected(block: Block, candidates: Candidates, similarity: np.ndarray, row: int) -> Verdict:
    reader, at_us = block.readers[row], int(block.send_at_us[row])
    apart = [abs(int(at) - at_us) for owner, at in zip(block.told.row, block.told.at_us, strict=True) if owner == row]
    quiet = time.fromisoformat(reader.quiet_from), time.fromisoformat(reader.quiet_until)
    if not reader.push:
        return Verdict.OPTED_OUT
    if not block.has_device[row]:
        return Verdict.NO_DEVICE
    if push.is_holdout([reader.key], POLICY.holdout_share)[0]:
        return Verdict.HOLDOUT
    if is_quiet(instant(at_us), reader.zone, *quiet):
        return Verdict.QUIET_HOURS
    if sum(one < 24 * HOUR_US for one in apart) >= min(reader.daily_cap, POLICY.daily_cap):
        return Verdict.DAILY_CAP
    if any(one < POLICY.min_gap_s * 1_000_000 for one in apart):
        return Verdict.TOO_SOON
    allowed, unread, new = left_for(block, candidates, row)
    for found, reason in ((allowed, Verdict.NOTHING_NEW), (unread, Verdict.ALREADY_READ), (new, Verdict.ALREADY_TOLD)):
        if not found:
            return reason
    value = np.linspace(0, 1, len(candidates), dtype=np.float32)
    best = max(0.5 * float(similarity[row, j]) + 0.5 * float(value[j]) for j in new)
    return Verdict.BELOW_BAR if best < BAR - 1e-7 else Verdict.SEND


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_every_reader_ends_as_the_rules_say_one_by_one(world: tuple[Block, Candidates, np.ndarray]) -> None:
    block, candidates, similarity = world
    found = run(block, candidates, similarity)
    assert [Verdict(int(one)) for one in found.verdict] == [
        expected(block, candidates, similarity, row) for row in range(len(block))
    ]


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_an_alert_breaks_no_rule_and_is_the_best_that_is_left(world: tuple[Block, Candidates, np.ndarray]) -> None:
    block, candidates, similarity = world
    found = run(block, candidates, similarity)
    value = np.linspace(0, 1, len(candidates), dtype=np.float32)
    for row in np.flatnonzero(found.verdict == Verdict.SEND):
        chosen, new = int(found.chosen[row]), left_for(block, candidates, row)[2]
        total = 0.5 * similarity[row] + 0.5 * value
        assert chosen in new
        assert total[chosen] >= max(total[j] for j in new) - 2e-6
        assert found.score[row] == pytest.approx(total[chosen], abs=1e-6)
        assert found.parts[row].sum() == pytest.approx(float(found.score[row]), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_a_reader_alone_ends_as_in_a_block(world: tuple[Block, Candidates, np.ndarray]) -> None:
    block, candidates, similarity = world
    whole = run(block, candidates, similarity)
    for row in range(len(block)):
        mine = block.told.row == row
        part = slice(int(block.histories.indptr[row]), int(block.histories.indptr[row + 1]))
        alone = Block(
            readers=[block.readers[row]],
            send_at_us=block.send_at_us[row : row + 1],
            has_device=block.has_device[row : row + 1],
            languages=block.languages[row : row + 1],
            histories=block.histories.of(row),
            history_story=block.history_story[part],
            told=Told(
                np.zeros(int(mine.sum()), np.int64),
                block.told.at_us[mine],
                block.told.story_id[mine],
                block.told.update_no[mine],
            ),
        )
        found = run(alone, candidates, similarity[row : row + 1])
        assert (found.verdict[0], found.chosen[0]) == (whole.verdict[row], whole.chosen[row])


def one_reader(**fields: object) -> Block:
    reader = ReaderRow(id=1, key="anna", zone="UTC", **fields)  # type: ignore[arg-type]
    none = np.zeros(0, np.int64)
    return Block(
        readers=[reader],
        send_at_us=np.array([NOW_US]),
        has_device=np.array([True]),
        languages=np.ones((1, 1), bool),
        histories=Histories(
            np.array([1]), np.zeros(2, np.int64), none, none, np.zeros(0, np.int8), np.zeros(0, np.float32)
        ),
        history_story=none,
        told=Told(none, none, none, none),
    )


def stories(*update_no: int) -> Candidates:
    count = len(update_no)
    return Candidates(
        article_id=np.arange(1, count + 1),
        story_id=np.arange(1, count + 1),
        update_no=np.array(update_no, np.int64),
        published_at_us=np.full(count, NOW_US - HOUR_US),
        language=np.zeros(count, np.intp),
        source_key=("herald",) * count,
        topics=(frozenset(),) * count,
        window_us=24 * HOUR_US,
    )


def test_a_material_update_may_be_told_again() -> None:
    day_ago = Told(np.array([0]), np.array([NOW_US - 25 * HOUR_US]), np.array([1]), np.array([0]))
    block = replace(one_reader(), told=day_ago)
    assert run(block, stories(0), np.ones((1, 1), np.float32), Policy(holdout_share=0)).verdict[0] == (
        Verdict.ALREADY_TOLD
    )
    assert run(block, stories(1), np.ones((1, 1), np.float32), Policy(holdout_share=0)).verdict[0] == Verdict.SEND


def test_equal_scores_go_to_the_first_candidate() -> None:
    same = np.full((1, 3), 0.7, np.float32)
    found = push.plan(
        one_reader(),
        stories(0, 0, 0),
        policy=Policy(holdout_share=0),
        bar=0,
        weights={"similarity": 1.0},
        signals=lambda rows: {"similarity": same[rows]},
    )
    assert found.chosen.tolist() == [0]


def test_a_buried_candidate_loses_to_another() -> None:
    found = push.plan(
        one_reader(),
        stories(0, 0),
        policy=Policy(holdout_share=0),
        bar=0,
        weights={"similarity": 1.0},
        signals=lambda rows: {"similarity": np.array([[0.7, 0.6]], np.float32)[rows]},
        adjust=np.array([-0.5, 0.0], np.float32),
    )
    assert found.chosen.tolist() == [1]


def test_breaking_news_may_override_quiet_hours_only_by_its_policy() -> None:
    block = one_reader(quiet_from="10:00", quiet_until="14:00")
    close = np.ones((1, 1), np.float32)
    assert run(block, stories(0), close, Policy(holdout_share=0)).verdict[0] == Verdict.QUIET_HOURS
    assert run(block, stories(0), close, Policy(holdout_share=0, overrides_quiet=True)).verdict[0] == Verdict.SEND


def test_the_holdout_is_the_same_for_good_and_about_its_share() -> None:
    keys = [f"reader-{number}" for number in range(5_000)]
    small, large = push.is_holdout(keys, 0.02), push.is_holdout(keys, 0.05)
    assert 60 <= small.sum() <= 140
    assert not (small & ~large).any()
    assert not push.is_holdout(keys, 0).any()


def test_a_language_counts_as_read_from_the_second_read_on() -> None:
    people = [ReaderRow(id=1, key="a", language="en"), ReaderRow(id=2, key="b", language="xx")]
    kind = EVENT_KINDS.index("open")
    histories = Histories(
        np.array([1, 2]), np.array([0, 2, 3]), np.arange(3), np.arange(3), np.full(3, kind, np.int8), np.zeros(3)
    )
    known = push.languages_read(people, histories, np.array([1, 1, 1]), lambda name: {"en": 0}.get(name, -1))
    assert known.tolist() == [[True, True], [False, False]]


def test_a_misspelt_policy_is_refused() -> None:
    with pytest.raises(InvalidInput, match="dayly_cap"):
        Policy.of({"dayly_cap": 3})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=8),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),
    st.integers(0, 60 * 24),
    st.times(),
    st.times(),
)
def test_quiet_hours_of_many_are_those_of_each(
    zones: list[str], at: datetime, step_min: int, begin: time, end: time
) -> None:
    walls = {"quiet_from": begin.strftime("%H:%M"), "quiet_until": end.strftime("%H:%M")}
    people = [ReaderRow(id=i, key=str(i), zone=zone, **walls) for i, zone in enumerate(zones)]
    instants = [at + timedelta(minutes=step_min * number) for number in range(len(zones))]
    found = quiet_now(people, np.array([micros(one) for one in instants], np.int64))
    bounds = time.fromisoformat(walls["quiet_from"]), time.fromisoformat(walls["quiet_until"])
    assert found.tolist() == [is_quiet(one, zone, *bounds) for one, zone in zip(instants, zones, strict=True)]
