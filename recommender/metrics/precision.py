"""Precision at k: how much of the first k is right."""

import numpy as np
import numpy.typing as npt


def precision_at(ranked: npt.NDArray[np.bool_], k: int) -> float:
    """Share of relevant items among the first k of a ranking (best first); a shorter ranking counts as padded."""
    return float(ranked[:k].sum() / k)
