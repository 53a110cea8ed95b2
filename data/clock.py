"""Time: one clock to inject, one way to write an instant, one rule for local slots."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from data.errors import InvalidInput, InvalidTime

EPOCH_AT = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Tells the present instant, aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that moves only when told to: tests, `--at TIME`, replay."""

    at: datetime = field(default=EPOCH_AT)

    def now(self) -> datetime:
        return self.at

    def advance(self, **duration: float) -> None:
        """Move on by a `timedelta(**duration)`."""
        self.at += timedelta(**duration)

    @contextmanager
    def paused_at(self, at: datetime) -> Iterator["FixedClock"]:
        """Stand at `at` inside the block, then return."""
        before, self.at = self.at, at
        try:
            yield self
        finally:
            self.at = before


def micros(at: datetime) -> int:
    """Microseconds since the epoch of an aware instant; the form every table stores."""
    if at.tzinfo is None:
        raise InvalidTime(f"{at.isoformat()} has no offset; write it like {at.isoformat()}+00:00")
    return (at - EPOCH_AT) // _MICROSECOND


def instant(at_us: int) -> datetime:
    """The aware UTC instant of microseconds since the epoch."""
    return EPOCH_AT + timedelta(microseconds=int(at_us))


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 time with an offset, as UTC. Anything else raises InvalidTime."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidTime(
            f"{text[:60]!r} is not a time; write RFC 3339 with an offset, like 2026-03-01T07:30:00+01:00"
        ) from None
    if at.tzinfo is None:
        raise InvalidTime(f"{text[:60]!r} has no offset; add one, like {text[:60]}+00:00 or ...Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidTime(f"{text[:60]!r} is outside the calendar; use a year from 1 to 9999") from None


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names the zone database knows; not `localtime`, which is another zone on every machine."""
    return frozenset(available_timezones()) - {"localtime"}


@lru_cache(maxsize=1)
def zone_database() -> str:
    """Which zone database this process reads, for the log: the system's where there is one, else the package tzdata."""
    for folder in map(Path, TZPATH):
        if (folder / "UTC").is_file():
            told = folder / "tzdata.zi"  # its first line: # version 2026a
            first = told.read_text(encoding="utf-8").partition("\n")[0] if told.is_file() else ""
            return f"{first.removeprefix('# version').strip() or 'of unknown version'} of {folder}"
    return f"{version('tzdata')} of the package tzdata"


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name like Europe/Prague; InvalidInput if there is none."""
    if name not in zone_names():
        raise InvalidInput(f"{name[:60]!r} is no time zone; use an IANA name like Europe/Prague or UTC")
    return ZoneInfo(name)


def local_slot_at(day: date, slot: time, zone_name: str) -> datetime:
    """The UTC instant of a local wall time on a local date.

    In a gap (clocks go forward over the slot) the first valid instant after it; in a fold (the wall time happens
    twice) the first of the two. So every local date has each slot exactly once.
    """
    where = zone(zone_name)
    wall = datetime.combine(day, slot)
    first = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
    if first.astimezone(where).replace(tzinfo=None) == wall:
        return first
    return _end_of_gap(wall, where)


def _end_of_gap(wall: datetime, where: ZoneInfo) -> datetime:
    """The instant at which the clocks jumped over `wall` (PEP 495: fold=1 lies before it, fold=0 behind)."""
    low = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
    offset = low.astimezone(where).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def is_quiet(at: datetime, zone_name: str, quiet_from: time, quiet_until: time) -> bool:
    """Whether the local wall time at `at` lies in [quiet_from, quiet_until), which may span midnight.

    Equal ends mean no quiet hours.
    """
    wall = at.astimezone(zone(zone_name)).time()
    if quiet_from <= quiet_until:
        return quiet_from <= wall < quiet_until
    return wall >= quiet_from or wall < quiet_until
