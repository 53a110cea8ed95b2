"""One pure function per signal. Each gives float32 in [0, 1], so that weights are comparable.

Arrays may carry leading axes (readers); the last axis is the candidates.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.values import FloatArray, IntArray

SIGNALS = ("similarity", "interest", "freshness", "news_value", "popularity", "story_size", "source", "breadth")
LIFETIMES = ("short", "medium", "long")
HALF_LIFE_H = np.array([6.0, 24.0, 96.0])  # by lifetime: a score update, a report, a feature
HALF_CLOSE = 0.2  # the cosine that counts as 0.6 close: unrelated news lies near 0.02, the same subject near 0.2
HOUR_US = 3_600_000_000


def closeness(cosine: ArrayLike) -> FloatArray:
    """Spread cosines over [0, 1]: c -> (1 + h) c / (c + h), h = HALF_CLOSE.

    Rises with the cosine, 0 -> 0, 1 -> 1. Cosines of texts crowd near 0; unspread, a similarity weight would say
    little beside the other weights.
    """
    bounded = np.clip(np.asarray(cosine, np.float32), 0.0, 1.0)
    return (1 + HALF_CLOSE) * bounded / (bounded + HALF_CLOSE)


def similarity(cosine: ArrayLike, topic: ArrayLike = 0.0, evidence: ArrayLike = np.inf) -> FloatArray:
    """How close a candidate is to the profile (or to the article asked about, where only `cosine` counts).

    `cosine` of the texts; `topic` in [0, 1]: how much the reader is drawn to the candidate's topics; `evidence`: how
    many reads stand behind the profile. Nothing read: topics alone; many reads: up to 0.8 text, 0.2 topics.
    """
    found = np.asarray(evidence, np.float64)
    share = np.where(np.isinf(found), 1.0, 0.8 - 0.8 / (found + 1.0))
    return _float32(share * closeness(cosine) + (1.0 - share) * np.asarray(topic, np.float64))


def interest(chance: ArrayLike, usual: float) -> FloatArray:
    """A learned chance of a read as a share of itself and the usual one: 0.5 is usual, 0.9 nine times that."""
    found = np.asarray(chance, np.float64)
    return _float32(found / (found + max(usual, 1e-9)))


def freshness(published_at_us: IntArray, lifetime: NDArray[np.int8], at_us: int, *, scale: float = 1.0) -> FloatArray:
    """2 ** -(age / half-life): 1 when new (or dated ahead), 0.5 after a half-life of its lifetime, times `scale`."""
    age_h = np.maximum(at_us - published_at_us, 0) / HOUR_US
    return _float32(0.5 ** (age_h / (HALF_LIFE_H[lifetime] * scale)))


def news_value(judged: NDArray[np.int8]) -> FloatArray:
    """The desk's 1 to 5 as 0 to 1; 0.4 where nobody judged (0): a usual story, a little below the middle."""
    return np.where(judged > 0, (judged - 1) / 4, 0.4).astype(np.float32)


def popularity(rate: ArrayLike, usual: float) -> FloatArray:
    """A read rate as a share of itself and the usual one: 0.5 is usual, 0.9 nine times that. All 0.5 without reads."""
    found = np.asarray(rate, np.float64)
    if usual <= 0:
        return np.full(found.shape, 0.5, np.float32)
    return _float32(found / (found + usual))


def story_size(sources: ArrayLike) -> FloatArray:
    """1 - 2 ** (-(n - 1) / 2) for n independent sources: one 0, two .29, three .5, five .75, nine .94."""
    return _float32(1.0 - 0.5 ** (np.maximum(np.asarray(sources, np.float64) - 1.0, 0.0) / 2.0))


def source(trust: ArrayLike, affinity: ArrayLike) -> FloatArray:
    """The desk's trust in the outlet times the reader's liking for it, both in [0, 1]."""
    return _float32(np.asarray(trust, np.float64) * np.asarray(affinity, np.float64))


def breadth(usual_share: ArrayLike) -> FloatArray:
    """Distance from the usual: 1 minus the share of the reader's reads in the candidate's category."""
    return _float32(1.0 - np.asarray(usual_share, np.float64))


def matrix(columns: Mapping[str, ArrayLike]) -> FloatArray:
    """S (..., candidates x 8): the named signals in the order of SIGNALS, broadcast against each other.

    A signal left out is 0 for everybody; a name that is no signal raises KeyError.
    """
    if unknown := set(columns) - set(SIGNALS):
        raise KeyError(f"no such signals: {sorted(unknown)}")
    parts = np.broadcast_arrays(*(np.asarray(columns.get(name, 0.0), np.float32) for name in SIGNALS))
    return np.stack(parts, axis=-1)


def weight_vector(weights: Mapping[str, float]) -> FloatArray:
    """w (8): the weights in the order of SIGNALS; one left out is 0."""
    return np.array([weights.get(name, 0.0) for name in SIGNALS], np.float32)


def _float32(values: NDArray[np.float64]) -> FloatArray:
    return np.clip(values, 0.0, 1.0).astype(np.float32)
