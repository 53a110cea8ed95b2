"""Planning a campaign: readers are streamed in blocks, judged by `recommender.push`, and written to the outbox."""

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from data.alerts import CampaignRow, Tally, Told
from data.campaigns import Campaigns
from data.clock import instant, micros, zone_database
from data.ledger import Ledger, local_weeks
from data.outbox import DAY, Outbox
from data.plans import Made, Plans, count_readers
from data.store import Store
from data.values import DeviceRow, IntArray, ReaderColumns
from recommender import push_hours, push_pool
from recommender.policies import InForce, in_force
from recommender.push import Block
from recommender.push_policy import Policy
from recommender.push_pool import Pool
from recommender.push_reads import IndexArchive
from recommender.push_scale import Brief, PackedArchive, forget, judge
from recommender.push_time import local_s
from recommender.scale import InProcess, mapper
from recommender.snapshot import Snapshot
from scheduler import slots
from scheduler.plan_report import MISSED, PLANNED_BEFORE, Judged, Report, Run, example
from scheduler.slots import Slot

PAGE = 20_000  # readers read and judged at once: with 40 reads each some 60 MB
Progress = Callable[[int], None]
Devices = Mapping[int, Sequence[DeviceRow]]
ONE_USE = ("manual", "breaking", "test")  # campaigns that somebody sends; nothing falls due by itself


@dataclass(frozen=True)
class _Waiting:
    """What is kept of a block while it is judged."""

    readers: ReaderColumns
    send_at_us: IntArray
    told: Told
    devices: Devices


