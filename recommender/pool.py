"""A few articles laid out to compare one of them with all."""

import numpy as np

from data.values import FloatArray
from recommender.subject import SUBJECT
from recommender.vectors import Vectors


class Pool:
    """A few articles laid out to compare one of them with all.

    Cost of `cosines`: one pass over the stems of the pool, about 50 microseconds for 200 articles.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._words, self._dense = vectors.words, vectors.dense
        self._spread = np.zeros(self._words.shape[1], np.float32)
        self._worded = (np.diff(self._words.indptr) > 0).astype(np.float32)
        self._directed: FloatArray = np.zeros(len(vectors), np.float32)
        if self._dense is not None:
            self._directed = np.asarray(self._dense.any(axis=1), np.float32)

    def cosines(self, one: int) -> FloatArray:
        """Cosine of the one-th of the pool with each (pool,), over the views both have."""
        part = slice(self._words.indptr[one], self._words.indptr[one + 1])
        terms = self._words.indices[part]
        self._spread[terms] = self._words.data[part]
        total: FloatArray = SUBJECT.words * (self._words @ self._spread)
        self._spread[terms] = 0.0
        weight: FloatArray = SUBJECT.words * self._worded[one] * self._worded
        if self._dense is not None:
            total += SUBJECT.dense * (self._dense @ self._dense[one])
            weight = weight + SUBJECT.dense * self._directed[one] * self._directed
        return np.asarray(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0), np.float32)
