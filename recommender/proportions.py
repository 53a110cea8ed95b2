"""Shares of counts and how sure one can be of them."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Proportion:
    """`count` of `of`, with its 95 % interval; of nothing, nothing is known: 0 to 1."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """The share itself, 0 of nothing."""
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (1927): within [0, 1], and sensible for few and for none."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.share
        middle, scale = p + Z * Z / (2 * n), 1 + Z * Z / n
        spread = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)


def difference(one: Proportion, other: Proportion) -> tuple[float, float, float]:
    """Share of one less share of the other, with a 95 % interval (Newcombe 1998, from the two Wilson intervals)."""
    found = one.share - other.share
    (low, high), (other_low, other_high) = one.interval, other.interval
    below = sqrt((one.share - low) ** 2 + (other_high - other.share) ** 2)
    above = sqrt((high - one.share) ** 2 + (other.share - other_low) ** 2)
    return found, max(found - below, -1.0), min(found + above, 1.0)
