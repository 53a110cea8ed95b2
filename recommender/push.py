"""What to push to whom, and why not: a verdict for every reader of a block, the first failing check being the reason.

Readers are rows (n), candidate articles are columns (m). Times are microseconds UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data.alerts import Told
from data.errors import InvalidInput
from data.values import FloatArray, Histories, IntArray, ReaderRow
from data.wire import EVENT_KINDS
from recommender.push_time import quiet_now
from recommender.ranking import SCORE_STEP
from recommender.signals import SIGNALS

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
DAY_US = 86_400_000_000
# Whoever did one of these knows the story, or does not want it.
READ_KINDS = ("open", "read", "finish", "share", "save", "push_open", "hide", "less_like_this")
_READ = np.array([EVENT_KINDS.index(kind) for kind in READ_KINDS], np.int8)
READS_OF_A_LANGUAGE = 2  # one may be a slip of the finger


class Verdict(IntEnum):
    """How a reader ends in a plan; the checks run in this order, NOTHING_NEW before ALREADY_READ."""

    SEND = 0
    OPTED_OUT = 1
    NO_DEVICE = 2
    HOLDOUT = 3
    QUIET_HOURS = 4
    DAILY_CAP = 5
    TOO_SOON = 6
    ALREADY_READ = 7  # every candidate's story was read
    ALREADY_TOLD = 8  # every story not read was told before, in its present state
    BELOW_BAR = 9  # the best of what is left is not worth an alert
    NOTHING_NEW = 10  # no candidate in a language the reader reads that is not muted


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is too much; a campaign's `policy` row overrides field by field."""

    daily_cap: int = 10  # alerts in any 24 hours; a reader's own cap counts too, the smaller one holds
    min_gap_s: float = 7_200.0  # between two alerts to one reader
    holdout_share: float = 0.02  # readers who never get alerts, to know what alerts do
    overrides_quiet: bool = False
    min_news_value: int = 2  # what the desk judged lower is no news; not judged passes
    max_candidates: int = 1_000
    priority: str = "normal"  # of the message: high wakes a sleeping phone

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> Self:
        """The defaults with a row's values on top; InvalidInput names a field that is none."""
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(policy) - known):
            raise InvalidInput(f"policy: no field {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return cls(**policy)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Articles that may be pushed, one a story and language, newest first: earlier ones win ties."""

    article_id: IntArray  # (m,)
    story_id: IntArray  # (m,) minus the article's id where it has no story
    update_no: IntArray  # (m,)
    published_at_us: IntArray  # (m,)
    language: NDArray[np.intp]  # (m,) a column of Block.languages
    source_key: tuple[str, ...]
    topics: tuple[frozenset[str], ...]  # folded, the category among them
    window_us: int  # an article older than this at the reader's instant is no news

    def __len__(self) -> int:
        return len(self.article_id)


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

    def __len__(self) -> int:
        return len(self.readers)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How the readers of a block ended; `chosen` is the best candidate where one was judged, else -1."""

    verdict: NDArray[np.int8]  # (n,)
    chosen: Rows  # (n,)
    score: FloatArray  # (n,) of the chosen candidate, else 0
    parts: FloatArray  # (n x 8) signals x weights of the chosen candidate, in the order of SIGNALS


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
        (Verdict.QUIET_HOURS, quiet_now(block.readers, block.send_at_us) & (not policy.overrides_quiet)),
        (Verdict.DAILY_CAP, alerts >= cap),
        (Verdict.TOO_SOON, near),
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


def is_holdout(keys: Sequence[str], share: float) -> Mask:
    """Which readers never get alerts (n,): the same ones for good, by a hash of their key."""
    if share <= 0 or not keys:
        return np.zeros(len(keys), bool)
    points = [int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"holdout").digest()) for key in keys]
    return np.array([point < share * 2**64 for point in points], bool)


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


def _alerts_around(block: Block, policy: Policy) -> tuple[IntArray, Mask]:
    """(n,) alerts less than 24 hours from the reader's instant, and whether one is nearer than the gap.

    Alerts that are planned for later count too: then no 24 hours anywhere hold more than the cap.
    """
    apart_us = np.abs(block.told.at_us - block.send_at_us[block.told.row])
    alerts = np.bincount(block.told.row[apart_us < DAY_US], minlength=len(block))
    near = np.bincount(block.told.row[apart_us < policy.min_gap_s * 1_000_000], minlength=len(block)) > 0
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
