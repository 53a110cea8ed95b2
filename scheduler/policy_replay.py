"""What the plans of a day would have been under another policy: the same plans again, on a ledger that stops before."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from data.alerts import GROUP, CampaignRow, PlanRow, Tally, Told
from data.campaigns import Campaigns
from data.clock import micros
from data.desk_alerts import DeskAlerts
from data.errors import InvalidTime
from data.ledger import DAY_US, Ledger
from data.outbox import Outbox
from data.policies import Policies
from data.store import Store
from data.values import DeviceRow, IntArray
from recommender.learned_push.from_store import Opens, Send, expected_opens
from recommender.policies import InForce, in_force, limits_of
from recommender.push import Verdict
from recommender.push_policy import HousePolicy
from scheduler import slots
from scheduler.desk_alerts import desk_run
from scheduler.plan_report import Judged, Report, Run
from scheduler.planning import ONE_USE, Planner, look_slots

MOST_PLANS = 100_000  # of one day


@dataclass
class Replayed:
    """How a day's plans end: readers by verdict, and by how many alerts they get in all."""

    version: int
    funnel: Counter[str] = field(default_factory=Counter)
    campaigns: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    alerts: Counter[int] = field(default_factory=Counter)  # reader -> alerts
    sends: list[Send] = field(default_factory=list)  # the same one by one

    @property
    def readers_by_alerts(self) -> dict[int, int]:
        """How many readers get one alert, two, and so on."""
        return dict(sorted(Counter(self.alerts.values()).items()))

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        campaigns = {key: dict(sorted(one.items())) for key, one in sorted(self.campaigns.items())}
        by_alerts = {str(many): readers for many, readers in self.readers_by_alerts.items()}
        return {
            "version": self.version,
            "funnel": dict(sorted(self.funnel.items())),
            "campaigns": campaigns,
            "readers_by_alerts": by_alerts,
        }


class ReplayLedger(Ledger):
    """The ledger up to an instant, and what was planned in the replay since."""

    def __init__(self, store: Store, *, until: datetime) -> None:
        super().__init__(store, until=until)
        self._rows: dict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)

    def add(self, reader_id: int, at_us: int, story: int, update_no: int, group: int, told_no: int) -> None:
        """An alert of the replay."""
        self._rows[reader_id].append((at_us, story, update_no, group, told_no))

    def told(self, reader_ids: Sequence[int], *, since: datetime, story_ids: Iterable[int] = ()) -> Told:
        """As the ledger's, with the replay's alerts behind."""
        stories = list(story_ids)
        known, wanted, since_us = super().told(reader_ids, since=since, story_ids=stories), set(stories), micros(since)
        more = [
            (place, *one)
            for place, reader_id in enumerate(reader_ids)
            for one in self._rows.get(reader_id, ())
            if one[0] > since_us or one[1] in wanted
        ]
        added = np.array(more, np.int64).reshape(-1, 6).T
        columns = (known.row, known.at_us, known.story_id, known.update_no, known.group, known.told_no)
        return Told(*(np.concatenate(pair) for pair in zip(columns, added, strict=True)))

    def tally(self, reader_ids: Sequence[int], day_us: IntArray, week_us: IntArray, *, now: datetime) -> Tally:
        """As the ledger's, with the replay's alerts; nobody knows who would have opened those."""
        known, now_us = super().tally(reader_ids, day_us, week_us, now=now), micros(now)
        for place, reader_id in enumerate(reader_ids):
            for at_us, *_ in self._rows.get(reader_id, ()):
                is_today = day_us[place] <= at_us < day_us[place] + DAY_US
                known.today[place] += is_today
                known.other_days[place] += (not is_today) and week_us[place] <= at_us < week_us[place] + 7 * DAY_US
                if at_us <= now_us:
                    known.unopened[place] += 1
                    known.newest_us[place] = max(int(known.newest_us[place]), at_us)
        return known


