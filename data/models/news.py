"""Sources, feeds, articles and stories as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column
from sqlmodel import Field, SQLModel

from data.columns import BigKey
from data.models.parts import json_list, moment, new_id, ref


class Source(SQLModel, table=True):
    """An outlet. `trust` in [0, 1] is the desk's judgement."""

    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    name: str
    icon_url: str | None = None
    trust: float = 0.5


class Feed(SQLModel, table=True):
    """What the last fetch of a feed address told: its validators for the next conditional GET, or its error."""

    url: str = Field(primary_key=True)
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: datetime | None = moment(nullable=True)
    error: str | None = None


class Article(SQLModel, table=True):
    """One article, whole or absent. `rev` grows with every change, in commit order."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("news_value is null or news_value between 1 and 5", name="news_value"),
        CheckConstraint("lifetime in ('short', 'medium', 'long')", name="lifetime"),
    )
    id: int = new_id()
    key: str = Field(unique=True, max_length=200)
    url: str
    title: str
    summary: str = ""
    body: str = ""  # plain text; HTML was turned into text on the way in
    source_id: int | None = ref("source.id", nullable=True)
    author: str | None = None
    category: str | None = Field(default=None, index=True)
    topics: list[str] = json_list()
    places: list[str] = json_list()
    language: str = "und"
    image_url: str | None = None
    published_at: datetime = moment(index=True)
    updated_at: datetime | None = moment(nullable=True)
    received_at: datetime = moment()
    news_value: int | None = None
    lifetime: str = "medium"
    embargo_until: datetime | None = moment(nullable=True)
    retracted_at: datetime | None = moment(nullable=True)
    story_id: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True, index=True))
    content_hash: str = ""  # of every field the publisher sets: equal means `same`
    rev: int = Field(default=0, sa_column=Column(BigKey, nullable=False, index=True))


class ArticleName(SQLModel, table=True):
    """A string under which an article is known: `key:...`, `url:...` (canonical) or `text:...` (fingerprint)."""

    __tablename__: ClassVar[Any] = "article_name"
    name: str = Field(primary_key=True)
    article_id: int = ref("article.id")


class Story(SQLModel, table=True):
    """Articles about one event. Its id is the id of its founding article; a merge keeps the older id."""

    id: int = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    merged_into: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    founded_at: datetime = moment()
    update_no: int = 0  # raised by a material update: readers may be told again
    renewed_at: datetime | None = moment(nullable=True)  # when it was raised last: what was read before counts no more


class StoryApart(SQLModel, table=True):
    """Two stories that the desk took apart: no automatic merge makes them one. `one` is the smaller number."""

    __tablename__: ClassVar[Any] = "story_apart"
    __table_args__: ClassVar[Any] = (CheckConstraint("one < other", name="order"),)
    one: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    other: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False, index=True))
