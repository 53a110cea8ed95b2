"""The click model behind the `interest` signal, learned from the newsroom's own lists, and weights that use it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from data.errors import NotFound
from data.values import FloatArray, IntArray
from recommender.interest import CANDIDATE, GROUPS, Interest
from recommender.learn.own import HELD_SHARE, LEAST, RIDGE
from recommender.learn.softmax import slopes
from recommender.learn.trees import Growth, Trees, grow
from recommender.learn.weights import fit_weights
from recommender.replay.served_log import Moment, ServedLog, moments
from recommender.replay.weights import WeightReplay, replay_weights
from recommender.signals import SIGNALS
from recommender.windowed import INTEREST, Windowed

# Newsrooms have few lists: deeper trees, longer steps and less ridge knew only what they were grown on.
GROWTH = Growth(trees=600, depth=3, step=0.03, ridge=200.0, slate_share=0.7, patience=60)
STOPPED_SHARE = 0.2  # of the lists that trees are grown on, the latest: they say when to stop
GROWN_SHARE = 2 / 3  # of the lists learned from; what follows calibrates, and teaches the weights
LEAST_GAIN = 1e-6
TRIED = 1  # the number of a model that is judged before it is kept
SIDES = ("learned", "without", "live")  # what is judged side by side; "without" the click model


class NothingHolds(NotFound):
    """There was enough to learn from, but no click model that is any good on later lists."""


@dataclass(frozen=True)
class Shown:
    """Lists as serving knew them: of each shown article what a click model is told, and the signals."""

    X: FloatArray  # (shown x features)
    S: FloatArray  # (shown x 8), interest 0
    considered: NDArray[np.bool_]  # (shown,) whether serving would have asked about it
    opened: NDArray[np.uint8]
    start: IntArray  # (slates + 1,)

    def __len__(self) -> int:
        return len(self.start) - 1

    def part(self, first: int, end: int) -> "Shown":
        """Some of the slates."""
        items = slice(int(self.start[first]), int(self.start[end]))
        return Shown(
            self.X[items], self.S[items], self.considered[items], self.opened[items],
            self.start[first : end + 1] - self.start[first],
        )  # fmt: skip

    def signals(self, model: Interest) -> FloatArray:
        """S with the interest that serving would have had."""
        S = self.S.copy()
        S[:, INTEREST] = np.where(self.considered, model.signal(self.X.T), np.float32(0))
        return S


@dataclass(frozen=True)
class LearnedInterest:
    """A click model, weights that sum to 1 and use it, and the replays on the lists held back."""

    model: Interest
    weights: Mapping[str, float]
    from_us: int
    until_us: int  # of the lists learned from
    slates: int
    opened: int
    learned: WeightReplay
    without: WeightReplay  # the best weights without the model
    live: WeightReplay


def learn_interest(
    log: ServedLog, live: Mapping[str, float], *, random: np.random.Generator,
    options: Mapping[str, float] | None = None, delay_us: int = 0, growth: Growth = GROWTH,
    progress: Callable[[str], None] | None = None,
) -> LearnedInterest:  # fmt: skip
    """Grow a click model, calibrate it and fit weights with it, each on later lists than the last; judge on the latest.

    Half of the lists grow trees, a quarter calibrates and teaches weights, a quarter judges. `options` are those of the
    draft. NotFound where too little was opened, NothingHolds where no model is any good on later lists.
    """
    say = progress or (lambda _: None)
    say("computing what serving knew of every list")
    first = len(log) - max(1, int(HELD_SHARE * len(log))) if len(log) else 0
    earlier, later = replace(log, slates=log.slates[:first]), replace(log, slates=log.slates[first:])
    shown = shown_of(moments(earlier, delay_us=delay_us, limit=1))
    opened = _opened(shown)
    _enough(opened)
    say("growing trees")
    model, taught = _fit(shown, growth)
    weights = _shares(taught.signals(model), taught)
    without = _shares(shown.S, shown)
    say("judging on the lists held back")
    held = replace(later, snapshot=replace(later.snapshot, models={**later.snapshot.models, TRIED: model}))
    asked = {**(options or {}), "interest_model": float(TRIED)}
    figures = [
        replay_weights(held, tried, random=random, options=using, delay_us=delay_us)
        for tried, using in ((weights, asked), (without, options), (live, None))
    ]
    window = earlier.slates[0].at_us, earlier.slates[-1].at_us
    told = {"from_us": window[0], "until_us": window[1], "lists": first, "ndcg_10": _told(figures)}
    model = replace(model, told={**model.told, **told})
    return LearnedInterest(model, weights, *window, first, opened, *figures)


def _told(figures: Sequence[WeightReplay]) -> dict[str, list[float]]:
    """Mean, low and high of each that is known."""
    found = {name: one.ndcg_10 for name, one in zip(SIDES, figures, strict=True)}
    return {name: [round(float(one), 5) for one in value] for name, value in found.items() if np.isfinite(value.mean)}


def shown_of(some: Sequence[Moment] | Any) -> Shown:
    """What was shown at these moments, with the features of serving; what is no candidate any more is left out."""
    parts = [_shown(moment) for moment in some]
    if not parts:
        raise NotFound("no lists to learn from: let the app ask for lists, and take more days")
    X, S, considered, opened = (np.concatenate([one[place] for one in parts]) for place in range(4))
    start = np.concatenate([[0], np.cumsum([len(one[3]) for one in parts])]).astype(np.int64)
    return Shown(X, S, considered, opened, start)


def _shown(moment: Moment) -> tuple[FloatArray, FloatArray, NDArray[np.bool_], NDArray[np.uint8]]:
    ranked, rows = moment.ranked, moment.snapshot.index.rows_of(moment.slate.article_ids)
    order = np.argsort(ranked.rows)
    place = np.minimum(np.searchsorted(ranked.rows, rows, sorter=order), max(len(order) - 1, 0))
    among = (ranked.rows[order[place]] == rows) & (rows >= 0) if len(order) else np.zeros(len(rows), bool)
    chosen = order[place[among]] if len(order) else np.zeros(0, np.intp)
    candidates = ranked.signals
    if not isinstance(candidates, Windowed):
        raise TypeError("lists are decided again by the code that serves them")
    S = ranked.signals_of(chosen).copy()
    S[:, INTEREST] = 0
    X = np.ascontiguousarray(candidates.interest_features(chosen).T)
    return X, S, np.isin(chosen, candidates.considered), moment.slate.opened[among]


def _fit(shown: Shown, growth: Growth) -> tuple[Interest, Shown]:
    """A calibrated model, and the later slates that calibrated it."""
    end = max(1, int(GROWN_SHARE * len(shown)))
    grown, taught = shown.part(0, end), shown.part(end, len(shown))
    stop = np.arange(int((1 - STOPPED_SHARE) * end), end)
    trees = grow(grown.X, grown.opened, grown.start, stop, growth)
    score = trees.predict(taught.X) if len(trees) else np.zeros(len(taught.X), np.float32)
    if not len(trees) or len(np.unique(taught.opened)) < 2:
        raise NothingHolds("no click model that was learned holds on later lists: take more days")
    slope, offset = _platt(score, taught.opened)
    if slope <= 0:
        raise NothingHolds("the click model that was learned is wrong on later lists: take more days")
    told = {"gain": gain_of(trees, taught), "trees": len(trees), "opened": _opened(shown)}
    return Interest(trees.feature, trees.edge, trees.value, slope, offset, float(taught.opened.mean()), told), taught


def _platt(score: FloatArray, opened: NDArray[np.uint8]) -> tuple[float, float]:
    """Slope and offset of the log odds of an open by the score."""
    fitted = LogisticRegression(C=100.0).fit(score.astype(np.float64)[:, None], opened)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def gain_of(trees: Trees, shown: Shown, seed: int = 0, rounds: int = 5) -> dict[str, float]:
    """What share of the model's knowledge each group of features holds: by how much the listwise loss rises when the
    group's features are shuffled among the articles of each list, nothing below 0 (Breiman 2001, permutation).
    """
    rng, losses = np.random.default_rng(seed), dict[str, float]()
    told = _loss(trees.predict(shown.X), shown)
    slate = _slate_of(shown)
    for group, names in GROUPS.items():
        kinds = np.array([CANDIDATE.index(name) for name in names])
        columns = np.concatenate([kinds + form * len(CANDIDATE) for form in range(3)])
        risen = 0.0
        for _ in range(rounds):
            order, X = np.lexsort((rng.random(len(slate)), slate)), shown.X.copy()
            X[:, columns] = shown.X[np.ix_(order, columns)]
            risen += _loss(trees.predict(X), shown) - told
        losses[group] = max(risen / rounds, 0.0)
    total = max(sum(losses.values()), LEAST_GAIN)
    return {group: round(loss / total, 3) for group, loss in losses.items()}


def _loss(score: FloatArray, shown: Shown) -> float:
    g, h = np.zeros(len(score)), np.zeros(len(score))
    return float(slopes(score.astype(np.float64), shown.opened, shown.start, np.ones(len(shown)), g, h))


def _shares(S: FloatArray, shown: Shown) -> dict[str, float]:
    """Weights fitted listwise, none below 0, that sum to 1."""
    found = fit_weights(S, shown.opened, shown.start, ridge=RIDGE)
    found[S.max(axis=0, initial=0.0) == 0] = 0.0  # what is always 0 teaches nothing
    return dict(zip(SIGNALS, map(float, np.round(found / max(found.sum(), 1e-9), 3)), strict=True))


def _opened(shown: Shown) -> int:
    counts = np.bincount(_slate_of(shown), shown.opened, len(shown))
    return int((counts > 0).sum())


def _slate_of(shown: Shown) -> IntArray:
    return np.repeat(np.arange(len(shown)), np.diff(shown.start))


def _enough(opened: int) -> None:
    if opened < LEAST:
        raise NotFound(
            f"something was opened on {opened} of the lists to learn from, and at least {LEAST} are needed: "
            "let the app send `served_id` with what is opened, and take more days"
        )
