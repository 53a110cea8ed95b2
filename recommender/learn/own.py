"""Weights learned from the newsroom's own lists, judged beside the live ones on later lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from data.errors import NotFound
from recommender.learn.weights import fit_weights
from recommender.replay.served_log import ServedLog
from recommender.replay.weights import WeightReplay, replay_weights, shown_signals
from recommender.signals import SIGNALS

HELD_SHARE = 0.25  # of the lists, the latest: what is learned is judged on them
LEAST = 50  # lists on which something was opened
RIDGE = 1e-3


@dataclass(frozen=True)
class Learned:
    """Weights that sum to 1, what they were learned from, and both replays on the lists held back."""

    weights: Mapping[str, float]
    from_us: int
    until_us: int  # of the lists learned from
    slates: int
    opened: int
    learned: WeightReplay
    live: WeightReplay


def learn_weights(
    log: ServedLog, live: Mapping[str, float], *, random: np.random.Generator, delay_us: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Learned:  # fmt: skip
    """Fit the eight weights listwise on the earlier lists, none below 0; NotFound where too little was opened.

    The lists were ordered by the live weights, and what stands high is opened more: what is learned leans to them.
    """
    say = progress or (lambda _: None)
    first = len(log) - max(1, int(HELD_SHARE * len(log))) if len(log) else 0
    earlier = replace(log, slates=log.slates[:first])
    opened = sum(bool(slate.opened.any()) for slate in earlier.slates)
    if opened < LEAST:
        raise NotFound(
            f"something was opened on {opened} of the lists to learn from, and at least {LEAST} are needed: "
            "let the app send `served_id` with what is opened, and take more days"
        )
    say("computing the signals of what was served")
    S = shown_signals(earlier, delay_us=delay_us)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in S])]).astype(np.int64)
    found = fit_weights(
        np.concatenate(S), np.concatenate([slate.opened for slate in earlier.slates]), starts, ridge=RIDGE
    )
    shares = np.round(found / max(found.sum(), 1e-9), 3)
    weights = dict(zip(SIGNALS, map(float, shares), strict=True))
    say("judging both on the lists held back")
    later = replace(log, slates=log.slates[first:])
    judge = [replay_weights(later, one, random=random, delay_us=delay_us) for one in (weights, live)]
    return Learned(weights, earlier.slates[0].at_us, earlier.slates[-1].at_us, first, opened, *judge)
