"""Compiled passes over the upper bounds of a range of rows: 16-bit integers, every rounding goes up."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np

from recommender.postings.intrinsics import lowest_bit, prefetch, reaching, reaching_with
from recommender.postings.kinds import BLOCK, FRONTS_AHEAD, NEAR, OUT
from recommender.postings.pack import row_at


@nb.njit
def most_promising(blocks, chosen, counts):
    """Blocks of about the greatest peaks, above 0, into `chosen`; how many. `counts` is room for 1024 numbers."""
    counts[:] = 0
    for block in range(len(blocks)):
        counts[blocks[block] >> np.uint16(6)] += 1
    kind, over = 1024, 0
    while kind > 0 and over + counts[kind - 1] <= len(chosen):
        kind -= 1
        over += counts[kind]
    size, free = 0, len(chosen) - over  # of the kind below there is room for some
    for block in range(len(blocks)):
        value = np.int64(blocks[block] >> np.uint16(6))
        if blocks[block] and (value >= kind or (value == kind - 1 and free > 0)):
            free -= value < kind
            chosen[size] = block
            size += 1
    return size


@nb.njit
def promising(bounds, blocks, chosen, counts, allowed, order, low, width):
    """Places of about the greatest bounds whose rows may be found, into `chosen`; how many. Room as above."""
    found = 0
    for hidden in range(2):
        peaks(bounds, blocks)
        most = most_promising(blocks, chosen, counts)
        found = 0
        for at in range(most):
            place = peak(bounds, len(blocks), chosen[at])
            if hidden or len(allowed) == 0 or allowed[row_at(order, low + place)]:
                chosen[found] = place
                found += 1
        if 2 * found >= most:  # nearly every row may be found: the others need not be hidden, which takes longer
            break
        hide(bounds[:width], allowed, order, low)
    return found


@nb.njit
def bar_of(floor, unit):
    """The least bound that a row of this score can have."""
    return np.uint16(max(1.0, min(65535.0, np.floor(floor * unit) - 1.0)))


@nb.njit
def at_least(bounds, norms, ceilings, factor, bar, allowed, order, low, waiting, most):
    """Places whose row may be found, and whose bound with `unread` reaches the bar, into `waiting`; how many.

    Ends soon after there are more than `most`. A bound that is OUT reaches nothing.
    """
    size = 0
    whole = len(norms) & ~(BLOCK - 1)
    for first in range(0, whole, 64 * BLOCK):
        near = np.uint64(0)  # blocks that may hold some: their norms are fetched together
        for block in range(min(64, (whole - first) // BLOCK)):
            place = first + block * BLOCK
            least = np.int64(bar) - unread(ceilings[place // BLOCK], factor)
            if least <= 0 or reaching(bounds, place, np.uint16(least)):
                near |= np.uint64(1) << np.uint64(block)
                prefetch(norms, place)
        while near:
            place = first + lowest_bit(near) * BLOCK
            near &= near - np.uint64(1)
            hit = reaching_with(bounds, place, norms, place, np.uint16(factor), bar)
            while hit:
                at = place + lowest_bit(hit)
                hit &= hit - np.uint64(1)
                if len(allowed) == 0 or allowed[row_at(order, low + at)]:
                    waiting[size] = at
                    size += 1
            if size > most:
                return size
    for place in range(whole, len(norms)):
        is_near = bounds[place] != OUT and bounds[place] + unread(norms[place], factor) >= bar
        if is_near and (len(allowed) == 0 or allowed[row_at(order, low + place)]):
            waiting[size] = place
            size += 1
    return size


@nb.njit
def front(packed, frequent, cut):
    """Sum of code * factor over the terms below `cut` of one row."""
    total = np.uint64(0)
    term = np.uint64(0) - np.uint64(1)
    whole = len(packed) & ~7
    place = 0
    while place < whole:
        some = packed[place : place + 8]
        more = np.uint64(0)
        ahead = term
        for at in range(8):
            ahead += np.uint64(some[at] & np.uint16(255))
            more += np.uint64(some[at] >> np.uint16(8)) * np.uint64(frequent[ahead])
        if ahead >= cut:
            break
        total += more
        term = ahead
        place += 8
    for last in range(place, len(packed)):
        term += np.uint64(packed[last] & np.uint16(255))
        if term >= cut:
            break
        total += np.uint64(packed[last] >> np.uint16(8)) * np.uint64(frequent[term])
    return np.int64(total)


@nb.njit
def rest(waiting, others, levels, bounds, low, level):
    """Rows of a range become rows of the segment, with the bound of what was read, and the level that was not."""
    for at in range(len(waiting)):
        row = waiting[at]
        others[at] = bounds[row]
        levels[at] = level
        waiting[at] = low + row


@nb.njit
def refine(waiting, others, levels, bar, starts, fronts, frequent, cuts):
    """Keep the rows whose bound reaches the bar when unread terms count by the row's codes of them; how many.

    `frequent` holds the query's factors by term number, 0 for terms that it does not hold.
    """
    kept = 0
    for at in range(min(len(waiting), 2 * FRONTS_AHEAD)):
        prefetch(starts, waiting[at])
    for at in range(min(len(waiting), FRONTS_AHEAD)):
        fetch_front(starts, fronts, waiting[at])
    for at in range(len(waiting)):
        if at + 2 * FRONTS_AHEAD < len(waiting):
            prefetch(starts, waiting[at + 2 * FRONTS_AHEAD])
        if at + FRONTS_AHEAD < len(waiting):
            fetch_front(starts, fronts, waiting[at + FRONTS_AHEAD])
        row = waiting[at]
        bound = np.int64(others[at])
        if levels[at]:
            cut = np.uint64(cuts[levels[at] - 1])
            bound += (front(fronts[starts[row] : starts[row + 1]], frequent, cut) >> 8) + 1
        if bound >= bar:
            waiting[kept] = row
            others[kept] = bound
            kept += 1
    return kept


@nb.njit
def fetch_front(starts, fronts, row):
    """Bring the front of a row near."""
    start = starts[row]
    for place in range(0, min(starts[row + 1] - start, 160) + 31, 32):
        prefetch(fronts, start + place)


@nb.njit
def add_list(bounds, ids, codes, factor):
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
def unread(norm, factor):
    """What unread terms can add at most to a row: norm * factor / 256, up."""
    return np.int64((np.uint32(norm) * np.uint32(factor)) >> np.uint32(8)) + 1


@nb.njit
def hide(bounds, allowed, order, low):
    """No bound for rows that may not be found; the first place is `low`."""
    for place in range(len(bounds)):
        bounds[place] *= allowed[row_at(order, low + place)]


@nb.njit
def peaks(bounds, blocks):
    """The greatest bound of each block; block b holds the rows b, b + blocks, b + 2 blocks... (vectorises)."""
    count = len(blocks)
    blocks[:] = bounds[:count]
    for layer in range(1, BLOCK):
        part = bounds[layer * count : layer * count + count]
        for block in range(count):
            blocks[block] = max(blocks[block], part[block])


@nb.njit
def peak(bounds, count, block):
    """The place of the greatest bound of one block."""
    best = block
    for row in range(block, BLOCK * count, count):
        if bounds[row] > bounds[best]:
            best = row
    return best
