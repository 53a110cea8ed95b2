"""Normalised discounted cumulative gain."""

import numpy as np
import numpy.typing as npt

from recommender.metrics.ranked import Doubles, RankedSlates, divide


def ndcg(ranked: RankedSlates, k: int) -> Doubles:
    """nDCG@k by slate (slates,): linear gains, log2 discount; nan where every gain is 0.

    Equal to ``sklearn.metrics.ndcg_score`` without ties. Cost: one sort of the gains.
    """
    best = np.lexsort((-ranked.gain, ranked.slate))
    discount = np.where(ranked.place <= k, 1.0 / np.log2(ranked.place + 1), 0.0)
    return divide(ranked.sums(ranked.gain * discount), ranked.sums(ranked.gain[best] * discount))


def ndcg_at(ranked_gains: npt.NDArray[np.float64], k: int) -> float:
    """nDCG of the first k of one complete ranking (best first); nan when all gains are 0."""
    indptr = np.array([0, len(ranked_gains)])
    return float(ndcg(RankedSlates(indptr, np.arange(len(ranked_gains)), ranked_gains), k)[0])
