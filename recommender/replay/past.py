"""What each reader had read when a slate was shown, as lists."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recommender.compiled import compiled_at_use
from recommender.replay.log import Log


class Past(NamedTuple):
    """Slate s was shown to somebody who had read item[start[s]:start[s + 1]], the latest last."""

    start: NDArray[np.int64]  # (slates + 1,)
    item: NDArray[np.int32]


def past_of(log: Log, most: int = 50) -> Past:
    """The latest `most` reads of the reader before each slate: reads outside, and clicks of earlier slates."""
    return Past(*_past(log.slates, log.reads, len(log.readers), most))


@compiled_at_use()
def _past(slates, reads, readers, most):
    ring, count = np.full((readers, most), -1, np.int32), np.zeros(readers, np.int64)
    start, item = np.zeros(len(slates.at) + 1, np.int64), np.empty(len(slates.at) * most, np.int32)
    read = done = 0
    never = np.int64(2**62)
    for slate in range(len(slates.at)):
        while True:
            at_read = reads.at[read] if read < len(reads.at) else never
            at_slate = slates.at[done] if done < slate else never
            if min(at_read, at_slate) >= slates.at[slate]:
                break
            if at_read <= at_slate:
                reader = reads.reader[read]
                ring[reader, count[reader] % most] = reads.item[read]
                count[reader] += 1
                read += 1
            else:
                reader = slates.reader[done]
                for one in range(slates.start[done], slates.start[done + 1]):
                    if slates.clicked[one]:
                        ring[reader, count[reader] % most] = slates.item[one]
                        count[reader] += 1
                done += 1
        reader = slates.reader[slate]
        some, filled = min(count[reader], most), start[slate]
        for back in range(some):
            item[filled + back] = ring[reader, (count[reader] - some + back) % most]
        start[slate + 1] = filled + some
    return start, item[: start[-1]].copy()
