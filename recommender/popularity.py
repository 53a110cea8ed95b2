"""What readers read lately: decayed counters, fed from the event log, shrunk towards the usual."""

from dataclasses import dataclass, field

import numpy as np

from data.values import EventBatch, FloatArray, IntArray
from data.wire import EVENT_KINDS
from recommender import signals

HALF_LIFE_H = 12.0  # best single popularity rule on EB-NeRD: raw reads, 12 h
KEEP_H = 8 * HALF_LIFE_H  # what is older weighs less than 1/256
FAR = 16  # numbers that an array of all between the least and the greatest may hold for each one in use
PRIOR_H = 3.0  # an article is judged by the usual rate until it was out about this long
# One whole read weighs 1 however the app reports it: open, read and finish add up.
KIND_WEIGHT = {"open": 0.4, "push_open": 0.2, "read": 0.4, "finish": 0.2, "share": 0.5, "save": 0.3}
_WEIGHTS = np.array([KIND_WEIGHT.get(kind, 0.0) for kind in EVENT_KINDS])
_NONE = np.zeros(0, np.int64)


def _floats() -> np.ndarray:
    return np.zeros(0, np.float64)


@dataclass(frozen=True)
class Popularity:
    """An immutable fold of the event log; `add` gives the next one.

    A reader counts once for an article and kind, however often the app says it. Cost of `add`: a pass over the kept
    events (four days) and a sort of their articles; of `reads` at the present: one pass over the articles asked about.
    """

    key: IntArray = field(default_factory=_NONE.copy)  # sorted; one of (article, reader, kind)
    article_id: IntArray = field(default_factory=_NONE.copy)
    at_us: IntArray = field(default_factory=_NONE.copy)
    weight: np.ndarray = field(default_factory=_floats)
    ids: IntArray = field(default_factory=_NONE.copy)  # sorted article ids
    heat: np.ndarray = field(default_factory=_floats)  # decayed reads of `ids` at `last_us`
    last_us: int = 0

    def add(self, events: EventBatch) -> "Popularity":
        """The counters after these events, in whatever order batches come; those without weight change nothing.

        Of a repeat the earliest time counts, so that a later repeat takes nothing from the past.
        """
        fresh = np.flatnonzero(_WEIGHTS[events.kind] > 0)
        if not len(fresh):
            return self
        keys = _key(events.article_id[fresh], events.reader_id[fresh], events.kind[fresh])
        key, first = _earliest(keys, events.at_us[fresh])
        fresh = fresh[first]
        article_id, at_us, weight = events.article_id[fresh], events.at_us[fresh], _WEIGHTS[events.kind[fresh]]
        place = np.searchsorted(self.key, key)
        known, inside = np.zeros(len(key), np.bool_), place < len(self.key)
        known[inside] = self.key[place[inside]] == key[inside]
        before = self.at_us[place[known]]
        if known.all() and (before <= at_us[known]).all():
            return self
        mine = self.at_us.copy()
        mine[place[known]] = np.minimum(before, at_us[known])
        new, place = ~known, place[~known]
        return _folded(
            np.insert(self.key, place, key[new]),
            np.insert(self.article_id, place, article_id[new]),
            np.insert(mine, place, at_us[new]),
            np.insert(self.weight, place, weight[new]),
        )

    def reads(self, ids: IntArray, at_us: int) -> np.ndarray:
        """Decayed reads of each article at `at_us`; events after it do not count. Unknown ids have 0."""
        known, heat, faded = self.at(at_us)
        if not len(known):
            return np.zeros(len(ids))
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, heat[place] * faded, 0.0)

    def at(self, at_us: int) -> tuple[IntArray, np.ndarray, float]:
        """Articles ascending, their reads, and what those have faded to at `at_us`, to multiply them with."""
        if at_us < self.last_us:
            past = self.at_us <= at_us
            known, heat = _sums(self.article_id[past], self.weight[past] * _decay(at_us - self.at_us[past]))
            return known, heat, 1.0
        return self.ids, self.heat, float(_decay(at_us - self.last_us))

    def signal(self, ids: IntArray, published_at_us: IntArray, at_us: int) -> FloatArray:
        """The popularity signal of candidates: reads an hour out, shrunk to the candidates' own usual rate.

        Gamma-Poisson: (reads + usual * PRIOR_H) / (hours + PRIOR_H), hours decayed like the reads, so that an
        article nobody could have read yet is usual (0.5) and an old one nobody read is not.
        """
        reads = self.reads(ids, at_us)
        hours = _exposure_h(at_us - published_at_us)
        usual = float(reads.sum() / max(hours.sum(), 1e-9)) if len(ids) else 0.0
        return signals.popularity((reads + usual * PRIOR_H) / (hours + PRIOR_H), usual)


def _folded(key: IntArray, article_id: IntArray, at_us: IntArray, weight: np.ndarray) -> Popularity:
    last_us = int(at_us.max())
    kept = at_us > last_us - KEEP_H * signals.HOUR_US
    if not kept.all():
        key, article_id, at_us, weight = key[kept], article_id[kept], at_us[kept], weight[kept]
    ids, heat = _sums(article_id, weight * _decay(last_us - at_us))
    return Popularity(key, article_id, at_us, weight, ids, heat, last_us)


def _earliest(key: IntArray, at_us: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct keys, ascending, and where the earliest of each stands."""
    order = np.lexsort((at_us, key))
    first = order[np.append(True, np.diff(key[order]) != 0)]
    return key[first], first


def _sums(ids: IntArray, values: np.ndarray) -> tuple[IntArray, np.ndarray]:
    """The distinct ids, ascending, and the sum of the values of each, in their order."""
    least, most = int(ids.min(initial=0)), int(ids.max(initial=0))
    if most - least > FAR * len(ids):
        unique, inverse = np.unique(ids, return_inverse=True)
        return unique, np.bincount(inverse, weights=values, minlength=len(unique))
    counts = np.bincount(ids - least)  # given one after the other they stand close: counted, not sorted
    unique = np.flatnonzero(counts)
    return np.asarray(unique + least, np.int64), np.bincount(ids - least, weights=values)[unique]


def _decay(age_us: np.ndarray | int) -> np.ndarray:
    return np.asarray(0.5 ** (np.asarray(age_us) / (HALF_LIFE_H * signals.HOUR_US)))


def _exposure_h(age_us: IntArray) -> np.ndarray:
    """Hours an article was out, each hour decayed like the reads made in it."""
    return np.asarray((1.0 - _decay(np.maximum(age_us, 0))) * HALF_LIFE_H / np.log(2.0))


def _key(article_id: IntArray, reader_id: IntArray, kind: np.ndarray) -> IntArray:
    """A 64-bit mix of the three numbers; two different triples share one with a chance of about 2**-64."""
    mixed = article_id.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= reader_id.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= (kind.astype(np.uint64) + np.uint64(1)) * np.uint64(0x165667B19E3779F9)
    mixed ^= mixed >> np.uint64(29)
    return (mixed * np.uint64(0xBF58476D1CE4E5B9)).view(np.int64)
