"""Starting, looking at and stopping experiments: the edge where rows are read and written."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.clock import micros
from data.errors import Conflict, InvalidInput
from data.experiments import DRAFT, EXPERIMENT_KINDS, LIVE, Arm, ExperimentRow
from data.store import Store
from data.store.drafts import DraftRow
from data.values import WeightRow
from recommender.experiments.assignment import BUCKETS, check_shares, free_buckets
from recommender.experiments.compare import LEAST_READERS
from recommender.experiments.counts import Counts, count
from recommender.experiments.metrics import GUARDRAILS, RATES, rate_of
from recommender.experiments.power import effect_found, readers_needed
from recommender.experiments.report import Report, report
from recommender.experiments.serving import is_due
from recommender.ranking import Options
from recommender.snapshot import OPTIONS

LONGEST_DAYS = 366
CANDIDATE_OPTIONS = ("window_h", "seen_cap")  # what decides which articles are candidates at all
SURFACE = "for_you"
BEFORE_DAYS = 14  # of what readers did before an experiment, as far as the log reaches back


@dataclass(frozen=True)
class Size:
    """What an experiment needs, and what the readers there are could show."""

    readers_an_arm: int
    readers_seen: int  # in as many days before
    variation: float
    effect_share: float  # the least change that all of them, in two arms, find as surely


def start(
    store: Store,
    key: str,
    *,
    versions: Sequence[int],
    share: float,
    days: int,
    author: str,
    reason: str,
    now: datetime,
    kind: str = "split",
    metric: str = "opens",
    guardrails: Mapping[str, float] = GUARDRAILS,
    kept_days: float = LONGEST_DAYS,
    draft_of: str = "",
) -> ExperimentRow:
    """Begin an experiment on `share` of the readers, in two even arms; the first version is what is compared against.

    A holdout keeps its first version for so long while the second arm follows what is live. `kept_days`: how long the
    log of served lists is kept, which no experiment can outlast. Version DRAFT is the draft of `draft_of`.
    """
    versions = versions if kind == "holdout" else [_pinned(store, one) for one in versions]
    _check(key, kind, versions, days, reason)
    if kind == "interleave":
        _check_same_candidates(store, versions, draft_of)
    _check_terms(share, days, kept_days, metric, guardrails)
    arms = tuple(Arm(version, 0.5) for version in versions)
    check_shares([one.share for one in arms])
    wanted = max(1, round(share * BUCKETS))
    taken = [(one.first_bucket, one.buckets) for one in store.experiments(now) if one.layer == SURFACE]
    row = ExperimentRow(
        key=key,
        surface=SURFACE,
        kind=kind,
        layer=SURFACE,
        salt=secrets.token_hex(8),
        first_bucket=free_buckets(taken, wanted),
        buckets=wanted,
        arms=arms,
        metric=metric,
        days=days,
        starts_at=now,
        ends_at=now + timedelta(days=days),
        author=author,
        reason=reason,
        guardrails={} if kind == "interleave" else dict(guardrails),
    )
    store.start_experiment(row, now=now, draft_of=draft_of)
    return store.experiment(key)


def size(store: Store, *, effect_share: float, days: int, now: datetime, metric: str = "opens") -> Size:
    """How many readers a split needs to find a relative change, from what readers did in the days before now.

    InvalidInput where the log of that time is too thin to say.
    """
    rate = rate_of(metric)
    past = _past(store, days, now)
    if len(past.arm) < LEAST_READERS or not past.above(rate).sum():
        raise InvalidInput(f"fewer than {LEAST_READERS} readers in the log of the last {days} days; serve lists first")
    spread = past.variation(rate)
    if not spread > 0:
        raise InvalidInput("every reader did the same in that time; serve lists for longer first")
    needed = readers_needed(effect_share, spread, days)
    return Size(needed, len(past.arm), spread, effect_found(max(len(past.arm) // 2, 2), spread, days))


def look(store: Store, key: str, *, now: datetime) -> tuple[Report, Counts]:
    """What an experiment says by the whole days that are over; changes nothing."""
    row = store.experiment(key)
    counts = counted(store, row, now)
    return report(row, counts), counts


def look_after(store: Store, *, now: datetime) -> list[str]:
    """Stop the experiments whose guardrails are crossed, end those whose time is over; says what was done."""
    said = []
    for row in store.experiments():
        if row.state != "running":
            continue
        found, _ = look(store, row.key, now=now)
        if not (found.must_stop or is_due(row, now)):
            continue
        state, why = ("stopped", "guardrail") if found.must_stop else ("ended", "its time is over")
        try:
            store.stop_experiment(row.key, by="newsbell", reason=why, outcome=found.sentence, now=now, state=state)
        except Conflict:
            continue  # somebody was first
        said.append(f"{state} experiment {row.key}: {found.sentence}")
    return said


def stop(store: Store, key: str, *, author: str, reason: str, now: datetime) -> Report:
    """End an experiment now; its readers get the live version."""
    found, _ = look(store, key, now=now)
    store.stop_experiment(key, by=author, reason=reason, outcome=found.sentence, now=now)
    return found


def counted(store: Store, row: ExperimentRow, now: datetime) -> Counts:
    """Counts of what readers did in an experiment until now, or until it was stopped."""
    until = min(now, row.ends_at, row.stopped_at or row.ends_at)
    rates = [rate for rate in RATES.values() if rate.kinds]
    kinds = sorted({kind for rate in rates for kind in rate.kinds})
    lists = store.lists_served(row.surface, row.starts_at, until)
    responses = store.responses(kinds, row.starts_at, until)
    if row.kind == "interleave":
        return count(row, rates, lists, responses, store.teams_served(row.surface, row.starts_at, until), micros(until))
    first = row.starts_at - timedelta(days=BEFORE_DAYS)
    before = store.lists_served(row.surface, first, row.starts_at), store.responses(kinds, first, row.starts_at)
    return count(row, rates, lists, responses, {}, micros(until), before)


def _pinned(store: Store, version: int) -> int:
    """The number of the live version in place of LIVE, so that publishing does not change what is compared."""
    live = store.live_weights(SURFACE) if version == LIVE else None
    return live.version if live else version


def _check(key: str, kind: str, versions: Sequence[int], days: int, reason: str) -> None:
    if not key.strip() or len(key) > 200:
        raise InvalidInput("give the experiment a name of at most 200 characters")
    if kind not in EXPERIMENT_KINDS:
        raise InvalidInput(f"{kind!r} is no kind of experiment; use one of {', '.join(EXPERIMENT_KINDS)}")
    if len(versions) != 2 or versions[0] == versions[1] or min(versions) < DRAFT:
        raise InvalidInput("name two different versions; 0 is whatever is live")
    if kind == "holdout" and versions[1] != LIVE:
        raise InvalidInput("a holdout compares one version with whatever is live: give that version alone")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"{days} days: an experiment lasts from 1 to {LONGEST_DAYS}")
    if not reason.strip():
        raise InvalidInput("say what is to be found out; the audit log keeps it")


def _check_terms(share: float, days: int, kept_days: float, metric: str, guardrails: Mapping[str, float]) -> None:
    if days > kept_days:
        raise InvalidInput(f"served lists are forgotten after {kept_days:g} days; raise NEWSBELL_SERVED_DAYS first")
    rate_of(metric)
    for name, borne in guardrails.items():
        rate_of(name)
        if not 0 <= borne < 1:
            raise InvalidInput(f"{name}: how much worse is borne is a share from 0 to 1, like 0.1")
    if not 0 < share <= 1:
        raise InvalidInput("the share of the readers that take part lies above 0 and is at most 1, like 0.2")


def _check_same_candidates(store: Store, versions: Sequence[int], draft_of: str) -> None:
    """Interleaving compares orders of the same candidates."""
    first, second = (_options(store, one, draft_of) for one in versions)
    for name in CANDIDATE_OPTIONS:
        if getattr(first, name) != getattr(second, name):
            raise InvalidInput(f"these versions differ in {name}, so they choose among other articles; split instead")


def _options(store: Store, version: int, draft_of: str) -> Options:
    row: WeightRow | DraftRow | None
    if version == DRAFT:
        row = store.draft(SURFACE, draft_of)
    else:
        row = store.live_weights(SURFACE) if version == LIVE else store.weight_version(SURFACE, version)
    return Options.of(row.options if row else {}, OPTIONS[SURFACE])


def _past(store: Store, days: int, now: datetime) -> Counts:
    """What all readers did in the days before: everybody in one arm."""
    whole = ExperimentRow(
        "past", SURFACE, "split", SURFACE, "", 0, BUCKETS, (Arm(LIVE, 1.0),), "opens", days,
        now - timedelta(days=days), now, "", "",
    )  # fmt: skip
    return counted(store, whole, now)
