"""What the tables are made of."""

from typing import Any

from sqlalchemy import Column, ForeignKey
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


def new_id() -> Any:
    return Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))


def ref(target: str, *, nullable: bool = False, index: bool = True) -> Any:
    column = Column(BigKey, ForeignKey(target, ondelete="CASCADE"), nullable=nullable, index=index)
    return Field(default=None, sa_column=column)


def moment(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=nullable, index=index))


def json_list(default: Any = list) -> Any:
    return Field(default_factory=default, sa_column=Column(Json, nullable=False))
