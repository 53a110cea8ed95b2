"""Campaigns, plans and deliveries as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey, UtcTime
from data.models.parts import DELIVERY_STATES, TOLD, json_list, moment, new_id, ref


class Campaign(SQLModel, table=True):
    """A reason to send alerts: when, to whom, and how much is too much."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('on', 'paused')", name="state"),
        CheckConstraint("kind in ('digest', 'breaking', 'follow_up', 'manual', 'test')", name="kind"),
        CheckConstraint("mode in ('at_most_once', 'at_least_once')", name="mode"),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    name: str
    kind: str = "digest"
    state: str = "on"
    local_times: list[str] = json_list()  # "07:30"
    weekdays: list[int] = json_list()  # 0 Monday to 6 Sunday
    jitter_s: int = 0
    catch_up_s: int = 10_800  # a slot missed by more than this is not planned any more
    freshness_h: float = 24.0  # candidates: articles published this recently
    ttl_s: int = 21_600
    hold_s: int = 0
    bar: float = 0.0  # least score worth an alert
    mode: str = "at_most_once"
    policy: dict[str, Any] = json_list(dict)
    message: dict[str, str] = json_list(dict)  # title and body of the desk's own; empty: those of the article
    created_at: datetime = moment()
    level: int = 3  # breaking: 1 may ring in quiet hours, if a lead says so
    audience: dict[str, Any] = json_list(dict)  # whom it is for; empty: everybody
    collapse_key: str = ""  # messages with the same one replace each other while they wait; empty: the campaign's key
    send_time: str = "local_time"  # or best_hour: each reader's own, within `best_within_h` of the local time
    best_within_h: int = 1
    spread_s: int = 0  # sends are spread over so long
    every_s: int = 900  # follow-up: how often it looks
    approval_above: int | None = None  # readers: more need a second person; None: as `recommender.approval` says


class Plan(SQLModel, table=True):
    """One run of a campaign: which slots, and how many readers ended with which verdict."""

    id: int = new_id()
    campaign_id: int = ref("campaign.id")
    planned_at: datetime = moment(index=True)
    slots_from: datetime = moment()
    slots_until: datetime = moment()
    funnel: dict[str, int] = json_list(dict)
    examples: list[dict[str, Any]] = json_list()
    weight_version: int = 0
    policy_version: int = 0  # 0: the built-in limits
    zone_version: str = ""  # of the zone database its slots were reckoned with
    state: str = "done"  # planning, asked (a person has to approve it), done, stopped
    readers_due: int = 0
    readers_done: int = 0


class Delivery(SQLModel, table=True):
    """One message to one device: the outbox. Two unique keys make a repeat impossible whoever plans.

    No index names what sending changes (`state`, `lease_until`, `sent_at`): PostgreSQL then writes a row's new version
    beside the old one and no index at all. What waits is found by `Waiting`, what a sender left behind by `Claimed`.
    """

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("campaign_id", "slot", "device_id"),
        Index(
            "uq_delivery_told",
            *("device_id", "story_id", "update_no", "told_no"),
            unique=True,
            sqlite_where=text("is_told"),
            postgresql_where=text("is_told"),
        ),
        CheckConstraint("state in ({})".format(", ".join(f"'{s}'" for s in DELIVERY_STATES)), name="state"),
        CheckConstraint("(state = 'sending') = (lease_until is not null)", name="lease"),
        CheckConstraint(f"is_told is null or is_told = ({TOLD})", name="told"),
        Index("ix_delivery_reader_id_planned_at", "reader_id", "planned_at"),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=64)  # the app sends it back as `delivery_id`
    campaign_id: int = ref("campaign.id", index=False)  # the first unique key begins with it
    plan_id: int | None = ref("plan.id", nullable=True)
    reader_id: int = ref("reader.id", index=False)
    device_id: int = ref("device.id", index=False)
    article_id: int = ref("article.id")
    story_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    update_no: int = 0
    slot: str  # local date and time, like 2026-03-02T07:30
    state: str = "held"
    reason: str = ""
    planned_at: datetime = moment()
    not_before_at: datetime = moment()
    expires_at: datetime = moment()
    attempt: int = 0
    fence: int = 0
    lease_until: datetime | None = moment(nullable=True)
    sent_at: datetime | None = moment(nullable=True)
    message_name: str | None = None
    score: float = 0.0
    parts: dict[str, float] = json_list(dict)
    told_no: int = 0  # how often the story was told in this state before, each time longer ago than the window
    is_told: bool | None = True  # its state is one of TOLD: a column of its own, as that changes far less often


