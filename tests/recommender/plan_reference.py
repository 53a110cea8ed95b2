"""A plan written with whole matrices (readers x candidates), as a reference for the compiled one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.alerts import Tally, Told
from data.clock import instant, zone
from data.values import FloatArray, Histories, IntArray, ReaderColumns, ReaderRow
from data.wire import EVENT_KINDS
from recommender.columns import base
from recommender.index import Rows
from recommender.profile import Profiles
from recommender.push import READ_KINDS, Candidates, Mask, Policy, Verdict, Verdicts, is_holdout
from recommender.push_pool import Pool, stories_of
from recommender.push_time import quiet_now
from recommender.ranking import SCORE_STEP
from recommender.rules import Choices
from recommender.signals import SIGNALS
from recommender.snapshot import Snapshot, reader_signals

DAY_US = 86_400_000_000
_READ = np.array([EVENT_KINDS.index(kind) for kind in READ_KINDS], np.int8)
READS_OF_A_LANGUAGE = 2


@dataclass(frozen=True, slots=True)
class Block:
    """Some readers, each judged at their own instant."""

    readers: Sequence[ReaderRow]  # n of them
    send_at_us: IntArray  # (n,)
    has_device: Mask  # (n,)
    languages: Mask  # (n x languages) what each reads
    histories: Histories  # n of them, in the readers' order
    history_story: IntArray  # (events,) the story of each history row
    told: Told
    tally: Tally

    def __len__(self) -> int:
        return len(self.readers)


SignalsOf = Callable[[Rows], Mapping[str, FloatArray]]  # rows of the block -> arrays that broadcast to (rows x m)


def plan(
    block: Block,
    candidates: Candidates,
    *,
    policy: Policy,
    bar: float,
    weights: Mapping[str, float],
    signals: SignalsOf,
    adjust: FloatArray | None = None,
) -> Verdicts:
    """Judge every reader of the block; scores are computed only for those whom nothing else keeps from an alert.

    `adjust` (m,) is what boosts and buries add. Deterministic; equal scores go to the earlier candidate.
    """
    made = Verdicts(
        verdict=reader_checks(block, policy),
        chosen=np.full(len(block), -1, np.intp),
        score=np.zeros(len(block), np.float32),
        parts=np.zeros((len(block), len(SIGNALS)), np.float32),
    )
    rows = np.flatnonzero(made.verdict == Verdict.SEND)
    left, made.verdict[rows] = story_checks(block, candidates, rows)
    keep = made.verdict[rows] == Verdict.SEND
    rows, left = rows[keep], left[keep]
    if len(rows):
        _choose(made, rows, left, signals(rows), weights, adjust)
        made.verdict[rows[made.score[rows] < bar]] = Verdict.BELOW_BAR
    return made


def reader_checks(block: Block, policy: Policy) -> NDArray[np.int8]:
    """The checks that need no article (n,): SEND where all passed."""
    verdict = np.full(len(block), Verdict.SEND, np.int8)
    alerts, near = _alerts_around(block, policy)
    cap = np.minimum([reader.daily_cap for reader in block.readers], policy.daily_cap) if len(block) else alerts
    checks = (
        (Verdict.OPTED_OUT, ~np.array([reader.push for reader in block.readers], bool)),
        (Verdict.NO_DEVICE, ~block.has_device),
        (Verdict.HOLDOUT, is_holdout([reader.key for reader in block.readers], policy.holdout_share)),
        (
            Verdict.QUIET_HOURS,
            quiet_now(ReaderColumns.of(block.readers), block.send_at_us) & (not policy.overrides_quiet),
        ),
        (Verdict.STOP_LOSS, _stopped(block, policy)),
        (Verdict.DAILY_CAP, (alerts >= cap) | (_alerts_around(block, policy, own=True)[0] >= policy.group_cap)),
        (Verdict.TOO_SOON, near),
        (Verdict.WEEKLY_BUDGET, _over_budget(block, policy)),
    )
    for reason, fails in checks:
        verdict[(verdict == Verdict.SEND) & fails] = reason
    return verdict


def story_checks(block: Block, candidates: Candidates, rows: Rows) -> tuple[Mask, NDArray[np.int8]]:
    """What is left to say to each of `rows`: (rows x m) candidates, and SEND or why there are none (rows,)."""
    allowed = allowed_mask(block, candidates, rows)
    unread = allowed & ~read_mask(block, candidates, rows)
    left = unread & ~told_mask(block, candidates, rows)
    reasons = [Verdict.NOTHING_NEW, Verdict.ALREADY_READ, Verdict.ALREADY_TOLD]
    fails = [~mask.any(axis=1) for mask in (allowed, unread, left)]
    return left, np.select(fails, [np.int8(one) for one in reasons], np.int8(Verdict.SEND)).astype(np.int8)


def allowed_mask(block: Block, candidates: Candidates, rows: Rows) -> Mask:
    """(rows x m): published and still news at the reader's instant, in a language they read, not muted."""
    at_us = block.send_at_us[rows][:, None]
    published = candidates.published_at_us[None, :]
    allowed = (published <= at_us) & (published > at_us - candidates.window_us)
    allowed &= block.languages[rows][:, candidates.language]
    for place, row in enumerate(rows):
        reader = block.readers[row]
        if reader.muted_topics or reader.muted_sources or reader.muted_stories:
            allowed[place] &= ~_muted(reader, candidates)
    return np.asarray(allowed)