class Planner:
    """Plans campaigns against a snapshot of the news. `policy` None: the one in force when a plan begins."""

    def __init__(
        self,
        store: Store,
        snapshot: Callable[[], Snapshot],
        *,
        page: int = PAGE,
        dask: str | None = None,
        policy: InForce | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.store, self.snapshot, self.page, self.dask = store, snapshot, page, dask
        self.policy, self.ledger = policy, ledger or Ledger(store)
        self.campaigns, self.outbox, self.plans = Campaigns(store), Outbox(store), Plans(store)

    def tick(self, campaign: CampaignRow, now: datetime, *, fence: int | None = None) -> Report | None:
        """Plan what fell due since the last tick; None if nothing did. A paused campaign's slots pass."""
        created_at = campaign.created_at or now
        earliest_at = max(created_at, now - timedelta(seconds=campaign.catch_up_s))
        after = self.campaigns.planned_until(campaign) or earliest_at
        if now <= after or campaign.kind in ONE_USE:
            return None
        if campaign.kind == "follow_up":
            return self._look(campaign, after, now, fence)
        report = None
        if campaign.state == "on":
            zones = self.campaigns.readers_by_zone()
            due = slots.due(campaign, zones, after=after, now=now)
            missed = sum(number * zones[name] for name, number in due.missed.items())
            if due.slots or missed:
                report = self.run(Run(campaign, due.slots, now, fence=fence), after=after, missed=missed)
        self.campaigns.mark_planned(campaign, now, fence=fence)
        return report

    def at(self, campaign: CampaignRow, now: datetime, **options: Any) -> Report:
        """Plan as of `now` for every reader whose slot lies within the catch-up before it; a follow-up has one now."""
        after, zones = now - timedelta(seconds=campaign.catch_up_s), self.campaigns.readers_by_zone()
        due = look_slots(zones, now) if campaign.kind == "follow_up" else None
        found = slots.due(campaign, zones, after=after, now=now).slots if due is None else due
        return self.run(Run(campaign, found, now, **options), after=after)

    def for_day(self, campaign: CampaignRow, day: date, now: datetime, **options: Any) -> Report:
        """Plan every reader's slot of one local date with what is known `now`, each judged at the slot's instant.

        When it is written, slots that are past their catch-up are left out and counted as missed.
        """
        zones = self.campaigns.readers_by_zone()
        of_day = {name: found[-1] for name in zones if (found := slots.slots_of_day(campaign, day, name))}
        written, missed = options.get("is_written", True), 0
        if written:
            horizon_at = now - timedelta(seconds=campaign.catch_up_s)
            missed = sum(zones[name] for name, slot in of_day.items() if slot.at <= horizon_at)
            of_day = {name: slot for name, slot in of_day.items() if slot.at > horizon_at}
        return self.run(Run(campaign, of_day, now, at_slot=not written, **options), after=now, missed=missed)

    def run(self, run: Run, *, after: datetime, missed: int = 0, progress: Progress | None = None) -> Report:
        """Judge the readers of `run.slots` and, if asked, write the plan and its deliveries.

        Written plans show how far they are, and stop with the block under way when they are cancelled or their
        campaign is paused.
        """
        report = Report(run.campaign, run.now)
        if missed:
            report.funnel[MISSED] = missed
        snapshot, policy = self.snapshot(), self.policy or in_force(self.store)
        run = self._with_hours(run)
        found = self._pool(snapshot, run, policy)
        report.candidates = 1 if run.desk else len(found.candidates)
        if run.is_written and (run.slots or missed):
            report.plan_id = self._begin(run, snapshot, policy, after)
        for judged, devices in self._judged(run, report, snapshot, found, policy):
            report.note(judged)
            self._write(run, report, judged, devices)
            if progress:
                progress(len(judged.readers))
            if report.plan_id is not None and not self.plans.advance(report.plan_id, report.readers, fence=run.fence):
                report.is_stopped = True
                break
        self._finish(run, report)
        return report

    def _look(self, campaign: CampaignRow, after: datetime, now: datetime, fence: int | None) -> Report | None:
        """A follow-up's look for news, every `every_s`."""
        looked = self.campaigns.planned_until(campaign)
        if looked is not None and now < looked + timedelta(seconds=campaign.every_s):
            return None
        report = None
        if campaign.state == "on":
            zones = self.campaigns.readers_by_zone()
            report = self.run(Run(campaign, look_slots(zones, now), now, fence=fence), after=after)
        self.campaigns.mark_planned(campaign, now, fence=fence)
        return report

    def _begin(self, run: Run, snapshot: Snapshot, policy: InForce, after: datetime) -> int:
        if needs_count(run.campaign):
            self.plans.ask_for_cut_short(run.campaign.id, fence=run.fence)
        plan_id = self.outbox.begin_plan(
            run.campaign,
            now=run.now,
            slots_from=after,
            slots_until=run.now,
            weight_version=snapshot.version_of("push"),
            fence=run.fence,
        )
        made = Made(policy.version, zone_database(), count_readers(self.store, list(run.slots)))
        self.plans.start(plan_id, made, fence=run.fence)
        return plan_id

    def _finish(self, run: Run, report: Report) -> None:
        if report.plan_id is None:
            return
        examples = [example(one) for one in report.examples()]
        self.outbox.finish_plan(report.plan_id, funnel=dict(report.funnel), examples=examples, fence=run.fence)
        above = run.campaign.approval_above or 0
        if needs_count(run.campaign) and report.funnel["SEND"] > above and not report.is_stopped:
            self.plans.ask(report.plan_id, fence=run.fence)
            report.is_asked = True
            return
        self.plans.finish(report.plan_id, stopped=report.is_stopped, fence=run.fence)
        if report.is_stopped:  # what entered the outbox after the cancelling
            self.outbox.cancel(now=run.now, reason="stopped while planning", plan_id=report.plan_id)

    def _with_hours(self, run: Run) -> Run:
        if run.campaign.send_time != "best_hour":
            return run
        opens = self.store.opens_by_hour(since=run.now - timedelta(days=push_hours.DAYS), kinds=push_hours.OPEN_KINDS)
        return replace(run, hours=push_hours.population(opens, micros(run.now)))

    def _pool(self, snapshot: Snapshot, run: Run, policy: InForce) -> Pool:
        window = timedelta(hours=run.campaign.freshness_h)
        first_at = min((slot.at for slot in run.slots.values()), default=run.now) if run.at_slot else run.now
        renewals = self.store.renewals()
        return push_pool.pool(
            snapshot,
            at_us=micros(run.now),
            from_us=micros(min(first_at, run.now) - window),
            window_us=round(run.campaign.freshness_h * 3_600_000_000),
            policy=Policy.of(run.campaign.policy, run.campaign.kind, policy.limits),
            update_nos={story: number for story, (number, _) in renewals.items()},
            renewed={story: at_us for story, (_, at_us) in renewals.items()},
        )

    def _pages(self, run: Run, report: Report) -> Iterator[ReaderColumns]:
        """The readers whose zone is due and whose slot is not in the outbox yet."""
        keys = {slot.key for slot in run.slots.values()}
        for page in self.store.reader_column_pages(run.slots, size=self.page):
            due = page
            if run.meant is not None:
                due = page.take(np.flatnonzero(run.meant(page)))
            before = self._planned(run, due.id.tolist(), keys)
            slot_of = [run.slots[name].key for name in due.zones]
            pairs = zip(due.id.tolist(), due.zone.tolist(), strict=True) if before else ()
            known = np.array([(one, slot_of[zone]) in before for one, zone in pairs], bool)
            if known.any():
                report.funnel[PLANNED_BEFORE] += int(known.sum())
                due = due.take(np.flatnonzero(~known))
            if len(due):
                yield due

    def _planned(self, run: Run, ids: Sequence[int], keys: set[str]) -> set[tuple[int, str]]:
        """The (reader, slot) pairs that are in the outbox."""
        return self.outbox.planned(run.campaign.id, ids, keys)

    def _judged(
        self, run: Run, report: Report, snapshot: Snapshot, found: Pool, policy: InForce
    ) -> Iterator[tuple[Judged, Devices]]:
        """The readers block by block as they were judged, with their devices."""
        waiting: deque[_Waiting] = deque()
        effective = Policy.of(run.campaign.policy, run.campaign.kind, policy.limits)
        candidates = run.desk.candidates if run.desk else found.candidates

        def blocks() -> Iterator[Block]:
            for readers in self._pages(run, report):
                devices = self._devices(run.campaign, readers.id.tolist())
                block = self._block(run, readers, devices, candidates.story_id)
                waiting.append(_Waiting(readers, block.send_at_us, block.told, devices))
                yield block

        with mapper(self.dask) as over:
            archive = IndexArchive(snapshot.index) if isinstance(over, InProcess) else PackedArchive.of(snapshot.index)
            weights, name = snapshot.weights_of("push"), secrets.token_hex(8)
            brief = Brief(
                *(archive, found, weights, micros(run.now), effective, run.campaign.bar, name),
                kind=run.campaign.kind,
                desk=run.desk,
            )
            for verdicts in over.map(judge, brief, blocks()):
                one = waiting.popleft()
                yield Judged(run, candidates, one.readers, one.send_at_us, verdicts, one.told), one.devices
        forget()

    def _block(self, run: Run, readers: ReaderColumns, devices: Mapping[int, object], stories: IntArray) -> Block:
        ids = readers.id.tolist()
        histories = self.store.history_columns(readers.id, until=run.now)
        send_at_us = run.send_at_us(readers, histories)
        return Block(
            readers=readers,
            send_at_us=send_at_us,
            has_device=np.array([one in devices for one in ids], bool),
            histories=histories,
            told=self._told(ids, send_at_us, stories),
            tally=self._tally(readers, send_at_us, run.now),
        )

    def _write(self, run: Run, report: Report, judged: Judged, devices: Devices) -> None:
        if report.plan_id is not None:
            made = list(judged.deliveries(devices))
            hold = run.campaign.hold_s > 0 or needs_count(run.campaign)
            report.deliveries += self.outbox.add(report.plan_id, made, now=run.now, hold=hold, fence=run.fence)

    def _devices(self, campaign: CampaignRow, ids: Sequence[int]) -> dict[int, list[DeviceRow]]:
        devices: dict[int, list[DeviceRow]] = defaultdict(list)
        for device in self.store.devices_of(ids):
            if campaign.kind != "test" or device.is_test:
                devices[device.reader_id].append(device)
        return devices

    def _told(self, ids: Sequence[int], send_at_us: IntArray, stories: IntArray) -> Told:
        since = instant(int(send_at_us.min())) - DAY
        return self.ledger.told(ids, since=since, story_ids=np.unique(stories).tolist())

    def _tally(self, readers: ReaderColumns, send_at_us: IntArray, now: datetime) -> Tally:
        days, weeks = local_weeks(send_at_us, local_s(readers.zones, readers.zone, send_at_us))
        return self.ledger.tally(readers.id.tolist(), days, weeks, now=now)


def needs_count(campaign: CampaignRow) -> bool:
    """Whether a plan that would alert very many waits for a person: where a campaign that plans by itself says so.

    What somebody sends is asked about before it is planned, in `scheduler.desk_alerts`.
    """
    return campaign.approval_above is not None and campaign.kind not in ONE_USE


def look_slots(zones: Mapping[str, int], now: datetime) -> dict[str, Slot]:
    """One slot for everybody, now."""
    return dict.fromkeys(zones, Slot(f"{now:%Y-%m-%dT%H:%M:%SZ}", now))
