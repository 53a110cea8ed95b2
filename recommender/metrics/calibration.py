"""Calibration of lists: do their categories stand in the proportions of what the reader reads?"""

import numpy as np
import numpy.typing as npt

from recommender.metrics.ranked import Doubles, divide

BLEND = 0.01  # of the reader's own proportions in those of the list, so that a missing category costs a finite sum


def miscalibration(read: npt.ArrayLike, listed: npt.ArrayLike) -> Doubles:
    """Kullback-Leibler divergence, in nats, of a list's categories from those of the reader's reads (readers,).

    Both (readers x categories), counts or weights. 0: the same proportions; nan: a reader without reads or list.
    Steck, Calibrated Recommendations, RecSys 2018, with its blend of 0.01.
    """
    wanted, found = _shares(np.asarray(read, np.float64)), _shares(np.asarray(listed, np.float64))
    blended = (1 - BLEND) * found + BLEND * wanted
    ratio = np.divide(wanted, blended, out=np.ones_like(wanted), where=wanted > 0)
    known = np.isfinite(wanted).all(axis=1) & np.isfinite(found).all(axis=1)
    return np.where(known, np.sum(np.nan_to_num(wanted) * np.log(ratio), axis=1), np.nan)


def _shares(counts: Doubles) -> Doubles:
    return divide(counts, counts.sum(axis=1, keepdims=True))
