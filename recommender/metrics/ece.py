"""Expected calibration error of probabilities."""

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput

BINS = 15


def ece(probability: npt.ArrayLike, outcome: npt.ArrayLike, bins: int = BINS, *, even_counts: bool = False) -> float:
    """The mean gap between what was said and what came true, over bins, weighed by their size; nan of nothing.

    Bins of even width, or with `even_counts` of about as many cases each, which says more where all probabilities are
    small. `outcome` is 0 or 1. Naeini et al., AAAI 2015. InvalidInput for a probability outside of [0, 1].
    """
    said, true = np.asarray(probability, np.float64), np.asarray(outcome, np.float64)
    if said.shape != true.shape or not ((said >= 0) & (said <= 1)).all():
        raise InvalidInput("give as many outcomes as probabilities, and those from 0 to 1")
    if not len(said):
        return float("nan")
    edges = np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]) if even_counts else np.linspace(0, 1, bins + 1)[1:-1]
    number = np.searchsorted(edges, said)
    gap = np.bincount(number, said, minlength=bins) - np.bincount(number, true, minlength=bins)
    return float(np.abs(gap).sum() / len(said))