def read_mask(block: Block, candidates: Candidates, rows: Rows) -> Mask:
    """(rows x m): the reader has read this article or another of its story, or sent it away."""
    histories = block.histories
    reader = np.repeat(np.arange(len(block)), np.diff(histories.indptr))
    counts = np.isin(histories.kind, _READ)
    return _marked(block, rows, reader[counts], block.history_story[counts], candidates.story_id)


def told_mask(block: Block, candidates: Candidates, rows: Rows) -> Mask:
    """(rows x m): the reader was told of this story, and no material update came since."""
    told, known = block.told, np.zeros((len(rows), len(candidates)), bool)
    for update_no in np.unique(candidates.update_no):
        counts = (told.story_id != 0) & (told.update_no >= update_no)
        columns = candidates.update_no == update_no
        known[:, columns] = _marked(block, rows, told.row[counts], told.story_id[counts], candidates.story_id[columns])
    return known


def languages_read(readers: Sequence[ReaderRow], histories: Histories, language: NDArray[np.intp], own: Any) -> Mask:
    """(n x languages): the reader's own language, and those they read twice or more.

    `language` (events,) is the number of each history row's language, -1 if unknown; `own(name)` numbers a language.
    """
    reader = np.repeat(np.arange(len(readers)), np.diff(histories.indptr))
    counts = np.isin(histories.kind, _READ) & (language >= 0)
    mine = np.array([own(one.language) for one in readers], np.intp)
    width = int(max(language.max(initial=-1), mine.max(initial=-1))) + 1
    reads = np.zeros((len(readers), width), np.int32)
    np.add.at(reads, (reader[counts], language[counts]), 1)
    known = reads >= READS_OF_A_LANGUAGE
    known[np.flatnonzero(mine >= 0), mine[mine >= 0]] = True
    return known


def _stopped(block: Block, policy: Policy) -> Mask:
    week_us = policy.stop_days * DAY_US
    pairs = zip(block.tally.unopened.tolist(), (block.send_at_us - block.tally.newest_us).tolist(), strict=True)
    return np.array([many >= policy.stop_after and past_us < week_us for many, past_us in pairs], bool)


def _over_budget(block: Block, policy: Policy) -> Mask:
    found = []
    for row, reader in enumerate(block.readers):
        day = instant(int(block.send_at_us[row])).astimezone(zone(reader.zone)).isoweekday()
        left = policy.weekly_budget - int(block.tally.other_days[row])
        found.append(block.tally.today[row] * (8 - day) >= left or left <= 0)
    return np.array(found, bool)


