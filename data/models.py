"""The nouns as tables. Numbers (`id`) are ours; `key` is the publisher's own string."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey, Json, UtcTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING

DELIVERY_STATES = (
    "held",  # planned, cancel still possible without a trace on any phone
    "ready",  # may be claimed
    "sending",  # committed before the POST: after a crash this is `unknown`
    "sent",
    "gone",  # the device does not exist any more
    "failed",
    "unknown",  # the POST may have arrived; never repeated in at-most-once mode
    "cancelled",
    "expired",  # its freshness ended first
    "suppressed",  # rechecked at send time and no longer right; `reason` says why
)
TOLD = "state in ('held', 'ready', 'sending', 'sent', 'unknown')"  # what never reached anybody may be told again


def _id() -> Any:
    return Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))


def _ref(target: str, *, nullable: bool = False, index: bool = True) -> Any:
    column = Column(BigKey, ForeignKey(target, ondelete="CASCADE"), nullable=nullable, index=index)
    return Field(default=None, sa_column=column)


def _at(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=nullable, index=index))


def _json(default: Any = list) -> Any:
    return Field(default_factory=default, sa_column=Column(Json, nullable=False))


class Counter(SQLModel, table=True):
    """A number that only grows, taken inside the writer's transaction: its order is the order of commits."""

    name: str = Field(primary_key=True)
    value: int = Field(default=0, sa_column=Column(BigKey, nullable=False))


class Source(SQLModel, table=True):
    """An outlet. `trust` in [0, 1] is the desk's judgement."""

    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    name: str
    icon_url: str | None = None
    trust: float = 0.5


class Feed(SQLModel, table=True):
    """What the last fetch of a feed address told: its validators for the next conditional GET, or its error."""

    url: str = Field(primary_key=True)
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: datetime | None = _at(nullable=True)
    error: str | None = None


class Article(SQLModel, table=True):
    """One article, whole or absent. `rev` grows with every change, in commit order."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("news_value is null or news_value between 1 and 5", name="news_value"),
        CheckConstraint("lifetime in ('short', 'medium', 'long')", name="lifetime"),
    )
    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    url: str
    title: str
    summary: str = ""
    body: str = ""  # plain text; HTML was turned into text on the way in
    source_id: int | None = _ref("source.id", nullable=True)
    author: str | None = None
    category: str | None = Field(default=None, index=True)
    topics: list[str] = _json()
    places: list[str] = _json()
    language: str = "und"
    image_url: str | None = None
    published_at: datetime = _at(index=True)
    updated_at: datetime | None = _at(nullable=True)
    received_at: datetime = _at()
    news_value: int | None = None
    lifetime: str = "medium"
    embargo_until: datetime | None = _at(nullable=True)
    retracted_at: datetime | None = _at(nullable=True)
    story_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    content_hash: str = ""  # of every field the publisher sets: equal means `same`
    rev: int = Field(default=0, sa_column=Column(BigKey, nullable=False, index=True))


class ArticleName(SQLModel, table=True):
    """A string under which an article is known: `key:...`, `url:...` (canonical) or `text:...` (fingerprint)."""

    __tablename__: ClassVar[Any] = "article_name"
    name: str = Field(primary_key=True)
    article_id: int = _ref("article.id")


class Story(SQLModel, table=True):
    """Articles about one event. Its id is the id of its founding article; a merge keeps the older id."""

    id: int = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    merged_into: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    founded_at: datetime = _at()
    update_no: int = 0  # raised by a material update: readers may be told again


class Reader(SQLModel, table=True):
    """A reader's own choices. `key` is opaque to us."""

    __table_args__: ClassVar[Any] = (CheckConstraint("daily_cap between 0 and 50", name="daily_cap"),)
    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    zone: str = Field(default="UTC", index=True)
    language: str = "en"
    push: bool = True
    quiet_from: str = "22:00"
    quiet_until: str = "07:00"
    daily_cap: int = 4
    followed_topics: list[str] = _json()
    muted_topics: list[str] = _json()
    muted_sources: list[str] = _json()
    followed_stories: list[str] = _json()
    muted_stories: list[str] = _json()
    created_at: datetime = _at()


