"""Weights, rules, drafts and personas as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey
from data.models.parts import json_list, moment, new_id, ref


class WeightSet(SQLModel, table=True):
    """An immutable version of one surface's weights; at most one version of a surface is live."""

    __tablename__: ClassVar[Any] = "weight_set"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("surface", "version"),
        Index("uq_weight_set_live", "surface", unique=True, sqlite_where=text("live"), postgresql_where=text("live")),
    )
    id: int = new_id()
    surface: str
    version: int
    weights: dict[str, float] = json_list(dict)
    options: dict[str, float] = json_list(dict)  # diversity, caps, half-lives: see recommender.ranking
    live: bool = False
    author: str = "newsbell"
    reason: str = ""
    created_at: datetime = moment()


class Rule(SQLModel, table=True):
    """An editor's override. Everything but a block ends by itself."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("kind in ('pin', 'must_show', 'boost', 'bury', 'block', 'embargo')", name="kind"),
        CheckConstraint("kind = 'block' or ends_at is not null", name="ends"),
    )
    id: int = new_id()
    kind: str
    surface: str = "all"  # all, for_you, related, push
    target: str = "article"  # article, story, source, topic
    target_key: str  # article key, story id, source key, topic
    strength: float = 0.0  # boost, bury: added to the score, in [0, 1]
    slot: int | None = None  # pin: 1 to 3
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    author: str = "newsbell"
    reason: str = ""


class Draft(SQLModel, table=True):
    """Weights that one person is trying. It knows the live version it began from."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("surface", "author"),)
    id: int = new_id()
    surface: str
    author: str
    base_version: int
    weights: dict[str, float] = json_list(dict)
    options: dict[str, float] = json_list(dict)
    reason: str = ""
    publish_at: datetime | None = moment(nullable=True)  # scheduled for then
    updated_at: datetime = moment()


class Persona(SQLModel, table=True):
    """A made-up reader. `reads` holds {article, kind, hours_ago}, newest first."""

    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    name: str
    about: str = ""
    language: str = "en"
    followed_topics: list[str] = json_list()
    muted_topics: list[str] = json_list()
    reads: list[dict[str, Any]] = json_list()
    author: str = "newsbell"
    updated_at: datetime = moment()


class ReachTarget(SQLModel, table=True):
    """A share of the active readers that an article's story is to reach by a time; a boost is its means."""

    __tablename__: ClassVar[Any] = "reach_target"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('on', 'met', 'expired', 'stopped')", name="state"),
        CheckConstraint("share > 0 and share <= 1", name="share"),
        Index(
            "uq_reach_target_on", "article_id", unique=True, sqlite_where=text("state = 'on'"),
            postgresql_where=text("state = 'on'"),
        ),
    )  # fmt: skip
    id: int = new_id()
    article_id: int = ref("article.id")
    share: float  # of the readers expected until it ends
    cap: float  # the strongest boost it may use
    state: str = "on"
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    expected: int = 0  # readers: as many as in the same hours a day before, or just now
    active: int = 0  # readers active since it began
    reached: int = 0  # of those, whoever had the story on the screen
    strength: float = 0.0
    lag: float = 0.0  # how far behind its plan it was at the last step
    cost_share: float = 0.0  # of a list's expected opens, under the present boost
    cost_opens: float = 0.0  # expected opens given up so far
    steps: list[list[float]] = json_list()  # [minutes since the start, share reached, strength], oldest first
    rule_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    author: str = "newsbell"
    reason: str = ""
    stepped_at: datetime | None = moment(nullable=True)


class Experiment(SQLModel, table=True):
    """Versions of weights that parts of the readers get for a time, so that they can be compared."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("kind in ('split', 'interleave', 'holdout')", name="kind"),
        CheckConstraint("state in ('running', 'stopped', 'ended')", name="state"),
        CheckConstraint("first_bucket >= 0 and buckets > 0 and first_bucket + buckets <= 1000", name="buckets"),
        CheckConstraint("ends_at > starts_at and days > 0", name="ends"),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    surface: str
    kind: str
    state: str = "running"
    layer: str
    salt: str
    first_bucket: int
    buckets: int  # of the layer's 1,000
    arms: list[dict[str, Any]] = json_list()  # version (0: live), share
    metric: str
    days: int
    guardrails: dict[str, float] = json_list(dict)
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    stopped_at: datetime | None = moment(nullable=True)
    outcome: str = ""
    author: str
    reason: str
