"""Agreement of a score with a human score."""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def pearson(ours: Doubles, human: Doubles) -> float:
    """Pearson's linear correlation; nan where either side does not vary."""
    left, right = ours - ours.mean(), human - human.mean()
    lengths = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / lengths if lengths > 0 else float("nan")


def spearman(ours: Doubles, human: Doubles) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank."""
    return pearson(_mean_ranks(ours), _mean_ranks(human))


def _mean_ranks(values: Doubles) -> Doubles:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
