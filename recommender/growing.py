"""Arrays that grow at their end, so that a snapshot and the next one share what they have in common."""

from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Growing:
    """Room behind an array. What a snapshot sees of it never changes: rows are only written behind the last one seen.

    Safe in any thread: of two snapshots that go on from the same one the first grows in place, the other gets a copy.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        """Room that begins as `values`, which must not be written to afterwards; nothing is copied yet."""
        self._cells, self._filled, self._lock = values, len(values), Lock()

    def extended(self, length: int, values: NDArray[Any]) -> tuple[Self, NDArray[Any]]:
        """The first `length` rows and then `values`: the room they are in, and the array. Amortised cost: `values`."""
        with self._lock:
            room = self if length == self._filled else type(self)(self._cells[:length])
            end = length + len(values)
            if end > len(room._cells):
                room._cells = _larger(room._cells, length, end)
            room._cells[length:end] = values
            room._filled = end
            view = room._cells[:end]
        view.flags.writeable = False
        return room, view


def _larger(cells: NDArray[Any], length: int, least: int) -> NDArray[Any]:
    """A copy with room for an eighth more, and for 16 rows at least."""
    made = np.empty((max(least + (least >> 3), 16), *cells.shape[1:]), cells.dtype)
    made[:length] = cells[:length]
    return made
