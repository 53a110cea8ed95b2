"""Whom an alert of the desk is for, and how many of them it would reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.clock import is_quiet
from data.errors import InvalidInput
from data.values import ReaderColumns, ReaderRow

KINDS = ("everyone", "topic", "place", "language", "followers")


@dataclass(frozen=True)
class Estimate:
    """How many readers: who are meant and can be reached at all, and after the limits of this moment."""

    meant: int
    after_limits: int
    quiet: int  # kept back by quiet hours
    capped: int  # by caps and gaps
    is_sampled: bool = False


def check_audience(audience: Mapping[str, Any]) -> None:
    """InvalidInput for an audience that names nobody."""
    if audience.get("kind") not in KINDS:
        raise InvalidInput(f"an audience is one of {', '.join(KINDS)}")
    if audience["kind"] != "everyone" and not str(audience.get("value", "")).strip():
        raise InvalidInput(f"name the {audience['kind']}")


def is_meant(reader: ReaderRow, audience: Mapping[str, Any]) -> bool:
    """Whether an alert is for this reader.

    Everyone, who follows a topic or (followers) a story, lives in a zone's place, reads a language.
    """
    kind, value = audience["kind"], str(audience.get("value", "")).strip().casefold()
    if kind == "topic":
        return value in {one.strip().casefold() for one in reader.followed_topics}
    if kind == "followers":
        return value in reader.followed_stories
    if kind == "place":
        return reader.zone.casefold().replace("_", " ").rpartition("/")[2] == value or reader.zone.casefold() == value
    if kind == "language":
        return reader.language.casefold().partition("-")[0] == value.partition("-")[0]
    return True


def meant(readers: ReaderColumns, audience: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The same of many readers (n,). Nothing said: everyone. Cost: by zones, languages and what is followed."""
    kind, value = audience.get("kind", "everyone"), str(audience.get("value", "")).strip().casefold()
    found = np.zeros(len(readers), bool)
    if kind == "place":
        names = (one.casefold() for one in readers.zones)
        return np.array([*(value in _places(one) for one in names), False], bool)[readers.zone]
    if kind == "language":
        names = (one.casefold().partition("-")[0] for one in readers.languages)
        return np.array([*(one == value.partition("-")[0] for one in names), False], bool)[readers.language]
    if kind in ("topic", "followers"):
        lists = readers.followed_topics if kind == "topic" else readers.followed_stories
        found[[row for row, names in lists.items() if value in {one.strip().casefold() for one in names}]] = True
        return found
    return ~found


def _places(zone: str) -> tuple[str, str]:
    return zone, zone.replace("_", " ").rpartition("/")[2]


def is_quiet_for(reader: ReaderRow, at: datetime) -> bool:
    """Whether it is one of the reader's quiet hours."""
    from_, until = time.fromisoformat(reader.quiet_from), time.fromisoformat(reader.quiet_until)
    return is_quiet(at, reader.zone, from_, until)
