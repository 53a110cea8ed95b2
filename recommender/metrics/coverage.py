"""Coverage: how much of what could be shown is shown to anybody."""

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput


def coverage(shown: npt.ArrayLike, catalogue: npt.ArrayLike) -> float:
    """The share of the catalogue's articles that stand on some list; both are article numbers, in any order.

    What is shown and not in the catalogue does not count. InvalidInput for an empty catalogue.
    """
    known = np.unique(np.asarray(catalogue))
    if not len(known):
        raise InvalidInput("the catalogue is empty; give the articles that could have been shown")
    return float(np.isin(known, np.asarray(shown)).mean())
