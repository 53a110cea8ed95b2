"""The latent rows of an archive: half precision, in chunks that are mapped from files or grow at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.growing import Growing

CHUNK = 1 << 16  # rows; every chunk but the last is full and never changes

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
        if len(self.chunks) == 1:
            return np.asarray(self.chunks[0][rows], np.float32)
        made = np.empty((len(rows), self.width), np.float32)
        of = rows // CHUNK
        for number in np.unique(of):
            mine = of == number
            made[mine] = self.chunks[number][rows[mine] - number * CHUNK]
        return made

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
