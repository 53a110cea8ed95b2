"""One article chosen by a person: who of its audience gets it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import Histories, IntArray
from recommender.columns import fold_name
from recommender.push import IS_AWAY, IS_READ, Block, Candidates, Mask, Verdict, Verdicts
from recommender.signals import SIGNALS


@dataclass(frozen=True)
class DeskChoice:
    """Judges one candidate, whatever its score and language: muted, read and told are all that keeps it from a reader.

    `members` are the numbers of the story's articles; what was read of them before `renewed_us` counts no more.
    """

    candidates: Candidates  # one
    members: IntArray
    renewed_us: int = 0

    def choose(self, block: Block, verdict: NDArray[np.int8]) -> Verdicts:
        """How the readers end whose `verdict` is SEND so far; the others keep theirs."""
        verdict = verdict.copy()
        checks = (
            (Verdict.NOTHING_NEW, self._muted(block)),
            (Verdict.ALREADY_READ, read_since(block.histories, self.members, self.renewed_us)),
            (Verdict.ALREADY_TOLD, self._told(block)),
        )
        for reason, fails in checks:
            verdict[(verdict == Verdict.SEND) & fails] = reason
        chosen = np.where(verdict == Verdict.SEND, 0, -1).astype(np.intp)
        none = np.zeros((len(block), len(SIGNALS)), np.float32)
        return Verdicts(verdict, chosen, np.zeros(len(block), np.float32), none)

    def _told(self, block: Block) -> Mask:
        told, candidates = block.told, self.candidates
        same = (told.story_id == candidates.story_id[0]) & (told.update_no >= candidates.update_no[0])
        return np.bincount(told.row[same], minlength=len(block)) > 0

    def _muted(self, block: Block) -> Mask:
        muted, readers = np.zeros(len(block), bool), block.readers
        _mark(muted, readers.muted_topics, lambda one: fold_name(one) in self.candidates.topics[0])
        _mark(muted, readers.muted_sources, lambda one: one == self.candidates.source_key[0])
        _mark(muted, readers.muted_stories, lambda one: one == str(self.candidates.story_id[0]))
        return muted


def read_since(histories: Histories, members: IntArray, since_us: int) -> Mask:
    """Who read one of these articles at `since_us` or later, or ever sent one away (n,)."""
    row = np.repeat(np.arange(len(histories.indptr) - 1), np.diff(histories.indptr))
    kind = histories.kind
    counts = IS_AWAY[kind] | (IS_READ[kind] & (histories.at_us >= since_us))
    counts &= np.isin(histories.article_id, members)
    return np.bincount(row[counts], minlength=len(histories.indptr) - 1) > 0


def _mark(muted: Mask, lists: Mapping[int, tuple[str, ...]], is_ours: Callable[[str], bool]) -> None:
    for row, names in lists.items():
        muted[row] |= any(is_ours(one) for one in names)