class Device(SQLModel, table=True):
    """One installation of the app. A device that signs in as another reader moves to that reader."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("platform in ('android', 'ios', 'web')", name="platform"),
        CheckConstraint("state in ('active', 'gone', 'quarantined')", name="state"),
    )
    id: int = _id()
    fid: str = Field(unique=True, max_length=200)
    reader_id: int = _ref("reader.id")
    platform: str
    token: str | None = None
    app_version: str | None = None
    language: str | None = None
    app: str = ""  # which Firebase project it belongs to; empty: the first
    is_test: bool = False
    state: str = "active"
    seen_at: datetime = _at()


class Event(SQLModel, table=True):
    """One thing a reader did with one article. `batch` is commit-ordered: poll `batch > last`."""

    __table_args__: ClassVar[Any] = (
        Index("ix_event_reader_id_at", "reader_id", "at"),
        Index("ix_event_article_id_kind", "article_id", "kind"),
        CheckConstraint("dwell_s is null or dwell_s >= 0", name="dwell_s"),
    )
    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    reader_id: int = _ref("reader.id", index=False)
    article_id: int = _ref("article.id", index=False)
    kind: str
    at: datetime = _at(index=True)
    received_at: datetime = _at()
    dwell_s: float | None = None
    served_id: str | None = None
    position: int | None = None
    surface: str | None = None
    delivery_key: str | None = None
    batch: int = Field(sa_column=Column(BigKey, nullable=False, index=True))


class WeightSet(SQLModel, table=True):
    """An immutable version of one surface's weights; at most one version of a surface is live."""

    __tablename__: ClassVar[Any] = "weight_set"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("surface", "version"),
        Index("uq_weight_set_live", "surface", unique=True, sqlite_where=text("live"), postgresql_where=text("live")),
    )
    id: int = _id()
    surface: str
    version: int
    weights: dict[str, float] = _json(dict)
    options: dict[str, float] = _json(dict)  # diversity, caps, half-lives: see recommender.ranking
    live: bool = False
    author: str = "newsbell"
    reason: str = ""
    created_at: datetime = _at()


class Rule(SQLModel, table=True):
    """An editor's override. Everything but a block ends by itself."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("kind in ('pin', 'must_show', 'boost', 'bury', 'block', 'embargo')", name="kind"),
        CheckConstraint("kind = 'block' or ends_at is not null", name="ends"),
    )
    id: int = _id()
    kind: str
    surface: str = "all"  # all, for_you, related, push
    target: str = "article"  # article, story, source, topic
    target_key: str  # article key, story id, source key, topic
    strength: float = 0.0  # boost, bury: added to the score, in [0, 1]
    slot: int | None = None  # pin: 1 to 3
    starts_at: datetime = _at()
    ends_at: datetime | None = _at(nullable=True)
    author: str = "newsbell"
    reason: str = ""


class Campaign(SQLModel, table=True):
    """A reason to send alerts: when, to whom, and how much is too much."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('on', 'paused')", name="state"),
        CheckConstraint("kind in ('digest', 'breaking', 'follow_up', 'manual', 'test')", name="kind"),
        CheckConstraint("mode in ('at_most_once', 'at_least_once')", name="mode"),
    )
    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    name: str
    kind: str = "digest"
    state: str = "on"
    local_times: list[str] = _json()  # "07:30"
    weekdays: list[int] = _json()  # 0 Monday to 6 Sunday
    jitter_s: int = 0
    catch_up_s: int = 10_800  # a slot missed by more than this is not planned any more
    freshness_h: float = 24.0  # candidates: articles published this recently
    ttl_s: int = 21_600
    hold_s: int = 0
    bar: float = 0.0  # least score worth an alert
    mode: str = "at_most_once"
    policy: dict[str, Any] = _json(dict)
    message: dict[str, str] = _json(dict)  # title and body of the desk's own; empty: those of the article
    created_at: datetime = _at()


