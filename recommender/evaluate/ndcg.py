"""Normalised discounted cumulative gain."""

import numpy as np
import numpy.typing as npt


def ndcg_at(ranked_gains: npt.NDArray[np.float64], k: int) -> float:
    """nDCG of the first k of a complete ranking (best first), linear gains, log2 discount; nan when all gains are 0.

    Without ties equal to ``sklearn.metrics.ndcg_score``.
    """
    ideal = _dcg(np.sort(ranked_gains)[::-1][:k])
    return _dcg(ranked_gains[:k]) / ideal if ideal > 0 else float("nan")


def _dcg(gains: npt.NDArray[np.float64]) -> float:
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())
