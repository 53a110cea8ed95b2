"""The schema's versions: Alembic, run from the package, on a connection that is already open."""

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

LOCK = 7_307_002  # any number nobody else uses: PostgreSQL's advisory lock against two migrations at once


def config(connection: Connection | None = None, ran: list[str] | None = None) -> Config:
    """Alembic's configuration without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(files("data") / "migrations"))
    made.attributes.update(connection=connection, ran=ran)
    return made


def upgrade(connection: Connection) -> list[str]:
    """Run what is missing inside the caller's transaction; returns the revisions that ran."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    ran: list[str] = []
    command.upgrade(config(connection, ran), "head")
    return ran


def head() -> str:
    """The revision that this program needs."""
    found: Any = ScriptDirectory.from_config(config()).get_current_head()
    return str(found)


def revision(connection: Connection) -> str | None:
    """The revision the database is at; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()