class Plan(SQLModel, table=True):
    """One run of a campaign: which slots, and how many readers ended with which verdict."""

    id: int = _id()
    campaign_id: int = _ref("campaign.id")
    planned_at: datetime = _at(index=True)
    slots_from: datetime = _at()
    slots_until: datetime = _at()
    funnel: dict[str, int] = _json(dict)
    examples: list[dict[str, Any]] = _json()
    weight_version: int = 0


class Delivery(SQLModel, table=True):
    """One message to one device: the outbox. Two unique keys make a repeat impossible whoever plans."""

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("campaign_id", "slot", "device_id"),
        Index(
            "uq_delivery_told",
            *("device_id", "story_id", "update_no"),
            unique=True,
            sqlite_where=text(TOLD),
            postgresql_where=text(TOLD),
        ),
        CheckConstraint("state in ({})".format(", ".join(f"'{s}'" for s in DELIVERY_STATES)), name="state"),
        CheckConstraint("(state = 'sending') = (lease_until is not null)", name="lease"),
        Index("ix_delivery_state_campaign_id_not_before_at", "state", "campaign_id", "not_before_at"),
        Index("ix_delivery_reader_id_planned_at", "reader_id", "planned_at"),
    )
    id: int = _id()
    key: str = Field(unique=True, max_length=64)  # the app sends it back as `delivery_id`
    campaign_id: int = _ref("campaign.id")
    plan_id: int | None = _ref("plan.id", nullable=True)
    reader_id: int = _ref("reader.id", index=False)
    device_id: int = _ref("device.id", index=False)
    article_id: int = _ref("article.id")
    story_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    update_no: int = 0
    slot: str  # local date and time, like 2026-03-02T07:30
    state: str = "held"
    reason: str = ""
    planned_at: datetime = _at()
    not_before_at: datetime = _at()
    expires_at: datetime = _at()
    attempt: int = 0
    fence: int = 0
    lease_until: datetime | None = _at(nullable=True)
    sent_at: datetime | None = _at(nullable=True)
    message_name: str | None = None
    score: float = 0.0
    parts: dict[str, float] = _json(dict)


class DeliveryEvent(SQLModel, table=True):
    """One transition of one delivery, append-only."""

    __tablename__: ClassVar[Any] = "delivery_event"
    id: int = _id()
    delivery_id: int = _ref("delivery.id")
    at: datetime = _at()
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
            *("topic", "story_id", "update_no"),
            unique=True,
            sqlite_where=text("state <> 'failed'"),
            postgresql_where=text("state <> 'failed'"),
        ),
    )
    id: int = _id()
    key: str = Field(unique=True, max_length=64)
    app: str = ""
    topic: str  # the topic's name at FCM
    reader_topic: str | None = None  # who gets it: those who follow this topic; None: everybody
    article_id: int = _ref("article.id")
    story_id: int = Field(sa_column=Column(BigKey, nullable=False))  # minus the article's id without a story
    update_no: int = 0
    state: str = "sending"
    reason: str = ""
    author: str = ""
    sent_at: datetime = _at(index=True)
    message_name: str | None = None


class Command(SQLModel, table=True):
    """What a person asks the scheduler to do; the only way a face speaks to it."""

    __table_args__: ClassVar[Any] = (CheckConstraint("state in ('todo', 'doing', 'done', 'failed')", name="state"),)
    id: int = _id()
    kind: str
    args: dict[str, Any] = _json(dict)
    state: str = "todo"
    author: str = ""
    created_at: datetime = _at()
    done_at: datetime | None = _at(nullable=True)
    result: str = ""


class Lease(SQLModel, table=True):
    """Who leads. `fence` grows with every new holder, so a late writer of an old one is refused."""

    name: str = Field(primary_key=True)
    holder: str
    fence: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    until_at: datetime = _at()


class Change(SQLModel, table=True):
    """The audit log: who changed what, when and why; append-only."""

    id: int = _id()
    at: datetime = _at(index=True)
    person: str
    what: str
    target: str
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    why: str = ""


