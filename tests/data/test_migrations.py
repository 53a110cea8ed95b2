"""The migrated tables are the tables of the models, on both databases, and come down again."""

import logging
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect
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


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'down.db'}")
    with engine.begin() as connection:
        assert migrate.upgrade(connection)[0] == "0001"
        command.downgrade(migrate.config(connection), "base")
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    logging.getLogger("alembic").setLevel(logging.WARNING)
