"""How a segment is cut up, what the search weighs, and the types of its arrays."""

from collections.abc import Callable
from typing import Any

import numba as nb

from recommender.compiled import compiled as ahead

LEVEL_SHARES = (  # level i: terms held by more than this share of rows
    0.3, 0.2, 0.14, 0.1, 0.075, 0.058, 0.046, 0.037, 0.03, 0.0245, 0.02, 0.0165, 0.0135, 0.011,
)  # fmt: skip
LEVELS = len(LEVEL_SHARES)
RANGE = 1 << 16  # rows whose bounds are accumulated at a time
BLOCK = 64  # rows of one peak
OUT = 0xFFFF  # the bound of a row that is not looked for any more
ESCAPE = 0xFFFF  # a gap this long between two terms of a row is followed by another gap
MOST_BYTES = 10.9  # a posting: so many levels have their terms in the fronts of rows
LEAST_FRONTS = 0.7  # bytes of fronts a posting, even if they are more than that
SHORT = 0xFF  # a gap this long within a front is followed by another gap
ORDERED_FROM = 2_000_000  # postings: larger segments keep rows of a topic together
RARE = 64  # a term of fewer rows keeps them as 32-bit numbers, any other as 16-bit ones by ranges of rows

# The search measures itself in postings read; these were tuned on generated news of 100,000 and 1,000,000 articles.
SLACK = 0.65  # frequent terms stay unread while they usually add less than this share of the k-th best score
FIRST_AIM = 0.4  # the cosine that is hoped for while no k-th best is known
PASS_COST = 4000  # a few passes over the bounds of a range
ROW_COST = 160  # a look at one row

# How far ahead memory is asked for.
NEAR = 256  # postings
LISTS_AHEAD = 3
ROWS_AHEAD = 6
FRONTS_AHEAD = 12
BATCH = 512  # rows that wait together to be looked at: waiting for memory is then shared


def frozen(dtype: nb.types.Type) -> nb.types.Array:
    """A flat array that is only read: mapped files are."""
    return nb.types.Array(dtype, 1, "C", readonly=True)


U8, U16, U32, U64 = frozen(nb.uint8), frozen(nb.uint16), frozen(nb.uint32), frozen(nb.uint64)
I32, I64, F32, BOOL = frozen(nb.int32), frozen(nb.int64), frozen(nb.float32), frozen(nb.boolean)


def compiled(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """As `recommender.compiled`, with numpy's way to divide."""
    return ahead(signature, error_model="numpy")
