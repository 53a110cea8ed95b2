"""Compiled search of one segment: accumulate upper bounds, rescore exactly what may reach the top.

Bounds are 16-bit integers: `unit` of them make a score of 1, and every rounding goes up, so a row whose bound is
below the k-th best score is proven out. Signatures are explicit: nothing is compiled by a first query.
"""

import numba as nb
import numpy as np

GROUP_SHARES = (0.30, 0.10, 0.04, 0.02, 0.01)  # terms held by more than this share of rows form a group
GROUPS = len(GROUP_SHARES)
RANGE = 1 << 16  # rows whose bounds are accumulated at a time
BLOCK = 64
ESCAPE = 0xFFFF  # a gap this long between two terms of a row is followed by another gap


def _frozen(dtype: nb.types.Type) -> nb.types.Array:
    return nb.types.Array(dtype, 1, "C", readonly=True)


U8, U16, U32, I32, I64, F32, F64 = map(
    _frozen, (nb.uint8, nb.uint16, nb.uint32, nb.int32, nb.int64, nb.float32, nb.float64)
)


@nb.njit(inline="always")
def _worse(score, tie, number, other_score, other_tie, other_number):
    """Whether the first comes after the second: score falling, tie-break falling, id rising."""
    if score != other_score:
        return score < other_score
    if tie != other_tie:
        return tie < other_tie
    return number > other_number


@nb.njit(inline="always")
def _push(keys, ties, numbers, rows, scores, size, k, key, tie, number, row, score):
    """Put one row into the heap of the best k (worst at the root); the new size."""
    if size < k:
        at = size
        size += 1
        while at > 0:
            up = (at - 1) >> 1
            if not _worse(key, tie, number, keys[up], ties[up], numbers[up]):
                break
            keys[at], ties[at], numbers[at], rows[at], scores[at] = keys[up], ties[up], numbers[up], rows[up], scores[up]
            at = up
    else:
        if not _worse(keys[0], ties[0], numbers[0], key, tie, number):
            return size
        at = 0
        while True:
            down = 2 * at + 1
            if down >= size:
                break
            if down + 1 < size and _worse(
                keys[down + 1], ties[down + 1], numbers[down + 1], keys[down], ties[down], numbers[down]
            ):
                down += 1
            if not _worse(keys[down], ties[down], numbers[down], key, tie, number):
                break
            keys[at], ties[at], numbers[at] = keys[down], ties[down], numbers[down]
            rows[at], scores[at] = rows[down], scores[down]
            at = down
    keys[at], ties[at], numbers[at], rows[at], scores[at] = key, tie, number, row, score
    return size


@nb.njit(inline="always")
def _exact(start, end, gaps, weights, dense):
    """Inner product of one row with the scattered query: float64 sums in a fixed order, so equal rows score equal."""
    even, odd = 0.0, 0.0
    term = -1
    place = start
    while place + 1 < end:
        term += gaps[place]
        even += np.float64(weights[place]) * np.float64(dense[term])
        term += gaps[place + 1]
        odd += np.float64(weights[place + 1]) * np.float64(dense[term])
        place += 2
    if place < end:
        term += gaps[place]
        even += np.float64(weights[place]) * np.float64(dense[term])
    return even + odd


@nb.njit(inline="always")
def _prefix(start, end, gaps, weights, dense, cut):
    """The same over the terms below `cut` alone: the frequent ones, which stand first in a row."""
    total = 0.0
    term = -1
    for place in range(start, end):
        term += gaps[place]
        if term >= cut:
            break
        total += np.float64(weights[place]) * np.float64(dense[term])
    return total


@nb.njit(inline="always")
def _add_list(bounds, ids, codes, start, end, factor):
    """Add one term's upper bounds; `factor` is in 1/256 units a code."""
    for place in range(start, end):
        row = ids[place]
        bounds[row] = np.uint16(bounds[row] + ((np.int64(codes[place]) * factor + 255) >> 8))


_SEARCH = nb.types.UniTuple(nb.int64, 4)(
    # the segment
    nb.int64, U16, U32, U32, U8, nb.int64, U32, F32, I64, U16, F32, U8, I64, F32, nb.float64,
    # the query
    I32, F32, nb.float64, nb.int64, nb.float64, nb.float64, U8, nb.int64, I64, I64, nb.int64,
    # scratch
    nb.float32[::1], nb.uint16[::1], nb.uint16[::1], nb.int64[::1], nb.int64[::1],
    # the best so far
    nb.float64[::1], nb.int64[::1], nb.int64[::1], nb.int64[::1], nb.float32[::1], nb.int64,
)  # fmt: skip


