"""The one causal pass: events in time order, every slate's features written before the slate is known to anybody.

`delay_us` after it happened an event of other readers may be counted; a reader's own past counts at once. Nothing at or
after the time of a slate is ever looked at for it.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from dataclasses import dataclass

import numba as nb
import numpy as np

from data.values import FloatArray
from recommender.compiled import compiled_at_use
from recommender.replay import counters, own
from recommender.replay.columns import (
    CONTEXT,
    candidate_names,
    visiting_now,
    write_context,
    write_coread,
    write_counts,
    write_faces,
    write_facts,
    write_own,
    write_taste,
    write_times,
)
from recommender.replay.counters import tell_read, tell_slate
from recommender.replay.log import HOUR_US, Log
from recommender.replay.own import did_read, was_shown

Clock = tuple[float, float, float]
NEVER_US = 2**60  # a delay that nothing survives: counters off
DELAYS_US = {"0": 0, "5m": HOUR_US // 12, "1h": HOUR_US, "1d": 24 * HOUR_US, "off": NEVER_US}


@dataclass(frozen=True)
class Features:
    """X (items x names): what was known of each candidate when its slate was shown."""

    X: FloatArray
    names: tuple[str, ...]
    candidate: int  # so many of the first columns differ within a slate, the rest is context

    def column(self, name: str) -> FloatArray:
        """One feature of all items."""
        return self.X[:, self.names.index(name)]


def replay(log: Log, delay_us: int, clock: Clock = (0.0, 0.0, 1.0), from_slate: int = 0) -> Features:
    """The features of every candidate from the slate `from_slate` on, in one pass over the log.

    `clock` (serial, microseconds, serials a microsecond) dates articles whose serial number nobody has seen.
    """
    names = (*candidate_names(log), *CONTEXT)
    first = int(log.slates.start[from_slate])
    X = np.zeros((len(log.slates.item) - first, len(names)), np.float32)
    _pass(
        log.slates, log.reads, log.articles, np.array(clock, np.float64), counters.empty(log), own.empty(log),
        delay_us, from_slate, X,
    )  # fmt: skip
    return Features(X, names, len(names) - len(CONTEXT))


@compiled_at_use()
def _pass(slates, reads, articles, clock, everyone, mine, delay_us, from_slate, X):
    base = slates.start[from_slate]
    told_slates = told_reads = done_reads = done_slates = 0
    for slate in range(len(slates.at)):
        at = slates.at[slate]
        limit = at - max(delay_us, 1)
        # of others, in the order of time
        while True:
            next_slate = slates.at[told_slates] if told_slates < slate else columns_never
            next_read = reads.at[told_reads] if told_reads < len(reads.at) else columns_never
            if min(next_slate, next_read) > limit:
                break
            if next_read <= next_slate:
                one = told_reads
                tell_read(everyone, articles, clock, reads.reader[one], reads.item[one], reads.at[one],
                          reads.worth[one], reads.counts[one])  # fmt: skip
                told_reads += 1
            else:
                tell_slate(everyone, articles, clock, slates, told_slates)
                told_slates += 1
        # of each reader alone
        while True:
            next_slate = slates.at[done_slates] if done_slates < slate else columns_never
            next_read = reads.at[done_reads] if done_reads < len(reads.at) else columns_never
            if min(next_slate, next_read) >= at:
                break
            if next_read <= next_slate:
                one = done_reads
                did_read(mine, everyone, articles, clock, reads.reader[one], reads.item[one], reads.at[one],
                         reads.worth[one])  # fmt: skip
                done_reads += 1
            else:
                was_shown(mine, everyone, articles, clock, slates, done_slates)
                done_slates += 1
        if slate >= from_slate:
            _write(slates, articles, clock, everyone, mine, slate, base, X)


columns_never = np.int64(2**62)


@nb.njit(nogil=True)
def _write(slates, articles, clock, everyone, mine, slate, base, X):
    reader, at, beside = slates.reader[slate], slates.at[slate], slates.beside[slate]
    first, end = slates.start[slate], slates.start[slate + 1]
    visiting, k = visiting_now(mine, reader, at), 0
    for one in range(first, end):
        row, item = one - base, slates.item[one]
        k = write_counts(X, row, everyone, item, at)
        k = write_faces(X, row, k, everyone, item, at, beside)
        k = write_times(X, row, k, everyone, articles, clock, item, at)
        k = write_coread(X, row, k, everyone, mine, reader, item, beside)
        k = write_own(X, row, k, mine, reader, item, at, visiting)
        k = write_taste(X, row, k, everyone, articles, clock, mine, reader, item, at)
        k = write_facts(X, row, k, articles, clock, item, beside, at)
    write_context(X, first - base, end - base, k, mine, slates, slate, visiting)
