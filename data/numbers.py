"""Many numbers as one value of a statement: thousands of parameters would cost more than the rows."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection

# Behind a column, with what `numbers` writes as `:ids`.
THESE = {"sqlite": "in (select value from json_each(:ids))", "postgresql": "= any(cast(:ids as bigint[]))"}


def numbers(connection: Connection, ids: Collection[int]) -> str:
    """The text of an array on PostgreSQL, JSON on SQLite; as text, or the driver would look at every one of them."""
    text = msgspec.json.encode(list(ids)).decode()
    return f"{{{text[1:-1]}}}" if connection.dialect.name == "postgresql" else text
