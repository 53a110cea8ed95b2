"""Who leads, on SQLite and PostgreSQL."""

import threading
from datetime import UTC, datetime, timedelta

from data.leases import LEADER, Leases
from data.store import Store

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_one_holds_a_lease_until_it_ends(store: Store) -> None:
    leases = Leases(store)
    first = leases.acquire(LEADER, "one", now=NOW, ttl_s=10)
    assert first is not None
    assert leases.acquire(LEADER, "two", now=NOW + timedelta(seconds=9), ttl_s=10) is None
    assert leases.acquire(LEADER, "one", now=NOW + timedelta(seconds=9), ttl_s=10) == first
    assert leases.acquire(LEADER, "two", now=NOW + timedelta(seconds=18), ttl_s=10) is None
    assert leases.acquire(LEADER, "two", now=NOW + timedelta(seconds=19), ttl_s=10) == first + 1
    assert leases.acquire(LEADER, "one", now=NOW + timedelta(seconds=20), ttl_s=10) is None


def test_a_lease_given_back_is_free_at_once_with_a_new_fence(store: Store) -> None:
    leases = Leases(store)
    first = leases.acquire(LEADER, "one", now=NOW, ttl_s=10)
    leases.release(LEADER, "one", now=NOW)
    second = leases.acquire(LEADER, "two", now=NOW, ttl_s=10)
    assert first is not None
    assert second == first + 1
    assert leases.holder(LEADER) == ("two", second, NOW + timedelta(seconds=10))


def test_of_many_who_ask_at_once_one_leads(store: Store) -> None:
    found: list[int | None] = []
    leases = Leases(store)

    def ask(name: str) -> None:
        found.append(leases.acquire(LEADER, name, now=NOW, ttl_s=10))

    threads = [threading.Thread(target=ask, args=(f"holder-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [1, None, None, None, None, None]
