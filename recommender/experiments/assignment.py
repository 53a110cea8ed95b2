"""Who gets which version: a salted hash of the reader, stable on every process and machine."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from data.errors import Conflict, InvalidInput

BUCKETS = 1_000  # of a layer: an experiment owns some of them alone
_SCALE = 2.0**64


def point(salt: str, reader: str) -> float:
    """Where a reader falls in [0, 1) under a salt: even over readers, independent between salts."""
    return int.from_bytes(blake2b(reader.encode(), digest_size=8, key=_key(salt)).digest(), "big") / _SCALE


@lru_cache(maxsize=256)
def _key(salt: str) -> bytes:
    return blake2b(salt.encode(), digest_size=32).digest()


def bucket(layer: str, reader: str) -> int:
    """The reader's bucket, 0 to BUCKETS - 1, of a layer."""
    return int(point(f"layer {layer}", reader) * BUCKETS)


def arm(salt: str, reader: str, shares: Sequence[float]) -> int:
    """The number of the arm of a reader who is in an experiment; shares sum to 1.

    The salt is the experiment's own, so that who was together in one experiment is not in the next.
    """
    return min(bisect_right(list(accumulate(shares)), point(salt, reader)), len(shares) - 1)


def free_buckets(taken: Iterable[tuple[int, int]], wanted: int) -> int:
    """The first bucket of the first free run of `wanted`, beside the (first, count) that others own.

    Conflict if there is no such run, InvalidInput for less than one bucket or more than there are.
    """
    if not 1 <= wanted <= BUCKETS:
        raise InvalidInput(
            f"a share from {1 / BUCKETS:.1%} to 100 % of the readers can take part, not {wanted / BUCKETS:.1%}"
        )
    is_free = np.ones(BUCKETS, bool)
    for first, count in taken:
        is_free[first : first + count] = False
    runs = np.convolve(is_free, np.ones(wanted, int), "valid")
    found = np.flatnonzero(runs == wanted)
    if not len(found):
        raise Conflict(
            f"{is_free.mean():.0%} of the readers are in no experiment, and not in one piece of {wanted / BUCKETS:.0%};"
            " stop one that runs, or take a smaller share"
        )
    return int(found[0])


def check_shares(shares: npt.ArrayLike) -> None:
    """InvalidInput unless there are two shares or more, each above 0, and they sum to 1."""
    values = np.asarray(shares, np.float64)
    if len(values) < 2 or (values <= 0).any() or not np.isclose(values.sum(), 1.0):
        raise InvalidInput("give two arms or more with shares above 0 that sum to 1, like 0.5 and 0.5")
