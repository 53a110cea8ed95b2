"""How near the k-th nearest row will be about: read from a sample, so that a search leaves out much from its start."""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from data.values import IntArray
from recommender.postings import Found, Postings, Segment

EVERY = 64  # rows stand for one of a sample
LEAST = 4_000_000  # postings of a segment worth a sample, some 25,000 whole articles: others are searched as quickly
SURE = 2.0  # standard deviations of the rank: less than one of a hundred soundings is too high


@dataclass(frozen=True)
class Sample:
    """Every EVERY-th row of the large segments of a snapshot."""

    segments: tuple[Segment, ...] = ()  # that were sampled
    rows: Postings = field(default_factory=Postings)  # a segment of each

    @property
    def of(self) -> int:
        """How many rows it stands for."""
        return sum(len(one) for one in self.segments)


class Soundings:
    """The sample of an index, handed on from snapshot to snapshot; safe in any thread.

    It only says where to begin: what is nearest is searched for from two steps below there, and once more from the
    bottom where fewer are found than asked for, or some so near the beginning that what lies below may count as equal
    and come first. So what is found is the same.
    """

    def __init__(self) -> None:
        self._sample = Sample()
        self._lock = Lock()

    def prepare(self, segments: tuple[Segment, ...]) -> None:
        """Take samples of the large segments that have none. Cost: 0.2 microseconds a row of a new one; a 64th of its
        memory."""
        large = tuple(one for one in segments if one.postings >= LEAST)
        with self._lock:
            held = dict(zip(map(id, self._sample.segments), self._sample.rows.segments, strict=True))
            if len(held) != len(large) or any(id(one) not in held for one in large):
                self._sample = Sample(large, Postings(tuple(held.get(id(one)) or _sampled(one) for one in large)))

    def nearest(
        self, postings: Postings, row: int, k: int, *, minimum: float, step: float, ties: IntArray, numbers: IntArray
    ) -> Found:
        """As `Postings.nearest`."""
        likely = self.depth(postings, row, k, minimum)
        begin = max(likely - 2 * step, minimum)
        found = postings.nearest(row, k, minimum=begin, step=step, ties=ties, numbers=numbers)
        if begin > minimum and (len(found.rows) < k or found.scores[-1] < likely):
            return postings.nearest(row, k, minimum=minimum, step=step, ties=ties, numbers=numbers)
        return found

    def depth(self, postings: Postings, row: int, k: int, minimum: float) -> float:
        """A score that about k others are likely to reach, at least `minimum`: that where nothing is known.

        k rows of an archive are k / EVERY rows of the sample, give or take the root of that.
        """
        sample = self._sample
        expected = k * len(sample.rows) / max(len(postings), 1)
        if expected < 1 or sample.of < len(postings) // 2 or not set(sample.segments) <= set(postings.segments):
            return minimum
        rank = int(expected + SURE * np.sqrt(expected)) + 1
        columns, weights = postings.row(row)
        own = self._place(sample, postings, row)
        scores = sample.rows.search(columns, weights, rank, excluded=own, minimum=minimum).scores
        return float(scores[rank - 1]) if len(scores) >= rank else minimum

    @staticmethod
    def _place(sample: Sample, postings: Postings, row: int) -> tuple[int, ...]:
        """The place of a row in the sample, if it is part of it."""
        for first, segment in zip(postings.starts.tolist(), postings.segments, strict=False):
            if first <= row < first + len(segment) and segment in sample.segments and (row - first) % EVERY == 0:
                place = sample.segments.index(segment)
                return (int(sample.rows.starts[place]) + (row - first) // EVERY,)
        return ()


def _sampled(segment: Segment) -> Segment:
    keep = np.zeros(len(segment), np.bool_)
    keep[::EVERY] = True
    return Segment.build(segment.matrix(keep))
