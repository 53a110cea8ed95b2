"""The migrated tables are the tables of the models, on both databases, and come down again."""

import logging
import sqlite3
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlmodel import SQLModel

import data.models  # noqa: F401
from data import migrate
from data.store import Store


def test_migrating_leads_to_exactly_the_models(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_twice_runs_nothing_the_second_time(store: Store) -> None:
    assert store.migrate() == []
    store.check()


def test_sqlite_finds_its_schema_sound(sqlite_store: Store) -> None:
    with sqlite_store.engine.connect() as connection:
        assert connection.execute(text("pragma integrity_check")).scalar_one() == "ok"
        made = connection.execute(text("select sql from sqlite_master where name = 'delivery'")).scalar_one()
    assert "state in (" not in made, "a list is built anew for every row that is changed by itself"


def test_a_sqlite_that_guards_its_schema_is_migrated_all_the_same(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'guarded.db'}")
    with engine.begin() as connection:
        command.upgrade(migrate.config(connection), "0009")
        connection.connection.driver_connection.set_authorizer(_guards_schema)  # type: ignore[union-attr]
        assert "0010" in migrate.upgrade(connection)
        made = connection.execute(text("select sql from sqlite_master where name = 'delivery'")).scalar_one()
    assert "state in (" in made
    engine.dispose()
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _guards_schema(action: int, table: str | None, column: str | None, *_: object) -> int:
    """Refuses to change a table's text, as SQLite does in its defensive mode."""
    is_text = (table, column) == ("sqlite_master", "sql")
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_UPDATE and is_text else sqlite3.SQLITE_OK


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'down.db'}")
    with engine.begin() as connection:
        assert migrate.upgrade(connection)[0] == "0001"
        command.downgrade(migrate.config(connection), "base")
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    logging.getLogger("alembic").setLevel(logging.WARNING)
