"""Hit rate: was anything clicked among the first k?"""

from recommender.metrics.ranked import Doubles, RankedSlates


def hit_rate(ranked: RankedSlates, k: int) -> Doubles:
    """1 where one of the first k was clicked, else 0, by slate (slates,); an empty slate has no hit."""
    return (ranked.head(k).sums(ranked.head(k).gain > 0) > 0).astype("float64")
