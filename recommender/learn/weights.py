"""Weights fitted listwise: one number a signal, none below zero, so that an editor can read and move it."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from data.values import FloatArray, IntArray
from recommender.compiled import compiled_at_use


def fit_weights(
    S: FloatArray, clicked: NDArray[np.uint8], start: IntArray, *, ridge: float = 1e-4, signed: bool = False
) -> NDArray[np.float64]:
    """w (signals,) >= 0 under which S @ w makes the clicks of the slates most likely (softmax over each slate).

    S (items x signals); `ridge` times the sum of squares is added to the mean loss. `signed` lifts the bound.
    Source: Cao and others, "Learning to rank: from pairwise to listwise approach" (2007), top-one probability.
    """
    S = np.ascontiguousarray(S, np.float32)
    bounds = [(None if signed else 0.0, None)] * S.shape[1]

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = _loss(S, w.astype(np.float32), clicked, start)
        return float(value + ridge * (w @ w)), np.asarray(slope + 2 * ridge * w)

    found = minimize(
        loss, np.full(S.shape[1], 0.5), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}
    )
    return np.asarray(found.x, np.float64)


@compiled_at_use()
def _loss(S, w, clicked, start):
    total, slates, slope = 0.0, 0, np.zeros(S.shape[1])
    for slate in range(len(start) - 1):
        first, end = start[slate], start[slate + 1]
        clicks = clicked[first:end].sum()
        if clicks == 0 or clicks == end - first:
            continue
        score = S[first:end] @ w
        share = np.exp((score - score.max()).astype(np.float64))
        share /= share.sum()
        slates += 1
        for one in range(end - first):
            wanted = clicked[first + one] / clicks
            if wanted > 0:
                total -= wanted * np.log(max(share[one], 1e-30))
            error = share[one] - wanted
            for column in range(S.shape[1]):
                slope[column] += error * S[first + one, column]
    return total / max(slates, 1), slope / max(slates, 1)
