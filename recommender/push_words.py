"""Word vectors of articles read, packed for one purpose: the length of a weighted sum of forty of them.

Terms are numbered by how common they are. Those below COMMON are summed in a few cache lines that are squared and
cleared as a whole; those below NUMBERED take 16 bits, the rest 32. Values are 16-bit shares of the article's largest,
which moves a length by about a part in a million and a score by a tenth of that. An article lies in one piece, so that
all of it can be asked for before its turn: memory, not arithmetic, is half of what a length costs.
"""
# mypy: disable-error-code="call-arg"

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
FIRST, SHORT, SHORT_COMMON, LONG = range(4)  # columns of `at`
PACKED: Any = {"cache": True, "nogil": True, "fastmath": {"contract", "reassoc"}}

_I32, _I64, _F32, _U16 = (
    nb.types.Array(dtype, 1, "C", readonly=True) for dtype in (nb.int32, nb.int64, nb.float32, nb.uint16)
)
_types: Any = nb.types
# by place: where its terms are; its scale; short terms, their values, long terms (low halves, high halves, values)
WORDS = _types.Tuple(
    [nb.types.Array(dtype, ndim, "C") for dtype, ndim in ((nb.int64, 2), (nb.float32, 1), (nb.uint16, 1))]
)


class PackedWords:
    """Packed word vectors by place, appended in the order of places."""

    def __init__(self, most: int, common: IntArray) -> None:
        self._number = np.full(0, -1, np.int32)
        self._common = common
        self.at, self._scale = np.zeros((most, 4), np.int64), np.zeros(most, np.float32)
        self.clear()

    def clear(self) -> None:
        """Forget every article."""
        self._packed, self._filled = np.zeros(0, np.uint16), 0

    @property
    def table(self) -> tuple[NDArray[Any], ...]:
        """As `word_length` takes it."""
        return self.at, self._scale, self._packed

    @property
    def sums(self) -> int:
        """How many sums a reader needs: a zero float32 each."""
        return NUMBERED + len(self._number)

    @property
    def nbytes(self) -> int:
        """Bytes of the terms and values."""
        return self._packed.nbytes

    def append(self, place: int, starts: IntArray, terms: NDArray[np.int32], values: FloatArray, width: int) -> None:
        """The articles from `place` on, as CSR rows of `width` columns."""
        if width > len(self._number):
            self._number = np.full(width, -1, np.int32)
            known = self._common[self._common < width]
            self._number[known] = np.flatnonzero(self._common < width)
        self._packed = _longer(self._packed, self._filled + 3 * len(terms))
        self._filled = _pack(starts, terms, values, self._number, self._filled, place, self.table)


def _longer(values: NDArray[Any], wanted: int) -> NDArray[Any]:
    if wanted <= len(values):
        return values
    made = np.zeros(max(wanted, 2 * len(values)), values.dtype)
    made[: len(values)] = values
    return made


@nb.njit(nb.int64(_I64, _I32, _F32, _I32, nb.int64, nb.int64, WORDS), **PACKED)
def _pack(starts, terms, values, number, filled, place, table):  # type: ignore[no-untyped-def]
    at, scale, packed = table
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        most, count = np.float32(0), 0
        for one in range(first, last):
            most = max(most, values[one])
            count += number[terms[one]] >= 0
        mine, rest = at[place + row], last - first - count
        mine[FIRST], mine[SHORT], mine[LONG] = filled, count, rest
        scale[place + row] = most / FULL
        for zone in range(3):  # common, numbered, long
            for one in range(first, last):
                known = number[terms[one]]
                value = np.uint16(np.round(values[one] / most * FULL)) if most > 0 else np.uint16(0)
                if zone == 2 and known < 0:
                    term = terms[one] + NUMBERED
                    packed[filled], packed[filled + rest] = term & 65_535, term >> 16
                    packed[filled + 2 * rest] = value
                    filled += 1
                elif zone < 2 and known >= 0 and (known < COMMON) == (zone == 0):
                    packed[filled], packed[filled + count] = known, value
                    filled += 1
            mine[SHORT_COMMON] = filled - mine[FIRST] if zone == 0 else mine[SHORT_COMMON]
            filled += count if zone == 1 else 0
        filled += 2 * rest
    return filled


@nb.njit(_types.UniTuple(_U16, 3)(nb.int64, nb.int64, nb.int64, nb.uint16[::1]), **PACKED)
def _thirds(first, short, rest, packed):  # type: ignore[no-untyped-def]
    """Low halves, high halves and values of an article's long terms."""
    start = first + 2 * short
    return (
        packed[start : start + rest],
        packed[start + rest : start + 2 * rest],
        packed[start + 2 * rest : start + 3 * rest],
    )


@nb.njit(nb.void(nb.int64, nb.float32, WORDS, nb.float32[::1]), **PACKED)
def _add(place, weight, table, sums):  # type: ignore[no-untyped-def]
    at, scale, packed = table
    first, count = at[place, FIRST], at[place, SHORT]
    terms, values = packed[first : first + count], packed[first + count : first + 2 * count]
    share = weight * scale[place]
    for one in range(count):
        sums[np.uint32(terms[one])] += share * np.float32(values[one])
    low, high, values = _thirds(first, count, at[place, LONG], packed)
    for one in range(len(low)):
        sums[np.uint32(low[one]) | np.uint32(high[one]) << np.uint32(16)] += share * np.float32(values[one])


@nb.njit(nb.float32(nb.int64, WORDS, nb.float32[::1]), **PACKED)
def _take(place, table, sums):  # type: ignore[no-untyped-def]
    """The squares of the sums of the article's uncommon terms, which are zero behind it."""
    at, _, packed = table
    first, square = at[place, FIRST], np.float32(0)
    terms = packed[first + at[place, SHORT_COMMON] : first + at[place, SHORT]]
    for one in range(len(terms)):
        total = sums[np.uint32(terms[one])]
        square += total * total
        sums[np.uint32(terms[one])] = 0
    low, high, _ = _thirds(first, at[place, SHORT], at[place, LONG], packed)
    for one in range(len(low)):
        term = np.uint32(low[one]) | np.uint32(high[one]) << np.uint32(16)
        total = sums[term]
        square += total * total
        sums[term] = 0
    return square


@nb.njit(nb.void(nb.int64, WORDS), **PACKED)
def _ask(place, table):  # type: ignore[no-untyped-def]
    """Have an article's terms and values on their way from memory."""
    at, _, packed = table
    first = at[place, FIRST]
    for line in range(first, first + 2 * at[place, SHORT] + 3 * at[place, LONG], LINE):
        prefetch(packed, line)


@nb.njit(nb.void(nb.int64, _I32, WORDS), **PACKED)
def ask_ahead(count, reads, table):  # type: ignore[no-untyped-def]
    """Have where the articles lie on its way from memory, for `word_length`."""
    at, scale, _ = table
    flat = at.reshape(-1)
    for k in range(count):
        prefetch(flat, 4 * np.int64(reads[k]))
        prefetch(scale, reads[k])


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
