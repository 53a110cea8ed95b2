"""Readers and histories as arrays say what the rows say, on each database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from data.store import Store
from data.values import CHOICES, ReaderColumns
from data.wire import ArticleIn, EventIn, ReaderIn

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def filled(store: Store, article: Callable[..., ArticleIn]) -> Store:
    """Five readers of three zones; the first has done nothing, the others more and more."""
    store.put_articles([article(f"a{number}") for number in range(4)], now=NOW)
    zones = ["UTC", "Asia/Tokyo", "UTC", "Europe/Prague", "UTC"]
    lists = [{}, {"muted_topics": ["Sport", "ärger"]}, {"followed_stories": ["7"]}, {}, {"muted_sources": ["s1"]}]
    store.put_readers(
        [ReaderIn(id=f"r{n}", zone=zone, language="da" if n % 2 else "en", push=n != 2, quiet_from="21:30", **lists[n])
         for n, zone in enumerate(zones)],
        now=NOW,
    )  # fmt: skip
    kinds = ["read", "impression", "open", "hide", "finish"]
    events = [
        EventIn(
            id=f"e{reader}-{number}", reader=f"r{reader}", article=f"a{number % 4}", kind=kinds[(reader + number) % 5],
            at=NOW - timedelta(minutes=number // 2), dwell_s=None if number % 3 else 1.5 * number,
        )
        for reader in range(1, 5)
        for number in range(6 * reader)
    ]  # fmt: skip
    assert store.add_events(events[::-1], now=NOW).accepted == len(events)
    return store


@pytest.mark.parametrize("limit", [200, 3])
@pytest.mark.parametrize("until", [None, NOW - timedelta(minutes=2)])
def test_histories_as_columns_are_those_by_rows(filled: Store, limit: int, until: datetime | None) -> None:
    ids = np.array([5, 1, 99, 3, 2], np.int64)
    found = filled.history_columns(ids, limit=limit, until=until)
    expected = filled.histories(ids, limit=limit, until=until)
    for name in ("reader_id", "indptr", "article_id", "at_us", "kind", "dwell_s"):
        assert getattr(found, name).dtype == getattr(expected, name).dtype
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=name == "dwell_s")


def test_nobody_has_an_empty_history(filled: Store) -> None:
    found = filled.history_columns(np.zeros(0, np.int64))
    assert (len(found.reader_id), found.indptr.tolist(), len(found.article_id)) == (0, [0], 0)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_readers_as_columns_are_the_rows_of_their_zones(filled: Store, size: int) -> None:
    rows = {row.id: row for page in filled.reader_pages() for row in page if row.zone != "Europe/Prague"}
    pages = list(filled.reader_column_pages(["UTC", "Asia/Tokyo"], size=size))
    assert max(map(len, pages)) <= size
    assert [int(one) for page in pages for one in page.id] == list(rows)
    for page in pages:
        same_readers(page, ReaderColumns.of([rows[int(one)] for one in page.id]))


def test_no_zone_has_no_readers(filled: Store) -> None:
    assert list(filled.reader_column_pages([], size=10)) == []


def test_some_of_the_columns_are_the_columns_of_some(filled: Store) -> None:
    rows = [row for page in filled.reader_pages() for row in page]
    same_readers(ReaderColumns.of(rows).take(np.array([4, 1])), ReaderColumns.of([rows[4], rows[1]]))


def same_readers(found: ReaderColumns, expected: ReaderColumns) -> None:
    assert list(found.key) == list(expected.key)
    assert [found.zone_of(row) for row in range(len(found))] == [expected.zone_of(row) for row in range(len(found))]
    for name in ("id", "push", "quiet_from_s", "quiet_until_s", "daily_cap"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    for name in CHOICES:
        assert getattr(found, name) == getattr(expected, name)
    languages = [[one.languages[code] for code in one.language] for one in (found, expected)]
    assert languages[0] == languages[1]
