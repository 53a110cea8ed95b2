"""From the rows of an experiment to counts by reader and day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from data.clock import micros
from data.experiments import ExperimentRow
from recommender.experiments.compare import Path, preference_path, ratio_path, variation
from recommender.experiments.cuped import Before, adjusted_path, variation_beside
from recommender.experiments.interleave import FIRST, SECOND
from recommender.experiments.metrics import Rate
from recommender.experiments.serving import arm_of, takes_part

DAY_US = 86_400_000_000
Doubles = npt.NDArray[np.float64]
ListOf = tuple[str, str, int]  # served_id, reader, at_us
ResponseTo = tuple[str, int, str, int]  # served_id, article, kind, at_us


@dataclass(frozen=True)
class Counts:
    """What the readers of one experiment did, day by day of it."""

    arm: npt.NDArray[np.int64]  # (readers,)
    lists: Doubles  # (readers x days)
    responses: Mapping[str, Doubles]  # kinds joined by "+" -> (readers x days)
    credit: tuple[Doubles, Doubles]  # clicks for the first and second version of interleaved lists (readers x days)
    # What the same readers did before: lists as "", responses by kinds (readers,); empty where that is not known.
    past: Mapping[str, Doubles] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """How many whole days are over."""
        return int(self.lists.shape[1])

    @property
    def readers(self) -> tuple[int, ...]:
        """How many readers were served, by arm."""
        return tuple(np.bincount(self.arm, minlength=2).tolist())

    def above(self, rate: Rate) -> Doubles:
        """What a rate counts (readers x days)."""
        return self.responses["+".join(rate.kinds)] if rate.kinds else self.lists

    def below(self, rate: Rate) -> Doubles:
        """What a rate is divided by (readers x days): lists, or readers on their first day."""
        return self.lists if rate.kinds else _first_days(self.lists)

    def path(self, rate: Rate) -> Path:
        """The rate of the second arm against that of the first, upwards where it is better, less what was so before."""
        counts, before = (self.above(rate), self.below(rate)), self.before(rate)
        found = adjusted_path(*counts, self.arm, before) if before else ratio_path(*counts, self.arm)
        return Path(rate.sense * found.effect, found.error, found.readers)

    def before(self, rate: Rate) -> Before | None:
        """What the readers did before the experiment, by a rate; None where nobody was seen then."""
        lists = self.past.get("", np.zeros(0))
        if not lists.any():
            return None
        if rate.kinds:
            return Before(self.past["+".join(rate.kinds)], lists)
        return Before(lists, (lists > 0).astype(np.float64))

    def variation(self, rate: Rate) -> float:
        """How much readers differ in a rate, beside what was known of them before: what a sample size depends on."""
        counts, before = (self.above(rate), self.below(rate)), self.before(rate)
        return variation_beside(*counts, before) if before else variation(*counts)

    @property
    def preference(self) -> Path:
        """Of interleaved lists: the preference for the second version."""
        return preference_path(*self.credit)


def count(
    experiment: ExperimentRow,
    rates: Iterable[Rate],
    lists: Sequence[ListOf],
    responses: Sequence[ResponseTo],
    teams: Mapping[str, Mapping[int, int]],
    until_us: int,
    before: tuple[Sequence[ListOf], Sequence[ResponseTo]] = ((), ()),
) -> Counts:
    """Counts over the whole days of the experiment that are over at `until_us`; later rows do not matter.

    Readers count from their first list in the experiment, in the arm that the hash gives them, whatever version served
    them. A response counts on its own day, once for a list and article, if the list was one of the experiment's.
    `before`: lists and responses of a time before it.
    """
    start = micros(experiment.starts_at)
    days = int(np.clip((until_us - start) // DAY_US, 0, experiment.days))
    ours = [one for one in lists if takes_part(experiment, one[1]) and 0 <= one[2] - start < days * DAY_US]
    place = {reader: number for number, reader in enumerate(dict.fromkeys(one[1] for one in ours))}
    owner = {served_id: place[reader] for served_id, reader, _ in ours}
    table = _Table(len(place), days, start)
    rates = tuple(rates)
    firsts = _first_by_rate(rates, responses)
    known = {name: [(owner[i], at) for i, _, at in found if i in owner] for name, found in firsts.items()}
    clicks = [(i, article, at) for i, article, at in firsts.get("open+read+finish", []) if i in owner and i in teams]
    credit = [
        table.of([(owner[i], at) for i, article, at in clicks if teams[i].get(article) == team])
        for team in (FIRST, SECOND)
    ]
    return Counts(
        np.array([arm_of(experiment, reader) for reader in place], np.int64),
        table.of([(place[reader], at) for _, reader, at in ours]),
        {name: table.of(found) for name, found in known.items()},
        (credit[0], credit[1]),
        _past(place, rates, *before),
    )


def _past(
    place: Mapping[str, int], rates: Iterable[Rate], lists: Sequence[ListOf], responses: Sequence[ResponseTo]
) -> dict[str, Doubles]:
    """Lists and responses of these readers in a time before, as sums (readers,)."""
    owner = {served_id: place[reader] for served_id, reader, _ in lists if reader in place}
    told = {"": list(owner.values())}
    for name, found in _first_by_rate(rates, responses).items():
        told[name] = [owner[served_id] for served_id, _, _ in found if served_id in owner]
    return {
        name: np.bincount(np.array(readers, np.int64), minlength=len(place)).astype(np.float64)
        for name, readers in told.items()
    }


def _first_by_rate(rates: Iterable[Rate], responses: Sequence[ResponseTo]) -> dict[str, list[tuple[str, int, int]]]:
    """The first response of each rate's kinds to each article of each list: opening and finishing is one open."""
    found = {}
    for rate in rates:
        first: dict[tuple[str, int], int] = {}
        for served_id, article, kind, at_us in responses:
            if kind in rate.kinds:
                key = (served_id, article)
                first[key] = min(at_us, first.get(key, at_us))
        found["+".join(rate.kinds)] = [(*key, at_us) for key, at_us in first.items()]
    return found


@dataclass(frozen=True)
class _Table:
    readers: int
    days: int
    start_us: int

    def of(self, rows: Sequence[tuple[int, int]]) -> Doubles:
        """How many of (reader, instant) fall on each reader's day (readers x days); others are left out."""
        reader, at_us = np.array(rows, np.int64).reshape(-1, 2).T
        day = (at_us - self.start_us) // DAY_US
        inside = (day >= 0) & (day < self.days)
        cells = reader[inside] * self.days + day[inside]
        found = np.bincount(cells, minlength=self.readers * self.days).astype(np.float64)
        return found.reshape(self.readers, self.days)


def _first_days(lists: Doubles) -> Doubles:
    """1 on the day of a reader's first list, else 0."""
    found = np.zeros_like(lists)
    if lists.size:
        found[np.arange(len(lists)), np.argmax(lists > 0, axis=1)] = 1.0
    return found