class _Replaying(Planner):
    """A planner that writes into the replay's ledger alone."""

    ledger: ReplayLedger

    def __init__(self, planner: Planner, policy: InForce, ledger: ReplayLedger, made: Replayed) -> None:
        super().__init__(planner.store, planner.snapshot, page=planner.page, policy=policy, ledger=ledger)
        self.ledger, self.made = ledger, made

    def _planned(self, run: Run, ids: Sequence[int], keys: set[str]) -> set[tuple[int, str]]:  # noqa: ARG002
        return set()

    def _write(self, run: Run, report: Report, judged: Judged, devices: Mapping[int, Sequence[DeviceRow]]) -> None:  # noqa: ARG002
        group, seen = GROUP[run.campaign.kind], set()
        names = [judged.readers.zones[one] for one in judged.readers.zone.tolist()]
        zones = dict(zip(judged.readers.id.tolist(), names, strict=True))
        for one in judged.deliveries(devices):
            if one.reader_id not in seen and one.story_id is not None:
                seen.add(one.reader_id)
                facts = (micros(one.not_before_at), one.story_id, one.update_no, group, one.told_no)
                self.ledger.add(one.reader_id, *facts)
                self.made.alerts[one.reader_id] += 1
                self.made.sends.append(Send(one.reader_id, zones[one.reader_id], facts[0], one.score))


def replay(planner: Planner, day: date, policy: InForce) -> Replayed:
    """A UTC day's plans again, in their order, under a policy. Writes nothing; the same asked twice is the same.

    News, readers and devices are those of now, histories those of each plan's instant, alerts those before the day and
    those of the replay itself. Cost: that of the plans, without their writing.
    """
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    made, ledger = Replayed(policy.version), ReplayLedger(planner.store, until=begin)
    campaigns = {one.id: one for one in Campaigns(planner.store).all()}
    replaying = _Replaying(planner, policy, ledger, made)
    for row in plans_of(planner.store, begin, begin + timedelta(days=1)):
        campaign = campaigns[row.campaign_id]
        if campaign.kind != "test":
            report = replaying.run(_run(planner.store, campaign, row), after=row.slots_from)
            counts = {name: many for name, many in report.funnel.items() if name in Verdict.__members__}
            made.funnel.update(counts)
            made.campaigns[campaign.key].update(counts)
    return made


def plans_of(store: Store, begin: datetime, end: datetime) -> list[PlanRow]:
    """The plans made in [begin, end), the oldest first."""
    found = Outbox(store).plans(limit=MOST_PLANS)
    return [one for one in reversed(found) if begin <= one.planned_at < end]


@dataclass(frozen=True)
class Compared:
    """A day under the policy in force and under another one, and the opens to expect of either."""

    day: date
    before: Replayed
    after: Replayed
    opens: Opens

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        pair = {"before": self.before.as_dict(), "after": self.after.as_dict()}
        return {"day": self.day.isoformat(), **pair, "opens": asdict(self.opens)}


def compare(planner: Planner, day: date, other: InForce) -> Compared:
    """The day's plans under the policy in force, and under another one; opens by what came before that day."""
    before, after = replay(planner, day, in_force(planner.store)), replay(planner, day, other)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Compared(day, before, after, expected_opens(planner.store, before.sends, after.sends, until=begin))


def named(store: Store, *, version: int | None = None, author: str | None = None) -> InForce:
    """A version, or somebody's draft (as version -1)."""
    if author is not None:
        draft = Policies(store).draft(author)
        return InForce(-1, HousePolicy.of(draft.limits if draft else {}))
    return in_force(store) if version is None else InForce(version, limits_of(Policies(store).get(version)))


def replay_command(planner: Planner, args: Mapping[str, Any]) -> str:
    """The answer to a face's command, as JSON: args `day`, and `version` or the `author` of a draft."""
    try:
        day = date.fromisoformat(str(args["day"]))
    except ValueError:
        raise InvalidTime(f"{args['day']!r} is no date; write it like 2026-03-02") from None
    other = named(planner.store, version=args.get("version"), author=args.get("author"))
    return json.dumps(compare(planner, day, other).as_dict())


def _run(store: Store, campaign: CampaignRow, row: PlanRow) -> Run:
    zones = Campaigns(store).readers_by_zone()
    if campaign.kind in ONE_USE:
        alert = next(one for one in DeskAlerts(store).all(limit=MOST_PLANS) if one.campaign_id == campaign.id)
        return desk_run(store, campaign, alert, row.planned_at, is_written=False)
    if campaign.kind == "follow_up":
        return Run(campaign, look_slots(zones, row.planned_at), row.planned_at, is_written=False)
    found = slots.due(campaign, zones, after=row.slots_from, now=row.planned_at).slots
    return Run(campaign, found, row.planned_at, is_written=False)
