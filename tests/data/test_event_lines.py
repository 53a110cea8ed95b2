"""The quick way to read events takes what `EventIn` takes, with the same values, and refuses with the same words."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.event_lines import EventLine, read_each, read_quickly
from data.wire import EventIn

GOOD = {"id": "e1", "reader": "r1", "article": "a1", "kind": "read", "at": "2026-03-01T08:00:00Z"}
TIMES = [
    "2026-03-01T08:00:00Z",
    "2026-03-01T08:00:00+01:00",
    "2026-03-01 08:00:00.123456789-05:30",
    "2026-03-01T08:00:00",
    "20260301T080000Z",
    "2026-03-01t08:00:00z",
    "2026-W09-7T08:00:00Z",
    " 2026-03-01T08:00:00Z ",
    "1799-12-31T23:59:59Z",
    "1800-01-01T00:00:00Z",
    "2200-01-01T00:00:00Z",
    "2200-01-01T00:00:00.000001Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-03-01T08:00:60Z",
    "yesterday",
    "",
]
NUMBERS: list[Any] = [0, 1, 1.0, 1.5, -1, 86_400, 86_401, 10_000, 10_001, "7", "7.5", True, None, 2**70, -0.0, 1e300]
WORDS: list[Any] = ["x", "a b", " a", "", "é", "\x00", "a\tb", "x" * 200, "x" * 201, "東京", None, 3, ["x"], {"x": 1}]
FIELDS = {
    **dict.fromkeys(("id", "reader", "article", "served_id", "surface", "delivery_id"), WORDS),
    "kind": ["read", "hide", "glance", "", 1, None],
    "at": [*TIMES, 0, None],
    "dwell_s": NUMBERS,
    "position": NUMBERS,
    "extra": [1, None],
}
changes = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(FIELDS[name]) for name in names})
)
items = st.builds(lambda new, drop: {k: v for k, v in (GOOD | new).items() if k not in drop}, changes, st.sets(
    st.sampled_from(sorted(GOOD)), max_size=1
))  # fmt: skip


@settings(max_examples=600)
@given(batch=st.lists(items, max_size=4))
def test_both_ways_read_the_same(batch: list[Any]) -> None:
    body = json.dumps(batch).encode()
    quick = read_quickly(body)
    assert quick is None or quick == read_each(msgspec.json.decode(body))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_both_ways_read_the_same_field_by_field(name: str) -> None:
    for value in FIELDS[name]:
        body = json.dumps([GOOD | {name: value}]).encode()
        quick, each = read_quickly(body), read_each(msgspec.json.decode(body))
        assert quick is None or quick == each


def test_what_most_clients_send_is_read_quickly() -> None:
    usual = GOOD | {"dwell_s": 12.5, "served_id": "8f" * 16, "position": 3, "surface": "for_you", "delivery_id": "d1"}
    read = read_quickly(json.dumps([usual, GOOD | {"id": "e2", "article": "kožená židle"}]).encode())
    assert read is not None
    assert read.good[0] == EventLine.of(EventIn.model_validate(usual))
    assert read.good[0].at_us == int(datetime(2026, 3, 1, 8, tzinfo=UTC).timestamp() * 1e6)
    assert [line.article for line in read.good] == ["a1", "kožená židle"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[", b"\xff", b"[" * 100_000, b"[NaN]", b'["\\ud800"]'])
def test_what_is_no_list_of_events_is_left_to_the_thorough_way(body: bytes) -> None:
    assert read_quickly(body) is None
