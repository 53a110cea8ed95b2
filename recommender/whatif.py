"""What would change: the same readers under other weights, before anybody sees them."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from data.values import WeightRow
from recommender.for_you import Ask, Ranked, for_you
from recommender.related import related
from recommender.signals import HOUR_US, SIGNALS, weight_vector
from recommender.snapshot import NOBODY, ReaderView, Snapshot

TOP = 10
PUSH_WINDOW_H = 24.0
MOST_NEWS_VALUE = 5
# The guardrails of the console, each a sentence there.
MUST_REACH, MUST_REACH_SHARE = 3, 0.95  # an article of news value 5 within these places for this share of readers
MUST_REACH_H = 12  # and published in these hours
MOST_OF_A_SOURCE = 0.4
OLDEST_MEDIAN_H = 12.0
LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class Line:
    """One place of a list: which article, why that high."""

    article_id: int
    score: float
    adjust: float
    held: str
    values: Mapping[str, float]  # signal -> value in [0, 1]
    adds: Mapping[str, float]  # signal -> value x weight


@dataclass(frozen=True)
class Listing:
    """The head of one reader's list under some weights."""

    lines: tuple[Line, ...]
    sources: tuple[int, ...]
    ages_h: tuple[float, ...]
    news_values: tuple[int, ...]
    must_reach: bool  # whether an article of news value 5 was there to be shown

    @property
    def ids(self) -> tuple[int, ...]:
        """The articles, in order."""
        return tuple(line.article_id for line in self.lines)


@dataclass(frozen=True)
class Moved:
    """One place of a new list beside the old one; `before` is the place it had, None if it is new."""

    place: int
    line: Line
    before: int | None

    @property
    def is_moved(self) -> bool:
        """Whether it was on the old list in another place."""
        return self.before is not None and self.before != self.place


@dataclass(frozen=True)
class Guardrail:
    """One promise about lists, and whether it is kept."""

    name: str
    sentence: str
    holds: bool
    badness: float  # the number that was found, the smaller the better
    is_worse: bool = True  # where it is broken: more than under the live weights

    @property
    def is_broken(self) -> bool:
        """Whether the draft breaks it, or breaks it further."""
        return not self.holds and self.is_worse


@dataclass(frozen=True)
class Reach:
    """How far a change goes, over all personas."""

    changed: tuple[int, ...]  # of the first ten, how many are new, a persona each
    overlap: tuple[float, ...]
    guardrails: tuple[Guardrail, ...]
    entered: tuple[tuple[int, int], ...] = ()  # (article, for how many personas), most first
    left: tuple[tuple[int, int], ...] = ()
    sources: tuple[tuple[int, int, int], ...] = ()  # (source, places before, after)
    shares: Mapping[str, float] = field(default_factory=dict)  # signal -> mean share of the score in the first ten

    @property
    def typical(self) -> int:
        """How many of ten change for the middle persona."""
        return int(np.median(self.changed)) if self.changed else 0

    @property
    def is_safe(self) -> bool:
        """Whether the change breaks no guardrail: one that the live lists break as much is not its doing."""
        return not any(one.is_broken for one in self.guardrails)


def under(snapshot: Snapshot, surface: str, weights: Mapping[str, float], options: Mapping[str, float]) -> Snapshot:
    """The snapshot as if these were the live weights of a surface."""
    row = WeightRow(surface, 0, dict(weights), dict(options))
    return replace(snapshot, weights={**snapshot.weights, surface: row})


class Viewed(Hashable, Protocol):
    """Somebody whose list is made: a persona, or a reader at an instant that is over."""

    @property
    def language(self) -> str: ...

    def view(self, at_us: int, /) -> ReaderView: ...


Subject = Viewed | int  # whose list; on `related`, beside which article (our number)


def listing(
    snapshot: Snapshot, surface: str, subject: Subject, *, at_us: int, top: int = TOP, window_h: float = 240.0
) -> Listing:
    """The head of a list. Cost: one for-you or related list.

    On `push`: the last day's articles in the order of their worth as an alert to this persona; caps, quiet hours and
    what was told before are not looked at.
    """
    ranked = _ranked(snapshot, surface, subject, at_us, top, window_h)
    weights = snapshot.weights_of(surface)
    chosen = ranked.order[: min(top, ranked.served)]
    rows, columns = ranked.rows[chosen], snapshot.index.columns
    adds = ranked.S[chosen] * weight_vector(weights)
    lines = [
        Line(
            article_id=int(columns.id[row]),
            score=float(ranked.result.score[one]),
            adjust=float(ranked.result.adjust[one]),
            held=ranked.result.held.get(int(one), ""),
            values=dict(zip(SIGNALS, map(float, ranked.S[one]), strict=True)),
            adds=dict(zip(SIGNALS, map(float, part), strict=True)),
        )
        for one, row, part in zip(chosen.tolist(), rows.tolist(), adds, strict=True)
    ]
    fresh = columns.published_at_us[ranked.rows] > at_us - MUST_REACH_H * HOUR_US
    return Listing(
        tuple(lines),
        tuple(columns.source_id[rows].tolist()),
        tuple(((at_us - columns.published_at_us[rows]) / HOUR_US).tolist()),
        tuple(columns.news_value[rows].tolist()),
        bool(((columns.news_value[ranked.rows] == MOST_NEWS_VALUE) & fresh).any()),
    )


