"""The compiled plan against the same written with matrices: every verdict, choice, score and part."""

import importlib.util
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.alerts import Tally, Told
from data.clock import instant, is_quiet, zone
from data.values import ArticleText, Histories, ReaderColumns, ReaderRow, RuleRow, SourceRow
from data.wire import EVENT_KINDS
from recommender import push, push_pool
from recommender.index import ArticleIndex
from recommender.push import Block, Policy, Verdict, Verdicts
from recommender.push_choice import Chooser
from recommender.push_pool import Pool
from recommender.push_reads import IndexArchive
from recommender.rules import DeskRule
from recommender.snapshot import Snapshot

HOUR_US = 3_600_000_000
NOW_US = 1_772_452_800_000_000
WORDS = [
    "tariff",
    "steel",
    "car",
    "flood",
    "river",
    "rain",
    "opera",
    "stage",
    "song",
    "match",
    "goal",
    "coach",
    "bank",
    "rate",
    "price",
    "vote",
    "law",
    "court",
]
POLICY = Policy(
    daily_cap=3,
    group_cap=2,
    min_gap_s=3_000,
    weekly_budget=9,
    told_window_h=30,
    holdout_share=0.05,
    min_news_value=1,
    max_candidates=60,
)
BAR = 0.45
ALERT = ("at_us", "story_id", "update_no", "group", "told_no")


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plan_reference", Path(__file__).parent / "plan_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _reference()


def newsroom(rng: np.random.Generator, articles: int) -> Snapshot:
    """Some news of the last two days and older, with stories, sources, topics, languages, values, all in disorder."""

    def text(number: int) -> ArticleText:
        topic = int(rng.integers(0, 6))
        words = [WORDS[3 * topic + int(one)] for one in rng.integers(0, 3, rng.integers(0, 12))]
        return ArticleText(
            id=number * 3 + 1,
            rev=number,
            title=" ".join([*words, *rng.choice(WORDS, rng.integers(0, 4)).tolist()]),
            summary="",
            body=" ".join(rng.choice(WORDS, rng.integers(0, 20)).tolist()),
            language=str(rng.choice(["en", "en", "da", "xx"])),
            source_id=int(rng.integers(0, 5)),
            category=str(rng.choice(["", "Sport", "world", "arts"])),
            topics=tuple(rng.choice(["Money", "sport", "rain"], rng.integers(0, 3), replace=False).tolist()),
            places=(),
            published_at_us=NOW_US - int(rng.integers(0, 72 * 60)) * 60_000_000,
            news_value=int(rng.integers(0, 6)),
            lifetime=str(rng.choice(["short", "medium", "long"])),
            embargo_until_us=0,
            retracted=bool(rng.random() < 0.05),
            story_id=int(rng.integers(0, 12)) * 3 + 1 if rng.random() < 0.6 else 0,
        )

    index = ArticleIndex.build([text(number) for number in range(articles)])
    sources = {n: SourceRow(n, f"s{n}", f"S{n}", None, round(float(rng.random()), 2)) for n in range(1, 4)}
    at = instant(NOW_US)
    rows = [RuleRow(1, "boost", "all", "topic", "Money", 0.2, None, at, None, "", "")]
    rows = [replace(one, starts_at=instant(NOW_US - HOUR_US)) for one in rows]
    return Snapshot(index, sources=sources, rules={"push": tuple(DeskRule(one, one.target_key) for one in rows)})


def people(rng: np.random.Generator, count: int) -> list[ReaderRow]:
    def some(names: Sequence[str], share: float) -> tuple[str, ...]:
        return tuple(rng.choice(names, 2, replace=False).tolist()) if rng.random() < share else ()

    stories = [str(number * 3 + 1) for number in range(12)]
    return [
        ReaderRow(
            id=number + 1,
            key=f"r{number}",
            zone=str(rng.choice(["UTC", "Asia/Tokyo", "Europe/Prague"])),
            language=str(rng.choice(["en", "da-DK", "fr"])),
            push=bool(rng.random() < 0.95),
            daily_cap=int(rng.integers(1, 4)),
            followed_topics=some(["SPORT", "arts", "rain", "", "none"], 0.4),
            muted_topics=some(["sport", "Money", " world "], 0.3),
            muted_sources=some(["s1", "s2", "s3"], 0.2),
            followed_stories=some([*stories, "x"], 0.3),
            muted_stories=some(stories, 0.2),
        )
        for number in range(count)
    ]


