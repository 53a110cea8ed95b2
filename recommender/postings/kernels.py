"""Compiled search of one segment: accumulate upper bounds, rescore exactly what may reach the top.

Bounds are 16-bit integers: `unit` of them make a score of 1, and every rounding goes up, so a row whose bound is
below the k-th best score is proven out. Signatures are explicit: nothing is compiled by a first query.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

from recommender.postings.intrinsics import lowest_bit, prefetch

LEVEL_SHARES = (0.30, 0.15, 0.08, 0.05, 0.03, 0.02, 0.012, 0.007)  # level i: terms held by more than this share of rows
LEVELS = len(LEVEL_SHARES)
RANGE = 1 << 16  # rows whose bounds are accumulated at a time
BLOCK = 64
SLACK = 0.6
FIRST_AIM = 0.2  # the cosine that is hoped for while no k-th best is known
PASS_COST = 15_000  # and two passes over the bounds as much as this
ROW_COST = 120  # refining one row costs as much as reading this many postings
NEAR = 256
ROWS_AHEAD = 8
BITS_AHEAD = 12
BITS_SHARE = 0.7  # bytes a posting for bits that say which frequent terms a row holds, 128 a row at most
LISTS_AHEAD = 3
ESCAPE = 0xFFFF  # a gap this long between two terms of a row is followed by another gap


def _frozen(dtype: nb.types.Type) -> nb.types.Array:
    return nb.types.Array(dtype, 1, "C", readonly=True)


U8, U16, U32, U64, I32, I64, F32 = map(
    _frozen, (nb.uint8, nb.uint16, nb.uint32, nb.uint64, nb.int32, nb.int64, nb.float32)
)


@nb.njit(inline="always")
def _worse(score, tie, number, other_score, other_tie, other_number):
    """Whether the first comes after the second: score falling, tie-break falling, id rising."""
    if score != other_score:
        return score < other_score
    if tie != other_tie:
        return tie < other_tie
    return number > other_number


@nb.njit
def _sink(keys, ties, numbers, rows, scores, size, key, tie, number, row, score):
    """Put one row at the root of a heap and let it sink to its place."""
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


@nb.njit
def _push(keys, ties, numbers, rows, scores, size, k, key, tie, number, row, score):
    """Put one row into the heap of the best k (worst at the root); the new size."""
    if size == k:
        if _worse(keys[0], ties[0], numbers[0], key, tie, number):
            _sink(keys, ties, numbers, rows, scores, size, key, tie, number, row, score)
        return size
    at = size
    while at > 0:
        up = (at - 1) >> 1
        if not _worse(key, tie, number, keys[up], ties[up], numbers[up]):
            break
        keys[at], ties[at], numbers[at], rows[at], scores[at] = keys[up], ties[up], numbers[up], rows[up], scores[up]
        at = up
    keys[at], ties[at], numbers[at], rows[at], scores[at] = key, tie, number, row, score
    return size + 1


@nb.njit
def _drain(keys, ties, numbers, rows, scores, size):
    """Turn the heap into a list, best first."""
    for end in range(size - 1, 0, -1):
        key, tie, number, row, score = keys[end], ties[end], numbers[end], rows[end], scores[end]
        keys[end], ties[end], numbers[end], rows[end], scores[end] = keys[0], ties[0], numbers[0], rows[0], scores[0]
        _sink(keys, ties, numbers, rows, scores, end, key, tie, number, row, score)


@nb.njit
def _exact(gaps, weights, dense):
    """Inner product of one row with the scattered query: float64 sums in a fixed order, so equal rows score equal."""
    even, odd = 0.0, 0.0
    term = -1
    for pair in range(len(gaps) >> 1):
        term += gaps[2 * pair]
        even += np.float64(weights[2 * pair]) * np.float64(dense[term])
        term += gaps[2 * pair + 1]
        odd += np.float64(weights[2 * pair + 1]) * np.float64(dense[term])
    if len(gaps) & 1:
        term += gaps[len(gaps) - 1]
        even += np.float64(weights[len(gaps) - 1]) * np.float64(dense[term])
    return even + odd


@nb.njit
def _unpacked(gaps, weights):
    """Term numbers and weights of one row."""
    terms = np.empty(len(gaps), np.int32)
    values = np.empty(len(gaps), np.float32)
    size = 0
    term = -1
    for place in range(len(gaps)):
        term += gaps[place]
        terms[size] = term
        values[size] = weights[place]
        size += weights[place] > 0
    return terms[:size], values[:size]


@nb.njit
def _prefix(gaps, weights, dense, cut):
    """The same over the terms below `cut` alone: the frequent ones, which stand first in a row."""
    total = 0.0
    term = -1
    for place in range(len(gaps)):
        term += gaps[place]
        if term >= cut:
            break
        total += np.float64(weights[place]) * np.float64(dense[term])
    return total


@nb.njit
def _offer(
    keys,
    best_ties,
    best_numbers,
    best_rows,
    best_scores,
    size,
    k,
    step,
    minimum,
    tie_breaks,
    numbers,
    first,
    row,
    exact,
):
    """Offer a scored row to the heap; its new size."""
    score = np.float32(exact)
    key = np.rint(score / step) * step if step > 0 else np.float64(score)
    if not (score > 0 and key >= minimum):
        return size
    tie = tie_breaks[row] if len(tie_breaks) else first + row
    number = numbers[row] if len(numbers) else first + row
    return _push(keys, best_ties, best_numbers, best_rows, best_scores, size, k, key, tie, number, first + row, score)


@nb.njit
def _most_promising(blocks, count, chosen, values):
    """Blocks of the greatest peaks, greatest first, into `chosen`; how many are above 0."""
    size = 0
    for block in range(count):
        value = blocks[block]
        if value == 0 or (size == len(chosen) and value <= values[size - 1]):
            continue
        if size < len(chosen):
            size += 1
        at = size - 1
        while at > 0 and values[at - 1] < value:
            values[at], chosen[at] = values[at - 1], chosen[at - 1]
            at -= 1
        values[at], chosen[at] = value, block
    return size


@nb.njit
def _bar(floor, unit):
    """The least bound that a row of this score can have."""
    return np.uint16(max(1.0, min(65535.0, np.floor(floor * unit) - 1.0)))


@nb.njit
def _at_least(bounds, blocks, bar, waiting):
    """Rows whose bound reaches the bar into `waiting`; how many."""
    count = len(blocks)
    size = 0
    for block in range(count):
        if blocks[block] >= bar:
            for row in range(block, BLOCK * count, count):
                if bounds[row] >= bar:
                    waiting[size] = row
                    size += 1
    return size


@nb.njit
def _sharing(waiting, bounds, bar, held, asked, words, dense, cut, norms, factor, top, beyond):
    """Keep the rows whose bound reaches the bar when only the frequent terms they share count; how many.

    Cauchy-Schwarz again, over the terms of both: the bits of a row say which of the most frequent it holds.
    """
    kept = 0
    for at in range(min(len(waiting), BITS_AHEAD)):
        prefetch(held, np.int64(waiting[at]) * words)
        prefetch(held, np.int64(waiting[at]) * words + 8)
    for at in range(len(waiting)):
        if at + BITS_AHEAD < len(waiting):
            prefetch(held, np.int64(waiting[at + BITS_AHEAD]) * words)
            prefetch(held, np.int64(waiting[at + BITS_AHEAD]) * words + 8)
        row = waiting[at]
        total = 0.0
        for word in range(words):
            both = held[row * words + word] & asked[word]
            while both:
                term = 64 * word + lowest_bit(both)
                if term < cut:
                    total += np.float64(dense[term]) * np.float64(dense[term])
                both &= both - np.uint64(1)
        length = np.float64(norms[row]) * top / 255.0 * 1.0001
        bound = np.int64(bounds[row]) - _unread(norms[row], factor) + np.int64((np.sqrt(total) + beyond) * length) + 2
        if bound >= bar:
            waiting[kept] = row
            kept += 1
    return kept


@nb.njit
def _fetch_row(row_starts, gaps, weights, row):
    """Bring the beginning of a row near."""
    start = row_starts[row]
    for line in range(3):
        prefetch(gaps, start + 32 * line)
    for line in range(4):
        prefetch(weights, start + 16 * line)


@nb.njit
def _add_list(bounds, ids, codes, factor):
    """Add one term's upper bounds; `factor` is in 1/256 units a code."""
    for chunk in range(0, len(ids), 64):
        prefetch(ids, chunk + NEAR)
        prefetch(ids, chunk + NEAR + 32)
        prefetch(codes, chunk + NEAR)
        some = ids[chunk : chunk + 64]
        their = codes[chunk : chunk + 64]
        for place in range(len(some)):
            row = some[place]
            bounds[row] = np.uint16(bounds[row] + ((np.int64(their[place]) * factor + 255) >> 8))


