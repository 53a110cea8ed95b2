"""Readers, their devices, what they did and what they were served, as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey, Json
from data.models.parts import json_list, moment, new_id, ref


class Reader(SQLModel, table=True):
    """A reader's own choices. `key` is opaque to us."""

    __table_args__: ClassVar[Any] = (CheckConstraint("daily_cap between 0 and 50", name="daily_cap"),)
    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    zone: str = Field(default="UTC", index=True)
    language: str = "en"
    push: bool = True
    quiet_from: str = "22:00"
    quiet_until: str = "07:00"
    daily_cap: int = 4
    followed_topics: list[str] = json_list()
    muted_topics: list[str] = json_list()
    muted_sources: list[str] = json_list()
    followed_stories: list[str] = json_list()
    muted_stories: list[str] = json_list()
    created_at: datetime = moment()


class Device(SQLModel, table=True):
    """One installation of the app. A device that signs in as another reader moves to that reader."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("platform in ('android', 'ios', 'web')", name="platform"),
        CheckConstraint("state in ('active', 'gone', 'quarantined')", name="state"),
    )
    id: int = new_id()
    fid: str = Field(unique=True, max_length=200)
    reader_id: int = ref("reader.id")
    platform: str
    token: str | None = None
    app_version: str | None = None
    language: str | None = None
    app: str = ""  # which Firebase project it belongs to; empty: the first
    is_test: bool = False
    state: str = "active"
    seen_at: datetime = moment()


class Event(SQLModel, table=True):
    """One thing a reader did with one article. `batch` is commit-ordered: poll `batch > last`."""

    __table_args__: ClassVar[Any] = (
        Index("ix_event_history", "reader_id", "at", "id", "article_id", "kind", "dwell_s"),  # read without the table
        Index(
            "ix_event_push_open",
            *("reader_id", "at"),
            sqlite_where=text("kind = 'push_open'"),
            postgresql_where=text("kind = 'push_open'"),
        ),
        Index("ix_event_article_id_kind", "article_id", "kind"),
        CheckConstraint("dwell_s is null or dwell_s >= 0", name="dwell_s"),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    reader_id: int = ref("reader.id", index=False)
    article_id: int = ref("article.id", index=False)
    kind: str
    at: datetime = moment(index=True)
    received_at: datetime = moment()
    dwell_s: float | None = None
    served_id: str | None = None
    position: int | None = None
    surface: str | None = None
    delivery_key: str | None = None
    batch: int = Field(sa_column=Column(BigKey, nullable=False, index=True))


class Served(SQLModel, table=True):
    """One page of a list as it was answered: what later events are judged against. Append-only, removed by age."""

    id: int = new_id()
    served_id: str = Field(max_length=64, index=True)  # one id for all pages of a list; events repeat it
    surface: str
    reader_id: int | None = ref("reader.id", nullable=True)
    article_id: int | None = ref("article.id", nullable=True, index=False)  # related: beside which article
    served_at: datetime = moment(index=True)
    first: int = 0  # the place of the first item in the whole list, from 0
    article_ids: list[int] = json_list()  # in the order shown
    propensity: list[float] | None = Field(default=None, sa_column=Column(Json, nullable=True))  # null: no chance
    weight_version: int = 0
    # of interleaved lists, by place: 0 or 1 for the version that chose it, -1 for both
    teams: list[int] | None = Field(default=None, sa_column=Column(Json, nullable=True))
