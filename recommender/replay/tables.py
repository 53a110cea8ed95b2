"""Hash tables of two small numbers, open addressing, for event loops: (reader, article) and (article, article)."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

EMPTY = -1


def size_for(count: int) -> int:
    """A power of two that `count` keys fill by half at most."""
    return 1 << max(4, int(2 * max(count, 1) - 1).bit_length())


@nb.njit(nogil=True)
def slot_of(keys, first, second, add):
    """The slot of a pair of numbers below 2**31; -1 if it is not there and not to be added."""
    key = (np.int64(first) << 32) | np.int64(second)
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    mask = np.uint64(len(keys) - 1)
    place = (mixed ^ (mixed >> np.uint64(29))) & mask
    while True:
        held = keys[place]
        if held == key:
            return np.int64(place)
        if held == EMPTY:
            if not add:
                return np.int64(-1)
            keys[place] = key
            return np.int64(place)
        place = (place + np.uint64(1)) & mask
