"""A few texts side by side, 32 lanes wide, so that one pass over another text compares it with all of them."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, call-arg"

import threading

import numba as nb
import numpy as np
from numpy.typing import NDArray

from recommender.postings.intrinsics import lane_sums, prefetch, widened

LANES = 32
FIRST_ROWS = 4_096  # of the table; it grows
FAST = {"reassoc", "contract"}
ROWS, MARKS, TABLE = nb.int32[:, ::1], nb.uint64[:, ::1], nb.float32[:, ::1]
ROOM = ROWS, MARKS, TABLE
_local = threading.local()


def lanes(width: int, few: int) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.float32]]:
    """Room of this thread for `few` texts of terms below `width`: the row of each term (blocks x width) and a bit a
    term that says whether it has one, all 0, and the rows themselves. Whoever calls `lay` calls `forget` afterwards.
    Memory: 4 bytes a term for 32 texts; the bits alone, which most terms are looked up in, stay in the first cache."""
    blocks = max(-(-few // LANES), 1)
    rows: NDArray[np.int32] | None = getattr(_local, "rows", None)
    if rows is None or rows.shape[0] < blocks or rows.shape[1] < width:
        _local.rows = rows = np.zeros((blocks, width + width // 4), np.int32)
        _local.marks = np.zeros((blocks, rows.shape[1] // 64 + 1), np.uint64)
        _local.table = np.zeros((FIRST_ROWS, LANES), np.float32)
    return rows, _local.marks, _local.table


@nb.njit
def lay(slot, lane, starts, ends, terms, weights, rows, marks, table, filled):
    """Put a text into a lane. Returns the table, which may have grown, and how many of its rows are in use (from 1)."""
    block, lane = lane // LANES, lane % LANES
    if filled + ends[slot] - starts[slot] > len(table):
        larger = np.empty((2 * (filled + ends[slot] - starts[slot]), LANES), np.float32)
        larger[:filled] = table[:filled]
        table = larger
    for place in range(starts[slot], ends[slot]):
        term = np.uint64(terms[place])
        row = rows[block, term]
        if row == 0:
            row = rows[block, term] = filled
            marks[block, term >> np.uint64(6)] |= np.uint64(1) << (term & np.uint64(63))
            table[row] = 0
            filled += 1
        table[row, lane] = weights[place]
    return table, filled


@nb.njit
def forget(slot, lane, starts, ends, terms, rows, marks):
    """Undo `lay`, as far as other texts are concerned."""
    for place in range(starts[slot], ends[slot]):
        rows[lane // LANES, terms[place]] = 0
        marks[lane // LANES, terms[place] >> 6] = 0


@nb.njit
def lane_dots(slot, block, starts, ends, terms, weights, rows, marks, table, hits, factors, found):
    """The words of a slot against the lanes of a block, into `found[32 * block:]`; two scratch arrays."""
    count, row_of, marked = 0, rows[block], marks[block]
    if len(hits) < ends[slot] - starts[slot]:
        hits, factors = np.empty(ends[slot] - starts[slot], np.int32), np.empty(ends[slot] - starts[slot], np.float32)
    for place in range(np.uint64(starts[slot]), np.uint64(ends[slot])):
        term = np.uint32(terms[place])
        hits[np.uint64(count)], factors[np.uint64(count)] = terms[place], weights[place]
        count += marked[np.uint64(term >> np.uint32(6))] >> np.uint64(term & np.uint32(63)) & np.uint64(1) != 0
    for hit in range(np.uint64(count)):
        hits[hit] = row_of[np.uint32(hits[hit])]
    lane_sums(table, hits, factors, count, found, block * LANES)


@nb.njit
def widen(latent, slot, row):
    """A slot's latent row as float32."""
    for place in range(latent.shape[1]):
        row[place] = widened(latent[np.uint64(slot), place])


@nb.njit(fastmath=FAST)
def direction_dots(slot, latent, directions, first, last, widest, found):
    """The latent row of a slot against `directions[first:last]`, into `found[first:last]`; `widest` is scratch (r,).

    Four at a time, from a multiple of four on: what is loaded serves four sums, and each has the same bits anywhere.
    """
    widen(latent, slot, widest)
    for one in range(first - first % 4, last, 4):
        row = np.uint64(one)
        a = b = c = d = np.float32(0)
        for place in range(latent.shape[1]):
            a += widest[place] * directions[row, place]
            b += widest[place] * directions[row + np.uint64(1), place]
            c += widest[place] * directions[row + np.uint64(2), place]
            d += widest[place] * directions[row + np.uint64(3), place]
        found[row], found[row + np.uint64(1)], found[row + np.uint64(2)], found[row + np.uint64(3)] = a, b, c, d


@nb.njit(fastmath=FAST)
def direction_dots_of_two(slot, other, latent, directions, last, wide, found):
    """The same for two slots and `directions[:last]`, into found[0] and found[1]; `wide` is scratch (2 x r)."""
    widen(latent, slot, wide[0])
    widen(latent, other, wide[1])
    for one in range(0, last, 4):
        row = np.uint64(one)
        a = b = c = d = e = f = g = h = np.float32(0)
        for place in range(latent.shape[1]):
            mine, its = wide[0, place], wide[1, place]
            first, second = directions[row, place], directions[row + np.uint64(1), place]
            third, fourth = directions[row + np.uint64(2), place], directions[row + np.uint64(3), place]
            a, e = a + mine * first, e + its * first
            b, f = b + mine * second, f + its * second
            c, g = c + mine * third, g + its * third
            d, h = d + mine * fourth, h + its * fourth
        found[0, one], found[0, one + 1], found[0, one + 2], found[0, one + 3] = a, b, c, d
        found[1, one], found[1, one + 1], found[1, one + 2], found[1, one + 3] = e, f, g, h


@nb.njit(error_model="numpy")
def means(words, along, word_shares, dense_shares, has_words, has_direction, found):
    """`mean` for each lane of what one text and the laid ones have; a share is 0 for a view that one of them lacks."""
    for lane in range(len(found)):
        words_weight, dense_weight = word_shares[lane] * has_words, dense_shares[lane] * has_direction
        weight = words_weight + dense_weight
        both = words_weight * np.float64(words[lane]) + dense_weight * np.float64(along[lane])
        found[lane] = np.float32(both / weight) if weight > 0 else np.float32(0)


@nb.njit
def fetch(slot, starts, terms, weights, latent, lines):
    """Have a slot's row on its way to the cache."""
    for place in range(0, lines, 16):
        prefetch(terms, starts[slot] + place)
        prefetch(weights, starts[slot] + place)
    flat = latent.ravel()
    for place in range(0, latent.shape[1], 32):
        prefetch(flat, slot * latent.shape[1] + place)


@nb.njit(error_model="numpy")
def mean(words, along, words_weight, dense_weight):
    """The mean of both views' cosines by their weights, 0 where both are 0."""
    weight = words_weight + dense_weight
    both = words_weight * np.float64(words) + dense_weight * np.float64(along)
    return np.float32(both / weight) if weight > 0 else np.float32(0)
