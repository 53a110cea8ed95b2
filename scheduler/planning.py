"""Planning a campaign: readers are streamed in blocks, judged by `recommender.push`, and written to the outbox."""

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np

from data.alerts import CampaignRow, Told
from data.campaigns import Campaigns
from data.clock import instant, micros
from data.outbox import DAY, Outbox
from data.store import Store
from data.values import DeviceRow, IntArray, ReaderColumns
from recommender import push_pool
from recommender.push import Block, Policy
from recommender.push_pool import Pool
from recommender.push_reads import IndexArchive
from recommender.push_scale import Brief, PackedArchive, forget, judge
from recommender.scale import InProcess, mapper
from recommender.snapshot import Snapshot
from scheduler import slots
from scheduler.plan_report import MISSED, PLANNED_BEFORE, Judged, Report, Run, example

PAGE = 20_000  # readers read and judged at once: with 40 reads each some 60 MB
Progress = Callable[[int], None]


class Planner:
    """Plans campaigns against a snapshot of the news."""

    def __init__(
        self, store: Store, snapshot: Callable[[], Snapshot], *, page: int = PAGE, dask: str | None = None
    ) -> None:
        self.store, self.snapshot, self.page, self.dask = store, snapshot, page, dask
        self.campaigns, self.outbox = Campaigns(store), Outbox(store)

    def tick(self, campaign: CampaignRow, now: datetime, *, fence: int | None = None) -> Report | None:
        """Plan what fell due since the last tick; None if nothing did. A paused campaign's slots pass."""
        created_at = campaign.created_at or now
        earliest_at = max(created_at, now - timedelta(seconds=campaign.catch_up_s))
        after = self.campaigns.planned_until(campaign) or earliest_at
        if now <= after:
            return None
        report = None
        if campaign.state == "on" and campaign.kind == "digest":
            zones = self.campaigns.readers_by_zone()
            due = slots.due(campaign, zones, after=after, now=now)
            missed = sum(number * zones[name] for name, number in due.missed.items())
            if due.slots or missed:
                report = self.run(Run(campaign, due.slots, now, fence=fence), after=after, missed=missed)
        self.campaigns.mark_planned(campaign, now, fence=fence)
        return report

    def at(self, campaign: CampaignRow, now: datetime, **options: bool) -> Report:
        """Plan as of `now` for every reader whose slot lies within the catch-up before it."""
        after = now - timedelta(seconds=campaign.catch_up_s)
        due = slots.due(campaign, self.campaigns.readers_by_zone(), after=after, now=now)
        return self.run(Run(campaign, due.slots, now, **options), after=after)

    def for_day(self, campaign: CampaignRow, day: date, now: datetime, **options: bool) -> Report:
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
        """Judge the readers of `run.slots` and, if asked, write the plan and its deliveries."""
        report = Report(run.campaign, run.now)
        if missed:
            report.funnel[MISSED] = missed
        snapshot = self.snapshot()
        found = self._pool(snapshot, run)
        report.candidates = len(found.candidates)
        if run.is_written and (run.slots or missed):
            report.plan_id = self.outbox.begin_plan(
                run.campaign,
                now=run.now,
                slots_from=after,
                slots_until=run.now,
                weight_version=snapshot.version_of("push"),
                fence=run.fence,
            )
        for judged, devices in self._judged(run, report, snapshot, found):
            report.note(judged)
            self._write(run, report, judged, devices)
            if progress:
                progress(len(judged.readers))
        if report.plan_id is not None:
            examples = [example(one) for one in report.examples()]
            self.outbox.finish_plan(report.plan_id, funnel=dict(report.funnel), examples=examples, fence=run.fence)
        return report

    def _pool(self, snapshot: Snapshot, run: Run) -> Pool:
        window = timedelta(hours=run.campaign.freshness_h)
        first_at = min((slot.at for slot in run.slots.values()), default=run.now) if run.at_slot else run.now
        return push_pool.pool(
            snapshot,
            at_us=micros(run.now),
            from_us=micros(min(first_at, run.now) - window),
            window_us=round(run.campaign.freshness_h * 3_600_000_000),
            policy=Policy.of(run.campaign.policy),
            update_nos=self.outbox.update_nos(),
        )

    def _pages(self, run: Run, report: Report) -> Iterator[ReaderColumns]:
        """The readers whose zone is due and whose slot is not in the outbox yet."""
        keys = {slot.key for slot in run.slots.values()}
        for page in self.store.reader_column_pages(run.slots, size=self.page):
            due = page
            before = self.outbox.planned(run.campaign.id, due.id.tolist(), keys)
            slot_of = [run.slots[name].key for name in due.zones]
            pairs = zip(due.id.tolist(), due.zone.tolist(), strict=True) if before else ()
            known = np.array([(one, slot_of[zone]) in before for one, zone in pairs], bool)
            if known.any():
                report.funnel[PLANNED_BEFORE] += int(known.sum())
                due = due.take(np.flatnonzero(~known))
            if len(due):
                yield due

    def _judged(
        self, run: Run, report: Report, snapshot: Snapshot, found: Pool
    ) -> Iterator[tuple[Judged, Mapping[int, Sequence[DeviceRow]]]]:
        """The readers block by block as they were judged, with their devices."""
        waiting: deque[tuple[ReaderColumns, IntArray, Mapping[int, Sequence[DeviceRow]]]] = deque()

        def blocks() -> Iterator[Block]:
            for readers in self._pages(run, report):
                send_at_us, devices = run.send_at_us(readers), self._devices(run.campaign, readers.id.tolist())
                waiting.append((readers, send_at_us, devices))
                yield self._block(run, readers, send_at_us, devices, found)

        with mapper(self.dask) as over:
            archive = IndexArchive(snapshot.index) if isinstance(over, InProcess) else PackedArchive.of(snapshot.index)
            policy, weights = Policy.of(run.campaign.policy), snapshot.weights_of("push")
            brief = Brief(archive, found, weights, micros(run.now), policy, run.campaign.bar, secrets.token_hex(8))
            for verdicts in over.map(judge, brief, blocks()):
                readers, send_at_us, devices = waiting.popleft()
                yield Judged(run, found.candidates, readers, send_at_us, verdicts), devices
        forget()

    def _block(
        self, run: Run, readers: ReaderColumns, send_at_us: IntArray, devices: Mapping[int, object], found: Pool
    ) -> Block:
        ids = readers.id.tolist()
        return Block(
            readers=readers,
            send_at_us=send_at_us,
            has_device=np.array([one in devices for one in ids], bool),
            histories=self.store.history_columns(readers.id, until=run.now),
            told=self._told(ids, send_at_us, found),
        )

    def _write(self, run: Run, report: Report, judged: Judged, devices: Mapping[int, Sequence[DeviceRow]]) -> None:
        if report.plan_id is not None:
            made = list(judged.deliveries(devices))
            hold = run.campaign.hold_s > 0
            report.deliveries += self.outbox.add(report.plan_id, made, now=run.now, hold=hold, fence=run.fence)

    def _devices(self, campaign: CampaignRow, ids: Sequence[int]) -> dict[int, list[DeviceRow]]:
        devices: dict[int, list[DeviceRow]] = defaultdict(list)
        for device in self.store.devices_of(ids):
            if campaign.kind != "test" or device.is_test:
                devices[device.reader_id].append(device)
        return devices

    def _told(self, ids: Sequence[int], send_at_us: IntArray, found: Pool) -> Told:
        since = instant(int(send_at_us.min())) - DAY
        return self.outbox.told(ids, since=since, story_ids=np.unique(found.candidates.story_id).tolist())
