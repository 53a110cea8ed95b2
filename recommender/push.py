"""What to push to whom, and why not: a verdict for every reader of a block, the first failing check being the reason.

Readers are rows (n), candidate articles are columns (m). Times are microseconds UTC.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.alerts import Tally, Told
from data.values import FloatArray, Histories, IntArray, ReaderColumns
from data.wire import EVENT_KINDS
from recommender import push_volume
from recommender.push_policy import Policy
from recommender.push_time import quiet_now

__all__ = ["IS_AWAY", "IS_READ", "READ_KINDS", "Block", "Candidates", "Choice", "Mask", "Policy", "Verdict", "Verdicts"]
__all__ += ["is_held_out", "is_holdout", "plan"]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
DAY_US = 86_400_000_000
_HOLDOUT = blake2b(digest_size=8, person=b"holdout")
# Whoever did one of these knows the story, or does not want it.
READ_KINDS = ("open", "read", "finish", "share", "save", "push_open", "hide", "less_like_this")
IS_READ, IS_AWAY = (np.isin(EVENT_KINDS, one) for one in (READ_KINDS, ("hide", "less_like_this")))  # by kind of event


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
    WEEKLY_BUDGET = 11  # this day's share of the week is used up; checked after TOO_SOON
    STOP_LOSS = 12  # left too many unopened; checked after QUIET_HOURS


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

    readers: ReaderColumns  # n of them
    send_at_us: IntArray  # (n,)
    has_device: Mask  # (n,)
    histories: Histories  # n of them, in the readers' order
    told: Told
    tally: Tally | None = None  # None: nobody was told anything but `told`

    def __len__(self) -> int:
        return len(self.readers)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How the readers of a block ended; `chosen` is the best candidate where one was judged, else -1."""

    verdict: NDArray[np.int8]  # (n,)
    chosen: Rows  # (n,)
    score: FloatArray  # (n,) of the chosen candidate, else 0
    parts: FloatArray  # (n x 8) signals x weights of the chosen candidate, in the order of SIGNALS


class Choice(Protocol):
    """Finds the best candidate left for each reader: `push_choice.Chooser`."""

    def choose(self, block: Block, verdict: NDArray[np.int8]) -> Verdicts:
        """How the readers end whose `verdict` is SEND so far; the others keep theirs."""


def plan(block: Block, choice: Choice, *, policy: Policy, bar: float) -> Verdicts:
    """Judge every reader of the block; scores are computed only for those whom nothing else keeps from an alert.

    Deterministic, and the same for a reader alone and in any block; equal scores go to the earlier candidate.
    """
    verdict = reader_checks(block, policy)
    block = replace(block, told=push_volume.within_window(block.told, block.send_at_us, policy))
    made = choice.choose(block, verdict)
    made.verdict[(made.verdict == Verdict.SEND) & (made.score < bar)] = Verdict.BELOW_BAR
    return made


def reader_checks(block: Block, policy: Policy) -> NDArray[np.int8]:
    """The checks that need no article (n,): SEND where all passed."""
    verdict = np.full(len(block), Verdict.SEND, np.int8)
    readers, at_us, told = block.readers, block.send_at_us, block.told
    tally = block.tally or Tally.empty(len(block))
    checks = (
        (Verdict.OPTED_OUT, ~readers.push),
        (Verdict.NO_DEVICE, ~block.has_device),
        (Verdict.HOLDOUT, is_holdout(readers.key, policy.holdout_share)),
        (Verdict.QUIET_HOURS, quiet_now(readers, at_us) & (not policy.overrides_quiet)),
        (Verdict.STOP_LOSS, push_volume.stopped(at_us, tally, policy)),
        (Verdict.DAILY_CAP, push_volume.over_cap(readers, at_us, told, policy)),
        (Verdict.TOO_SOON, push_volume.too_soon(len(block), at_us, told, policy)),
        (Verdict.WEEKLY_BUDGET, push_volume.over_budget(readers, at_us, tally, policy)),
    )
    for reason, fails in checks:
        verdict[(verdict == Verdict.SEND) & fails] = reason
    return verdict


def is_holdout(keys: Sequence[str], share: float) -> Mask:
    """Which readers never get alerts (n,): the same ones for good, by a hash of their key. About 1 microsecond each."""
    if share <= 0 or not keys:
        return np.zeros(len(keys), bool)
    if share >= 1:
        return np.ones(len(keys), bool)
    limit = _limit(share)
    return np.array([_digest(key) < limit for key in keys], bool)


def is_held_out(key: str, share: float) -> bool:
    """The same of one reader."""
    return share > 0 and (share >= 1 or _digest(key) < _limit(share))


@lru_cache(maxsize=64)
def _limit(share: float) -> bytes:
    return math.ceil(share * 2**64).to_bytes(8)  # bytes compare as the number they write


def _digest(key: str) -> bytes:
    made = _HOLDOUT.copy()
    made.update(key.encode())
    return made.digest()
