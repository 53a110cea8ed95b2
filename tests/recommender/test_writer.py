"""Group commit: posts of the same time share a transaction, each with its own result; what was told is on disk."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from data.clock import FixedClock
from data.errors import Overloaded
from data.event_lines import EventLine
from data.store import Store
from data.values import ServedPage
from recommender.observe import Observer
from recommender.writer import Writer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_US = int(NOW.timestamp() * 1e6)


class Heard(Observer):
    def __init__(self) -> None:
        self.groups: list[int] = []
        self.observer = self

    def written(self, posts: int, events: int, seconds: float) -> None:
        self.groups.append(posts)


def line(key: str, article: str = "a1", at_us: int = AT_US) -> EventLine:
    return EventLine(key, "r1", article, "read", at_us)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def writer(store: Store, heard: Heard, article: Any) -> Iterator[Writer]:
    store.put_articles([article("a1")], now=NOW)
    made = Writer(store, FixedClock(NOW), heard)
    made.start()
    yield made
    made.stop()


def together(writer: Writer, posts: Sequence[Sequence[EventLine]]) -> list[Any]:
    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(writer.add(post) for post in posts), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_posts_of_the_same_time_share_a_transaction_and_each_gets_its_own_counts(writer: Writer, heard: Heard) -> None:
    posts = [[line(f"e{number}"), line("shared"), line(f"u{number}", "nobody-put-this")] for number in range(40)]
    results = together(writer, posts)
    assert sum(one.accepted for one in results) == 41
    assert sum(one.duplicate for one in results) == 39
    assert all([index for index, _ in one.rejected] == [2] for one in results)
    writer.stop()
    assert sum(heard.groups) == 40
    assert len(heard.groups) < 40


def test_what_is_told_is_committed(writer: Writer) -> None:
    assert writer.submit([line("e1")]).result(10).accepted == 1
    assert writer.store.count_events() == 1
    assert writer.submit([line("e1"), line("e2")]).result(10).duplicate == 1


def test_one_post_that_fails_takes_no_other_down(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    append, busy = writer.store.append_events, threading.Event()

    def picky(posts: Sequence[Sequence[EventLine]], *, now: datetime) -> Any:
        busy.wait(10)
        if any(one.id == "bad" for post in posts for one in post):
            raise RuntimeError("this one cannot be written")
        return append(posts, now=now)

    monkeypatch.setattr(writer.store, "append_events", picky)
    waiting = [writer.submit([line(key)]) for key in ("first", "e1", "bad", "e2")]
    busy.set()
    assert [waiting[place].result(10).accepted for place in (0, 1, 3)] == [1, 1, 1]
    with pytest.raises(RuntimeError):
        waiting[2].result(10)
    assert writer.store.count_events() == 3


def test_stopping_writes_what_waits_and_refuses_what_comes_later(writer: Writer) -> None:
    waiting = [writer.submit([line(f"e{number}")]) for number in range(20)]
    writer.note(ServedPage("list", "for_you", None, None, NOW, 0, (1,), 1))
    writer.stop()
    assert sum(one.result(0).accepted for one in waiting) == 20
    assert len(writer.store.served("list")) == 1
    with pytest.raises(Overloaded):
        writer.submit([line("late")])


def test_too_many_waiting_are_refused_with_a_word_on_what_to_do(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.writer.MOST_WAITING", -1)
    with pytest.raises(Overloaded, match="again"):
        writer.submit([line("e1")])


def test_a_reader_erased_between_two_posts_is_a_new_one(writer: Writer) -> None:
    writer.submit([line("e1")]).result(10)
    writer.store.erase_reader("r1")
    assert writer.submit([line("e2")]).result(10).accepted == 1
    assert [event["key"] for event in writer.store.export_reader("r1")["events"]] == ["e2"]
