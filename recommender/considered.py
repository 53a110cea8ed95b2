"""What the click model is told of candidates: columns made of a decision's own signals, clocks and impressions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, Histories
from recommender.interest import CANDIDATE, FROM_SIGNALS
from recommender.popularity import Popularity
from recommender.signals import HOUR_US, SIGNALS
from recommender.window import Places, Window

NEVER_H = 10_000.0  # since it was shown, where it was not
_PLACES = [SIGNALS.index(one) for one in FROM_SIGNALS]


@dataclass(frozen=True)
class Told:
    """One decision: the window, everybody's reads, what the reader was shown, the instant."""

    window: Window
    popularity: Popularity
    impressions: Histories
    at_us: int
    evidence: float  # how much is known of the reader, in [0, 1]

    def columns(self, places: Places, S: FloatArray) -> FloatArray:
        """(CANDIDATE x candidates) of some candidates by their places and signals S (candidates x 8).

        Cost: a sort of the reader's impressions, and a few passes over the candidates.
        """
        heat, factor = self.window.heat(self.popularity, self.at_us)
        shown, since_h = self._shown(places)
        found = dict(zip(FROM_SIGNALS, S[:, _PLACES].T, strict=True)) | {
            "age": np.maximum(self.at_us - self.window.published_at_us[places], 0) / HOUR_US,
            "reads": heat[places] * factor,
            "shown_before": shown,
            "since_shown": since_h,
        }
        return np.stack([np.asarray(found[name], np.float32) for name in CANDIDATE])

    @property
    def context(self) -> FloatArray:
        """(CONTEXT,): what is the same for all candidates."""
        return np.array([self.evidence, self.at_us // HOUR_US % 24], np.float32)

    def _shown(self, places: Places) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How often the reader was shown each, and hours since the last time."""
        past = self.impressions.at_us <= self.at_us
        ids, newest, counts = np.unique(self.impressions.article_id[past], return_index=True, return_counts=True)
        if not len(ids):
            return np.zeros(len(places)), np.full(len(places), NEVER_H)
        wanted = self.window.id[places]
        place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
        known, last_us = ids[place] == wanted, self.impressions.at_us[past][newest]
        since_h = (self.at_us - last_us[place]) / HOUR_US
        return np.where(known, counts[place], 0.0), np.where(known, since_h, NEVER_H)
