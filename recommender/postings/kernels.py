"""Compiled search of one segment: accumulate upper bounds, rescore exactly what may reach the top.

Bounds are 16-bit integers: `unit` of them make a score of 1, and every rounding goes up, so a row whose bound is
below the k-th best score is proven out. Signatures are explicit: nothing is compiled by a first query.
"""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np

from recommender.postings.bounds import (
    add_list,
    at_least,
    bar_of,
    promising,
    refine,
    rest,
)
from recommender.postings.heap import drain, offer
from recommender.postings.intrinsics import prefetch
from recommender.postings.kinds import (
    BATCH,
    BLOCK,
    F32,
    FIRST_AIM,
    I32,
    I64,
    LISTS_AHEAD,
    NEAR,
    OUT,
    PASS_COST,
    RANGE,
    ROW_COST,
    ROWS_AHEAD,
    SLACK,
    U8,
    U16,
    U32,
    compiled,
)
from recommender.postings.pack import row_at
from recommender.postings.rows import exact, fetch_row, unpacked


@nb.njit
def _rare_by_range(terms, factors, entries, ranges, common, starts, ids, codes):
    """What rare terms add to which rows, range after range: (where each range ends, rows in it, what to add)."""
    ends = np.zeros(ranges + 1, np.int64)
    rows = np.empty(entries, np.uint16)
    adds = np.empty(entries, np.uint16)
    for at in range(len(terms)):
        term = terms[at] - common
        for place in range(np.int64(starts[term]), np.int64(starts[term + 1])):
            ends[np.int64(ids[place]) // RANGE + 1] += 1
    for current in range(ranges):
        ends[current + 1] += ends[current]
    fill = ends[:ranges].copy()
    for at in range(len(terms)):
        term = terms[at] - common
        for place in range(np.int64(starts[term]), np.int64(starts[term + 1])):
            row = np.int64(ids[place])
            to = fill[row // RANGE]
            fill[row // RANGE] = to + 1
            rows[to] = np.uint16(row % RANGE)
            adds[to] = np.uint16((np.int64(codes[place]) * factors[at] + 255) >> 8)
    return ends, rows, adds


@nb.njit
def _range_like(terms, factors, ranges, table):
    """The range to whose rows these terms add most, of equal ones the last: rows of the query's topic stand there."""
    adds = np.zeros(ranges, np.int64)
    for at in range(len(terms)):
        place = terms[at] * (ranges + 1)
        for current in range(ranges):
            adds[current] += factors[at] * (np.int64(table[place + current + 1]) - np.int64(table[place + current]))
    best = ranges - 1
    for current in range(ranges - 1, -1, -1):
        if adds[current] > adds[best]:
            best = current
    return best


_SEARCH = nb.types.UniTuple(nb.int64, 4)(
    # the segment
    nb.int64, U16, U32, U32, U8, nb.int64, U32, F32, I64, U16, F32, U8, I64, U16, I64, F32, F32,
    nb.float64, U8, I32, I32,
    # the query
    I32, F32, nb.int64, nb.float64, nb.float64, U8, nb.int64, I64, I64, nb.int64,
    # scratch
    nb.float32[::1], nb.uint32[::1], nb.uint16[::1], nb.uint16[::1], nb.int32[::1], nb.int32[::1], nb.int8[::1],
    # the best so far
    nb.float64[::1], nb.int64[::1], nb.int64[::1], nb.int64[::1], nb.float32[::1], nb.int64, nb.boolean,
)  # fmt: skip


@compiled(_SEARCH)
def search(  # noqa: C901, PLR0912, PLR0915 - one hot loop over thirty arrays
    n, ids, table, rare_ids, codes, common, rare_starts, steps, row_starts, gaps, weights, norms, front_starts, fronts,
    cuts, tops, usual, longest, ceilings, order, places, terms, query, k, step, minimum, allowed, own,
    tie_breaks, numbers, first, dense, frequent, bounds, blocks, waiting, others, levels_of,
    keys, best_ties, best_numbers, best_rows, best_scores, size, last,
):  # fmt: skip
    """Offer the rows of one segment to the heap of the best k; (its size, postings read, rows refined, rows scored).

    Without terms, row `own` of this segment is the query. After the `last` segment the heap is brought into order.
    """
    if own >= 0 and len(terms) == 0:
        terms, query = unpacked(
            gaps[row_starts[own] : row_starts[own + 1]], weights[row_starts[own] : row_starts[own + 1]]
        )
    count = len(terms)
    total = 0.0
    for at in range(count):
        total += np.float64(query[at]) * np.float64(query[at])
    query_length = np.sqrt(total)
    ranges = (n + RANGE - 1) // RANGE if total > 0 else 0
    read, refined, scored = 0, 0, 0
    own_place = np.int64(places[own]) if own >= 0 and len(places) else own
    own_range = own_place // RANGE if own >= 0 else -1
    split = count  # query terms from here on are rare
    for at in range(count):
        term = terms[at]
        prefetch(steps, term)
        if term < common:
            prefetch(table, term * (ranges + 1) + max(own_range, 0))
        else:
            split = min(split, at)
            prefetch(rare_starts, term - common)
    room = 0.0
    rare = 0
    for at in range(count):
        term = terms[at]
        dense[term] = query[at]
        room += max(query[at], 0.0) * steps[term]
        if term >= common:
            start = np.int64(rare_starts[term - common])
            rare += np.int64(rare_starts[term - common + 1]) - start
            prefetch(rare_ids, start)
            prefetch(codes, len(ids) + start)
    # 65,535 units hold the greatest bound there can be: |q| |d|, the rounding of codes, the rounding of sums.
    unit = (65535.0 - 2 * count - 16) / (1.01 * query_length * longest + room + 1e-30)
    factors = np.empty(count, np.int64)
    for at in range(count):
        factors[at] = np.int64(np.ceil(max(query[at], 0.0) * steps[terms[at]] * unit * 256.0))
    levels = len(cuts)
    all_blocks = (n + BLOCK - 1) // BLOCK
    level_ends = np.zeros(levels + 1, np.int64)  # query terms within the first levels
    likely = np.zeros(levels + 1, np.float64)  # what they usually add at most
    level_factors = np.zeros(levels + 1, np.uint32)
    at = 0
    total = 0.0
    for level in range(1, levels + 1):
        while at < split and terms[at] < cuts[level - 1]:
            total += max(query[at], 0.0) ** 2
            at += 1
        level_ends[level] = at
        likely[level] = np.sqrt(total) * usual[level - 1]
        top = np.sqrt(total) * tops[level - 1] * 1.0001
        level_factors[level] = np.uint32(np.ceil(top / 255.0 * unit * 256.0))

    for at in range(level_ends[levels]):
        frequent[terms[at]] = factors[at]
    if own_range < 0 and ranges:
        own_range = _range_like(terms[level_ends[levels] : split], factors[level_ends[levels] : split], ranges, table)
    rare_ends, rare_rows, rare_adds = _rare_by_range(
        terms[split:], factors[split:], rare, ranges, common, rare_starts, rare_ids, codes[len(ids) :]
    )
    starts = np.empty(split + LISTS_AHEAD, np.int64)
    ends = np.empty(split + LISTS_AHEAD, np.int64)
    starts[split:] = 0
    ends[split:] = 0
    chosen = np.empty(min(k + k // 4 + 1, len(blocks)), np.int64)
    counts = np.empty(1024, np.int32)
    tried = levels
    level = 0  # terms of the first `level` levels are bounded, not read
    queued = 0  # rows that wait
    for turn in range(ranges):
        # The query's own range first: its topic stands there. Then on: the lists go on where they were left.
        current = (own_range + turn) % ranges
        low = current * RANGE
        high = min(n, low + RANGE)
        width = high - low
        filled = (width + BLOCK - 1) // BLOCK
        tops_of_blocks = blocks[:filled]
        for at in range(split):
            place = terms[at] * (ranges + 1) + current
            starts[at] = table[place]
            ends[at] = table[place + 1]
        bounds[width : filled * BLOCK] = 0
        begin = split  # lists of frequent terms from here on are read
        found = 0  # rows scored while setting the bar: offered once
        for act in range(2 if size < k else 1):
            # Until k rows are known, the rarest terms alone show rows that set the bar; then the others are read.
            known = act == 1 or size == k or (turn > 0 and minimum > 0)
            if size == k:
                aim = max(keys[0], minimum)
            elif known and minimum > 0:
                aim = minimum
            else:
                aim = max(minimum, FIRST_AIM * query_length * longest)
            level = 0
            while level < levels and likely[level + 1] < SLACK * aim:
                level += 1
            if act == 1:
                level = min(level, tried)
            tried = level
            if act == 0:
                bounds[:width] = 0
            end = begin
            begin = level_ends[level]
            for at in range(begin, min(begin + LISTS_AHEAD, end)):
                prefetch(ids, starts[at])
                prefetch(codes, starts[at])
            for at in range(begin, end):
                ahead = starts[at + LISTS_AHEAD]
                for line in range(min((ends[at + LISTS_AHEAD] - ahead + 63) >> 6, NEAR >> 6)):
                    prefetch(ids, ahead + 64 * line)
                    prefetch(ids, ahead + 64 * line + 32)
                    prefetch(codes, ahead + 64 * line)
                add_list(bounds, ids[starts[at] : ends[at]], codes[starts[at] : ends[at]], factors[at])
                read += ends[at] - starts[at]
            if act == 0:
                for place in range(rare_ends[current], rare_ends[current + 1]):
                    bounds[rare_rows[place]] += rare_adds[place]
            if known:
                break
            if own_place >= low and own_place < high:
                bounds[own_place - low] = 0
            found = promising(bounds, tops_of_blocks, chosen, counts, allowed, order, low, width)
            for at in range(found):
                prefetch(row_starts, row_at(order, low + chosen[at]))
            for at in range(found):
                fetch_row(row_starts, gaps, weights, row_at(order, low + chosen[at]))
            for at in range(found):
                row = row_at(order, low + chosen[at])
                first_place, last_place = row_starts[row], row_starts[row + 1]
                score = exact(gaps[first_place:last_place], weights[first_place:last_place], dense)
                size = offer(
                    keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks,
                    numbers, first, row, score,
                )  # fmt: skip
            scored += found
        lowest = bar_of((max(keys[0], minimum) if size == k else minimum) - step, unit)
        while True:
            if own_place >= low and own_place < high:
                bounds[own_place - low] = OUT
            for at in range(found):
                bounds[chosen[at]] = OUT
            # Too many left: read the postings of the rarest unread level instead of looking at each row.
            lower = max(level - 1, 0)
            while lower > 0 and level_ends[lower] == level_ends[level]:
                lower -= 1
            postings = np.int64(0)
            for at in range(level_ends[lower], level_ends[level]):
                postings += ends[at] - starts[at]
            most = (postings + PASS_COST) // ROW_COST if level else RANGE
            # What the unread terms can add at most (Cauchy-Schwarz) is part of the bound; nothing at level 0.
            of = max(level - 1, 0)
            left = at_least(
                bounds, norms[of * n + low : of * n + high], ceilings[of * all_blocks + low // BLOCK :],
                level_factors[level], lowest, allowed, order, low, waiting[queued:], most,
            )  # fmt: skip
            if left <= most:
                break
            for at in range(level_ends[lower], level_ends[level]):
                add_list(bounds, ids[starts[at] : ends[at]], codes[starts[at] : ends[at]], factors[at])
            read += postings
            level = lower
        rest(waiting[queued : queued + left], others[queued:], levels_of[queued:], bounds, low, level)
        queued += left
        if turn and queued < BATCH and turn < ranges - 1:
            continue
        refined += queued
        kept = refine(waiting[:queued], others, levels_of, lowest, front_starts, fronts, frequent, cuts)
        queued = 0
        for at in range(kept if len(order) else 0):
            waiting[at] = order[waiting[at]]
        for at in range(min(kept, 2 * ROWS_AHEAD)):
            prefetch(row_starts, waiting[at])
        for at in range(min(kept, ROWS_AHEAD)):
            fetch_row(row_starts, gaps, weights, waiting[at])
        for at in range(kept):
            if at + 2 * ROWS_AHEAD < kept:
                prefetch(row_starts, waiting[at + 2 * ROWS_AHEAD])
            if at + ROWS_AHEAD < kept:
                fetch_row(row_starts, gaps, weights, waiting[at + ROWS_AHEAD])
            if others[at] < lowest:
                continue
            row = np.int64(waiting[at])
            start, end = row_starts[row], row_starts[row + 1]
            scored += 1
            score = exact(gaps[start:end], weights[start:end], dense)
            size = offer(
                keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks, numbers,
                first, row, score,
            )  # fmt: skip
            lowest = bar_of((max(keys[0], minimum) if size == k else minimum) - step, unit)
    for at in range(count):
        dense[terms[at]] = 0.0
    for at in range(level_ends[levels]):
        frequent[terms[at]] = 0
    if last:
        drain(keys, best_ties, best_numbers, best_rows, best_scores, size)
    return size, read, refined, scored


@compiled(nb.void(I64, U16, F32, I64, nb.int64, I32, F32, nb.float32[::1], nb.float32[::1], nb.int64[::1]))
def score_rows(row_starts, gaps, weights, rows, first, terms, query, dense, found, counts):
    """Inner product of a query with those of the rows that are in this segment, as `search` scores them, and how many
    terms each has. The segment's rows are numbered from `first`; `dense` is all zero before and after."""
    for at in range(len(terms)):
        if terms[at] >= 0:
            dense[terms[at]] = query[at]
    last = first + len(row_starts) - 1
    for at in range(len(rows)):
        if rows[at] < first or rows[at] >= last:
            continue
        if at + ROWS_AHEAD < len(rows) and first <= rows[at + ROWS_AHEAD] < last:
            fetch_row(row_starts, gaps, weights, rows[at + ROWS_AHEAD] - first)
        start, end = row_starts[rows[at] - first], row_starts[rows[at] - first + 1]
        found[at] = exact(gaps[start:end], weights[start:end], dense)
        counts[at] = 0
        for place in range(start, end):
            counts[at] += weights[place] > 0
    for at in range(len(terms)):
        if terms[at] >= 0:
            dense[terms[at]] = 0.0


_LOOK = nb.int64(
    I64, U16, F32, nb.int64, nb.float64, nb.float64, U8, nb.int64, I64, I64, nb.int64, F32,
    nb.float64[::1], nb.int64[::1], nb.int64[::1], nb.int64[::1], nb.float32[::1], nb.int64, nb.boolean,
)  # fmt: skip


@compiled(_LOOK)
def look_at_all(
    row_starts, gaps, weights, k, step, minimum, allowed, own, tie_breaks, numbers, first, dense,
    keys, best_ties, best_numbers, best_rows, best_scores, size, last,
):  # fmt: skip
    """The same as `search`, by scoring every allowed row: for queries of very many terms."""
    for row in range(len(row_starts) - 1):
        if row == own or (len(allowed) and not allowed[row]):
            continue
        start, end = row_starts[row], row_starts[row + 1]
        score = exact(gaps[start:end], weights[start:end], dense)
        size = offer(
            keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks, numbers,
            first, row, score,
        )  # fmt: skip
    if last:
        drain(keys, best_ties, best_numbers, best_rows, best_scores, size)
    return size
