"""Average precision: precision at every relevant item, averaged."""

import numpy as np
import numpy.typing as npt


def average_precision(ranked: npt.NDArray[np.bool_]) -> float:
    """Average precision of a complete ranking (best first); nan without a relevant item.

    Without ties equal to ``sklearn.metrics.average_precision_score``.
    """
    places = np.flatnonzero(ranked) + 1
    if not len(places):
        return float("nan")
    return float((np.arange(1, len(places) + 1) / places).mean())
