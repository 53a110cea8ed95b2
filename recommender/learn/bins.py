"""Bins: every feature cut at quantiles into at most 64 places, so that learning looks at bytes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.compiled import compiled_at_use

BINS = 64


@dataclass(frozen=True)
class Bins:
    """`edges[f, b]` is the greatest value of bin b; bins of a feature beyond its last edge are empty (inf)."""

    edges: FloatArray  # (features x BINS - 1)

    @classmethod
    def fit(cls, X: FloatArray, sample: int = 100_000, seed: int = 0) -> "Bins":
        """Quantiles of a sample of rows; equal values share a bin."""
        rows = np.random.default_rng(seed).permutation(len(X))[:sample]
        edges = np.full((X.shape[1], BINS - 1), np.inf, np.float32)
        shares = np.arange(1, BINS) / BINS
        for feature in range(X.shape[1]):
            values = np.sort(X[rows, feature])
            distinct = np.unique(values)
            cut = distinct[:-1] if len(distinct) <= BINS else np.unique(np.quantile(values, shares, method="lower"))
            cut = cut[cut < distinct[-1]]
            edges[feature, : len(cut)] = cut
        return cls(edges)

    def places(self, X: FloatArray) -> NDArray[np.uint8]:
        """B (rows x features): the bin of each value, the first whose edge is not below it."""
        found = np.empty(X.shape, np.uint8)
        _place(np.ascontiguousarray(X, np.float32), self.edges, found)
        return found


@compiled_at_use()
def _place(X, edges, found):  # type: ignore[no-untyped-def]
    for row in range(X.shape[0]):
        for feature in range(X.shape[1]):
            value, low, high = X[row, feature], 0, edges.shape[1]
            while low < high:
                middle = (low + high) // 2
                if edges[feature, middle] < value:
                    low = middle + 1
                else:
                    high = middle
            found[row, feature] = low
