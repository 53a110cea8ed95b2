"""Past sessions ranked again under other weights: what would have stood where, and what of it was opened.

Each session is ranked as of the moment before its first read: the reader's history, popularity and the window end
there. What is of today: the texts' vocabulary, news values, stories and the rules of the desk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recommender.metrics.bootstrap import bootstrap_all
from recommender.metrics.ndcg import ndcg_at
from recommender.signals import HOUR_US
from recommender.snapshot import ReaderView, Snapshot
from recommender.whatif import MOST_NEWS_VALUE, MUST_REACH, TOP, Listing, listing
from recommender.window import Windows

RESAMPLES = 400
Progress = Callable[[float, str], None]  # share done, what is being done; may raise to stop the work
Doubles = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and the bounds of its 95 % interval; equal bounds: counted, not estimated."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """One measure under the live weights and under those that are tried. `unit`: share, hours, or "" for a number."""

    name: str
    live: Interval
    tried: Interval
    unit: str = ""
    difference: Interval | None = None  # tried less live, over the same requests


@dataclass(frozen=True)
class Replayed:
    """What a replay found, over how many requests, and what must be known to read it."""

    measures: Sequence[Measured]
    requests: int
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Past:
    """A reader at an instant that is over: one for whom a list is made again."""

    reader_id: int
    at_us: int
    reader: ReaderView
    language: str = ""
    opened: frozenset[int] = field(default=frozenset())  # articles of the session that began then
    bar: float = 0.0  # of an alert planned then
    weight: float = 1.0  # so many such requests does it stand for

    def view(self, _at_us: int) -> ReaderView:
        """The reader as ranking sees one."""
        return self.reader


def rank_again(
    live: Snapshot, tried: Snapshot, sessions: Sequence[Past], progress: Progress, *, window_h: float, seed: int = 1
) -> Replayed:
    """For-you lists under two snapshots that differ in weights. Cost: two lists a session.

    nDCG@10 with gain 1 for what the session opened; intervals by resampling readers (seeded), 400 times.
    """
    rows = _pairs(live, tried, "for_you", sessions, progress, window_h)
    gains = [tuple(_ndcg(one, past.opened) for one in pair) for pair, past in zip(rows, sessions, strict=True)]
    fresh = _published(live, sessions)
    measures = [
        _measured("nDCG@10", np.array(gains, np.float64).reshape(-1, 2), sessions, seed),
        _counted("Of the day's articles in a first ten", [_coverage(rows, side, fresh) for side in (0, 1)], "share"),
        _measured("Median age of a first ten", _each(rows, _middle_age), sessions, seed, "hours"),
    ]
    due = np.array([pair[0].must_reach for pair in rows], bool)
    if due.any():
        held = np.where(due[:, None], _each(rows, _is_reached), np.nan).astype(np.float64)
        name = "News value 5 in the first three, where there was one"
        measures.append(_measured(name, held, sessions, seed, "share"))
    return Replayed(measures, len(sessions), NOTES)


NOTES = (
    "What readers opened is mostly what the live weights showed them: this favours the live weights.",
    "Each list ends at the moment before the session; news values, stories and rules are those of today.",
)
PUSH_NOTES = (
    "Caps, quiet hours and what was told before are taken as they were; opens are those of past alerts of like scores.",
)


def push_again(
    live: Snapshot,
    tried: Snapshot,
    slots: Sequence[Past],
    opens: tuple[Doubles, Doubles],
    progress: Progress,
    *,
    window_h: float,
    seed: int = 1,
) -> Replayed:
    """Alerts that were due under two push weights: how many clear the bar, and how many would be opened.

    `opens`: (scores, opened as 0 or 1) of alerts that were sent; an alert is expected to be opened like those of like
    scores. Each slot stands for `weight` readers.
    """
    pairs = _pairs(live, tried, "push", slots, progress, window_h)
    best = _each(pairs, lambda one: one.lines[0].score if one.lines else -np.inf)
    sends = (best >= np.array([one.bar for one in slots])[:, None]).astype(np.float64)
    measures = [_measured("Expected alerts", sends, slots, seed, total=True)]
    if len(opens[0]):
        expected = sends * _open_rate(*opens)(best)
        measures.append(_measured("Expected opens", expected, slots, seed, total=True))
    notes = PUSH_NOTES if len(opens[0]) else ("No alert was sent before, so opens cannot be expected.", *PUSH_NOTES)
    return Replayed(measures, len(slots), notes)


def _measured(
    name: str, values: Doubles, requests: Sequence[Past], seed: int, unit: str = "", *, total: bool = False
) -> Measured:
    """The mean (or weighted total) of both columns, with intervals by reader; nan on either side counts for nothing."""
    if not len(values):
        return Measured(name, Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0), unit, Interval(0.0, 0.0, 0.0))
    both = np.where(np.isfinite(values.sum(axis=1, keepdims=True)), values, np.nan)
    if total:
        both = both * np.array([one.weight for one in requests])[:, None]
    columns = np.column_stack([both, both[:, 1] - both[:, 0]])
    readers = np.array([one.reader_id for one in requests], np.int64)
    drawn = bootstrap_all(columns, readers, np.random.default_rng(seed), rounds=RESAMPLES, total=total)
    live, tried, difference = (Interval(*one) for one in drawn)
    return Measured(name, live, tried, unit, difference)


def _pairs(
    live: Snapshot, tried: Snapshot, surface: str, requests: Sequence[Past], progress: Progress, window_h: float
) -> list[tuple[Listing, Listing]]:
    # Windows of the past are laid out beside those that readers are answered from, which they would push out.
    live, tried = (replace(one, windows=Windows()) for one in (live, tried))
    found = []
    for place, one in enumerate(requests):
        progress(place / max(len(requests), 1), f"request {place + 1:,} of {len(requests):,}")
        before, after = (listing(side, surface, one, at_us=one.at_us, window_h=window_h) for side in (live, tried))
        found.append((before, after))
    return found


def _ndcg(one: Listing, opened: frozenset[int]) -> float:
    """nDCG@10 of a head: what was opened and is not on it counts in the ideal."""
    gains = [1.0 if article in opened else 0.0 for article in one.ids[:TOP]]
    missed = len(opened) - int(sum(gains))
    return ndcg_at(np.array([*gains, *[0.0] * (TOP - len(gains)), *[1.0] * missed]), TOP)


def _each(rows: Sequence[tuple[Listing, Listing]], measure: Callable[[Listing], float]) -> Doubles:
    """A measure of both lists of every pair (pairs x 2)."""
    return np.array([[measure(one) for one in pair] for pair in rows], np.float64).reshape(-1, 2)


def _is_reached(one: Listing) -> float:
    return float(MOST_NEWS_VALUE in one.news_values[:MUST_REACH])


def _middle_age(one: Listing) -> float:
    return float(np.median(one.ages_h)) if one.ages_h else float("nan")


def _published(snapshot: Snapshot, sessions: Sequence[Past]) -> frozenset[int]:
    """The articles that came out between the first and the last session, and in the day before."""
    if not sessions:
        return frozenset()
    at = [one.at_us for one in sessions]
    rows = snapshot.index.window(min(at) - 24 * HOUR_US, max(at))
    return frozenset(snapshot.index.columns.id[rows].tolist())


def _coverage(rows: Sequence[tuple[Listing, Listing]], side: int, fresh: frozenset[int]) -> float:
    shown = {article for pair in rows for article in pair[side].ids[:TOP]}
    return len(shown & fresh) / max(len(fresh), 1)


def _counted(name: str, values: Sequence[float], unit: str) -> Measured:
    live, tried = (Interval(one, one, one) for one in values)
    return Measured(name, live, tried, unit)


def _open_rate(scores: Doubles, opened: Doubles) -> Callable[[Doubles], Doubles]:
    """How often alerts of like scores were opened: five groups of equal size, shrunk to the usual rate."""
    edges = np.quantile(scores, (0.2, 0.4, 0.6, 0.8))
    group = np.searchsorted(edges, scores, side="right")
    sent, hits = np.bincount(group, minlength=5), np.bincount(group, opened, minlength=5)
    usual = float(opened.mean())
    rate = (hits + 10 * usual) / (sent + 10)
    return lambda best: np.asarray(rate[np.searchsorted(edges, best, side="right")], np.float64)
