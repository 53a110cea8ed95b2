"""Continuing a list: the same one on every worker for 30 minutes, whatever arrives; and logged as it was served."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine

from data.clock import SystemClock
from data.store import Store

Make = Callable[..., dict[str, Any]]
SYLLABLES = (
    "ba",
    "ke",
    "lo",
    "mi",
    "nu",
    "ra",
    "se",
    "ti",
    "vo",
    "wa",
    "cha",
    "dre",
    "fli",
    "gro",
    "pla",
    "sku",
    "tra",
)


def subject(random_: random.Random) -> str:
    """Words nobody else uses, so that every article is a story of its own, and two that many use."""
    own = ["".join(random_.choices(SYLLABLES, k=4)) for _ in range(7)]
    return " ".join([*own, *random_.sample(("harbour", "council", "match", "storm"), 2)])


def numbered(item: Make, number: int, random_: random.Random) -> dict[str, Any]:
    """An article on a mixed-up subject, of one of nine outlets and four sections."""
    at = SystemClock().now() - timedelta(minutes=random_.randrange(2, 5_000))
    title = subject(random_)
    return item(
        f"n{number}",
        title=title,
        body=f"{title}. {subject(random_)}. {subject(random_)}.",
        published_at=at.isoformat(),
        source={"id": f"s{number % 9}", "name": f"Outlet {number % 9}"},
        category=f"c{number % 4}",
    )


class Room:
    """Two workers over one store, and what arrives while readers scroll."""

    def __init__(self, workers: list[httpx.Client], item: Make, event: Make, seed: int) -> None:
        self.workers, self.item, self.event, self.random = workers, item, event, random.Random(seed)
        self.count = 0

    def publish(self, many: int) -> None:
        batch = [numbered(self.item, self.count + one, self.random) for one in range(many)]
        self.count += many
        assert self.random.choice(self.workers).put("/v1/articles", json=batch).json()["rejected"] == []

    def read(self, reader: str, articles: list[str]) -> None:
        kinds = ("read", "finish", "impression", "open")
        batch = [
            self.event(f"{reader}-{self.random.random()}", reader=reader, article=one, kind=self.random.choice(kinds))
            for one in articles
        ]
        assert self.random.choice(self.workers).post("/v1/events", json=batch).json()["accepted"] == len(batch)

    def page(self, reader: str, **query: Any) -> dict[str, Any]:
        answer = self.random.choice(self.workers).get(f"/v1/readers/{reader}/for-you", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def room(sqlite_store: Store, newsroom_over: Any, item: Make, event: Make) -> Iterator[Room]:
    with newsroom_over(sqlite_store) as here, newsroom_over(sqlite_store) as there:
        made = Room([here.client("operator"), there.client("operator")], item, event, seed=1)
        made.publish(260)
        for worker in made.workers:  # a write makes a worker look at the rows at once
            worker.put("/v1/articles", json=[numbered(item, 0, random.Random(1))])
        yield made


@contextmanager
def arriving(room: Room) -> Iterator[None]:
    """Articles and reads of everybody arrive all the time."""
    stop = threading.Event()

    def run() -> None:
        other = Room(room.workers, room.item, room.event, seed=2)
        other.count = 1_000_000
        while not stop.wait(0.02):
            other.publish(2)
            other.read("somebody", [f"n{other.random.randrange(260)}" for _ in range(5)])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ids(page: dict[str, Any]) -> list[str]:
    return [card["article_id"] for card in page["items"]]


def scroll(room: Room, reader: str) -> int:
    """One session: scroll to the end while things arrive, and again from the same cursor; how many pages it took."""
    first = room.page(reader, limit=room.random.randrange(3, 25))
    rest = ids(room.page(reader, cursor=first["next"], limit=100)) if first["next"] else []
    seen, page, pages = ids(first), first, 1
    while page["next"]:
        room.read(reader, [*room.random.sample(seen, 2), *room.random.sample(rest, min(2, len(rest)))])
        page = room.page(reader, cursor=page["next"], limit=room.random.randrange(1, 40))
        assert page["served_id"] == first["served_id"]
        seen += ids(page)
        pages += 1
    assert len(seen) == len(set(seen))  # nothing twice
    assert seen[len(first["items"]) :][: len(rest)] == rest  # nothing left out, nothing moved
    assert len(seen) > 50
    return pages


def run_sessions(room: Room, sessions: int) -> int:
    with arriving(room):
        return sum(scroll(room, f"reader-{session}") for session in range(sessions))


def test_a_list_goes_on_as_it_was_begun_whatever_arrives(room: Room) -> None:
    assert run_sessions(room, 12) >= 60


def test_a_new_first_page_is_fresh(room: Room) -> None:
    first = room.page("r", limit=5)
    fresh = room.item("fresh", title="Comet over the bay", body="Comet seen.", news_value=5, published_at=now())
    for worker in room.workers:
        worker.put("/v1/articles", json=[fresh])
    room.read("r", ids(first))
    again = room.page("r", limit=100)
    assert "fresh" in ids(again)
    assert not set(ids(first)) & set(ids(again)[:5])
    assert again["served_id"] != first["served_id"]
    assert "fresh" not in ids(room.page("r", cursor=first["next"], limit=100))


def now() -> str:
    return (SystemClock().now() - timedelta(minutes=1)).isoformat()


def test_what_is_taken_back_hidden_muted_or_excluded_leaves_the_pages_to_come(room: Room) -> None:
    first = room.page("r", limit=5)
    rest = ids(room.page("r", cursor=first["next"], limit=100))
    taken, hidden, unwanted, read = rest[0], rest[1], rest[2], rest[3]
    worker = room.workers[0]
    assert worker.delete(f"/v1/articles/{taken}").status_code == 204
    worker.post("/v1/events", json=[room.event("hide", reader="r", article=hidden, kind="hide")])
    room.read("r", [read])
    worker.patch("/v1/readers/r", json={"add": {"muted_sources": ["s1"]}})
    time.sleep(1)  # the other worker follows
    page = room.page("r", cursor=first["next"], limit=100, exclude=[unwanted])
    left = ids(page)
    assert not {taken, hidden, unwanted} & set(left)
    assert read in left
    assert "s1" not in {card["source"]["id"] for card in page["items"]}
    kept = [one for one in rest if one in set(left)]
    assert left[: len(kept)] == kept


def test_a_cursor_is_good_for_its_reader_and_filters_alone_and_for_half_an_hour(room: Room) -> None:
    first = room.page("r", limit=5, category="c1")
    cursor, worker = first["next"], room.workers[0]

    def status(reader: str = "r", **query: Any) -> int:
        given = {"category": "c1", "cursor": cursor} | query
        return worker.get(f"/v1/readers/{reader}/for-you", params=given).status_code

    assert status() == 200
    assert status(reader="other") == 422
    assert status(category="c2") == 422
    for forged in ("x", "A" * 80, cursor[:-3] + "AAA", cursor + "A", "é", cursor[:40], "=" * 5):
        assert status(cursor=forged) == 422
    with time_machine.travel(SystemClock().now() + timedelta(minutes=29)):
        assert status() == 200
    with time_machine.travel(SystemClock().now() + timedelta(minutes=31)):
        assert status() == 410


def test_every_page_is_logged_with_its_places_and_weights(room: Room, sqlite_store: Store) -> None:
    sqlite_store.put_readers([], now=SystemClock().now())
    room.read("r", ["n1"])
    first = room.page("r", limit=5)
    second = room.page("r", limit=7, cursor=first["next"])
    beside = room.workers[0].get("/v1/articles/n1/related").json()
    until = time.monotonic() + 10
    while len(pages := sqlite_store.served(first["served_id"])) < 2 or not sqlite_store.served(beside["served_id"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    numbers = sqlite_store.article_ids([*ids(first), *ids(second), *ids(beside), "n1"])
    assert [page.first for page in pages] == [0, 5]
    assert [page.surface for page in pages] == ["for_you", "for_you"]
    assert list(pages[0].article_ids) == [numbers[one] for one in ids(first)]
    assert list(pages[1].article_ids) == [numbers[one] for one in ids(second)]
    row = sqlite_store.reader("r")
    assert row
    assert {page.reader_id for page in pages} == {row.id}
    (related,) = sqlite_store.served(beside["served_id"])
    assert (related.surface, related.article_id) == ("related", numbers["n1"])
    assert list(related.article_ids) == [numbers[one] for one in ids(beside)]
    live = sqlite_store.live_weights("for_you")
    assert pages[0].weight_version == (live.version if live else 0)


@pytest.mark.stress
def test_a_thousand_sessions_scroll_without_repeats_or_holes(room: Room) -> None:
    assert run_sessions(room, 1_000) >= 5_000
