"""The latent rows of an archive: half precision, in chunks that are mapped from files or grow at the end."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, call-arg"

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.compiled import compiled
from recommender.growing import Growing
from recommender.postings.intrinsics import prefetch, widened

CHUNK = 1 << 16  # rows; every chunk but the last is full and never changes
AHEAD = 4  # the row after so many is fetched meanwhile

Chunk = NDArray[np.float16]


@dataclass(frozen=True)
class Latent:
    """n rows of `width` directions, each of length 1 or zero; `Epoch.encode` gives values that half precision holds.

    Cost: 2 bytes a direction, 800 bytes a row at the usual 400.
    """

    width: int
    chunks: tuple[Chunk, ...] = ()
    room: Growing | None = None  # of the last chunk

    def __len__(self) -> int:
        return (len(self.chunks) - 1) * CHUNK + len(self.chunks[-1]) if self.chunks else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return sum(chunk.nbytes for chunk in self.chunks)

    def joined(self, rows: FloatArray) -> Self:
        """These rows, then the others (n x width). Nothing that is held is copied, the last chunk now and then."""
        made, rest = self, np.asarray(rows, np.float16)
        while len(rest):
            made, rest = made._filled_up(rest)
        return made

    def take(self, rows: NDArray[np.intp]) -> FloatArray:
        """These rows, in this order (rows x width). Cost: about 0.4 microseconds a row."""
        return np.asarray(self.halves(rows), np.float32)

    def row(self, row: int) -> FloatArray:
        """One row (width,)."""
        return np.asarray(self.chunks[row // CHUNK][row % CHUNK], np.float32)

    def halves(self, rows: NDArray[np.intp]) -> Chunk:
        """These rows as they are held."""
        made = np.empty((len(rows), self.width), np.uint16)
        for bits, first in self.parts():
            _taken(bits, np.asarray(rows, np.int64), first, made)
        return made.view(np.float16)

    def dots(self, rows: NDArray[np.int64], direction: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Inner product of each of these rows with a direction (rows,), and which rows point anywhere (rows,).

        Cost: 0.1 microseconds a row.
        """
        found, directed = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.bool_)
        for bits, first in self.parts():
            _dots(bits, rows, first, direction, found, directed)
        return found, directed

    def parts(self) -> "tuple[tuple[NDArray[np.uint16], int], ...]":
        """The bits of every chunk, for compiled passes, and its first row."""
        # As plain arrays: what is mapped from a file has a type of its own.
        return tuple((np.asarray(one).view(np.uint16), number * CHUNK) for number, one in enumerate(self.chunks))

    @classmethod
    def of(cls, width: int, chunks: Sequence[Any]) -> Self:
        """Chunks as they were saved; all but the last are full."""
        return cls(width, tuple(chunks))

    def _filled_up(self, rows: Chunk) -> tuple[Self, Chunk]:
        """Fill the last chunk, or open one; and what is left."""
        full = not self.chunks or len(self.chunks[-1]) == CHUNK
        last = np.empty((0, self.width), np.float16) if full else self.chunks[-1]
        room = Growing(last) if full or self.room is None else self.room
        part, rest = rows[: CHUNK - len(last)], rows[CHUNK - len(last) :]
        room, view = room.extended(len(last), part)
        before = self.chunks if full else self.chunks[:-1]
        return replace(self, chunks=(*before, view), room=room), rest


_BITS = nb.types.Array(nb.uint16, 2, "C", readonly=True)
_ROWS, _DIRECTION = (nb.types.Array(kind, 1, "C", readonly=True) for kind in (nb.int64, nb.float32))


@compiled(nb.void(_BITS, _ROWS, nb.int64, nb.uint16[:, ::1]))
def _taken(bits, rows, first, made):
    """Copy those of the rows that are in this chunk."""
    for at in range(len(rows)):
        coming = rows[min(at + AHEAD, len(rows) - 1)] - first
        if 0 <= coming < len(bits):
            for place in range(0, made.shape[1], 32):
                prefetch(bits, coming * made.shape[1] + place)
        if first <= rows[at] < first + len(bits):
            made[at] = bits[rows[at] - first]


@compiled(
    nb.void(_BITS, _ROWS, nb.int64, _DIRECTION, nb.float32[::1], nb.boolean[::1]), fastmath={"reassoc", "contract"}
)
def _dots(bits, rows, first, direction, found, directed):
    for at in range(len(rows)):
        coming = rows[min(at + AHEAD, len(rows) - 1)] - first
        if 0 <= coming < len(bits):
            for place in range(0, len(direction), 32):
                prefetch(bits, coming * len(direction) + place)
        if rows[at] < first or rows[at] >= first + len(bits):
            continue
        row, total, any_bits = np.uint64(rows[at] - first), np.float32(0), np.uint16(0)
        for place in range(len(direction)):
            any_bits |= bits[row, place]
            total += widened(bits[row, place]) * direction[place]
        found[at], directed[at] = total, (any_bits & np.uint16(0x7FFF)) != 0