@nb.njit
def _unread(norm, factor):
    """What unread terms can add at most to a row: norm * factor / 256, up."""
    return ((np.int64(norm) * (factor & 255)) >> 8) + np.int64(norm) * (factor >> 8) + 1


@nb.njit
def _set_norms(bounds, norms, factor):
    """`_unread` for every row, all in 16 bits so that it vectorises."""
    high, low = np.uint16(factor >> 8), np.uint16(factor & 255)
    for row in range(len(norms)):
        norm = np.uint16(norms[row])
        part = np.uint16(norm * low)
        bounds[row] = np.uint16(np.uint16(norm * high) + np.uint16(part >> np.uint16(8)) + np.uint16(1))


@nb.njit
def _take_norms(bounds, norms, factor):
    """The reverse; a row that is out stays at 0."""
    high, low = np.uint16(factor >> 8), np.uint16(factor & 255)
    for row in range(len(norms)):
        norm = np.uint16(norms[row])
        part = np.uint16(norm * low)
        less = np.uint16(np.uint16(norm * high) + np.uint16(part >> np.uint16(8)) + np.uint16(1))
        bounds[row] = np.uint16(max(bounds[row], less) - less)


@nb.njit
def _add_norms(bounds, norms, factor):
    high, low = np.uint16(factor >> 8), np.uint16(factor & 255)
    for row in range(len(norms)):
        norm = np.uint16(norms[row])
        part = np.uint16(norm * low)
        more = np.uint16(np.uint16(norm * high) + np.uint16(part >> np.uint16(8)) + np.uint16(1))
        bounds[row] = np.uint16(bounds[row] + more)


