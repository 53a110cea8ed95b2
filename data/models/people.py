"""People of the desk, their sessions, the log of changes and the keys of programs, as tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column
from sqlmodel import Field, SQLModel

from data.columns import Json
from data.models.parts import moment, new_id, ref


class Person(SQLModel, table=True):
    """Somebody who may sign in to the console."""

    id: int = new_id()
    email: str = Field(unique=True, max_length=200)
    role: str = "viewer"
    secret_hash: str = ""
    created_at: datetime = moment()
    subject: str | None = Field(default=None, index=True, unique=True, max_length=400)  # issuer and name at a provider


class WebSession(SQLModel, table=True):
    """A signed-in browser: only the hash of its token is kept. Made anew at every sign-in."""

    __tablename__: ClassVar[Any] = "web_session"
    id: int = new_id()
    token_hash: str = Field(unique=True, max_length=64)
    person_id: int = ref("person.id")
    created_at: datetime = moment()
    seen_at: datetime = moment()
    ends_at: datetime = moment()  # whatever is done with it


class SignInFailure(SQLModel, table=True):
    """A sign-in that did not succeed; removed when it counts no more."""

    __tablename__: ClassVar[Any] = "sign_in_failure"
    id: int = new_id()
    email: str = Field(index=True)
    address: str = Field(index=True)
    at: datetime = moment(index=True)


class Change(SQLModel, table=True):
    """The audit log: who changed what, when and why; append-only."""

    id: int = new_id()
    at: datetime = moment(index=True)
    person: str
    what: str
    target: str
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    why: str = ""


class Key(SQLModel, table=True):
    """An API key: only its hash is kept. `prefix` finds the row."""

    __table_args__: ClassVar[Any] = (CheckConstraint("role in ('app', 'ingest', 'operator')", name="role"),)
    id: int = new_id()
    prefix: str = Field(unique=True, max_length=20)
    secret_hash: str
    role: str
    label: str = ""
    rate_per_s: float | None = None  # requests a second; null: as the settings say
    created_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)


class Secret(SQLModel, table=True):
    """What this installation signs with, so that every worker knows what another one handed out."""

    name: str = Field(primary_key=True)
    value: str
