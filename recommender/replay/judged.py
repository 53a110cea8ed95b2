"""Figures of scored slates, with the interval that a bootstrap over readers gives."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.metrics.auc import auc
from recommender.metrics.bootstrap import Interval, bootstrap_all
from recommender.metrics.mrr import mrr
from recommender.metrics.ndcg import ndcg
from recommender.metrics.ranked import RankedSlates
from recommender.replay.log import Slates

MEASURES = ("AUC", "MRR", "nDCG@5", "nDCG@10")


def judged(
    slates: Slates, score: FloatArray, *, seed: int = 0, among: NDArray[np.bool_] | None = None
) -> Mapping[str, Interval]:
    """AUC, MRR over all clicks, nDCG@5 and nDCG@10: means over the slates where something, not everything, was clicked.

    Equal scores are put into a seeded random order. `among` (slates,) leaves others out.
    """
    values = per_slate(slates, score, seed)
    kept = ~np.isnan(values[:, 0]) & (True if among is None else among)
    found = bootstrap_all(values[kept], slates.reader[kept], np.random.default_rng(seed))
    return dict(zip(MEASURES, found, strict=True))


def per_slate(slates: Slates, score: FloatArray, seed: int = 0) -> NDArray[np.float64]:
    """(slates x MEASURES), nan where a measure says nothing of a slate."""
    ranked = RankedSlates.of(slates.start, score, slates.clicked, np.random.default_rng(seed))
    return np.stack([auc(ranked), mrr(ranked), ndcg(ranked, 5), ndcg(ranked, 10)], axis=1)
