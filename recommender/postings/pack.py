"""Compiled packing of rows into a segment's arrays, and back."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.postings.kinds import BLOCK, BOOL, ESCAPE, F32, I32, I64, SHORT, U16, compiled

_LISTS = nb.void(
    I64, U16, F32, I32, I64, F32, nb.int64, nb.int64,
    nb.uint16[::1], nb.uint32[::1], nb.uint32[::1], nb.uint32[::1], nb.uint8[::1],
)  # fmt: skip
_NORMS = nb.types.UniTuple(nb.float32[::1], 3)


@compiled(nb.int64[::1](I32, F32, nb.int64))
def document_frequency(columns, weights, width):
    """How many rows hold each column with a weight (width,)."""
    df = np.zeros(width, np.int64)
    for place in range(len(columns)):
        df[columns[place]] += weights[place] > 0
    return df


@compiled(nb.float32[::1](I32, F32, I32, nb.int64))
def steps(columns, weights, numbers, count):
    """The weight of one code of each term: its greatest weight is 255 codes."""
    top = np.zeros(count, np.float32)
    for place in range(len(columns)):
        if weights[place] > 0:
            number = numbers[columns[place]]
            top[number] = max(top[number], weights[place])
    for number in range(count):
        top[number] = np.float32(np.float64(top[number]) / 255.0 * (1 + 1e-6))
    return top


@compiled(nb.int64[::1](I64, I32, F32, I32, nb.uint16[::1], nb.float32[::1]))
def rows(indptr, columns, weights, numbers, gaps, packed):
    """Rows by rising term number into gaps between numbers and weights; where each begins.

    With arrays of no length nothing is written: the answer says how long they must be.
    """
    n = len(indptr) - 1
    most = np.int64(0)
    for row in range(n):
        most = max(most, indptr[row + 1] - indptr[row])
    keys = np.empty(most, np.uint64)
    bits = weights.view(np.uint32)
    starts = np.zeros(n + 1, np.int64)
    total = np.int64(0)
    filling = len(packed) > 0
    for row in range(n):
        size = 0
        for place in range(indptr[row], indptr[row + 1]):
            if weights[place] > 0:
                keys[size] = (np.uint64(numbers[columns[place]]) << np.uint64(32)) | np.uint64(bits[place])
                size += 1
        ordered = np.sort(keys[:size])
        before = np.int64(-1)
        for place in range(size):
            number = np.int64(ordered[place] >> np.uint64(32))
            gap = number - before
            before = number
            while gap > ESCAPE:  # a long gap is crossed by entries of no weight
                if filling:
                    gaps[total] = ESCAPE
                    packed[total] = 0
                total += 1
                gap -= ESCAPE
            if filling:
                gaps[total] = gap
                packed[total] = np.uint32(ordered[place] & np.uint64(0xFFFFFFFF)).view(np.float32)
            total += 1
        starts[row + 1] = total
    return starts


@nb.njit
def code_of(weight, step):
    """How many steps a weight is, up."""
    return min(max(np.int64(np.ceil(np.float64(weight) / np.float64(step))), 1), 255)


@nb.njit(inline="always")
def row_at(order, place):
    """The row that stands in a place of the lists."""
    return np.int64(order[place]) if len(order) else np.int64(place)


@compiled(_LISTS)
def lists(row_starts, gaps, weights, order, df, steps, common, span, ids, table, rare_ids, rare_starts, codes):
    """Places of rows and codes by term, into the last five arrays. With an `order`, order[place] is the row."""
    n, count = len(row_starts) - 1, len(df)
    ranges = (n + span - 1) // span
    places = np.zeros(count + 1, np.int64)
    for number in range(count):
        places[number + 1] = places[number] + df[number]
    many = places[common]
    for number in range(common, count + 1):
        rare_starts[number - common] = places[number] - many
    for standing in range(n):
        row = row_at(order, standing)
        current = standing // span
        if standing % span == 0:
            for number in range(common):
                table[number * (ranges + 1) + current] = places[number]
        number = np.int64(-1)
        for place in range(row_starts[row], row_starts[row + 1]):
            number += gaps[place]
            weight = weights[place]
            if weight == 0:
                continue
            at = places[number]
            places[number] = at + 1
            codes[at] = code_of(weight, steps[number])
            if number < common:
                ids[at] = standing - current * span
            else:
                rare_ids[at - many] = standing
    for number in range(common):
        table[number * (ranges + 1) + ranges] = places[number]


@compiled(_NORMS(I64, U16, F32, I32, I64, nb.float32[:, ::1], nb.uint8[::1]))
def norms(row_starts, gaps, weights, order, cuts, squares, codes):
    """Length of each row within each level as codes of the greatest; (the greatest, the mean, the longest row).

    `squares` is room to work in, levels x n and all 0.
    """
    n, levels = len(row_starts) - 1, len(cuts)
    longest = 0.0
    for standing in range(n):
        row = row_at(order, standing)
        number = np.int64(-1)
        level = 0
        total = 0.0
        for place in range(row_starts[row], row_starts[row + 1]):
            number += gaps[place]
            while level < levels and number >= cuts[level]:
                squares[level, standing] = total
                level += 1
            total += np.float64(weights[place]) ** 2
        for rest in range(level, levels):
            squares[rest, standing] = total
        longest = max(longest, total)
    tops = np.zeros(levels, np.float32)
    usual = np.zeros(levels, np.float32)
    for level in range(levels):
        top = 0.0
        total = 0.0
        for row in range(n):
            top = max(top, np.float64(squares[level, row]))
            total += np.sqrt(np.float64(squares[level, row]))
        top = np.sqrt(top) * (1 + 1e-5)
        tops[level] = top
        usual[level] = total / max(n, 1)
        if top > 0:
            for row in range(n):
                code = np.ceil(np.sqrt(np.float64(squares[level, row])) * (1 + 1e-6) / np.float64(tops[level]) * 255.0)
                codes[level * n + row] = min(code, 255.0)
    return tops, usual, np.full(1, np.sqrt(longest) * (1 + 1e-6), np.float32)


def ceilings(codes: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """The greatest of `norms` among each BLOCK places, level after level."""
    if not n:
        return np.zeros(0, np.uint8)
    made: NDArray[np.uint8] = np.maximum.reduceat(codes.reshape(-1, n), np.arange(0, n, BLOCK), axis=1)
    return made.ravel()


@compiled(nb.types.Tuple((nb.int32[::1], nb.float32[::1]))(I64, U16, F32, nb.int64))
def row(row_starts, gaps, weights, row):
    """Term numbers, ascending, and weights of one row."""
    start, end = row_starts[row], row_starts[row + 1]
    numbers = np.empty(end - start, np.int32)
    values = np.empty(end - start, np.float32)
    size = 0
    number = np.int64(-1)
    for place in range(start, end):
        number += gaps[place]
        if weights[place] > 0:
            numbers[size] = number
            values[size] = weights[place]
            size += 1
    return numbers[:size].copy(), values[:size].copy()


@compiled(nb.types.UniTuple(nb.int64, 2)(I64, F32, BOOL, nb.boolean))
def kept(row_starts, weights, keep, renumber):
    """How many rows and postings `unpack` gives."""
    rows, total = np.int64(0), np.int64(0)
    for row in range(len(keep)):
        rows += keep[row] or not renumber
        if keep[row]:
            for place in range(row_starts[row], row_starts[row + 1]):
                total += weights[place] > 0
    return rows, total


@compiled(nb.void(I64, U16, F32, I32, BOOL, nb.boolean, nb.int64[::1], nb.int32[::1], nb.float32[::1]))
def unpack(row_starts, gaps, weights, terms, keep, renumber, indptr, columns, values):
    """The kept rows into CSR arrays, columns ascending; the others are left out, or empty.

    `indptr` is of as many rows as `kept` says and holds where the first of them is to begin.
    """
    most = np.int64(0)
    for row in range(len(keep)):
        most = max(most, row_starts[row + 1] - row_starts[row])
    keys = np.empty(most, np.uint64)
    bits = weights.view(np.uint32)
    made = 0
    total = indptr[0]
    for row in range(len(keep)):
        if not keep[row]:
            if not renumber:
                made += 1
                indptr[made] = total
            continue
        number = np.int64(-1)
        size = 0
        for place in range(row_starts[row], row_starts[row + 1]):
            number += gaps[place]
            if weights[place] > 0:
                keys[size] = (np.uint64(terms[number]) << np.uint64(32)) | np.uint64(bits[place])
                size += 1
        ordered = np.sort(keys[:size])
        for place in range(size):
            columns[total] = np.int32(ordered[place] >> np.uint64(32))
            values[total] = np.uint32(ordered[place] & np.uint64(0xFFFFFFFF)).view(np.float32)
            total += 1
        made += 1
        indptr[made] = total


@compiled(nb.boolean(F32))
def valid(weights):
    """Whether all weights are finite and not negative."""
    good = True
    for place in range(len(weights)):
        good &= 0 <= weights[place] < np.inf
    return good


@compiled(nb.int64[::1](I64, U16, F32, I32, F32, nb.int64, nb.uint16[::1]))
def fronts(row_starts, gaps, weights, order, steps, cut, packed):
    """The terms below `cut` of each row once more as gap + 256 * code; where each place begins; as `rows`."""
    n = len(row_starts) - 1
    starts = np.zeros(n + 1, np.int64)
    filling = len(packed) > 0
    size = np.int64(0)
    for standing in range(n):
        row = row_at(order, standing)
        number = np.int64(-1)
        before = np.int64(-1)
        for place in range(row_starts[row], row_starts[row + 1]):
            number += gaps[place]
            if number >= cut:
                break
            if weights[place] == 0:
                continue
            gap = number - before
            before = number
            while gap >= SHORT:  # a long gap is crossed by entries of no weight
                if filling:
                    packed[size] = SHORT
                size += 1
                gap -= SHORT
            if filling:
                packed[size] = gap + 256 * code_of(weights[place], steps[number])
            size += 1
        starts[standing + 1] = size
    return starts


@nb.njit
def number_of(numbers, columns, places, column):
    """The term number of a column: from the table of all, or by bisection; -1 if there is none."""
    if len(numbers):
        return numbers[column] if 0 <= column < len(numbers) else np.int32(-1)
    place = np.searchsorted(columns, column)
    return places[place] if place < len(columns) and columns[place] == column else np.int32(-1)


@compiled(nb.int32[::1](I32, I32, I32, I32))
def look_up(numbers, columns, places, asked):
    """Term numbers of columns, -1 where there is none."""
    found = np.empty(len(asked), np.int32)
    for at in range(len(asked)):
        found[at] = number_of(numbers, columns, places, asked[at])
    return found


@compiled(nb.types.Tuple((nb.int32[::1], nb.float32[::1]))(I32, I32, I32, I32, F32))
def query(numbers, columns, places, asked, weights):
    """Term numbers that there are, ascending, and their weights."""
    keys = np.empty(len(asked), np.uint64)
    size = 0
    bits = weights.view(np.uint32)
    for at in range(len(asked)):
        number = number_of(numbers, columns, places, asked[at])
        if number >= 0:
            keys[size] = (np.uint64(number) << np.uint64(32)) | np.uint64(bits[at])
            size += 1
    ordered = np.sort(keys[:size])
    found = np.empty(size, np.int32)
    values = np.empty(size, np.float32)
    for at in range(size):
        found[at] = np.int32(ordered[at] >> np.uint64(32))
        values[at] = np.uint32(ordered[at] & np.uint64(0xFFFFFFFF)).view(np.float32)
    return found, values
