"""A million inputs to the intake of events and articles: no crash, no half-written batch, every item counted once."""

import json
import os
import random
import string
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from data.errors import NewsbellError
from data.event_lines import read_each
from data.store import Store
from data.wire import ArticleIn
from recommender.web.bodies import as_list, check_each, decoded
from recommender.web.hot import read_events

FEW, MANY = 5_000, 1_000_000
WRITTEN_EVERY = 20  # of the readable batches one in so many goes to the database too
EVENT = {"id": "e", "reader": "r1", "article": "a1", "kind": "read", "at": "2026-03-01T08:00:00Z", "dwell_s": 3.5}
ARTICLE = {
    "id": "a",
    "url": "https://news.example/x",
    "title": "Title",
    "published_at": "2026-03-01T08:00:00Z",
    "source": {"id": "s", "name": "S"},
    "topics": ["t"],
    "body": "<p>Text</p>",
}
SCRAPS: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 1.5, 1e308, -0.0, 86_400.1),
    *("", " ", "\x00", "\ud7ff", "é" * 201, "x" * 201, "\u202e", "𝔘", "a1", "r1", "impression", "less_like_this"),
    *("2026-03-01T08:00:00", "2026-13-01T00:00:00Z", "1700-01-01T00:00:00Z", "2026-03-01T08:00:00.1234567+23:59"),
    *("'; drop table event; --", "{{7*7}}", "<script>", "javascript:alert(1)", "http://[::1", "https://x/\n"),
    *([], {}, [[]], {"id": {}}, ["x"] * 101, {"id": "s"}, [None]),
]


def changed(item: dict[str, Any], rng: random.Random) -> Any:
    """An item with fields replaced, dropped, added; sometimes no item at all."""
    if rng.random() < 0.05:
        return rng.choice(SCRAPS)
    made = item | {"id": f"{item['id']}{rng.randrange(50_000)}"}
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        name = rng.choice([*made, "extra", "position", "served_id", "language", "news_value"])
        if rng.random() < 0.2:
            made.pop(name, None)
        else:
            made[name] = rng.choice(SCRAPS)
    return made


def body(item: dict[str, Any], many: int, rng: random.Random) -> bytes:
    """A batch as bytes; one in eight is damaged as text."""
    raw = bytearray(json.dumps([changed(item, rng) for _ in range(many)]).encode())
    if rng.random() < 1 / 8:
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(raw))
            if rng.random() < 0.5:
                raw[at] = rng.randrange(256)
            else:
                raw[at:at] = rng.choice((b"[", b"]", b"{", b'"', b"\\", b"\xff", b"0", b",", b"1e999", b"null"))
    return bytes(raw)


def read_articles(raw: bytes) -> tuple[list[ArticleIn], int, int]:
    checked = check_each(ArticleIn, as_list(decoded(raw)))
    return checked.good, len(checked.positions), len(checked.rejected)


def fuzz(store: Store, inputs: int, seed: int) -> dict[str, int]:
    """Feed `inputs` items in batches; returns what became of them."""
    rng = random.Random(seed)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    store.put_articles([ArticleIn.model_validate(ARTICLE | {"id": "a1"})], now=now)
    counts = {"batches": 0, "unreadable": 0, "good": 0, "rejected": 0, "written": 0}
    left = inputs
    while left > 0:
        many = rng.randrange(1, 60)
        left -= many
        counts["batches"] += 1
        try:
            if rng.random() < 0.8:
                feed_events(store, body(EVENT, many, rng), counts, now)
            else:
                feed_articles(store, body(ARTICLE, many, rng), counts, now)
        except (NewsbellError, HTTPException):
            counts["unreadable"] += 1
    return counts


def feed_events(store: Store, raw: bytes, counts: dict[str, int], now: datetime) -> None:
    lines = read_events(raw)
    assert lines == read_each(msgspec.json.decode(raw))  # the quick way and the thorough way agree
    note(counts, len(lines.good), len(lines.rejected))
    if lines.good and counts["batches"] % WRITTEN_EVERY == 0:
        before = store.count_events()
        result = store.append_events([lines.good], now=now)[0]
        assert result.accepted + result.duplicate + len(result.rejected) == len(lines.good)
        assert store.count_events() == before + result.accepted
        counts["written"] += result.accepted


def feed_articles(store: Store, raw: bytes, counts: dict[str, int], now: datetime) -> None:
    good, placed, rejected = read_articles(raw)
    assert placed == len(good)
    note(counts, placed, rejected)
    if good and counts["batches"] % WRITTEN_EVERY == 0:
        before = store.count_articles()
        result = store.put_articles(good, now=now)
        assert result.new + result.changed + result.same + len(result.rejected) == len(good)
        assert store.count_articles() == before + result.new
        counts["written"] += result.new


def note(counts: dict[str, int], good: int, rejected: int) -> None:
    counts["good"] += good
    counts["rejected"] += rejected


def test_some_thousand_inputs_are_counted_or_refused(store: Store) -> None:
    counts = fuzz(store, FEW, seed=1)
    assert min(counts.values()) > 0


@pytest.mark.stress
def test_a_million_inputs_are_counted_or_refused(store: Store) -> None:
    counts = fuzz(store, MANY, seed=int(os.environ.get("SEED", "1")))
    sys.stdout.write(f"{MANY:,} inputs: {counts}\n")


@settings(max_examples=300)
@given(raw=st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode))
def test_bytes_of_any_kind_are_read_or_refused(raw: bytes) -> None:
    try:
        read = read_events(raw)
    except (NewsbellError, HTTPException):
        return
    assert len(read.good) + len(read.rejected) == len(json.loads(raw))
