"""Column types with one form on every database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from data.clock import instant, micros


class UtcTime(TypeDecorator[datetime]):
    """An aware instant, stored as integer microseconds since the epoch.

    One exact, sortable form on SQLite and PostgreSQL; a bulk read is an int64 array, viewable as datetime64[us].
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else instant(value)


BigKey = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only for INTEGER PRIMARY KEY
Json = JSON().with_variant(JSONB, "postgresql")