def _ranked(snapshot: Snapshot, surface: str, subject: Subject, at_us: int, top: int, window_h: float) -> Ranked:
    if isinstance(subject, int):
        row = snapshot.index.row_of(subject)
        return related(snapshot, row, NOBODY, Ask(limit=top), at_us=at_us).ranked
    if surface == "push":
        snapshot, window_h = _as_list(snapshot), PUSH_WINDOW_H
    ask = Ask(limit=top, window_h=snapshot.options_of("for_you").window_h or window_h)
    return for_you(snapshot, subject.view(at_us), ask, at_us=at_us, language=subject.language)


def _as_list(snapshot: Snapshot) -> Snapshot:
    """The snapshot whose for-you list is ordered as alerts are."""
    options = {name: float(value) for name, value in vars(snapshot.options_of("push")).items()}
    made = under(snapshot, "for_you", snapshot.weights_of("push"), options | {"window_h": 0.0})
    return replace(made, rules={**made.rules, "for_you": made.rules.get("push", ())})


def moves(before: Listing, after: Listing) -> tuple[Moved, ...]:
    """Each place of the new list with the place its article had in the old one."""
    places = {one: place for place, one in enumerate(before.ids, 1)}
    return tuple(Moved(place, line, places.get(line.article_id)) for place, line in enumerate(after.lines, 1))


def gone(before: Listing, after: Listing) -> tuple[int, ...]:
    """What is on the old list and not on the new one."""
    return tuple(one for one in before.ids if one not in set(after.ids))


def shares(listings: Sequence[Listing]) -> dict[str, float]:
    """What part of the scores on these lists each signal makes, on average: raw weights mislead."""
    totals, counted = dict.fromkeys(SIGNALS, 0.0), 0
    for one in listings:
        for line in one.lines:
            whole = sum(line.adds.values())
            if whole > 0:
                counted += 1
                for name, adds in line.adds.items():
                    totals[name] += adds / whole
    return {name: total / max(counted, 1) for name, total in totals.items()}


def reach(before: Sequence[Listing], after: Sequence[Listing]) -> Reach:
    """How far a change goes: lists of the same personas before and after."""
    pairs = list(zip(before, after, strict=True))
    entered, left = Counter[int](), Counter[int]()
    old, new = Counter[int](), Counter[int]()
    for one, other in pairs:
        entered.update(set(other.ids) - set(one.ids))
        left.update(set(one.ids) - set(other.ids))
        old.update(one.sources)
        new.update(other.sources)
    overlap = tuple(_overlap(one, other) for one, other in pairs)
    return Reach(
        changed=tuple(len(set(other.ids) - set(one.ids)) for one, other in pairs),
        overlap=overlap,
        guardrails=_beside(guardrails(after, overlap), guardrails(before)),
        entered=tuple(entered.most_common(8)),
        left=tuple(left.most_common(8)),
        sources=tuple((one, old[one], new[one]) for one, _ in (old + new).most_common(8)),
        shares=shares(after),
    )


def guardrails(lists: Sequence[Listing], overlap: Sequence[float] = ()) -> tuple[Guardrail, ...]:
    """The promises about lists, each with the number that was found."""
    due = [one for one in lists if one.must_reach]
    reached = sum(MOST_NEWS_VALUE in one.news_values[:MUST_REACH] for one in due) / len(due) if due else 1.0
    ages = [age for one in lists for age in one.ages_h]
    age = round(float(np.median(ages)), 1) if ages else 0.0  # as it is said
    crowded = max((_most_of_a_source(one) for one in lists), default=0.0)
    alike = float(np.median(overlap)) if len(overlap) else 1.0
    empty = sum(not one.lines for one in lists)
    top_news = (
        f"A story of news value 5 is in the first {MUST_REACH} for {reached:.0%} of those who can get one "
        f"(at least {MUST_REACH_SHARE:.0%})."
        if due
        else "No story of news value 5 is waiting, so none can be missed."
    )
    return (
        Guardrail("must_reach", top_news, reached >= MUST_REACH_SHARE, -reached),
        Guardrail(
            "sources",
            f"No source has more than {MOST_OF_A_SOURCE:.0%} of a first ten (the most is {crowded:.0%}).",
            crowded <= MOST_OF_A_SOURCE,
            crowded,
        ),
        Guardrail(
            "age",
            f"The median age on the lists is {age:.1f} hours (at most {OLDEST_MEDIAN_H:.0f}).",
            age <= OLDEST_MEDIAN_H,
            age,
        ),
        Guardrail(
            "overlap",
            f"A typical reader keeps {alike:.0%} of the first ten (at least {LEAST_OVERLAP:.0%}).",
            alike >= LEAST_OVERLAP,
            -alike,
        ),
        Guardrail(
            "empty",
            "Nobody's list is empty." if not empty else f"{empty} of {len(lists)} lists are empty.",
            not empty,
            float(empty),
        ),
    )


def _beside(found: Sequence[Guardrail], live: Sequence[Guardrail]) -> tuple[Guardrail, ...]:
    """The guardrails of a draft, each told whether it is worse than live."""
    return tuple(replace(one, is_worse=one.badness > was.badness + 1e-9) for one, was in zip(found, live, strict=True))


def _overlap(one: Listing, other: Listing) -> float:
    most = max(len(one.ids), len(other.ids))
    return len(set(one.ids) & set(other.ids)) / most if most else 1.0


def _most_of_a_source(one: Listing) -> float:
    counts = Counter(source for source in one.sources if source)
    return max(counts.values(), default=0) / len(one.sources) if len(one.sources) >= 5 else 0.0
