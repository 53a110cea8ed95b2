"""The newsroom's push policy, version by version, and the ticks that were done, as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from data.columns import BigKey
from data.models.parts import json_list, moment, new_id


class PolicyVersion(SQLModel, table=True):
    """An immutable version of how much is too much; at most one is live. Meanings: `recommender.push_policy`."""

    __tablename__: ClassVar[Any] = "policy"
    __table_args__: ClassVar[Any] = (
        Index("uq_policy_live", "live", unique=True, sqlite_where=text("live"), postgresql_where=text("live")),
    )
    id: int = new_id()
    version: int = Field(unique=True)
    limits: dict[str, float] = json_list(dict)  # what differs from the built-in limits
    live: bool = False
    author: str = "newsbell"
    reason: str = ""
    created_at: datetime = moment()


class PolicyDraft(SQLModel, table=True):
    """A policy that one person is trying. It knows the live version it began from."""

    __tablename__: ClassVar[Any] = "policy_draft"
    id: int = new_id()
    author: str = Field(unique=True)
    base_version: int
    limits: dict[str, float] = json_list(dict)
    updated_at: datetime = moment()


class Tick(SQLModel, table=True):
    """One tick of one kind that was done, or is being done: nobody does it again. Removed by age."""

    kind: str = Field(primary_key=True)
    tick_us: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    fence: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    begun_at: datetime = moment(index=True)
    done_at: datetime | None = moment(nullable=True)
