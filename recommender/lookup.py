"""Which rows bear a number: a sorted table of most rows, and a short list of those that came or changed since."""

from dataclasses import dataclass, field, replace
from typing import Self

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import IntArray
from recommender.compiled import compiled

Rows = NDArray[np.intp]
LATE = 4_096  # rows in the short list before everything is sorted anew
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Lookup:
    """An immutable table number -> rows; `with_rows` gives the next one. Numbers may repeat."""

    numbers: IntArray = field(default_factory=_NONE.copy)  # ascending
    rows: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    late_numbers: IntArray = field(default_factory=_NONE.copy)  # ascending, of equal ones the newest last
    late_rows: Rows = field(default_factory=lambda: np.zeros(0, np.intp))

    @classmethod
    def of(cls, numbers: IntArray, rows: Rows) -> Self:
        """A table of these; of equal numbers the later stands last. Cost: a sort."""
        order = np.argsort(numbers, kind="stable")
        return cls(numbers[order], rows[order])

    @property
    def is_long(self) -> bool:
        """Whether the short list has become long: time for `of` everything."""
        return len(self.late_rows) > max(LATE, len(self.rows) >> 6)

    def with_rows(self, numbers: IntArray, rows: Rows) -> Self:
        """The table with these too; they count before what was there. Cost: a sort of the short list."""
        late_numbers, late_rows = np.append(self.late_numbers, numbers), np.append(self.late_rows, rows)
        order = np.argsort(late_numbers, kind="stable")
        return replace(self, late_numbers=late_numbers[order], late_rows=late_rows[order])

    def last(self, numbers: IntArray) -> Rows:
        """The row that bears each number (numbers,), the newest of several; -1 where there is none."""
        found: Rows = _last(self.late_numbers, self.late_rows, self.numbers, self.rows, numbers)
        return found

    def last_of(self, number: int) -> int:
        """`last` of one number."""
        for known, rows in ((self.late_numbers, self.late_rows), (self.numbers, self.rows)):
            place = int(known.searchsorted(number, side="right")) - 1
            if place >= 0 and known[place] == number:
                return int(rows[place])
        return -1

    def all(self, numbers: IntArray) -> Rows:
        """Every row that bears or bore one of these numbers (distinct, ascending), in no order, maybe twice."""
        return np.concatenate(
            [_all(self.numbers, self.rows, numbers), _all(self.late_numbers, self.late_rows, numbers)]
        )


_I64 = nb.types.Array(nb.int64, 1, "C", readonly=True)


@nb.njit
def _place(known, number):  # type: ignore[no-untyped-def]
    """How many of the ascending numbers are at most this one."""
    low, size = 0, len(known)
    while size:  # without a branch that depends on the number
        half = (size + 1) >> 1
        low += half if known[low + half - 1] <= number else 0
        size -= half
    return low


@compiled(nb.int64[::1](_I64, _I64, _I64, _I64, _I64))
def _last(late, late_rows, known, rows, numbers):  # type: ignore[no-untyped-def]
    """The row of each number, of late ones before known ones, the last of equal ones; -1 where there is none."""
    found = np.full(len(numbers), -1, np.int64)
    for one in range(len(numbers)):
        number = numbers[one]
        place = _place(late, number)
        if place and late[place - 1] == number:
            found[one] = late_rows[place - 1]
            continue
        place = _place(known, number)
        if place and known[place - 1] == number:
            found[one] = rows[place - 1]
    return found


def _all(known: IntArray, rows: Rows, numbers: IntArray) -> Rows:
    starts = np.searchsorted(known, numbers, side="left")
    lengths = np.searchsorted(known, numbers, side="right") - starts
    before = np.cumsum(lengths) - lengths
    return np.asarray(rows[np.arange(lengths.sum()) + np.repeat(starts - before, lengths)])
