"""Word vectors of articles read, packed for one purpose: the length of a weighted sum of forty of them.

Terms are numbered by how common they are. Those below COMMON are summed in a few cache lines that are squared and
cleared as a whole; those below NUMBERED fit 16 bits; the rest keep their column. Values below NUMBERED are 16-bit
shares of the article's largest, which moves a length by about a part in a million and a score by a tenth of that.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.postings.intrinsics import prefetch

COMMON = 12_288  # sums of these terms take 48 kB
NUMBERED = 65_536
FULL = np.float32(65_535)
AHEAD, LINE = 2, 32  # articles asked for ahead; 16-bit numbers in a cache line
START, SHORT, SHORT_COMMON, REST, LONG = range(5)  # columns of `at`
PACKED: Any = {"cache": True, "nogil": True, "fastmath": {"contract", "reassoc"}}

_I32, _I64, _F32, _U16 = (
    nb.types.Array(dtype, 1, "C", readonly=True) for dtype in (nb.int32, nb.int64, nb.float32, nb.uint16)
)
_types: Any = nb.types
# by place: where its terms are, its scale; 16-bit terms, then values; other terms and values
WORDS = _types.Tuple(
    [
        nb.types.Array(dtype, ndim, "C")
        for dtype, ndim in ((nb.int64, 2), (nb.float32, 1), (nb.uint16, 1), (nb.int32, 1), (nb.float32, 1))
    ]
)


class PackedWords:
    """Packed word vectors by place, appended in the order of places."""

    def __init__(self, most: int, common: IntArray) -> None:
        self._number = np.full(0, -1, np.int32)
        self._common = common
        self.at, self._scale = np.zeros((most, 5), np.int64), np.zeros(most, np.float32)
        self._clear()

    def _clear(self) -> None:
        self._short, self._terms, self._values = np.zeros(0, np.uint16), np.zeros(0, np.int32), np.zeros(0, np.float32)
        self._shorts = self._longs = 0

    clear = _clear

    @property
    def table(self) -> tuple[NDArray[Any], ...]:
        """As `word_length` takes it."""
        return self.at, self._scale, self._short, self._terms, self._values

    @property
    def sums(self) -> int:
        """How many sums a reader needs: a zero float32 each."""
        return NUMBERED + len(self._number)

    @property
    def nbytes(self) -> int:
        """Bytes of the terms and values."""
        return sum(one.nbytes for one in (self._short, self._terms, self._values))

    def append(self, place: int, starts: IntArray, terms: NDArray[np.int32], values: FloatArray, width: int) -> None:
        """The articles from `place` on, as CSR rows of `width` columns."""
        if width > len(self._number):
            self._number = np.full(width, -1, np.int32)
            known = self._common[self._common < width]
            self._number[known] = np.flatnonzero(self._common < width)
        self._short = _longer(self._short, self._shorts + 2 * len(terms))
        self._terms, self._values = (_longer(one, self._longs + len(terms)) for one in (self._terms, self._values))
        ends = _pack(starts, terms, values, self._number, self._shorts, self._longs, place, self.table)
        self._shorts, self._longs = ends


def _longer(values: NDArray[Any], wanted: int) -> NDArray[Any]:
    if wanted <= len(values):
        return values
    made = np.zeros(max(wanted, 2 * len(values)), values.dtype)
    made[: len(values)] = values
    return made


@nb.njit(_types.UniTuple(nb.int64, 2)(_I64, _I32, _F32, _I32, nb.int64, nb.int64, nb.int64, WORDS), **PACKED)
def _pack(starts, terms, values, number, shorts, longs, place, table):  # type: ignore[no-untyped-def]
    at, scale, short, rest, weights = table
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        most, count = np.float32(0), 0
        for one in range(first, last):
            most = max(most, values[one])
            count += number[terms[one]] >= 0
        mine = at[place + row]
        mine[0], mine[1], mine[2], mine[3] = shorts, count, 0, longs
        scale[place + row] = most / FULL
        filled = 0
        for zone in range(2):
            for one in range(first, last):
                known = number[terms[one]]
                if known >= 0 and (known < COMMON) == (zone == 0):
                    short[shorts + filled] = known
                    short[shorts + count + filled] = np.uint16(np.round(values[one] / most * FULL))
                    filled += 1
            mine[2] = filled if zone == 0 else mine[2]
        shorts += 2 * count
        for one in range(first, last):
            if number[terms[one]] < 0:
                rest[longs], weights[longs] = terms[one] + NUMBERED, values[one]
                longs += 1
        mine[4] = longs - mine[3]
    return shorts, longs


@nb.njit(nb.void(nb.int64, nb.float32, WORDS, nb.float32[::1]), **PACKED)
def _add(place, weight, table, sums):  # type: ignore[no-untyped-def]
    at, scale, short, rest, weights = table
    first, count = at[place, 0], at[place, 1]
    terms, values = short[first : first + count], short[first + count : first + 2 * count]
    share = weight * scale[place]
    for one in range(count):
        sums[np.uint32(terms[one])] += share * np.float32(values[one])
    for one in range(at[place, 3], at[place, 3] + at[place, 4]):
        sums[np.uint32(rest[one])] += weight * weights[one]


@nb.njit(nb.float32(nb.int64, WORDS, nb.float32[::1]), **PACKED)
def _take(place, table, sums):  # type: ignore[no-untyped-def]
    """The squares of the sums of the article's uncommon terms, which are zero behind it."""
    at, _, short, rest, _ = table
    first, square = at[place, 0], np.float32(0)
    terms = short[first + at[place, 2] : first + at[place, 1]]
    for one in range(len(terms)):
        total = sums[np.uint32(terms[one])]
        square += total * total
        sums[np.uint32(terms[one])] = 0
    for one in range(at[place, 3], at[place, 3] + at[place, 4]):
        total = sums[np.uint32(rest[one])]
        square += total * total
        sums[np.uint32(rest[one])] = 0
    return square


@nb.njit(nb.void(nb.int64, WORDS), **PACKED)
def _ask(place, table):  # type: ignore[no-untyped-def]
    """Have the article's 16-bit terms and values on their way from memory: half of the adding was waiting for them."""
    at, _, short, _, _ = table
    for line in range(at[place, 0], at[place, 0] + 2 * at[place, 1], LINE):
        prefetch(short, line)


@nb.njit(nb.float32(nb.int64, _I32, _F32, WORDS, nb.float32[::1]), **PACKED)
def word_length(count, reads, h, table, sums):  # type: ignore[no-untyped-def]
    """Length of the sum of `count` articles at the places `reads`, weighted by `h`; `sums` is zero before and after."""
    for k in range(min(count, AHEAD)):
        _ask(reads[k], table)
    for k in range(count):
        if k + AHEAD < count:
            _ask(reads[k + AHEAD], table)
        _add(reads[k], h[k], table, sums)
    square = np.float32(0)
    common = sums[:COMMON]
    for term in range(len(common)):
        square += common[term] * common[term]
        common[term] = 0
    for k in range(count):
        square += _take(reads[k], table, sums)
    return np.sqrt(square)
