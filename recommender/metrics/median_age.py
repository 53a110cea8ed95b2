"""Median age of what lists show."""

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.metrics.ranked import Doubles, RankedSlates

HOUR_US = 3_600_000_000


def median_age_h(ranked: RankedSlates, published_at_us: npt.ArrayLike, served_at_us: npt.ArrayLike) -> Doubles:
    """The median age in hours of a list's articles when it was served, by slate (slates,); nan for an empty slate.

    `published_at_us` (items,) as the items were given, `served_at_us` (slates,), microseconds. An article dated ahead
    is 0 hours old. An even count gives the mean of the middle two. Cost: one sort.
    """
    published, served = np.asarray(published_at_us, np.int64), np.asarray(served_at_us, np.int64)
    if served.shape != (ranked.count,):
        raise InvalidInput(f"give one time of serving a slate: {ranked.count}, not {served.shape}")
    slate, count = ranked.slate, np.diff(ranked.indptr)
    age = np.maximum(served[slate] - published[ranked.order], 0) / HOUR_US
    age = age[np.lexsort((age, slate))]
    found, some = np.full(ranked.count, np.nan), count > 0
    first = ranked.indptr[:-1][some]
    found[some] = (age[first + (count[some] - 1) // 2] + age[first + count[some] // 2]) / 2
    return found