@nb.njit
def _hide(bounds, allowed):
    for row in range(len(allowed)):
        bounds[row] *= allowed[row]


@nb.njit
def _peaks(bounds, blocks):
    """The greatest bound of each block; block b holds the rows b, b + blocks, b + 2 blocks... (vectorises)."""
    count = len(blocks)
    blocks[:] = bounds[:count]
    for layer in range(1, BLOCK):
        part = bounds[layer * count : layer * count + count]
        for block in range(count):
            blocks[block] = max(blocks[block], part[block])


@nb.njit
def _how_many(bounds, hits, bar):
    """How many bounds reach the bar."""
    count = len(hits)
    hits[:] = 0
    for layer in range(BLOCK):
        part = bounds[layer * count : layer * count + count]
        for block in range(count):
            hits[block] += np.uint16(part[block] >= bar)
    total = 0
    for block in range(count):
        total += hits[block]
    return total


@nb.njit
def _peak(bounds, count, block):
    """The place of the greatest bound of one block."""
    best = block
    for row in range(block, BLOCK * count, count):
        if bounds[row] > bounds[best]:
            best = row
    return best


_SEARCH = nb.types.UniTuple(nb.int64, 4)(
    # the segment
    nb.int64, U16, U32, U32, U8, nb.int64, U32, F32, I64, U16, F32, U8, U64, I64, F32, F32, nb.float64,
    # the query
    I32, F32, nb.int64, nb.float64, nb.float64, U8, nb.int64, I64, I64, nb.int64,
    # scratch
    nb.float32[::1], nb.uint16[::1], nb.uint16[::1], nb.int32[::1],
    # the best so far
    nb.float64[::1], nb.int64[::1], nb.int64[::1], nb.int64[::1], nb.float32[::1], nb.int64, nb.boolean,
)  # fmt: skip


