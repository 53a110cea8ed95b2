"""Compiled passes over the upper bounds of a range of rows: 16-bit integers, every rounding goes up."""
# mypy: ignore-errors
# Compiled functions have no Python types; their signatures stand at `njit` where Python calls them.

import numba as nb
import numpy as np

from recommender.postings.intrinsics import lowest_bit, prefetch
from recommender.postings.kinds import BITS_AHEAD, BLOCK, NEAR


@nb.njit
def most_promising(blocks, count, chosen, values):
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
def bar_of(floor, unit):
    """The least bound that a row of this score can have."""
    return np.uint16(max(1.0, min(65535.0, np.floor(floor * unit) - 1.0)))


@nb.njit
def at_least(bounds, blocks, bar, waiting):
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
def sharing(waiting, bounds, bar, held, asked, words, dense, cut, norms, factor, top, beyond):
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
        bound = np.int64(bounds[row]) - unread(norms[row], factor) + np.int64((np.sqrt(total) + beyond) * length) + 2
        if bound >= bar:
            waiting[kept] = row
            kept += 1
    return kept


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
    return np.int64((np.uint32(norm) * factor + np.uint32(255)) >> np.uint32(8))


@nb.njit
def set_norms(bounds, norms, factor):
    """`unread` for every row, in 32 bits so that it vectorises well."""
    for row in range(len(norms)):
        bounds[row] = np.uint16((np.uint32(norms[row]) * factor + np.uint32(255)) >> np.uint32(8))


@nb.njit
def change_norms(bounds, norms, factor, old_norms, old_factor):
    """The bound of a lower level in the place of that of a higher one; a row that is out stays low."""
    for row in range(len(norms)):
        less = np.uint16((np.uint32(old_norms[row]) * old_factor + np.uint32(255)) >> np.uint32(8))
        more = np.uint16((np.uint32(norms[row]) * factor + np.uint32(255)) >> np.uint32(8))
        bounds[row] = np.uint16(max(bounds[row], less) - less + more)


@nb.njit
def hide(bounds, allowed):
    for row in range(len(allowed)):
        bounds[row] *= allowed[row]


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
def how_many(bounds, hits, bar):
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
def peak(bounds, count, block):
    """The place of the greatest bound of one block."""
    best = block
    for row in range(block, BLOCK * count, count):
        if bounds[row] > bounds[best]:
            best = row
    return best