class Person(SQLModel, table=True):
    """Somebody who may sign in to the console."""

    id: int = _id()
    email: str = Field(unique=True, max_length=200)
    role: str = "viewer"
    secret_hash: str = ""
    created_at: datetime = _at()


class WebSession(SQLModel, table=True):
    """A signed-in browser: only the hash of its token is kept. Made anew at every sign-in."""

    __tablename__: ClassVar[Any] = "web_session"
    id: int = _id()
    token_hash: str = Field(unique=True, max_length=64)
    person_id: int = _ref("person.id")
    created_at: datetime = _at()
    seen_at: datetime = _at()
    ends_at: datetime = _at()  # whatever is done with it


class SignInFailure(SQLModel, table=True):
    """A sign-in that did not succeed; removed when it counts no more."""

    __tablename__: ClassVar[Any] = "sign_in_failure"
    id: int = _id()
    email: str = Field(index=True)
    address: str = Field(index=True)
    at: datetime = _at(index=True)


class Draft(SQLModel, table=True):
    """Weights that one person is trying. It knows the live version it began from."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("surface", "author"),)
    id: int = _id()
    surface: str
    author: str
    base_version: int
    weights: dict[str, float] = _json(dict)
    options: dict[str, float] = _json(dict)
    reason: str = ""
    publish_at: datetime | None = _at(nullable=True)  # scheduled for then
    updated_at: datetime = _at()


class Persona(SQLModel, table=True):
    """A made-up reader. `reads` holds {article, kind, hours_ago}, newest first."""

    id: int = _id()
    key: str = Field(unique=True, max_length=200)
    name: str
    about: str = ""
    language: str = "en"
    followed_topics: list[str] = _json()
    muted_topics: list[str] = _json()
    reads: list[dict[str, Any]] = _json()
    author: str = "newsbell"
    updated_at: datetime = _at()


class Alert(SQLModel, table=True):
    """An alert that the desk writes itself. Sending it makes a campaign of its own."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('draft', 'asked', 'sending', 'cancelled')", name="state"),
    )
    id: int = _id()
    article_id: int = _ref("article.id")
    title: str
    body: str = ""
    audience: dict[str, Any] = _json(dict)  # {"kind": "everyone"}, {"kind": "topic", "value": "football"}, zone
    policy: dict[str, Any] = _json(dict)  # limits that this alert lifts
    corrects: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))  # the alert it replaces
    state: str = "draft"
    author: str
    reason: str = ""
    approver: str = ""
    campaign_id: int | None = _ref("campaign.id", nullable=True)
    hold_until: datetime | None = _at(nullable=True)
    created_at: datetime = _at()


class Key(SQLModel, table=True):
    """An API key: only its hash is kept. `prefix` finds the row."""

    __table_args__: ClassVar[Any] = (CheckConstraint("role in ('app', 'ingest', 'operator')", name="role"),)
    id: int = _id()
    prefix: str = Field(unique=True, max_length=20)
    secret_hash: str
    role: str
    label: str = ""
    rate_per_s: float | None = None  # requests a second; null: as the settings say
    created_at: datetime = _at()
    revoked_at: datetime | None = _at(nullable=True)


class Served(SQLModel, table=True):
    """One page of a list as it was answered: what later events are judged against. Append-only, removed by age."""

    id: int = _id()
    served_id: str = Field(max_length=64, index=True)  # one id for all pages of a list; events repeat it
    surface: str
    reader_id: int | None = _ref("reader.id", nullable=True)
    article_id: int | None = _ref("article.id", nullable=True, index=False)  # related: beside which article
    served_at: datetime = _at(index=True)
    first: int = 0  # the place of the first item in the whole list, from 0
    article_ids: list[int] = _json()  # in the order shown
    propensity: list[float] | None = Field(default=None, sa_column=Column(Json, nullable=True))  # null: no chance
    weight_version: int = 0


class Secret(SQLModel, table=True):
    """What this installation signs with, so that every worker knows what another one handed out."""

    name: str = Field(primary_key=True)
    value: str
