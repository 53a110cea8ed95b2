"""A study: the features of a log at one delay, cut in time into what is learned from, held out and tested on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidInput
from data.values import FloatArray, IntArray
from recommender.replay.causal import Features
from recommender.replay.log import Slates

DAY_US = 24 * 3_600_000_000


@dataclass(frozen=True)
class Study:
    """Slates of the training part, then of the tested part, with their features (slate-relative ones included)."""

    features: Features
    start: IntArray  # (slates + 1,)
    clicked: NDArray[np.uint8]
    at: IntArray  # (slates,)
    reader: NDArray[np.int64]
    trained: int  # slates before the tested part

    @classmethod
    def of(cls, training: tuple[Features, Slates], tested: tuple[Features, Slates], from_slate: int = 0) -> "Study":
        """One study of two passes; of the tested log the slates from `from_slate` on."""
        (known, before), (asked, after) = training, tested
        if known.names != asked.names:
            raise InvalidInput("the two parts have other features: make both with the same layout and options")
        first = after.start[from_slate]
        return cls(
            Features(np.concatenate([known.X, asked.X]), known.names, known.candidate),
            np.concatenate([before.start, before.start[-1] + after.start[from_slate + 1 :] - first]),
            np.concatenate([before.clicked, after.clicked[first:]]),
            np.concatenate([before.at, after.at[from_slate:]]),
            # Numbers of readers are of each log alone; no figure mixes the two parts.
            np.concatenate([before.reader, after.reader[from_slate:]]).astype(np.int64),
            len(before.at),
        )

    @property
    def slates(self) -> Slates:
        """The slates as figures are made of them."""
        none = np.full(len(self.at), -1, np.int32)
        item = np.zeros(len(self.clicked), np.int32)
        return Slates(self.at, self.reader.astype(np.int32), self.start, item, self.clicked, none, none)

    @property
    def tested(self) -> NDArray[np.bool_]:
        """The slates of the tested part (slates,)."""
        return np.arange(len(self.at)) >= self.trained

    def holdout(self, days: float) -> IntArray:
        """The slates of the last `days` before the tested part."""
        return np.flatnonzero(~self.tested & (self.at >= self.at[self.trained - 1] - int(days * DAY_US)))

    def items(self, slates: int) -> int:
        """How many items the first `slates` have."""
        return int(self.start[slates])

    def only(self, columns: NDArray[np.bool_] | IntArray, candidate: int | None = None) -> "Study":
        """The study with some features alone; all of them differ between candidates unless `candidate` says else."""
        places = np.flatnonzero(columns) if np.asarray(columns).dtype == bool else np.asarray(columns)
        names = tuple(self.features.names[one] for one in places)
        kept = Features(np.ascontiguousarray(self.features.X[:, places]), names, candidate or len(names))
        return Study(kept, self.start, self.clicked, self.at, self.reader, self.trained)

    def candidates_only(self) -> "Study":
        """The study without context, which adds nothing to a sum: it is the same for all candidates."""
        return self.only(np.arange(self.features.candidate))


def centred(score: FloatArray, start: IntArray) -> FloatArray:
    """Scores less the mean of their slate, so that scores of several models add up."""
    sizes = np.maximum(np.diff(start), 1)
    slate = np.repeat(np.arange(len(start) - 1), np.diff(start))
    means = np.bincount(slate, score, len(start) - 1) / sizes
    return np.asarray(score - means[slate], np.float32)
