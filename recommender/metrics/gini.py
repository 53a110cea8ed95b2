"""Gini coefficient: how unequally exposure is spread over articles."""

import numpy as np
import numpy.typing as npt


def gini(exposure: npt.ArrayLike) -> float:
    """0 where every article got the same, near 1 where one got all; nan where nobody got anything.

    `exposure` (articles,) counts, not negative, with the zeros of what was never shown. The mean absolute difference
    of two articles over twice the mean. Cost: one sort.
    """
    values = np.sort(np.asarray(exposure, np.float64))
    total, count = values.sum(), len(values)
    if total <= 0:
        return float("nan")
    return float((2 * np.arange(1, count + 1) - count - 1) @ values / (count * total))