def _alerts_around(block: Block, policy: Policy, *, own: bool = False) -> tuple[IntArray, Mask]:
    """(n,) alerts less than 24 hours from the reader's instant, and whether one is nearer than the gap.

    Alerts that are planned for later count too: then no 24 hours anywhere hold more than the cap.
    """
    apart_us = np.abs(block.told.at_us - block.send_at_us[block.told.row])
    counts = (block.told.group == policy.group) | (not own)
    alerts = np.bincount(block.told.row[(apart_us < DAY_US) & counts], minlength=len(block))
    near = np.bincount(block.told.row[apart_us < policy.min_gap_s * 1_000_000], minlength=len(block)) > 0
    near |= np.bincount(block.told.row[apart_us < DAY_US // 24], minlength=len(block)) >= policy.hourly_cap
    return alerts, near


def _muted(reader: ReaderRow, candidates: Candidates) -> Mask:
    topics = {topic.strip().casefold() for topic in reader.muted_topics}
    sources, stories = set(reader.muted_sources), set(reader.muted_stories)
    return np.array(
        [
            source in sources or not topics.isdisjoint(mine) or str(story) in stories
            for source, mine, story in zip(
                candidates.source_key, candidates.topics, candidates.story_id.tolist(), strict=True
            )
        ],
        bool,
    )


def _marked(block: Block, rows: Rows, reader: IntArray, story: IntArray, columns: IntArray) -> Mask:
    """(rows x columns): which pairs (reader, story) occur."""
    marked = np.zeros((len(rows), len(columns)), bool)
    if not len(columns):
        return marked
    place_of_row = np.full(len(block), -1, np.intp)
    place_of_row[rows] = np.arange(len(rows))
    stories, column = np.unique(columns, return_inverse=True)
    found = np.minimum(np.searchsorted(stories, story), len(stories) - 1)
    good = (stories[found] == story) & (place_of_row[reader] >= 0)
    by_story = np.zeros((len(rows), len(stories)), bool)
    by_story[place_of_row[reader[good]], found[good]] = True
    return by_story[:, column]


def _choose(
    made: Verdicts,
    rows: Rows,
    left: Mask,
    found: Mapping[str, FloatArray],
    weights: Mapping[str, float],
    adjust: FloatArray | None,
) -> None:
    total = np.zeros(left.shape, np.float32) if adjust is None else np.broadcast_to(adjust, left.shape).copy()
    for name, values in found.items():
        total += np.float32(weights.get(name, 0.0)) * values
    # Sums differ in the last bit with the shape of a block: scores a step apart are equal.
    steps = np.where(left, np.round(total.astype(np.float64) / SCORE_STEP), -np.inf)
    best = np.argmax(steps, axis=1)
    places = np.arange(len(rows))
    made.chosen[rows], made.score[rows] = best, total[places, best]
    for number, name in enumerate(SIGNALS):
        if name in found:
            values = np.broadcast_to(found[name], left.shape)[places, best]
            made.parts[rows, number] = np.float32(weights.get(name, 0.0)) * values


def block(
    snapshot: Snapshot,
    readers: Sequence[ReaderRow],
    *,
    send_at_us: IntArray,
    has_device: Mask,
    histories: Histories,
    told: Told,
    tally: Tally,
) -> Block:
    """The readers as `push.plan` judges them; `histories` in the readers' order."""
    index = snapshot.index
    rows = index.rows_of(histories.article_id)
    language = np.where(rows >= 0, index.columns.language[rows], -1) if len(index.columns) else np.full(len(rows), -1)
    known = languages_read(readers, histories, language, lambda name: index.languages.find(base(name)))
    missing = len(index.languages) - known.shape[1]
    return Block(
        readers=readers,
        send_at_us=send_at_us,
        has_device=has_device,
        languages=np.pad(known, ((0, 0), (0, max(missing, 0)))),
        histories=histories,
        history_story=stories_of(index, histories.article_id),
        told=told,
        tally=tally,
    )


def signals_of(snapshot: Snapshot, found: Pool, readers: Block, at_us: int) -> SignalsOf:
    """The signals of some rows of the block, for `push.plan`: (m,) where readers agree, else (rows x m)."""

    def of(rows: Rows) -> Mapping[str, FloatArray]:
        histories = _taken(readers.histories, rows)
        profiles = Profiles.build(snapshot.index, histories, at_us)
        choices = [_choices(readers.readers[row]) for row in rows]
        return {**found.shared, **reader_signals(snapshot, found.rows, profiles, choices)}

    return of


def _choices(reader: ReaderRow) -> Choices:
    stories = tuple(int(one) for one in reader.followed_stories if one.isdecimal())
    return Choices(followed_topics=reader.followed_topics, followed_stories=stories)


def _taken(histories: Histories, rows: Rows) -> Histories:
    """The histories of some readers alone."""
    lengths = np.diff(histories.indptr)[rows]
    starts = histories.indptr[:-1][rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
    arrays = (histories.article_id, histories.at_us, histories.kind, histories.dwell_s)
    article_id, at_us, kind, dwell_s = (values[places] for values in arrays)
    return Histories(histories.reader_id[rows], indptr, article_id, at_us, kind, dwell_s)
