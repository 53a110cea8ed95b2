"""Compiled packing of rows into a segment's arrays, and back."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np

from recommender.postings.kinds import BOOL, ESCAPE, F32, I32, I64, SHORT, U16, compiled

_ROWS = nb.types.Tuple((nb.int64[::1], nb.uint16[::1], nb.float32[::1]))
_LISTS = nb.types.Tuple((nb.uint16[::1], nb.uint32[::1], nb.uint32[::1], nb.uint32[::1], nb.uint8[::1]))
_NORMS = nb.types.Tuple((nb.uint8[::1], nb.float32[::1], nb.float32[::1], nb.float32[::1]))


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


@compiled(_ROWS(I64, I32, F32, I32))
def rows(indptr, columns, weights, numbers):  # noqa: C901 - counts, then fills, by the same loop
    """Rows by rising term number: where each begins, gaps between numbers, weights."""
    n = len(indptr) - 1
    most = np.int64(0)
    for row in range(n):
        most = max(most, indptr[row + 1] - indptr[row])
    keys = np.empty(most, np.uint64)
    bits = weights.view(np.uint32)
    starts = np.zeros(n + 1, np.int64)
    total = np.int64(0)
    for counting in range(2):
        if counting == 1:
            gaps = np.empty(total, np.uint16)
            packed = np.empty(total, np.float32)
            total = np.int64(0)
        else:
            gaps = np.empty(0, np.uint16)
            packed = np.empty(0, np.float32)
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
                    if counting == 1:
                        gaps[total] = ESCAPE
                        packed[total] = 0
                    total += 1
                    gap -= ESCAPE
                if counting == 1:
                    gaps[total] = gap
                    packed[total] = np.uint32(ordered[place] & np.uint64(0xFFFFFFFF)).view(np.float32)
                total += 1
            starts[row + 1] = total
    return starts, gaps, packed


@nb.njit
def code_of(weight, step):
    """How many steps a weight is, up."""
    return min(max(np.int64(np.ceil(np.float64(weight) / np.float64(step))), 1), 255)


@compiled(_LISTS(I64, U16, F32, I64, F32, nb.int64, nb.int64))
def lists(row_starts, gaps, weights, df, steps, common, span):
    """Rows and codes by term: (ids, table, rare ids, rare starts, codes)."""
    n, count = len(row_starts) - 1, len(df)
    ranges = (n + span - 1) // span
    places = np.zeros(count + 1, np.int64)
    for number in range(count):
        places[number + 1] = places[number] + df[number]
    many = places[common]
    ids = np.empty(many, np.uint16)
    rare_ids = np.empty(places[count] - many, np.uint32)
    codes = np.empty(places[count], np.uint8)
    table = np.zeros(common * (ranges + 1), np.uint32)
    rare_starts = np.empty(count - common + 1, np.uint32)
    for number in range(common, count + 1):
        rare_starts[number - common] = places[number] - many
    for row in range(n):
        current = row // span
        if row % span == 0:
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
                ids[at] = row - current * span
            else:
                rare_ids[at - many] = row
    for number in range(common):
        table[number * (ranges + 1) + ranges] = places[number]
    return ids, table, rare_ids, rare_starts, codes


@compiled(_NORMS(I64, U16, F32, I64))
def norms(row_starts, gaps, weights, cuts):
    """Length of each row within each level as codes of the greatest; the greatest; the mean; the longest row."""
    n, levels = len(row_starts) - 1, len(cuts)
    squares = np.zeros((levels, n), np.float32)
    longest = 0.0
    for row in range(n):
        number = np.int64(-1)
        level = 0
        total = 0.0
        for place in range(row_starts[row], row_starts[row + 1]):
            number += gaps[place]
            while level < levels and number >= cuts[level]:
                squares[level, row] = total
                level += 1
            total += np.float64(weights[place]) ** 2
        for rest in range(level, levels):
            squares[rest, row] = total
        longest = max(longest, total)
    codes = np.zeros(levels * n, np.uint8)
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
    return codes, tops, usual, np.full(1, np.sqrt(longest) * (1 + 1e-6), np.float32)


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


@nb.njit(
    nb.types.Tuple((nb.int64[::1], nb.int32[::1], nb.float32[::1]))(I64, U16, F32, I32, BOOL, nb.boolean),
    cache=True,
    nogil=True,
)
def unpack(row_starts, gaps, weights, terms, keep, renumber):
    """The kept rows as CSR arrays, columns ascending; the others are left out, or empty."""
    kept = np.int64(0)
    total = np.int64(0)
    most = np.int64(0)
    for row in range(len(keep)):
        kept += keep[row] or not renumber
        if keep[row]:
            size = row_starts[row + 1] - row_starts[row]
            total += size
            most = max(most, size)
    indptr = np.zeros(kept + 1, np.int64)
    columns = np.empty(total, np.int32)
    values = np.empty(total, np.float32)
    keys = np.empty(most, np.uint64)
    bits = weights.view(np.uint32)
    kept = 0
    total = 0
    for row in range(len(keep)):
        if not keep[row]:
            if not renumber:
                kept += 1
                indptr[kept] = total
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
        kept += 1
        indptr[kept] = total
    return indptr, columns[:total].copy(), values[:total].copy()


@compiled(nb.types.Tuple((nb.int64[::1], nb.uint16[::1]))(I64, U16, F32, F32, nb.int64))
def fronts(row_starts, gaps, weights, steps, cut):
    """The terms below `cut` of each row once more: where each row begins, gap + 256 * code."""
    n = len(row_starts) - 1
    starts = np.zeros(n + 1, np.int64)
    packed = np.empty(0, np.uint16)
    for counting in range(2):
        if counting == 1:
            packed = np.empty(starts[n], np.uint16)
        size = np.int64(0)
        for row in range(n):
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
                    if counting == 1:
                        packed[size] = SHORT
                    size += 1
                    gap -= SHORT
                if counting == 1:
                    packed[size] = gap + 256 * code_of(weights[place], steps[number])
                size += 1
            starts[row + 1] = size
    return starts, packed


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
