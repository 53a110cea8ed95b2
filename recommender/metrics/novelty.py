"""Novelty: how little known are the articles on a list?"""

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.metrics.ranked import Doubles, RankedSlates


def novelty(ranked: RankedSlates, readers_of: npt.ArrayLike, readers: int) -> Doubles:
    """The mean of -log2 of the share of readers who have read an article, in bits, by slate (slates,).

    `readers_of` (items,) as the items were given: how many of the `readers` read each before the slate was served. An
    article that nobody read counts as read by one. Self-information after Zhou et al., PNAS 2010. nan: an empty slate.
    """
    known = np.asarray(readers_of, np.float64)
    if readers < 1 or len(known) <= ranked.order.max(initial=-1):
        raise InvalidInput("give at least one reader, and for each item how many of them had read it")
    return ranked.means(-np.log2(np.maximum(known[ranked.order], 1.0) / readers))
