"""B-cubed: clusters judged article by article."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class BCubed(NamedTuple):
    """Precision, recall and their harmonic mean, each in (0, 1]."""

    precision: float
    recall: float
    f1: float


def bcubed(stories: npt.ArrayLike, labels: npt.ArrayLike) -> BCubed:
    """B-cubed of a grouping against the labels, one entry per article, not empty (Bagga and Baldwin, 1998).

    An article's precision is the share of its story with its label, its recall the share of its label in its story.
    """
    _, story = np.unique(np.asarray(stories), return_inverse=True)
    _, label = np.unique(np.asarray(labels), return_inverse=True)
    _, pair = np.unique(story.astype(np.int64) * (label.max() + 1) + label, return_inverse=True)
    together = np.bincount(pair)[pair]
    precision = float((together / np.bincount(story)[story]).mean())
    recall = float((together / np.bincount(label)[label]).mean())
    return BCubed(precision, recall, 2 * precision * recall / (precision + recall))
