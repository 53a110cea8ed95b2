"""Similarity in context: a text also speaks through its nearest neighbours and through its hour.

A short headline may share no word with another report of the same event, but its neighbours do (document smoothing by
nearest neighbours, as in cluster-based retrieval: Liu and Croft 2004; Kurland and Lee 2004), and reports of one event
appear within days of each other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Context:
    """How much the context counts."""

    neighbours: int = 20  # of each text, itself among them
    share: float = 0.5  # of the score that they contribute
    closeness: float = 0.3  # most that publication at the same instant adds
    closeness_h: float = 48.0  # after which that is down to 1/e


def neighbour_weights(scores: Floats, rows: npt.NDArray[np.intp], context: Context) -> sparse.csr_matrix:
    """The nearest texts of some texts, weighted by squared similarity: (q, n) csr, rows sum to 1.

    `scores` (q, n) of the texts `rows` with all n; a text is its own first neighbour.
    """
    count = scores.shape[1]
    near = min(context.neighbours, count)
    own = scores.copy()
    own[np.arange(len(rows)), rows] = 1.0
    columns = np.argpartition(-own, near - 1, axis=1)[:, :near]
    weights = np.maximum(np.take_along_axis(own, columns, axis=1), 0.0) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    ends = np.arange(0, near * len(rows) + 1, near)
    return sparse.csr_matrix((weights.ravel(), columns.ravel(), ends), shape=(len(rows), count))


def smoothed(scores: Floats, weights: sparse.csr_matrix, context: Context) -> Floats:
    """Scores (q, n) mixed with those of every text's neighbours; `weights` (n, n) of all texts."""
    own = (1.0 - context.share) * scores
    return np.asarray(own + context.share * (weights @ scores.T).T, np.float32)


def closeness(hours: npt.NDArray[np.float64], others: npt.NDArray[np.float64], context: Context) -> Floats:
    """The factor (q, n) for publication `hours` apart: 1 + closeness * exp(-difference / closeness_h)."""
    apart = np.abs(hours[:, None] - others[None, :])
    return np.asarray(1.0 + context.closeness * np.exp(-apart / context.closeness_h), np.float32)
