"""Intra-list diversity: how different are the articles of one list from each other?"""

import numpy as np
import numpy.typing as npt

from recommender.metrics.ranked import Doubles, RankedSlates, divide


def intra_list_diversity(ranked: RankedSlates, vectors: npt.NDArray[np.floating]) -> Doubles:
    """The mean of 1 - cosine over all pairs of a list, by slate (slates,); nan with fewer than two items.

    `vectors` (items x dimensions) as the items were given, of length 1 or all 0. From the length of the sum of a
    list's vectors, so linear in the items: no matrix of pairs is made. Smyth and McClave, ICCBR 2001.
    """
    V = np.asarray(vectors, np.float64)[ranked.order]  # items x dimensions, by place
    running = np.vstack([np.zeros((1, V.shape[1])), np.cumsum(V, axis=0)])
    total = running[ranked.indptr[1:]] - running[ranked.indptr[:-1]]  # slates x dimensions
    count = np.diff(ranked.indptr).astype(np.float64)
    alike = np.einsum("sd,sd->s", total, total) - ranked.sums(np.einsum("id,id->i", V, V))
    return 1.0 - divide(alike, count * (count - 1))
