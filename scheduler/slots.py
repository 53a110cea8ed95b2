"""When a campaign is due: local wall times, in every zone readers live in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from data.alerts import CampaignRow
from data.clock import local_slot_at, zone

QUARTER_S, HOT_S = 900, 120  # FCM asks not to be sent to on the hour: so does everybody


@dataclass(frozen=True, slots=True)
class Slot:
    """One local wall time on one local date. `key` is the same in every zone: whoever moves does not get it twice."""

    key: str  # 2026-03-02T07:30
    at: datetime


def slots_of_day(campaign: CampaignRow, day: date, zone_name: str) -> list[Slot]:
    """The campaign's slots of a local date, in order; none on a weekday it leaves out."""
    if campaign.weekdays and day.weekday() not in campaign.weekdays:
        return []
    walls = sorted(time.fromisoformat(wall) for wall in campaign.local_times)
    return [Slot(f"{day:%Y-%m-%d}T{wall:%H:%M}", local_slot_at(day, wall, zone_name)) for wall in walls]


def slots_between(campaign: CampaignRow, zone_name: str, after: datetime, until: datetime) -> list[Slot]:
    """The slots whose instant lies in (after, until], in order."""
    where = zone(zone_name)
    # A slot in a gap may end on the next local date: look one day beyond both ends.
    first = after.astimezone(where).date() - timedelta(days=1)
    last = until.astimezone(where).date() + timedelta(days=1)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    slots = (slot for day in days for slot in slots_of_day(campaign, day, zone_name))
    return sorted((slot for slot in slots if after < slot.at <= until), key=lambda slot: (slot.at, slot.key))


@dataclass(frozen=True, slots=True)
class Due:
    """What a tick found: each zone's slot to plan, and the slots nobody looked at in time."""

    slots: dict[str, Slot]
    missed: dict[str, int]  # zone -> how many slots


def due(campaign: CampaignRow, zones: Iterable[str], *, after: datetime, now: datetime) -> Due:
    """The slots in (after, now]. Older than the campaign's catch-up, or overtaken by a later one: missed.

    Where readers have hours of their own, a slot is due so much earlier that the earliest can still be met.
    """
    found, ahead = Due({}, {}), lead(campaign)
    after, now = after + ahead, now + ahead
    horizon_at = now - timedelta(seconds=campaign.catch_up_s)
    for name in zones:
        slots = slots_between(campaign, name, after, now)
        if slots and slots[-1].at > horizon_at:
            found.slots[name] = slots.pop()
        if slots:
            found.missed[name] = len(slots)
    return found


def day_ahead(campaign: CampaignRow, today: date) -> date:
    """The next local date, today included, on which the campaign has slots (today if it never has)."""
    days = [today + timedelta(days=number) for number in range(7)]
    return next((day for day in days if slots_of_day(campaign, day, "UTC")), today)


def lead(campaign: CampaignRow) -> timedelta:
    """How long before its slots a campaign is planned: where readers have hours of their own, some are earlier."""
    return timedelta(hours=campaign.best_within_h if campaign.send_time == "best_hour" else 0)


def jitter(campaign: CampaignRow, slot: Slot, reader_key: str) -> timedelta:
    """How long after the slot, the same whenever asked: phones do not all ring on the stroke."""
    (found,) = jitters_us(campaign, [slot], np.zeros(1, np.int32), [reader_key]).tolist()
    return timedelta(microseconds=found)


def jitters_us(
    campaign: CampaignRow, slots: Sequence[Slot], slot_of: NDArray[np.int32], reader_keys: Sequence[str]
) -> NDArray[np.int64]:
    """The same of many readers (n,), in microseconds; `slot_of` (n,) are places in `slots`."""
    if max(campaign.jitter_s, campaign.spread_s) <= 0:
        return np.zeros(len(reader_keys), np.int64)
    begun = [blake2b(f"{campaign.key}\n{slot.key}\n".encode(), digest_size=8) for slot in slots]
    free = [free_seconds(campaign, slot.at) for slot in slots]
    seconds = np.empty(len(reader_keys), np.int64)
    for row, (slot, key) in enumerate(zip(slot_of.tolist(), reader_keys, strict=True)):
        made = begun[slot].copy()
        made.update(key.encode())
        seconds[row] = free[slot][int.from_bytes(made.digest()) % len(free[slot])]
    return seconds * 1_000_000


def free_seconds(campaign: CampaignRow, slot_at: datetime) -> NDArray[np.int64]:
    """The seconds after a slot on which messages may leave, ascending: from 1 to the jitter or the spread.

    Within HOT_S of a quarter of an hour, where everybody else sends, nothing but breaking news leaves. If that takes
    all of them away, as many of the next free ones.
    """
    most = max(campaign.jitter_s, campaign.spread_s)
    if campaign.kind == "breaking":
        return np.arange(1, most + 1)
    after = np.arange(1, most + QUARTER_S + 1)
    phase = (int(slot_at.timestamp()) + after) % QUARTER_S
    free = after[(phase > HOT_S) & (phase < QUARTER_S - HOT_S)]
    within = free[free <= most]
    return within if len(within) else free[:most]