def histories(rng: np.random.Generator, readers: int, index: ArticleIndex) -> Histories:
    lengths = np.where(rng.random(readers) < 0.2, 0, rng.integers(0, 30, readers))
    events = int(lengths.sum())
    known = np.append(index.columns.id, [2, 999_999]) if len(index.columns) else np.array([2, 5])
    return Histories(
        reader_id=np.arange(1, readers + 1),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        article_id=rng.choice(known[: max(3, len(known) // 2)] if rng.random() < 0.5 else known, events),
        at_us=NOW_US - rng.integers(-5, 600, events) * HOUR_US,
        kind=rng.integers(0, len(EVENT_KINDS), events).astype(np.int8),
        dwell_s=np.where(rng.random(events) < 0.5, np.nan, rng.random(events) * 60).astype(np.float32),
    )


def told(rng: np.random.Generator, readers: int, pool: Pool) -> Told:
    alerts = int(rng.integers(0, 2 * readers))
    stories = np.append(pool.candidates.story_id, [0, 77])
    return Told(
        row=rng.integers(0, readers, alerts),
        at_us=NOW_US + rng.integers(-4_000, 600, alerts) * 60_000_000,
        story_id=rng.choice(stories, alerts),
        update_no=rng.integers(0, 2, alerts),
        group=rng.integers(0, 3, alerts),
    )


def tally(rng: np.random.Generator, readers: int) -> Tally:
    newest_us = NOW_US - rng.integers(0, 12 * 24, readers) * HOUR_US
    return Tally(*rng.integers(0, [[3], [10], [14]], (3, readers)), newest_us)


class World:
    """A newsroom, its candidates and a block of readers, from a seed."""

    def __init__(self, seed: int, *, articles: int, readers: int) -> None:
        rng = np.random.default_rng(seed)
        self.snapshot = newsroom(rng, articles)
        updates = {number * 3 + 1: int(rng.integers(0, 2)) for number in range(12)}
        self.pool = push_pool.pool(
            self.snapshot,
            at_us=NOW_US,
            from_us=NOW_US - 60 * HOUR_US,
            window_us=48 * HOUR_US,
            policy=POLICY,
            update_nos=updates,
        )
        self.people = people(rng, readers)
        self.block = Block(
            readers=ReaderColumns.of(self.people),
            send_at_us=NOW_US + rng.integers(-300, 300, readers) * 60_000_000,
            has_device=rng.random(readers) < 0.95,
            histories=histories(rng, readers, self.snapshot.index),
            told=told(rng, readers, self.pool),
            tally=tally(rng, readers),
        )

    def chooser(self, **options: int) -> Chooser:
        return Chooser(
            IndexArchive(self.snapshot.index), self.pool, self.snapshot.weights_of("push"), NOW_US, **options
        )

    def plan(self, **options: int) -> Verdicts:
        return push.plan(self.block, self.chooser(**options), policy=POLICY, bar=BAR)

    def lately(self) -> Told:
        """The alerts within the window of their story, in which lie those that caps and gaps count."""
        told = self.block.told
        near = np.abs(told.at_us - self.block.send_at_us[told.row]) < POLICY.told_window_h * HOUR_US
        return Told(told.row[near], *(getattr(told, name)[near] for name in ALERT))

    def expected(self) -> tuple[Verdicts, np.ndarray]:
        """The reference's verdicts, and the total score of every reader with every candidate left (else -inf)."""
        given = {
            "send_at_us": self.block.send_at_us,
            "has_device": self.block.has_device,
            "histories": self.block.histories,
            "told": self.lately(),
            "tally": self.block.tally,
        }
        block = reference.block(self.snapshot, self.people, **given)
        signals = reference.signals_of(self.snapshot, self.pool, block, NOW_US)
        weights = self.snapshot.weights_of("push")
        made = reference.plan(
            block,
            self.pool.candidates,
            policy=POLICY,
            bar=BAR,
            weights=weights,
            signals=signals,
            adjust=self.pool.adjust,
        )
        rows = np.arange(len(block))
        left, _ = reference.story_checks(block, self.pool.candidates, rows)
        total = np.broadcast_to(self.pool.adjust, left.shape).astype(np.float64).copy()
        for name, values in signals(rows).items():
            total += weights.get(name, 0.0) * values
        return made, np.where(left, total, -np.inf)


def one_by_one(block: Block) -> list[Block]:
    """The readers of a block, a block each."""
    made = []
    for row in range(len(block)):
        mine = block.told.row == row
        none = np.zeros(int(mine.sum()), np.int64)
        made.append(
            Block(
                readers=block.readers.take(np.array([row])),
                send_at_us=block.send_at_us[row : row + 1],
                has_device=block.has_device[row : row + 1],
                histories=block.histories.of(row),
                told=Told(none, *(getattr(block.told, name)[mine] for name in ALERT)),
                tally=Tally(*(getattr(block.tally, name)[row : row + 1] for name in Tally.__dataclass_fields__)),
            )
        )
    return made


worlds = st.builds(
    World, st.integers(0, 2**32), articles=st.sampled_from([0, 1, 7, 40, 150]), readers=st.sampled_from([1, 3, 30])
)


@settings(max_examples=60)
@given(worlds)
def test_every_reader_ends_as_in_a_plan_of_whole_matrices(world: World) -> None:
    found, (expected, total) = world.plan(), world.expected()
    near_the_bar = np.abs(expected.score - BAR) < 2e-6
    assert np.array_equal(found.verdict[~near_the_bar], expected.verdict[~near_the_bar])
    assert np.array_equal(found.chosen >= 0, expected.chosen >= 0)
    rows = np.flatnonzero(found.chosen >= 0)
    best = total[rows].max(axis=1, initial=-np.inf)
    assert total[rows, found.chosen[rows]] == pytest.approx(best, abs=2e-6)
    assert found.score[rows] == pytest.approx(best, abs=2e-6)
    same = found.chosen == expected.chosen
    assert found.parts[same] == pytest.approx(expected.parts[same], abs=2e-6)
    assert found.parts.sum(axis=1)[rows] + world.pool.adjust[found.chosen[rows]] == pytest.approx(
        found.score[rows], abs=2e-6
    )


@settings(max_examples=25)
@given(worlds)
def test_a_reader_alone_ends_as_in_a_block_to_the_last_bit(world: World) -> None:
    whole = world.plan()
    for row, block in enumerate(one_by_one(world.block)):
        alone = push.plan(block, world.chooser(), policy=POLICY, bar=BAR)
        assert (alone.verdict[0], alone.chosen[0]) == (whole.verdict[row], whole.chosen[row])
        assert alone.score[0].tobytes() == whole.score[row].tobytes()
        assert alone.parts[0].tobytes() == whole.parts[row].tobytes()


@settings(max_examples=20)
@given(worlds)
def test_a_chooser_that_must_forget_gives_the_same(world: World) -> None:
    whole, chooser = world.plan(), world.chooser(budget=1)
    for _ in range(2):
        again = push.plan(world.block, chooser, policy=POLICY, bar=BAR)
        assert np.array_equal(again.verdict, whole.verdict)
        assert again.parts.tobytes() == whole.parts.tobytes()


def rules_say(world: World, row: int, total: np.ndarray) -> Verdict:
    """One reader's verdict, one rule after the other."""
    block, candidates, reader = world.block, world.pool.candidates, world.people[row]
    at_us, mine = int(block.send_at_us[row]), block.told.row == row
    apart = np.abs(block.told.at_us[mine] - at_us)
    quiet = time.fromisoformat(reader.quiet_from), time.fromisoformat(reader.quiet_until)
    if not reader.push:
        return Verdict.OPTED_OUT
    if not block.has_device[row]:
        return Verdict.NO_DEVICE
    if push.is_holdout([reader.key], POLICY.holdout_share)[0]:
        return Verdict.HOLDOUT
    if is_quiet(instant(at_us), reader.zone, *quiet):
        return Verdict.QUIET_HOURS
    if (volume := volume_says(world, row, apart)) != Verdict.SEND:
        return volume
    allowed, unread, new = left_for(world, row)
    for found, reason in ((allowed, Verdict.NOTHING_NEW), (unread, Verdict.ALREADY_READ), (new, Verdict.ALREADY_TOLD)):
        if not found:
            return reason
    assert np.array_equal(np.flatnonzero(np.isfinite(total)), new)
    return Verdict.BELOW_BAR if candidates and total.max() < BAR else Verdict.SEND


def volume_says(world: World, row: int, apart: np.ndarray) -> Verdict:
    """What the alerts around a reader's instant allow; `apart` is how far each of them is, in microseconds."""
    block, at_us = world.block, int(world.block.send_at_us[row])
    tally, own = block.tally, block.told.group[block.told.row == row] == POLICY.group
    assert tally is not None
    if tally.unopened[row] >= POLICY.stop_after and at_us - tally.newest_us[row] < POLICY.stop_days * 24 * HOUR_US:
        return Verdict.STOP_LOSS
    day = apart < 24 * HOUR_US
    if day.sum() >= min(world.people[row].daily_cap, POLICY.daily_cap) or (day & own).sum() >= POLICY.group_cap:
        return Verdict.DAILY_CAP
    if (apart < POLICY.min_gap_s * 1_000_000).any() or (apart < HOUR_US).sum() >= POLICY.hourly_cap:
        return Verdict.TOO_SOON
    days_left = 7 - instant(at_us).astimezone(zone(world.people[row].zone)).weekday()
    left = max(POLICY.weekly_budget - int(tally.other_days[row]), 0)
    return Verdict.WEEKLY_BUDGET if tally.today[row] >= math.ceil(left / days_left) else Verdict.SEND


def left_for(world: World, row: int) -> tuple[list[int], list[int], list[int]]:
    """(allowed, of these not read, of these not told)."""
    block, candidates, reader, index = world.block, world.pool.candidates, world.people[row], world.snapshot.index
    at_us, history = int(block.send_at_us[row]), block.histories.of(row)
    kinds = np.array([EVENT_KINDS[kind] in push.READ_KINDS for kind in history.kind], bool)
    rows = index.rows_of(history.article_id)
    story = [int(index.columns.story_id[one]) or -int(index.columns.id[one]) for one in rows[kinds & (rows >= 0)]]
    spoken = Counter(index.languages.name(int(index.columns.language[one])) for one in rows[kinds & (rows >= 0)])
    speaks = {name for name, many in spoken.items() if many >= 2} | {reader.language[:2]}
    muted = {topic.strip().lower() for topic in reader.muted_topics}
    allowed = [
        j
        for j in range(len(candidates))
        if at_us - candidates.window_us < candidates.published_at_us[j] <= at_us
        and index.languages.name(int(candidates.language[j])) in speaks
        and candidates.source_key[j] not in reader.muted_sources
        and not candidates.topics[j] & muted
        and str(candidates.story_id[j]) not in reader.muted_stories
    ]
    unread = [j for j in allowed if candidates.story_id[j] not in story]
    mine = block.told.row == row
    mine &= np.abs(block.told.at_us - at_us) < POLICY.told_window_h * HOUR_US
    known = list(zip(block.told.story_id[mine].tolist(), block.told.update_no[mine].tolist(), strict=True))
    return (
        allowed,
        unread,
        [j for j in unread if not any(s == candidates.story_id[j] and u >= candidates.update_no[j] for s, u in known)],
    )


@settings(max_examples=25)
@given(worlds)
def test_every_reader_ends_as_the_rules_say_one_by_one(world: World) -> None:
    found, (_, total) = world.plan(), world.expected()
    for row, verdict in enumerate(found.verdict.tolist()):
        if abs(total[row].max(initial=-np.inf) - BAR) > 2e-6:
            assert Verdict(verdict) == rules_say(world, row, total[row])


def test_the_worlds_above_hold_every_verdict() -> None:
    seen = np.concatenate([World(seed, articles=150, readers=30).plan().verdict for seed in range(4)])
    few = np.concatenate([World(seed, articles=7, readers=30).plan().verdict for seed in range(40)])
    assert {*seen.tolist(), *few.tolist()} == set(Verdict)


def one_reader(snapshot: Snapshot, **fields: object) -> tuple[Pool, Block]:
    """The candidates of now, and one reader who did nothing."""
    pool = push_pool.pool(
        snapshot, at_us=NOW_US, from_us=NOW_US - 24 * HOUR_US, window_us=24 * HOUR_US, policy=POLICY, update_nos={7: 1}
    )
    none = np.zeros(0, np.int64)
    reader = ReaderRow(id=1, key="anna", zone="UTC", **fields)  # type: ignore[arg-type]
    nothing = Histories(
        np.ones(1, np.int64), np.zeros(2, np.int64), none, none, none.astype(np.int8), none.astype(np.float32)
    )
    return pool, Block(
        readers=ReaderColumns.of([reader]),
        send_at_us=np.array([NOW_US]),
        has_device=np.array([True]),
        histories=nothing,
        told=Told(none, none, none, none),
    )


def same_articles(make_text: Callable[..., ArticleText], *stories: int) -> Snapshot:
    """Articles that differ in their story alone."""
    at = NOW_US - HOUR_US
    texts = [make_text(n, "Same words", story_id=story, published_at_us=at) for n, story in enumerate(stories, 1)]
    return Snapshot(ArticleIndex.build(texts))


def end_of(pool: Pool, block: Block, snapshot: Snapshot, policy: Policy | None = None) -> tuple[Verdict, int]:
    """The one reader's verdict and chosen candidate."""
    chooser = Chooser(IndexArchive(snapshot.index), pool, snapshot.weights_of("push"), NOW_US)
    found = push.plan(block, chooser, policy=policy or Policy(holdout_share=0), bar=0.0)
    return Verdict(int(found.verdict[0])), int(found.chosen[0])


@pytest.mark.parametrize(
    ("update_no", "hours", "verdict"),
    [(0, 25, Verdict.SEND), (1, 25, Verdict.ALREADY_TOLD), (1, 47, Verdict.ALREADY_TOLD), (1, 48, Verdict.SEND)],
)
def test_a_story_is_told_again_after_a_material_update_or_two_days(
    make_text: Callable[..., ArticleText], update_no: int, hours: int, verdict: Verdict
) -> None:
    snapshot = same_articles(make_text, 7)
    pool, block = one_reader(snapshot)
    day_ago = Told(np.array([0]), np.array([NOW_US - hours * HOUR_US]), np.array([7]), np.array([update_no]))
    assert end_of(pool, replace(block, told=day_ago), snapshot)[0] == verdict


def test_equal_scores_go_to_the_first_candidate(make_text: Callable[..., ArticleText]) -> None:
    snapshot = same_articles(make_text, 7, 8, 9)
    assert end_of(*one_reader(snapshot), snapshot) == (Verdict.SEND, 0)


def test_a_buried_candidate_loses_to_another(make_text: Callable[..., ArticleText]) -> None:
    snapshot = same_articles(make_text, 7, 8)
    pool, block = one_reader(snapshot)
    assert end_of(replace(pool, adjust=np.array([-0.5, 0.0], np.float32)), block, snapshot) == (Verdict.SEND, 1)


def test_breaking_news_may_override_quiet_hours_only_by_its_policy(make_text: Callable[..., ArticleText]) -> None:
    snapshot = same_articles(make_text, 7)
    wall = instant(NOW_US)
    pool, block = one_reader(snapshot, quiet_from=f"{wall:%H}:00", quiet_until=f"{wall:%H}:59")
    assert end_of(pool, block, snapshot)[0] == Verdict.QUIET_HOURS
    assert end_of(pool, block, snapshot, Policy(holdout_share=0, overrides_quiet=True))[0] == Verdict.SEND
