"""Campaigns, plans and deliveries as plain frozen values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np

from data.values import IntArray

# A reader has been told, or may have been: these states count against caps, gaps and the story ledger.
TOLD_STATES = ("held", "ready", "sending", "sent", "unknown")
WAITING_STATES = ("held", "ready")
HANDED_OVER = ("sending", "sent", "unknown")
# Kinds of campaign fall into groups with limits of their own.
PERSONAL, EDITORIAL, BREAKING = 0, 1, 2
GROUP = {"digest": PERSONAL, "follow_up": PERSONAL, "manual": EDITORIAL, "breaking": BREAKING, "test": EDITORIAL}
Settled = Literal["sent", "gone", "failed", "unknown", "ready"]  # ready: not sent, may be sent later


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A reason to send alerts. `local_times` like "07:30"; `weekdays` 0 Monday to 6 Sunday, empty for every day."""

    id: int
    key: str
    name: str
    kind: str = "digest"
    state: str = "on"
    local_times: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    jitter_s: int = 0
    catch_up_s: int = 10_800
    freshness_h: float = 24.0
    ttl_s: int = 21_600
    hold_s: int = 0
    bar: float = 0.0
    mode: str = "at_most_once"
    policy: dict[str, Any] = field(default_factory=dict)
    message: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    level: int = 3
    audience: dict[str, Any] = field(default_factory=dict)
    collapse_key: str = ""
    send_time: str = "local_time"
    best_within_h: int = 1
    spread_s: int = 0
    every_s: int = 900
    approval_above: int | None = None


def _none() -> IntArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Told:
    """What readers of one block were told or are about to be: one row an alert, however many devices it went to.

    `group` and `told_no` may be left out: then every alert is personal, and the first of its story.
    """

    row: IntArray  # (alerts,) the reader's place in the block
    at_us: IntArray  # (alerts,) when it was handed over, or is due
    story_id: IntArray  # (alerts,) 0: no story
    update_no: IntArray  # (alerts,)
    group: IntArray = field(default_factory=_none)  # (alerts,) PERSONAL, EDITORIAL or BREAKING
    told_no: IntArray = field(default_factory=_none)  # (alerts,) see Delivery.told_no

    def __post_init__(self) -> None:
        for name in ("group", "told_no"):
            if len(getattr(self, name)) != len(self.row):
                object.__setattr__(self, name, np.zeros(len(self.row), np.int64))


@dataclass(frozen=True, slots=True)
class Tally:
    """What readers of one block had over longer times, one number a reader."""

    today: IntArray  # (n,) alerts on the local date of the reader's instant
    other_days: IntArray  # (n,) alerts on the other days of that local week, Monday to Sunday
    unopened: IntArray  # (n,) alerts handed over since the last one that was opened
    newest_us: IntArray  # (n,) when the newest of those was handed over; 0: none

    @classmethod
    def empty(cls, count: int) -> "Tally":
        """Readers who were told nothing."""
        return cls(*np.zeros((4, count), np.int64))


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One message for one device, about to enter the outbox."""

    key: str
    reader_id: int
    device_id: int
    article_id: int
    story_id: int | None
    update_no: int
    slot: str
    not_before_at: datetime
    expires_at: datetime
    score: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    told_no: int = 0


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One run of a campaign and how its readers ended."""

    id: int
    campaign_id: int
    planned_at: datetime
    slots_from: datetime
    slots_until: datetime
    funnel: dict[str, int]
    examples: list[dict[str, Any]]
    weight_version: int
    policy_version: int = 0
    zone_version: str = ""
    state: str = "done"
    readers_due: int = 0
    readers_done: int = 0


class DueArticle(msgspec.Struct, frozen=True, gc=False):
    """An article as it is at the moment of sending; one for all deliveries of a claim. An alert of the desk's own says
    what the desk wrote."""

    id: int
    key: str
    title: str
    summary: str
    url: str
    image_url: str | None
    source_key: str | None
    category: str | None
    topics: tuple[str, ...]
    published_at: datetime
    embargo_until: datetime | None
    retracted_at: datetime | None
    story_id: int | None


class DueCampaign(msgspec.Struct, frozen=True, gc=False):
    """What deliveries of one campaign share; one for all of a claim."""

    id: int
    key: str
    kind: str
    policy: dict[str, Any]
    mode: str = "at_most_once"
    message: dict[str, str] = {}
    level: int = 3
    collapse_key: str = ""


class Wishes(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a reader asked for, in the order in which the database lists it."""

    zone: str
    push: bool
    quiet_from: str
    quiet_until: str
    daily_cap: int
    muted_topics: tuple[str, ...]
    muted_sources: tuple[str, ...]
    muted_stories: tuple[str, ...]


class Due(msgspec.Struct, frozen=True, gc=False):
    """A delivery at the moment of sending, with all that can have changed since it was planned."""

    id: int
    key: str
    campaign: DueCampaign
    slot: str
    attempt: int
    expires_at: datetime
    article: DueArticle
    # the reader and the device, as they are now
    reader_id: int
    wishes: Wishes
    fid: str
    token: str | None
    platform: str
    is_test: bool
    device_state: str
    device_reader_id: int
    app: str = ""  # which Firebase project the device belongs to; empty: the only one, or the first
    reader_key: str = ""
    reader_since_us: int = 0  # since when we know the reader
    # what happened meanwhile
    has_read: bool = False  # this article, or another of its story
    told_us: int = 0  # when another alert last told of this story in this state; 0: never
    alerts_us: tuple[int, ...] = ()  # when other alerts went out to this reader, newest day
    groups: tuple[int, ...] = ()  # of those alerts, in the same order; shorter: personal
    today: int = 0  # other alerts on this local date
    other_days: int = 0  # and on the other days of this local week
    unopened: int = 0  # alerts since the last that was opened
    newest_us: int = 0  # when the newest of those went out


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How one send ended. `unknown`: the message may have arrived; `ready`: it did not leave, and may later."""

    state: Settled
    message_name: str | None = None
    reason: str = ""
    retry_at: datetime | None = None  # ready: not before this; None: at once
    device: Literal["", "gone", "quarantined"] = ""  # what the device becomes
    alarm: str = ""  # what the operator must be told
    stops: bool = False  # the campaign pauses until a person resumes it
    holds_app: bool = False  # ready: nothing of this device's app may go before `retry_at`


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one Firebase project may be sent to now, shared by all processes. Times are microseconds UTC."""

    next_us: int = 0  # the next free slot
    ceiling: float = 0.0  # messages a second; 0: never cut
    active_us: int = 0  # since when it sends without a long silence
    used_us: int = 0  # when slots were last reserved
    raised_us: int = 0  # from when the ceiling rises again
    cut_us: int = 0
    paused_until_us: int = 0
    pauses: int = 0  # in a row


@dataclass(frozen=True, slots=True)
class CommandRow:
    """What a person asked the scheduler to do."""

    id: int
    kind: str
    args: dict[str, Any]
    author: str
    created_at: datetime
