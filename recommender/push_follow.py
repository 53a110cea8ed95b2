"""News for followers: of the candidates about what a reader follows, the one worth most to everybody."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import IntArray
from recommender.columns import base
from recommender.push import IS_AWAY, IS_READ, Block, Candidates, Mask, Verdict, Verdicts
from recommender.push_choice import Items
from recommender.push_pool import Pool
from recommender.push_reads import Archive
from recommender.signals import SIGNALS

FOREVER_US = 2**62
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]  # of readers, as rows, and candidates


class FollowerChoice:
    """Whoever follows a story knows it already: only what was read after the candidate came out, or after the story's
    last material update, counts as read. Equal worths go to the newer article. Cost grows with what is followed.
    """

    def __init__(self, archive: Archive, pool: Pool, weights: Mapping[str, float]) -> None:
        self.archive, self.pool = archive, pool
        self.weights = {name: np.float32(weights.get(name, 0.0)) for name in SIGNALS}
        self.worth = np.zeros(len(pool), np.float32) + pool.adjust
        for name, values in pool.shared.items():
            self.worth = self.worth + self.weights[name] * values
        self.items = Items(pool.candidates, np.arange(len(pool)))

    def choose(self, block: Block, verdict: NDArray[np.int8]) -> Verdicts:
        """How the readers end whose `verdict` is SEND so far; the others keep theirs."""
        left = _Left(verdict.copy(), self._pairs(self.items.followed(block.readers)))
        left.keep(self._is_news(block, left), Verdict.NOTHING_NEW)
        left.keep(~self._read(block, left), Verdict.ALREADY_READ)
        left.keep(~_told(block, self.pool.candidates, left), Verdict.ALREADY_TOLD)
        return self._best(block, left)

    def _pairs(self, listed: tuple[IntArray, NDArray[np.int32]]) -> Pairs:
        """(reader, candidate) of what readers follow, or mute, each once and in order."""
        starts, items = listed
        first, positions = self.items.table
        many = np.diff(first)[items]
        row = np.repeat(np.repeat(np.arange(len(starts) - 1), np.diff(starts)), many)
        at = np.arange(int(many.sum())) + np.repeat(first[:-1][items] - (np.cumsum(many) - many), many)
        pairs = np.unique(row * max(len(self.pool), 1) + positions[at])
        return pairs // max(len(self.pool), 1), pairs % max(len(self.pool), 1)

    def _is_news(self, block: Block, left: "_Left") -> Mask:
        """Published and still news at the reader's instant, in their language, not muted (pairs,)."""
        candidates, readers, width = self.pool.candidates, block.readers, len(self.pool)
        at_us, published = block.send_at_us[left.row], candidates.published_at_us[left.candidate]
        number = {name: place for place, name in enumerate(self.pool.languages)}
        own = np.array([*(number.get(base(name), -1) for name in readers.languages), -1])[readers.language]
        row, candidate = self._pairs(self.items.muted(readers))
        is_muted = np.isin(left.row * width + left.candidate, row * width + candidate)
        is_new = (published <= at_us) & (published > at_us - candidates.window_us)
        return np.asarray(is_new & (candidates.language[left.candidate] == own[left.row]) & ~is_muted)

    def _read(self, block: Block, left: "_Left") -> Mask:
        """The story was read since it was news last (pairs,)."""
        histories, candidates = block.histories, self.pool.candidates
        row = np.repeat(np.arange(len(block)), np.diff(histories.indptr))
        mine = np.isin(row, left.row) & IS_READ[histories.kind]
        at_us = np.where(IS_AWAY[histories.kind], FOREVER_US, histories.at_us)  # what was sent away stays away
        story = self._story_of(histories.article_id[mine])
        renewed_us = np.array([self.pool.renewed.get(int(one), 0) for one in candidates.story_id], np.int64)
        since_us = np.maximum(candidates.published_at_us, renewed_us)
        latest = _latest(left, candidates, row[mine], story, at_us[mine])
        return np.asarray(latest >= since_us[left.candidate])

    def _story_of(self, article_ids: IntArray) -> IntArray:
        rows = self.archive.rows_of(article_ids)
        known = rows >= 0
        story = -article_ids.copy()
        story[known] = self.archive.facts(rows[known]).story_id
        return story

    def _best(self, block: Block, left: "_Left") -> Verdicts:
        made = Verdicts(
            left.verdict,
            np.full(len(block), -1, np.intp),
            np.zeros(len(block), np.float32),
            np.zeros((len(block), len(SIGNALS)), np.float32),
        )
        order = np.lexsort((left.candidate, -self.worth[left.candidate], left.row))
        rows, first = np.unique(left.row[order], return_index=True)
        chosen = left.candidate[order][first]
        made.chosen[rows], made.score[rows] = chosen, self.worth[chosen]
        for name, values in self.pool.shared.items():
            made.parts[rows, SIGNALS.index(name)] = self.weights[name] * values[chosen]
        return made


@dataclass
class _Left:
    """Pairs of readers and candidates that passed so far; a reader without any ends with the reason of the check."""

    verdict: NDArray[np.int8]  # (n,)
    pairs: Pairs

    def __post_init__(self) -> None:
        self.row, self.candidate = self.pairs
        self.keep(self.verdict[self.row] == Verdict.SEND, Verdict.NOTHING_NEW)

    def keep(self, passes: Mask, otherwise: Verdict) -> None:
        """Go on with the pairs that pass."""
        self.row, self.candidate = self.row[passes], self.candidate[passes]
        left = np.bincount(self.row, minlength=len(self.verdict)) > 0
        self.verdict[(self.verdict == Verdict.SEND) & ~left] = otherwise


def _latest(left: _Left, candidates: Candidates, row: IntArray, story: IntArray, at_us: IntArray) -> IntArray:
    """When each pair's reader last did it with the pair's story (pairs,); -1: never."""
    stories = np.unique(candidates.story_id)
    place = np.searchsorted(stories, story)
    known = np.append(stories, 0)[place] == story
    key, wanted = row[known] * (len(stories) + 1) + place[known], left.row * (len(stories) + 1)
    wanted = wanted + np.searchsorted(stories, candidates.story_id[left.candidate])
    order = np.lexsort((at_us[known], key))
    last = np.flatnonzero(np.diff(key[order], append=-1))
    found = np.searchsorted(key[order][last], wanted)
    keys, times = np.append(key[order][last], -1), np.append(at_us[known][order][last], -1)
    return np.where(keys[found] == wanted, times[found], -1)


def _told(block: Block, candidates: Candidates, left: _Left) -> Mask:
    """The pair's story was told in its present state (pairs,)."""
    newest = _latest(left, candidates, block.told.row, block.told.story_id, block.told.update_no)
    return np.asarray(newest >= candidates.update_no[left.candidate])
