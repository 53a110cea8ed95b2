"""What other weights would have done: the lists that were served, decided again under them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.metrics.bootstrap import Interval, bootstrap
from recommender.metrics.ndcg import ndcg
from recommender.metrics.ranked import RankedSlates
from recommender.replay.served_log import Moment, ServedLog, moments
from recommender.signals import HOUR_US, weight_vector
from recommender.snapshot import signal_matrix
from recommender.whatif import MOST_NEWS_VALUE, MUST_REACH, MUST_REACH_H, under

PLACES = 10
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class WeightReplay:
    """Figures with 95 % intervals by reader; nan where the log does not tell.

    `ndcg_10`: the opened among the shown, put in the order of these weights. `coverage`: share of the articles of the
    candidates that stood in somebody's first ten. `median_age_h`: of the first ten. `must_read_reach`: share of
    readers who had an article of news value 5, out for at most twelve hours, within their first three.
    """

    slates: int
    opened: int  # slates with something opened
    ndcg_10: Interval
    coverage: Interval
    median_age_h: Interval
    must_read_reach: Interval


def replay_weights(
    log: ServedLog, weights: Mapping[str, float], *, random: np.random.Generator,
    options: Mapping[str, float] | None = None, delay_us: int = 0, progress: Callable[[int, int], None] | None = None,
) -> WeightReplay:  # fmt: skip
    """The log's for-you lists under these weights; None of `options` are the live ones.

    Only what was shown could be opened, so `ndcg_10` judges the order of the shown articles; the other figures are of
    the lists that would have been shown. `progress` is told (done, all). Cost: a for-you list a slate.
    """
    row = log.snapshot.weights.get("for_you")
    held = options if options is not None else row.options if row else {}
    tried = ServedLog(under(log.snapshot, "for_you", weights, held), log.slates, log.events, log.readers, log.window_h)
    lists, scores = _Lists(), list[FloatArray]()
    for done, moment in enumerate(moments(tried, delay_us=delay_us, limit=PLACES), 1):
        scores.append(_shown_signals(moment) @ weight_vector(weights))
        lists.add(moment)
        if progress:
            progress(done, len(log))
    if not scores:
        return WeightReplay(0, 0, NOTHING, NOTHING, NOTHING, NOTHING)
    return lists.figures(log, scores, random)


def shown_signals(log: ServedLog, *, delay_us: int = 0) -> list[FloatArray]:
    """S (shown x 8) of every slate, as serving had it: what weights are learned from."""
    return [_shown_signals(moment) for moment in moments(log, delay_us=delay_us, limit=1)]


def _shown_signals(moment: Moment) -> FloatArray:
    """S (shown x 8); of what is no candidate any more by the plain code, of an article that is gone 0."""
    index, ranked = moment.snapshot.index, moment.ranked
    rows = index.rows_of(moment.slate.article_ids)
    order = np.argsort(ranked.rows)
    place = np.minimum(np.searchsorted(ranked.rows, rows, sorter=order), max(len(order) - 1, 0))
    S = np.zeros((len(rows), len(weight_vector({}))), np.float32)
    among = np.zeros(len(rows), bool) if not len(order) else ranked.rows[order[place]] == rows
    if among.any():
        S[among] = ranked.signals_of(order[place[among]])
    others = np.flatnonzero(~among & (rows >= 0))
    if len(others):
        S[others] = signal_matrix(
            moment.snapshot, rows[others], ranked.profiles, [moment.view.choices], at_us=moment.slate.at_us,
            options=ranked.options,
        )[0]  # fmt: skip
    return S


class _Lists:
    """The first ten of every list that would have been shown."""

    def __init__(self) -> None:
        self.heads: list[NDArray[np.int64]] = []
        self.ages_h: list[float] = []
        self.candidates: set[int] = set()
        self.must: list[tuple[int, int, bool]] = []  # reader, article, whether it was within reach

    def add(self, moment: Moment) -> None:
        ranked, columns, at_us = moment.ranked, moment.snapshot.index.columns, moment.slate.at_us
        rows = ranked.rows[ranked.head[:PLACES]]
        self.heads.append(columns.id[rows])
        ages = np.maximum(at_us - columns.published_at_us[rows], 0) / HOUR_US
        self.ages_h.append(float(np.median(ages)) if len(ages) else np.nan)
        self.candidates.update(columns.id[ranked.rows].tolist())
        fresh = at_us - columns.published_at_us[ranked.rows] <= MUST_REACH_H * HOUR_US
        due = ranked.rows[(columns.news_value[ranked.rows] == MOST_NEWS_VALUE) & fresh]
        reached = np.isin(due, rows[:MUST_REACH])
        reader = moment.slate.reader_id
        self.must += [(reader, one, bool(hit)) for one, hit in zip(columns.id[due].tolist(), reached, strict=True)]

    def figures(self, log: ServedLog, scores: list[FloatArray], random: np.random.Generator) -> WeightReplay:
        reader = np.array([slate.reader_id for slate in log.slates])
        opened = np.concatenate([slate.opened for slate in log.slates])
        starts = np.concatenate([[0], np.cumsum([len(one) for one in scores])])
        gains = ndcg(RankedSlates.of(starts, np.concatenate(scores), opened, random), PLACES)
        known = np.isfinite(gains)
        return WeightReplay(
            len(log),
            int(known.sum()),
            bootstrap(gains[known], reader[known], random) if known.any() else NOTHING,
            self._coverage(reader, random),
            bootstrap(self.ages_h, reader, random),
            self._reach(random),
        )

    def _reach(self, random: np.random.Generator) -> Interval:
        """A reader counts once an article however many lists."""
        best: dict[tuple[int, int], bool] = {}
        for reader, article, hit in self.must:
            best[reader, article] = best.get((reader, article), False) or hit
        if not best:
            return NOTHING
        return bootstrap([float(hit) for hit in best.values()], [reader for reader, _ in best], random)

    def _coverage(self, reader: NDArray[np.int64], random: np.random.Generator, rounds: int = 200) -> Interval:
        """Drawing readers anew loses some for others, so the spread of the draws is laid around the figure itself."""
        names, number = np.unique(reader, return_inverse=True)
        ids = {one: place for place, one in enumerate(sorted(self.candidates))}
        shown = np.zeros((len(names), max(len(ids), 1)), bool)
        for one, head in zip(number, self.heads, strict=True):
            shown[one, [ids[article] for article in head.tolist()]] = True
        share = float(shown.any(0).mean())
        drawn = np.array([
            shown[random.integers(0, len(names), len(names))].any(0).mean() for _ in range(rounds)
        ])  # fmt: skip
        low, high = np.quantile(drawn - drawn.mean(), [0.025, 0.975])
        return Interval(share, float(max(share + low, 0.0)), float(min(share + high, 1.0)))
