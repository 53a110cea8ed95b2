"""What a plan is asked to do, and what it came to."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np

from data.alerts import CampaignRow, NewDelivery, Told
from data.clock import instant, micros
from data.values import DeviceRow, Histories, IntArray, ReaderColumns
from recommender.push import Candidates, Mask, Verdict, Verdicts
from recommender.push_desk import DeskChoice
from recommender.push_hours import Hours, best_offset_h
from recommender.signals import HOUR_US, SIGNALS
from scheduler import slots
from scheduler.slots import Slot

MISSED = "MISSED"  # slots nobody looked at within the catch-up
PLANNED_BEFORE = "PLANNED_BEFORE"  # readers whose slot is in the outbox already
EXAMPLES = 2  # of each verdict


@dataclass(frozen=True)
class Ending:
    """How one reader ended, for people to read."""

    reader: str
    zone: str
    slot: str
    verdict: str
    send_at: datetime
    article_id: int = 0
    score: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What is planned: whose slots, as of when, and what happens with the outcome."""

    campaign: CampaignRow
    slots: Mapping[str, Slot]  # by zone
    now: datetime
    is_written: bool = True
    at_slot: bool = False  # judge every reader at the slot's own instant, also when that is past
    keeps_all: bool = False  # every reader's ending is kept, not only examples
    fence: int | None = None
    desk: DeskChoice | None = None  # the article that a person chose
    meant: Callable[[ReaderColumns], Mask] | None = None  # whom it is for; None: everybody
    hours: Hours | None = None  # (24,) when everybody opens things, where each reader has a best hour

    def send_at_us(self, readers: ReaderColumns, histories: Histories) -> IntArray:
        """When each reader's message would leave, microseconds UTC (n,)."""
        due = [self.slots[name] for name in readers.zones]
        at_us = np.array([*(micros(slot.at) for slot in due), 0], np.int64)[readers.zone]
        if self.hours is not None:
            within_h, now_us = self.campaign.best_within_h, micros(self.now)
            best = best_offset_h(readers, at_us, histories, self.hours, within_h=within_h, now_us=now_us)
            at_us = at_us + best * HOUR_US
        at_us = at_us + slots.jitters_us(self.campaign, due, readers.zone, readers.key)
        soonest_us = micros(self.now + timedelta(seconds=self.campaign.hold_s))
        return at_us if self.at_slot else np.maximum(at_us, soonest_us)


@dataclass(frozen=True)
class Judged:
    """One block of readers and how they ended; row i of everything is reader i."""

    run: Run
    candidates: Candidates
    readers: ReaderColumns
    send_at_us: IntArray
    verdicts: Verdicts
    told: Told

    def ending(self, row: int) -> Ending:
        """One reader's end, for people to read."""
        chosen, zone = int(self.verdicts.chosen[row]), self.readers.zone_of(row)
        return Ending(
            reader=self.readers.key[row],
            zone=zone,
            slot=self.run.slots[zone].key,
            verdict=Verdict(int(self.verdicts.verdict[row])).name,
            send_at=instant(int(self.send_at_us[row])),
            article_id=int(self.candidates.article_id[chosen]) if chosen >= 0 else 0,
            score=round(float(self.verdicts.score[row]), 4),
            parts=_parts(self.verdicts, row) if chosen >= 0 else {},
        )

    def rows_to_tell(self, told: Mapping[str, int]) -> list[int]:
        """All rows if all are kept; else of each verdict the first ones, up to EXAMPLES with those `told` before."""
        verdict = self.verdicts.verdict
        if self.run.keeps_all:
            return list(range(len(verdict)))
        rows = [np.flatnonzero(verdict == one)[: max(EXAMPLES - told.get(one.name, 0), 0)] for one in Verdict]
        return sorted(int(row) for mine in rows for row in mine)

    def deliveries(self, devices: Mapping[int, Sequence[DeviceRow]]) -> Iterator[NewDelivery]:
        """A message for every device of every reader who gets an alert."""
        times = self._times_told()
        for row in np.flatnonzero(self.verdicts.verdict == Verdict.SEND).tolist():
            reader_id, chosen = int(self.readers.id[row]), int(self.verdicts.chosen[row])
            story, at = int(self.candidates.story_id[chosen]), instant(int(self.send_at_us[row]))
            slot = self.run.slots[self.readers.zone_of(row)].key
            for device in devices[reader_id]:
                yield NewDelivery(
                    key=_key(self.run.campaign, slot, device),
                    reader_id=reader_id,
                    device_id=device.id,
                    article_id=int(self.candidates.article_id[chosen]),
                    story_id=story,
                    update_no=int(self.candidates.update_no[chosen]),
                    told_no=times.get((row, story, int(self.candidates.update_no[chosen])), -1) + 1,
                    slot=slot,
                    not_before_at=at,
                    expires_at=at + timedelta(seconds=self.run.campaign.ttl_s),
                    score=float(self.verdicts.score[row]),
                    parts=_parts(self.verdicts, row),
                )

    def _times_told(self) -> dict[tuple[int, int, int], int]:
        """(reader, story, update) -> the last number under which it was told."""
        told = self.told
        known = np.flatnonzero(np.isin(told.story_id, self.candidates.story_id))
        found: dict[tuple[int, int, int], int] = {}
        for row in known.tolist():
            key = (int(told.row[row]), int(told.story_id[row]), int(told.update_no[row]))
            found[key] = max(found.get(key, 0), int(told.told_no[row]))
        return found


@dataclass
class Report:
    """What a plan came to. `funnel` counts readers by verdict, and MISSED and PLANNED_BEFORE beside them."""

    campaign: CampaignRow
    planned_at: datetime
    candidates: int = 0
    plan_id: int | None = None
    deliveries: int = 0
    readers: int = 0
    is_asked: bool = False  # it waits for a person to approve it
    is_stopped: bool = False  # somebody paused the campaign or cancelled the plan meanwhile
    funnel: Counter[str] = field(default_factory=Counter)
    endings: list[Ending] = field(default_factory=list)

    def note(self, judged: "Judged") -> None:
        """Count a block, and keep the endings that are asked for."""
        self.readers += len(judged.readers)
        numbers, counts = np.unique(judged.verdicts.verdict, return_counts=True)
        self.funnel.update({Verdict(int(one)).name: int(many) for one, many in zip(numbers, counts, strict=True)})
        seen = Counter(one.verdict for one in self.endings)
        for row in judged.rows_to_tell(seen):
            self.endings.append(judged.ending(row))

    def examples(self) -> list[Ending]:
        """The first few readers of every verdict, in the order of verdicts."""
        taken: dict[str, list[Ending]] = defaultdict(list)
        for one in self.endings:
            if len(taken[one.verdict]) < EXAMPLES:
                taken[one.verdict].append(one)
        return [one for verdict in Verdict for one in taken[verdict.name]]


def _parts(verdicts: Verdicts, row: int) -> dict[str, float]:
    return {name: round(float(part), 6) for name, part in zip(SIGNALS, verdicts.parts[row], strict=True)}


def _key(campaign: CampaignRow, slot: str, device: DeviceRow) -> str:
    """The same whoever plans: the third thing that makes a repeat impossible."""
    return blake2b(f"{campaign.key}\n{slot}\n{device.fid}".encode(), digest_size=16).hexdigest()


def example(one: Ending) -> dict[str, Any]:
    return {
        "reader": one.reader,
        "verdict": one.verdict,
        "slot": one.slot,
        "article_id": one.article_id or None,
        "score": one.score,
    }
