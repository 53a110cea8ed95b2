"""The listwise loss: which of the candidates of a slate is clicked, as a softmax over their scores."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numpy as np

from recommender.compiled import compiled_at_use


@compiled_at_use()
def slopes(score, clicked, start, weight, g, h):
    """Gradient and bound of the curvature of the loss by each score; gives the loss, a mean over slates with clicks.

    Loss of a slate: -sum of log softmax(score) over the clicked, divided by their number. Slates without a click, or
    of weight 0, count nothing: their g and h are 0.
    """
    loss = total = 0.0
    for slate in range(len(start) - 1):
        first, end = start[slate], start[slate + 1]
        clicks = 0
        for one in range(first, end):
            clicks += clicked[one]
            g[one] = h[one] = 0.0
        if clicks == 0 or clicks == end - first or weight[slate] == 0:
            continue
        most = score[first:end].max()
        mass = 0.0
        for one in range(first, end):
            mass += np.exp(score[one] - most)
        for one in range(first, end):
            share = np.exp(score[one] - most) / mass
            g[one] = weight[slate] * (share - clicked[one] / clicks)
            h[one] = weight[slate] * max(share * (1 - share), 1e-6)
            if clicked[one]:
                loss -= weight[slate] * np.log(max(share, 1e-30)) / clicks
        total += weight[slate]
    return loss / max(total, 1e-30)
