"""What processes tell each other, as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column
from sqlmodel import Field, SQLModel

from data.columns import BigKey
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
