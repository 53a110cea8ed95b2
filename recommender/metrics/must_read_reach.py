"""Must-read reach: how many readers had an important article within reach of a thumb?"""

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput
from recommender.metrics.ranked import Doubles, RankedSlates, divide

PLACES = 3


def must_read_reach(
    ranked: RankedSlates, article: npt.ArrayLike, reader: npt.ArrayLike, must_read: npt.ArrayLike, k: int = PLACES
) -> Doubles:
    """For each must-read article the share of the readers served who had it within the first k of some list (m,).

    `article` (items,) as the items were given, `reader` (slates,), `must_read` (m,) article numbers. Give the slates
    served while it was a must-read: a reader counts once however many lists. nan where nobody was served.
    """
    articles, readers, wanted = np.asarray(article), np.asarray(reader), np.asarray(must_read)
    if readers.shape != (ranked.count,):
        raise InvalidInput(f"give one reader a slate: {ranked.count}, not {readers.shape}")
    _, number = np.unique(readers, return_inverse=True)
    head = ranked.head(k)
    shown = articles[head.order]
    names, place = np.unique(wanted, return_inverse=True)
    hit = np.isin(shown, names)
    pairs = np.unique(np.stack([np.searchsorted(names, shown[hit]), number[head.slate[hit]]]), axis=1)
    reached = np.bincount(pairs[0], minlength=len(names)).astype(np.float64)
    return divide(reached, np.full(len(names), float(len(np.unique(readers)))))[place]
