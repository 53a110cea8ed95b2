"""The migrated tables are the tables of the models, on both databases, and come down again."""

import logging
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

import data.models  # noqa: F401
from benchmarks.fcm_outbox import fill
from data import migrate
from data.store import Store


def test_migrating_leads_to_exactly_the_models(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_twice_runs_nothing_the_second_time(store: Store) -> None:
    assert store.migrate() == []
    store.check()


@pytest.mark.parametrize(
    "change", ["state = 'lost'", "state = 'sending'", "lease_until = 7", "is_told = not is_told", "state = 'expired'"]
)
def test_a_delivery_has_a_state_and_what_goes_with_it(store: Store, change: str) -> None:
    fill(store, 1)
    with pytest.raises(IntegrityError), store.transaction() as connection:
        connection.execute(text(f"update delivery set {change}"))
    with store.transaction() as connection:
        connection.execute(text("update delivery set state = 'expired', is_told = :no"), {"no": False})


def test_sqlite_finds_its_schema_sound(sqlite_store: Store) -> None:
    with sqlite_store.engine.connect() as connection:
        assert connection.execute(text("pragma integrity_check")).scalar_one() == "ok"
        made = connection.execute(text("select sql from sqlite_master where name = 'delivery'")).scalar_one()
    assert "state in (" not in made, "a list is built anew for every row that is changed by itself"


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'down.db'}")
    with engine.begin() as connection:
        assert migrate.upgrade(connection)[0] == "0001"
        command.downgrade(migrate.config(connection), "base")
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    logging.getLogger("alembic").setLevel(logging.WARNING)
