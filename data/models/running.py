"""What processes tell each other, as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey, Json
from data.models.parts import json_list, moment, new_id


class Counter(SQLModel, table=True):
    """A number that only grows, taken inside the writer's transaction: its order is the order of commits."""

    name: str = Field(primary_key=True)
    value: int = Field(default=0, sa_column=Column(BigKey, nullable=False))


class Command(SQLModel, table=True):
    """What a person asks the scheduler to do; the only way a face speaks to it."""

    __table_args__: ClassVar[Any] = (CheckConstraint("state in ('todo', 'doing', 'done', 'failed')", name="state"),)
    id: int = new_id()
    kind: str
    args: dict[str, Any] = json_list(dict)
    state: str = "todo"
    author: str = ""
    created_at: datetime = moment()
    done_at: datetime | None = moment(nullable=True)
    result: str = ""


class Lease(SQLModel, table=True):
    """Who leads. `fence` grows with every new holder, so a late writer of an old one is refused."""

    name: str = Field(primary_key=True)
    holder: str
    fence: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    until_at: datetime = moment()


class Replay(SQLModel, table=True):
    """Past reads judged again under other numbers: long work of a web worker, one of a kind at a time."""

    __table_args__: ClassVar[Any] = (
        CheckConstraint("state in ('todo', 'doing', 'done', 'failed', 'stopped')", name="state"),
        CheckConstraint("kind in ('weights', 'limits')", name="kind"),
        Index(
            "uq_replay_open", "kind", unique=True, sqlite_where=text("state in ('todo', 'doing')"),
            postgresql_where=text("state in ('todo', 'doing')"),
        ),
    )  # fmt: skip
    id: int = new_id()
    kind: str = "weights"  # of a surface, or the limits of a campaign
    about: str  # the surface or campaign
    what: str  # in words: which weights against which
    args: dict[str, Any] = json_list(dict)
    state: str = "todo"
    share: float = 0.0  # how much of it is done
    said: str = ""  # what it does now, or why it ended
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    author: str = ""
    worker: str = ""
    created_at: datetime = moment()
    beat_at: datetime | None = moment(nullable=True)  # when its worker last said that it lives
    done_at: datetime | None = moment(nullable=True)
