"""Area under the ROC curve, slate by slate."""

import numpy as np

from recommender.metrics.ranked import Doubles, RankedSlates, divide


def auc(ranked: RankedSlates) -> Doubles:
    """The share of (clicked, not clicked) pairs in the right order, by slate (slates,); nan where there is no pair.

    Without ties equal to ``sklearn.metrics.roc_auc_score``; tied pairs count as their shuffle fell, 1/2 on average.
    """
    clicked = ranked.gain > 0
    clicks = ranked.sums(clicked)
    missed = np.diff(ranked.indptr) - clicks
    # Of the items before a click at place p, p - 1 in all, the (j - 1) earlier clicks are no mistake.
    before = ranked.sums(np.where(clicked, ranked.place - 1, 0)) - clicks * (clicks - 1) / 2
    return 1.0 - divide(before, clicks * missed)
