"""What an experiment says, in one sentence; and whether it has to stop."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.experiments import LIVE, ExperimentRow
from recommender.experiments.counts import Counts
from recommender.experiments.judge import GUARDRAIL_ALPHA, NOTHING, Finding, is_harmful, is_split_wrong, judge
from recommender.experiments.metrics import RATES, rate_of

GUARDRAIL_WORDS = {"hides": "hide more", "visits": "come less often", "opens": "open less", "finishes": "finish less"}


@dataclass(frozen=True)
class Report:
    """A look at an experiment. `sentence` says it all; the rest is for tables."""

    key: str
    sentence: str
    must_stop: bool  # a guardrail was crossed or the split is wrong
    is_decided: bool  # beyond chance
    finding: Finding
    readers: tuple[int, ...]
    day: int  # whole days that are over
    days: int
    broken: tuple[str, ...] = ()  # guardrails crossed


def report(experiment: ExperimentRow, counts: Counts) -> Report:
    """Judge an experiment by what was counted until now."""
    shares = tuple(one.share for one in experiment.arms)
    is_mixed = experiment.kind == "interleave"
    if not is_mixed and is_split_wrong(counts.readers, shares):
        return _report(experiment, counts, NOTHING, _split_wrong(experiment, counts), must_stop=True)
    broken = () if is_mixed else _broken(experiment, counts)
    path = counts.preference if is_mixed else counts.path(rate_of(experiment.metric))
    finding = judge(path, experiment.days)
    if broken:
        words = " and ".join(GUARDRAIL_WORDS[name] for name in broken)
        said = f"Stop: readers of {_name(experiment, 1)} {words} than is borne, beyond chance."
        return _report(experiment, counts, finding, said, must_stop=True, broken=broken)
    said = _preference(experiment, finding) if is_mixed else _difference(experiment, finding)
    return _report(experiment, counts, finding, said + _progress(experiment, counts, finding))


def _broken(experiment: ExperimentRow, counts: Counts) -> tuple[str, ...]:
    rails: Mapping[str, float] = experiment.guardrails
    alpha = GUARDRAIL_ALPHA / max(len(rails), 1)
    return tuple(
        name
        for name, borne in rails.items()
        if is_harmful(counts.path(RATES[name]), experiment.days, margin=float(np.log1p(borne)), alpha=alpha)
    )


def _report(
    experiment: ExperimentRow,
    counts: Counts,
    finding: Finding,
    sentence: str,
    *,
    must_stop: bool = False,
    broken: tuple[str, ...] = (),
) -> Report:
    decided = finding.is_beyond_chance and not must_stop
    readers = counts.readers if experiment.kind != "interleave" else (len(counts.arm),)
    return Report(experiment.key, sentence, must_stop, decided, finding, readers, counts.days, experiment.days, broken)


def _difference(experiment: ExperimentRow, found: Finding) -> str:
    if not found.is_known:
        return "Nothing can be said yet: too few readers."
    rate = rate_of(experiment.metric)
    effect, low, high = (rate.sense * one for one in (found.effect, found.low, found.high))
    interval = f"95 % interval {_share(min(low, high))} to {_share(max(low, high))}"
    new, old = _name(experiment, 1), _name(experiment, 0)
    if found.is_beyond_chance:
        more = "more" if effect > 0 else "less"
        size = _share(effect).lstrip("+-")
        return f"Readers of {new} {rate.words} {size} {more} than those of {old} ({interval})."
    return f"No difference between {new} and {old} is beyond chance ({_share(effect)}; {interval})."


def _preference(experiment: ExperimentRow, found: Finding) -> str:
    if not found.is_known:
        return "Nothing can be said yet: too few readers clicked."
    old, new = _name(experiment, 0), _name(experiment, 1)
    ours, theirs = (1 + found.effect) / 2, (1 - found.effect) / 2
    if not found.is_beyond_chance:
        return f"No preference is beyond chance: {ours:.1%} of the clicks go to {new}, {theirs:.1%} to {old}."
    winner, most, least = (new, ours, theirs) if found.effect > 0 else (old, theirs, ours)
    return f"Readers prefer {winner}: it gets {most:.1%} of the clicks on interleaved lists, the other {least:.1%}."


def _progress(experiment: ExperimentRow, counts: Counts, found: Finding) -> str:
    if found.is_beyond_chance:
        return f" Known since day {found.day} of {experiment.days}, with {found.readers:,} readers."
    if counts.days >= experiment.days:
        return f" All {experiment.days} days are over, with {found.readers:,} readers."
    return f" Day {counts.days} of {experiment.days}, {found.readers:,} readers."


def _split_wrong(experiment: ExperimentRow, counts: Counts) -> str:
    found = " to ".join(f"{one:,}" for one in counts.readers)
    return f"Stop: the arms of {experiment.key} have {found} readers, which chance does not explain; look for a fault."


def _name(experiment: ExperimentRow, arm: int) -> str:
    version = experiment.arms[arm].version
    return "the live version" if version == LIVE else f"version {version}"


def _share(log_ratio: float) -> str:
    return f"{np.expm1(log_ratio):+.1%}"
