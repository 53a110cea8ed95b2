"""The dates feeds really carry: RFC 822 and W3C forms, and what feedparser knows beyond them."""

import re
import time
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

from data.clock import instant
from data.wire import EARLIEST_AT, LATEST_AT

# Abbreviations outside RFC 822 that mean one offset only, in hours. BST, IST and CST (China) stay out: they are
# two zones each.
_ZONES = {
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "TRT": 3,
    "PKT": 5, "WIB": 7, "HKT": 8, "SGT": 8, "PHT": 8, "AWST": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13, "BRT": -3, "ART": -3, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_HAS_ZONE = re.compile(r"(?:[+-]\d\d:?(?:\d\d)?|\b[A-Z]{1,5}|\d[Zz])\s*(?:\([^)]*\))?$")
_TRAILING_NAME = re.compile(r"\s([A-Z]{3,4})$")
_YEAR_FIRST = re.compile(r"\d{4}-?\d\d-?\d\d")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")


@dataclass(frozen=True, slots=True)
class Dated:
    """An instant (aware, UTC) and whether its text named a zone; without one it was read as UTC."""

    at: datetime
    has_zone: bool


def parse_feed_date(text: str, guess: time.struct_time | None = None) -> Dated | None:
    """Read a feed's date; `guess` is feedparser's own UTC reading, used where ours fails.

    None when nobody can read it or it lies outside the years 1800 to 2199.
    """
    clean = " ".join(text.split())[:100]
    if not clean:
        return None
    at = _iso(clean) or _rfc822(clean) or _unix(clean)
    if at is None and guess is not None:
        at = _from_struct(guess, bool(_HAS_ZONE.search(clean)))
    if at is None:
        return None
    try:
        in_utc = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError:
        return None
    return Dated(in_utc, at.tzinfo is not None) if EARLIEST_AT <= in_utc <= LATEST_AT else None


def _iso(text: str) -> datetime | None:
    if not _YEAR_FIRST.match(text):
        return None
    text = text.upper()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:  # 2003-12-31 10:14:55 +0100
        return datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        return None


def _rfc822(text: str) -> datetime | None:
    name = _TRAILING_NAME.search(text)
    hours = _ZONES.get(name[1]) if name else None
    try:
        parts = parsedate_tz(text)
        if parts is None or not re.search("[A-Za-z]{3}", text):
            return None
        year, month, day, hour, minute, second, *_, offset_s = parts
        wall = datetime(year, month, day, hour, minute, min(int(second or 0), 59))  # noqa: DTZ001
        if hours is not None:
            return wall.replace(tzinfo=timezone(timedelta(hours=hours)))
        if offset_s is None or not _HAS_ZONE.search(text):
            return wall
        return wall.replace(tzinfo=timezone(timedelta(seconds=offset_s)))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _unix(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    seconds = int(text) / (1000 if len(text) == 13 else 1)
    return instant(round(seconds * 1_000_000))


def _from_struct(guess: time.struct_time, has_zone: bool) -> datetime | None:
    try:
        at = instant(timegm(guess) * 1_000_000)
    except (OverflowError, ValueError, TypeError):
        return None
    return at if has_zone else at.replace(tzinfo=None)
