"""Compiled: how many outlets told a story."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

from recommender.compiled import compiled

_I64 = nb.types.Array(nb.int64, 1, "C", readonly=True)
_BOOL = nb.types.Array(nb.boolean, 1, "C", readonly=True)


@nb.njit
def _gather(story, numbers, rows, story_id, source_id, alive, retracted, published, at_us, outlets, count):
    """The outlets of the rows that a table has under a story, behind those that are there."""
    place = np.searchsorted(numbers, story)
    while place < len(numbers) and numbers[place] == story:
        row = rows[place]
        place += 1
        if story_id[row] != story or not alive[row] or retracted[row] or published[row] > at_us:
            continue
        if count == len(outlets):
            wider = np.empty(2 * count, np.int64)
            wider[:count] = outlets
            outlets = wider
        outlets[count] = source_id[row]
        count += 1
    return outlets, count


@nb.njit
def outlets_of(
    story, numbers, rows, late_numbers, late_rows, story_id, source_id, alive, retracted, published, at_us, outlets
):
    """How many different sources told a story by `at_us`, at least 1; and the room for them, which may have grown."""
    outlets, count = _gather(story, numbers, rows, story_id, source_id, alive, retracted, published, at_us, outlets, 0)
    outlets, count = _gather(
        story, late_numbers, late_rows, story_id, source_id, alive, retracted, published, at_us, outlets, count
    )
    if count > 1:
        outlets[:count].sort()
    different = 0
    for one in range(count):
        different += one == 0 or outlets[one] != outlets[one - 1]
    return max(different, 1), outlets


@compiled(
    nb.int64[::1](_I64, _I64, _I64, _I64, _I64, _I64, _I64, _BOOL, _BOOL, _I64, nb.int64)
)  # fmt: skip
def count_outlets(
    stories, numbers, rows, late_numbers, late_rows, story_id, source_id, alive, retracted, published, at_us
):
    """How many different sources told each story by `at_us` (stories,), at least 1; 1 for story 0.

    `numbers` ascending -> `rows`, in two tables; rows may stand there under a story they have left.
    """
    found, outlets = np.ones(len(stories), np.int64), np.empty(64, np.int64)
    for at in range(len(stories)):
        if stories[at] != 0:
            found[at], outlets = outlets_of(
                stories[at], numbers, rows, late_numbers, late_rows, story_id, source_id, alive, retracted, published,
                at_us, outlets,
            )  # fmt: skip
    return found