@nb.njit(_SEARCH, cache=True, nogil=True, error_model="numpy")
def search(
    n, ids, table, rare_ids, codes, common, rare_starts, steps, row_starts, gaps, weights, norms, held, cuts, tops, usual,
    longest, terms, query, k, step, minimum, allowed, own, tie_breaks, numbers, first,
    dense, bounds, blocks, waiting,
    keys, best_ties, best_numbers, best_rows, best_scores, size, last,
):  # fmt: skip
    """Offer the rows of one segment to the heap of the best k; (its size, postings read, rows refined, rows scored).

    Without terms, row `own` of this segment is the query. After the `last` segment the heap is brought into order.
    """
    if own >= 0 and len(terms) == 0:
        terms, query = _unpacked(
            gaps[row_starts[own] : row_starts[own + 1]], weights[row_starts[own] : row_starts[own + 1]]
        )
    count = len(terms)
    total = 0.0
    for at in range(count):
        total += np.float64(query[at]) * np.float64(query[at])
    query_length = np.sqrt(total)
    ranges = (n + RANGE - 1) // RANGE if total > 0 else 0
    read, refined, scored = 0, 0, 0
    own_range = own // RANGE if own >= 0 else ranges - 1
    split = count  # query terms from here on are rare
    for at in range(count):
        term = terms[at]
        prefetch(steps, term)
        if term < common:
            prefetch(table, term * (ranges + 1) + own_range)
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
    level_ends = np.zeros(LEVELS + 1, np.int64)  # query terms within the first levels
    likely = np.zeros(LEVELS + 1, np.float64)  # what they usually add at most
    level_factors = np.zeros(LEVELS + 1, np.int64)
    at = 0
    total = 0.0
    for level in range(1, LEVELS + 1):
        while at < split and terms[at] < cuts[level - 1]:
            total += max(query[at], 0.0) ** 2
            at += 1
        level_ends[level] = at
        likely[level] = np.sqrt(total) * usual[level - 1]
        top = np.sqrt(total) * tops[level - 1] * 1.0001
        level_factors[level] = np.int64(np.ceil(top / 255.0 * unit * 256.0))

    words = len(held) // max(n, 1)
    asked_bits = np.zeros(words, np.uint64)
    beyond = np.zeros(LEVELS + 1, np.float64)  # length of a level's terms that have no bit
    at = 0
    total = 0.0
    for level in range(1, LEVELS + 1):
        while at < level_ends[level]:
            if terms[at] < 64 * words:
                if query[at] > 0:
                    asked_bits[terms[at] >> 6] |= np.uint64(1) << np.uint64(terms[at] & 63)
            else:
                total += max(query[at], 0.0) ** 2
            at += 1
        beyond[level] = np.sqrt(total)

    # Entries of rare terms by range of rows.
    rare_ends = np.zeros(ranges + 1, np.int64)
    rare_rows = np.empty(rare, np.uint16)
    rare_adds = np.empty(rare, np.uint16)
    for at in range(split, count):
        term = terms[at] - common
        for place in range(np.int64(rare_starts[term]), np.int64(rare_starts[term + 1])):
            rare_ends[np.int64(rare_ids[place]) // RANGE + 1] += 1
    for current in range(ranges):
        rare_ends[current + 1] += rare_ends[current]
    fill = rare_ends[:ranges].copy()
    for at in range(split, count):
        term = terms[at] - common
        for place in range(np.int64(rare_starts[term]), np.int64(rare_starts[term + 1])):
            row = np.int64(rare_ids[place])
            to = fill[row // RANGE]
            fill[row // RANGE] = to + 1
            rare_rows[to] = np.uint16(row % RANGE)
            rare_adds[to] = np.uint16((np.int64(codes[len(ids) + place]) * factors[at] + 255) >> 8)

    starts = np.empty(split + LISTS_AHEAD, np.int64)
    ends = np.empty(split + LISTS_AHEAD, np.int64)
    starts[split:] = 0
    ends[split:] = 0
    hits = np.empty(len(blocks), np.uint16)
    chosen = np.empty(min(k + k // 4 + 1, len(blocks)), np.int64)
    values = np.empty(len(chosen), np.uint16)
    level = 0  # terms of the first `level` levels are bounded, not read
    left = 0  # rows to look at in the last range, and postings that one level more would not have read
    postings = np.int64(0)
    for turn in range(ranges):
        # The query's own range first: its story is near in time. Then from the newest to the oldest.
        current = own_range if turn == 0 else (ranges - turn if ranges - turn > own_range else ranges - turn - 1)
        low = current * RANGE
        high = min(n, low + RANGE)
        width = high - low
        filled = (width + BLOCK - 1) // BLOCK
        peaks = blocks[:filled]
        if turn == 0:
            aim = max(keys[0], minimum) if size == k else FIRST_AIM * query_length * longest
            while level < LEVELS and likely[level + 1] < SLACK * aim:
                level += 1
        elif level < LEVELS and 4 * left * ROW_COST < postings:
            level += 1  # few rows were left: read less
        begin = level_ends[level]

        for at in range(split):
            place = terms[at] * (ranges + 1) + current
            starts[at] = table[place]
            ends[at] = table[place + 1]
        for at in range(begin, min(begin + LISTS_AHEAD, split)):
            prefetch(ids, starts[at])
            prefetch(codes, starts[at])
        # Rows start with what the unread terms can add at most (Cauchy-Schwarz).
        bounds[width : filled * BLOCK] = 0
        if level == 0:
            bounds[:width] = 0
        else:
            _set_norms(bounds, norms[(level - 1) * n + low : (level - 1) * n + high], level_factors[level])
        for at in range(begin, split):
            ahead = starts[at + LISTS_AHEAD]
            for line in range(min((ends[at + LISTS_AHEAD] - ahead + 63) >> 6, NEAR >> 6)):
                prefetch(ids, ahead + 64 * line)
                prefetch(ids, ahead + 64 * line + 32)
                prefetch(codes, ahead + 64 * line)
            _add_list(bounds, ids[starts[at] : ends[at]], codes[starts[at] : ends[at]], factors[at])
            read += ends[at] - starts[at]
        for place in range(rare_ends[current], rare_ends[current + 1]):
            bounds[rare_rows[place]] += rare_adds[place]

        found = 0  # rows scored while setting the bar: offered once
        while True:
            if len(allowed):
                _hide(bounds, allowed[low:high])
            if own >= low and own < high:
                bounds[own - low] = 0
            for at in range(found):
                bounds[chosen[at]] = 0
            _peaks(bounds, peaks)
            if size < k and found == 0:
                # Until k are known, the best row of each of the most promising blocks sets the bar.
                found = _most_promising(blocks, filled, chosen, values)
                for at in range(found):
                    chosen[at] = _peak(bounds, filled, chosen[at])
                    prefetch(row_starts, low + chosen[at])
                for at in range(found):
                    _fetch_row(row_starts, gaps, weights, low + chosen[at])
                for at in range(found):
                    row = low + chosen[at]
                    start, end = row_starts[row], row_starts[row + 1]
                    exact = _exact(gaps[start:end], weights[start:end], dense)
                    size = _offer(
                        keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks,
                        numbers, first, row, exact,
                    )  # fmt: skip
                    bounds[chosen[at]] = 0
                scored += found
            bar = _bar(max(keys[0] - step, minimum) if size == k else minimum, unit)
            if level == 0:
                break
            # Too many left: read the postings of the rarest unread level instead of looking at each row.
            lower = level - 1
            while lower > 0 and level_ends[lower] == level_ends[level]:
                lower -= 1
            postings = np.int64(0)
            for at in range(level_ends[lower], level_ends[level]):
                postings += ends[at] - starts[at]
            if _how_many(bounds[: filled * BLOCK], hits[:filled], bar) * ROW_COST < postings + PASS_COST:
                break
            _take_norms(bounds, norms[(level - 1) * n + low : (level - 1) * n + high], level_factors[level])
            if lower:
                _add_norms(bounds, norms[(lower - 1) * n + low : (lower - 1) * n + high], level_factors[lower])
            for at in range(level_ends[lower], level_ends[level]):
                _add_list(bounds, ids[starts[at] : ends[at]], codes[starts[at] : ends[at]], factors[at])
            read += postings
            level = lower

        left = _at_least(bounds, peaks, bar, waiting)
        postings = np.int64(0)
        if level < LEVELS:
            for at in range(level_ends[level], level_ends[level + 1]):
                postings += ends[at] - starts[at]
        cut = cuts[level - 1] if level else 0
        if level and words:
            refined += left
            left = _sharing(
                waiting[:left], bounds, bar, held[low * words : high * words], asked_bits, words, dense, cut,
                norms[(level - 1) * n + low : (level - 1) * n + high], level_factors[level], tops[level - 1] * unit,
                beyond[level],
            )  # fmt: skip
        for at in range(min(left, ROWS_AHEAD)):
            prefetch(row_starts, low + waiting[at])
        for at in range(left):
            if at + 2 * ROWS_AHEAD < left:
                prefetch(row_starts, low + waiting[at + 2 * ROWS_AHEAD])
            if at + ROWS_AHEAD < left:
                _fetch_row(row_starts, gaps, weights, low + waiting[at + ROWS_AHEAD])
            bound = np.int64(bounds[waiting[at]])
            if bound < bar:
                continue
            row = low + waiting[at]
            start, end = row_starts[row], row_starts[row + 1]
            scored += 1
            if level:
                bound -= _unread(norms[(level - 1) * n + row], level_factors[level])
                bound += np.int64(np.ceil(_prefix(gaps[start:end], weights[start:end], dense, cut) * unit)) + 1
                if bound < bar:
                    continue
            exact = _exact(gaps[start:end], weights[start:end], dense)
            size = _offer(
                keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks, numbers,
                first, row, exact,
            )  # fmt: skip
            bar = _bar(max(keys[0] - step, minimum) if size == k else minimum, unit)
    for at in range(count):
        dense[terms[at]] = 0.0
    if last:
        _drain(keys, best_ties, best_numbers, best_rows, best_scores, size)
    return size, read, refined, scored


@nb.njit(nb.float32[::1](I64, U16, F32, I64, F32), cache=True, nogil=True)
def score_rows(row_starts, gaps, weights, rows, dense):
    """Inner product of some rows with a scattered query, as `search` scores them."""
    made = np.empty(len(rows), np.float32)
    for at in range(len(rows)):
        start, end = row_starts[rows[at]], row_starts[rows[at] + 1]
        made[at] = _exact(gaps[start:end], weights[start:end], dense)
    return made


_LOOK = nb.int64(
    I64, U16, F32, nb.int64, nb.float64, nb.float64, U8, nb.int64, I64, I64, nb.int64, F32,
    nb.float64[::1], nb.int64[::1], nb.int64[::1], nb.int64[::1], nb.float32[::1], nb.int64, nb.boolean,
)  # fmt: skip


@nb.njit(_LOOK, cache=True, nogil=True)
def look_at_all(
    row_starts, gaps, weights, k, step, minimum, allowed, own, tie_breaks, numbers, first, dense,
    keys, best_ties, best_numbers, best_rows, best_scores, size, last,
):  # fmt: skip
    """The same as `search`, by scoring every allowed row: for queries of very many terms."""
    for row in range(len(row_starts) - 1):
        if row == own or (len(allowed) and not allowed[row]):
            continue
        start, end = row_starts[row], row_starts[row + 1]
        exact = _exact(gaps[start:end], weights[start:end], dense)
        size = _offer(
            keys, best_ties, best_numbers, best_rows, best_scores, size, k, step, minimum, tie_breaks, numbers,
            first, row, exact,
        )  # fmt: skip
    if last:
        _drain(keys, best_ties, best_numbers, best_rows, best_scores, size)
    return size