@nb.njit(_SEARCH, cache=True, nogil=True, error_model="numpy")
def search(
    n, ids, table, rare_ids, codes, common, rare_starts, steps, row_starts, gaps, weights, norms, cuts, tops, longest,
    terms, query, query_length, k, step, minimum, allowed, own, tie_breaks, numbers, first,
    dense, bounds, blocks, factors, cursors,
    keys, best_ties, best_numbers, best_rows, best_scores, size,
):  # fmt: skip
    """Offer the rows of one segment to the heap of the best k; (its size, lists read, rows refined, rows scored)."""
    count = len(terms)
    ranges = (n + RANGE - 1) // RANGE
    read, refined, scored = 0, 0, 0
    room = 0.0
    for at in range(count):
        dense[terms[at]] = query[at]
        if query[at] > 0:
            room += query[at] * steps[terms[at]]
    # 65,535 units hold the greatest bound there can be: |q| |d|, the rounding of codes, the rounding of sums.
    unit = (65535.0 - 2 * count - 4 * GROUPS - 8) / (1.03 * query_length * longest + room + 1e-30)
    for at in range(count):
        factors[at] = np.int64(np.ceil(max(query[at], 0.0) * steps[terms[at]] * unit * 256.0))
        if terms[at] >= common:
            cursors[at] = rare_starts[terms[at] - common + 1]
    group_ends = np.zeros(GROUPS, np.int64)  # query terms of the first g groups
    slack = np.zeros(GROUPS, np.float64)
    group_factors = np.zeros(GROUPS, np.int64)
    at = 0
    for group in range(GROUPS):
        total = 0.0
        while at < count and terms[at] < cuts[group]:
            total += max(query[at], 0.0) ** 2
            at += 1
        group_ends[group] = at
        slack[group] = np.sqrt(total) * tops[group]
        group_factors[group] = np.int64(np.ceil(np.sqrt(total) * tops[group] * 1.0001 / 255.0 * unit * 256.0))
    offset = np.int64(len(ids))  # codes of rare terms follow those of common ones
    offered = np.empty(2 * k, np.int64)

    own_range = own // RANGE if own >= 0 else ranges - 1
    for turn in range(ranges):
        # The query's own range first: its story is near in time. Then from the newest to the oldest.
        current = own_range if turn == 0 else (ranges - turn if ranges - turn > own_range else ranges - turn - 1)
        low = current * RANGE
        high = min(n, low + RANGE)
        width = high - low
        if size == k:
            floor = max(keys[0] - step, minimum)
        else:
            floor = minimum
        aim = floor if size == k else 0.2 * query_length * longest
        skipped = 0
        expected = 0.0
        while skipped < GROUPS and expected + slack[skipped] * 0.7 < 0.4 * aim:
            expected += slack[skipped] * 0.7
            skipped += 1

        # Rows start with what the skipped groups can add at most (Cauchy-Schwarz in each group).
        if skipped == 0:
            bounds[:width] = 0
        else:
            for group in range(skipped):
                f = np.uint32(group_factors[group])
                base = group * n + low
                if group == 0:
                    for row in range(width):
                        bounds[row] = np.uint16((np.uint32(norms[base + row]) * f + np.uint32(255)) >> np.uint32(8))
                else:
                    for row in range(width):
                        bounds[row] += np.uint16((np.uint32(norms[base + row]) * f + np.uint32(255)) >> np.uint32(8))
        begin = group_ends[skipped - 1] if skipped else 0
        for at in range(begin, count):
            term = terms[at]
            if term < common:
                place = term * (ranges + 1) + current
                _add_list(bounds, ids, codes, np.int64(table[place]), np.int64(table[place + 1]), factors[at])
                read += table[place + 1] - table[place]
        for at in range(count):
            term = terms[at]
            if term < common:
                continue
            start = np.int64(rare_starts[term - common])
            if turn == 0:
                for place in range(start, np.int64(rare_starts[term - common + 1])):
                    row = np.int64(rare_ids[place]) - low
                    if row >= 0 and row < width:
                        bounds[row] = np.uint16(
                            bounds[row] + ((np.int64(codes[offset + place]) * factors[at] + 255) >> 8)
                        )
            else:
                place = cursors[at]
                while place > start and np.int64(rare_ids[place - 1]) >= low:
                    place -= 1
                    row = np.int64(rare_ids[place]) - low
                    if row < width:
                        bounds[row] = np.uint16(
                            bounds[row] + ((np.int64(codes[offset + place]) * factors[at] + 255) >> 8)
                        )
                cursors[at] = place
        found = 0  # rows scored while setting the bar: offered once
        while True:
            if len(allowed):
                for row in range(width):
                    bounds[row] = bounds[row] if allowed[low + row] else np.uint16(0)
            if own >= low and own < high:
                bounds[own - low] = 0
            for at in range(found):
                bounds[offered[at]] = 0
            bounds[width : (width + BLOCK - 1) // BLOCK * BLOCK] = 0
            filled = (width + BLOCK - 1) // BLOCK
            for block in range(filled):
                top = np.uint16(0)
                for row in range(block * BLOCK, block * BLOCK + BLOCK):
                    top = max(top, bounds[row])
                blocks[block] = top
            # Until k are known, the most promising row of each of the most promising blocks sets the bar.
            cut = cuts[skipped - 1] if skipped else 0
            if size < k:
                while found < len(offered):
                    best = 0
                    for block in range(1, filled):
                        if blocks[block] > blocks[best]:
                            best = block
                    if filled == 0 or blocks[best] == 0:
                        break
                    top_row = best * BLOCK
                    for row in range(best * BLOCK + 1, best * BLOCK + BLOCK):
                        if bounds[row] > bounds[top_row]:
                            top_row = row
                    row = low + top_row
                    score = np.float32(_exact(row_starts[row], row_starts[row + 1], gaps, weights, dense))
                    scored += 1
                    key = np.rint(score / step) * step if step > 0 else np.float64(score)
                    if score > 0 and key >= minimum:
                        size = _push(
                            keys, best_ties, best_numbers, best_rows, best_scores, size, k, key,
                            tie_breaks[row] if len(tie_breaks) else first + row,
                            numbers[row] if len(numbers) else first + row, first + row, score,
                        )  # fmt: skip
                    bounds[top_row] = 0
                    offered[found] = top_row
                    found += 1
                    top = np.uint16(0)
                    for row in range(best * BLOCK, best * BLOCK + BLOCK):
                        top = max(top, bounds[row])
                    blocks[best] = top
            floor = max(keys[0] - step, minimum) if size == k else minimum
            bar = np.uint16(max(1.0, min(65535.0, np.floor(floor * unit) - 1.0)))
            waiting = 0
            for block in range(filled):
                if blocks[block] >= bar:
                    for row in range(block * BLOCK, block * BLOCK + BLOCK):
                        waiting += bounds[row] >= bar
            if skipped == 0:
                break
            # Too many left: read the postings of the rarest skipped group instead of looking at each row.
            group = skipped - 1
            begin = group_ends[group - 1] if group else 0
            postings = 0
            for at in range(begin, group_ends[group]):
                place = terms[at] * (ranges + 1) + current
                postings += table[place + 1] - table[place]
            if waiting * 100 < postings:
                break
            f = np.uint32(group_factors[group])
            base = group * n + low
            for row in range(width):
                less = np.uint16((np.uint32(norms[base + row]) * f + np.uint32(255)) >> np.uint32(8))
                bounds[row] = bounds[row] - less if bounds[row] > less else np.uint16(0)
            for at in range(begin, group_ends[group]):
                place = terms[at] * (ranges + 1) + current
                _add_list(bounds, ids, codes, np.int64(table[place]), np.int64(table[place + 1]), factors[at])
            read += postings
            skipped -= 1

        for block in range(filled):
            if blocks[block] < bar:
                continue
            for inside in range(block * BLOCK, block * BLOCK + BLOCK):
                bound = np.int64(bounds[inside])
                if bound < bar:
                    continue
                row = low + inside
                start, end = row_starts[row], row_starts[row + 1]
                if skipped:
                    refined += 1
                    for group in range(skipped):
                        bound -= (np.int64(norms[group * n + row]) * group_factors[group] + 255) >> 8
                    bound += np.int64(np.ceil(_prefix(start, end, gaps, weights, dense, cut) * unit)) + 1
                    if bound < bar:
                        continue
                scored += 1
                score = np.float32(_exact(start, end, gaps, weights, dense))
                key = np.rint(score / step) * step if step > 0 else np.float64(score)
                if score > 0 and key >= minimum:
                    size = _push(
                        keys, best_ties, best_numbers, best_rows, best_scores, size, k, key,
                        tie_breaks[row] if len(tie_breaks) else first + row,
                        numbers[row] if len(numbers) else first + row, first + row, score,
                    )  # fmt: skip
                    if size == k:
                        floor = max(keys[0] - step, minimum)
                        bar = np.uint16(max(1.0, min(65535.0, np.floor(floor * unit) - 1.0)))
    for at in range(count):
        dense[terms[at]] = 0.0
    return size, read, refined, scored
