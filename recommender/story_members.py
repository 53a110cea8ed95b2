"""The vectors of articles in open stories, in arrays that grow in place."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recommender.vectors import Vectors, widen

Doubles = npt.NDArray[np.float64]
Slots = npt.NDArray[np.int64]


class Column:
    """A numpy array that is appended to; ``view`` is what is filled, and may be written to."""

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        """An empty column, or an empty matrix of that width."""
        self._cells: npt.NDArray[Any] = np.zeros((16,) if width is None else (16, width), dtype=dtype)
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    @property
    def view(self) -> npt.NDArray[Any]:
        """The filled part, not a copy."""
        return self._cells[: self._filled]

    def extend(self, values: npt.NDArray[Any]) -> None:
        """Append rows; amortised constant time each."""
        end = self._filled + len(values)
        if end > len(self._cells):
            grown = np.zeros((2 * end, *self._cells.shape[1:]), dtype=self._cells.dtype)
            grown[: self._filled] = self.view
            self._cells = grown
        self._cells[self._filled : end] = values
        self._filled = end


class StoryMembers:
    """n articles as one unit vector each, words and latent part side by side by their shares, and their story slots."""

    def __init__(self, words: float, dense: float) -> None:
        """No members; the shares of the two parts in a cosine."""
        self._shares = words, dense
        self._data, self._columns, self._ends = Column(np.float32), Column(np.int32), Column(np.int64)
        self._ends.extend(np.zeros(1, dtype=np.int64))
        self._width = 0
        self._dense: Column | None = None
        self.slots = Column(np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def mean_terms(self) -> float:
        """How many different stems a member has on average."""
        return len(self._columns) / len(self) if len(self) else 0.0

    def extend(self, vectors: Vectors, slots: Slots) -> None:
        """Add articles with the slot of the story each is in."""
        words, dense = self._unit(vectors)
        self._width = max(self._width, words.shape[1])
        self._data.extend(words.data)
        self._columns.extend(words.indices)
        self._ends.extend(len(self._columns) - int(words.indptr[-1]) + words.indptr[1:].astype(np.int64))
        if dense is not None:
            if self._dense is None:
                self._dense = Column(np.float32, dense.shape[1])
                self._dense.extend(np.zeros((len(self), dense.shape[1]), dtype=np.float32))
            self._dense.extend(dense)
        self.slots.extend(slots)

    def cosines(self, vector: Vectors) -> Doubles:
        """Cosine of one text with every member: (n,) float64. Cost: one pass over the members."""
        words, dense = self._unit(vector)
        rows = widen(self._words(), words.shape[1])
        spread = np.zeros(rows.shape[1], dtype=np.float32)
        spread[words.indices] = words.data
        found = (rows @ spread).astype(np.float64)
        if dense is not None and self._dense is not None:
            # einsum and not @: waking BLAS threads for each article costs more than the product itself.
            found += np.einsum("ij,j->i", self._dense.view, dense[0])
        return np.asarray(found, dtype=np.float64)

    def sums(self, slots: int) -> Vectors:
        """The sum of the members of every slot below ``slots``; words (slots, terms), dense (slots, r), no pieces."""
        places = (np.ones(len(self), dtype=np.float32), (self.slots.view, np.arange(len(self))))
        gather = sparse.csr_matrix(places, shape=(slots, len(self)))
        dense = None if self._dense is None else np.asarray(gather @ self._dense.view, dtype=np.float32)
        return Vectors((gather @ self._words()).tocsr(), sparse.csr_matrix((slots, 0), dtype=np.float32), dense)

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Forget the other members; slots stay as they are."""
        words, slots = self._words()[kept], self.slots.view[kept].copy()
        dense = None if self._dense is None else self._dense.view[kept].copy()
        self._data, self._columns, self._ends = Column(np.float32), Column(np.int32), Column(np.int64)
        self._data.extend(words.data)
        self._columns.extend(words.indices)
        self._ends.extend(words.indptr.astype(np.int64))
        self.slots = Column(np.int64)
        self.slots.extend(slots)
        if dense is not None:
            self._dense = Column(np.float32, dense.shape[1])
            self._dense.extend(dense)

    def _words(self) -> sparse.csr_matrix:
        arrays = (self._data.view, self._columns.view, self._ends.view)
        return sparse.csr_matrix(arrays, shape=(len(self), self._width))

    def _unit(self, vectors: Vectors) -> tuple[sparse.csr_matrix, npt.NDArray[np.float32] | None]:
        """Both parts scaled so that together a row has length 1; a text without content stays zero."""
        worded = np.diff(vectors.words.indptr) > 0
        square = self._shares[0] * worded
        dense = vectors.dense
        if dense is not None:
            square = square + self._shares[1] * dense.any(axis=1)
        scale = 1 / np.sqrt(np.where(square > 0, square, 1))
        words = sparse.csr_matrix(vectors.words, copy=True)
        words.data *= np.repeat(np.sqrt(self._shares[0]) * scale, np.diff(words.indptr)).astype(np.float32)
        if dense is None:
            return words, None
        return words, (dense * (np.sqrt(self._shares[1]) * scale)[:, None]).astype(np.float32)
