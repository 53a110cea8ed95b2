"""The connection that appends events: its own, kept from one transaction to the next, with settings of its own."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from data.errors import DatabaseNotReady
from data.store import Store

ORPHAN = (
    "insert into event (key, reader_id, article_id, kind, at, received_at, batch) values ('e1', 7, 7, 'read', 0, 0, 1)"
)


def _driver(connection: Any) -> Any:
    return connection.connection.driver_connection


def test_a_transaction_of_known_finds_the_connection_of_the_last_one(store: Store) -> None:
    with store.transaction_of_known() as connection:
        first = _driver(connection)
    with store.reading() as other, store.reading() as another:
        assert first not in (_driver(other), _driver(another))
    with store.transaction() as other:
        assert _driver(other) is not first
    with store.transaction_of_known() as connection:
        assert _driver(connection) is first


def test_foreign_keys_hold_for_everybody_else(sqlite_store: Store) -> None:
    with sqlite_store.transaction_of_known() as connection:
        assert connection.exec_driver_sql("pragma foreign_keys").scalar() == 0
    with pytest.raises(IntegrityError), sqlite_store.transaction() as connection:
        connection.exec_driver_sql(ORPHAN)


def test_plans_of_postgres_avoid_reading_whole_tables_only_where_events_are_appended(store: Store) -> None:
    if not store.is_postgres:
        pytest.skip("SQLite has no such setting")
    for _ in range(2):  # also after the connection went back and came again
        with store.transaction_of_known() as connection:
            assert connection.exec_driver_sql("show enable_seqscan").scalar() == "off"
    with store.transaction() as connection:
        assert connection.exec_driver_sql("show enable_seqscan").scalar() == "on"


def test_what_fails_in_a_transaction_of_known_leaves_nothing_and_the_next_one_goes_on(store: Store) -> None:
    with pytest.raises(RuntimeError):
        _fail_half_way(store)
    assert store.event_batch() == 0
    with store.transaction_of_known() as connection:
        connection.exec_driver_sql("update counter set value = 5 where name = 'event'")
    assert store.event_batch() == 5


def _fail_half_way(store: Store) -> None:
    with store.transaction_of_known() as connection:
        connection.exec_driver_sql("update counter set value = 99 where name = 'event'")
        raise RuntimeError


def test_appending_to_a_database_without_tables_says_what_to_do(tmp_path: Any) -> None:
    with (
        Store.open(f"sqlite:///{tmp_path / 'none.db'}") as store,
        pytest.raises(DatabaseNotReady, match="newsbell init"),
        store.transaction_of_known() as connection,
    ):
        connection.exec_driver_sql("select * from event")