class Waiting(SQLModel, table=True):
    """A delivery that is held or ready: the queue, in the order it is claimed in.

    Whoever changes such a delivery first has the row here. No foreign key: a row whose delivery is gone is removed by
    the claim that meets it.
    """

    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)
    campaign_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    is_held: bool = Field(primary_key=True)
    not_before_at: datetime = Field(sa_column=Column(UtcTime, primary_key=True))
    delivery_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    expires_at: datetime = moment()


class Claimed(SQLModel, table=True):
    """The deliveries of one claim, until its lease ends: those still `sending` then were left behind."""

    id: int = new_id()
    lease_until: datetime = moment(index=True)
    delivery_ids: list[int] = json_list()


class DeliveryEvent(SQLModel, table=True):
    """One transition of one delivery, append-only."""

    __tablename__: ClassVar[Any] = "delivery_event"
    id: int = new_id()
    delivery_id: int = ref("delivery.id")
    at: datetime = moment()
    before: str | None = None
    after: str
    reason: str = ""


class PaceState(SQLModel, table=True):
    """How fast a Firebase project is sent to: one row that its senders share. Meanings: `data.alerts.Pace`."""

    __tablename__: ClassVar[Any] = "pace"
    project: str = Field(primary_key=True)
    next_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    ceiling: float = 0.0
    active_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    used_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    raised_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    cut_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    paused_until_us: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    pauses: int = 0


class Broadcast(SQLModel, table=True):
    """One message to a topic: the ledger entry by which personal alerts know what everybody was told."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('sending', 'sent', 'failed', 'unknown')", name="state"),
        Index(
            "uq_broadcast_told",
            *("topic", "story_id", "update_no", "told_no"),
            unique=True,
            sqlite_where=text("state <> 'failed'"),
            postgresql_where=text("state <> 'failed'"),
        ),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=64)
    app: str = ""
    topic: str  # the topic's name at FCM
    reader_topic: str | None = None  # who gets it: those who follow this topic; None: everybody
    article_id: int = ref("article.id")
    story_id: int = Field(sa_column=Column(BigKey, nullable=False))  # minus the article's id without a story
    update_no: int = 0
    state: str = "sending"
    reason: str = ""
    author: str = ""
    sent_at: datetime = moment(index=True)
    message_name: str | None = None
    told_no: int = 0  # as of a delivery


class Alert(SQLModel, table=True):
    """An alert that the desk writes itself. Sending it makes a campaign of its own."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('draft', 'asked', 'sending', 'cancelled')", name="state"),
    )
    id: int = new_id()
    article_id: int = ref("article.id")
    title: str
    body: str = ""
    audience: dict[str, Any] = json_list(dict)  # {"kind": "everyone"}, {"kind": "topic", "value": "football"}, zone
    policy: dict[str, Any] = json_list(dict)  # limits that this alert lifts
    corrects: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # the alert it replaces
    state: str = "draft"
    author: str
    reason: str = ""
    approver: str = ""
    campaign_id: int | None = ref("campaign.id", nullable=True)
    hold_until: datetime | None = moment(nullable=True)
    created_at: datetime = moment()
    kind: str = "manual"  # or breaking
    level: int = 3  # breaking: 1 the most urgent
    mode: str = "at_most_once"
    spread_s: int = 0
    way: str = "deliveries"  # or "broadcast"
    broadcast_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # set as it leaves that way
    sends_as: str = Field(default="", max_length=200)  # key of the campaign whose rules it has; empty: none
