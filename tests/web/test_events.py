"""POST events, and what the next list makes of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import httpx
import pytest

from data.sample import generate

Make = Callable[..., dict[str, Any]]


def test_events_are_accepted_once(client: httpx.Client, item: Make, event: Make) -> None:
    client.put("/v1/articles", json=[item("a1")])
    batch = [event("e1"), event("e2", kind="finish", dwell_s=31.5)]
    answer = client.post("/v1/events", json=batch)
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "duplicate": 0, "rejected": []}
    assert client.post("/v1/events", json=batch).json() == {"accepted": 0, "duplicate": 2, "rejected": []}


def test_wrong_events_are_named_and_keep_no_good_one_out(client: httpx.Client, item: Make, event: Make) -> None:
    client.put("/v1/articles", json=[item("a1")])
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    batch = [
        event("e0", dwell_s=-1),
        event("e1", at=ahead),
        event("e2", article="nobody-put-this"),
        event("e3", at="2026-03-01T08:00:00"),
        event("e4", kind="glance"),
        event("e5"),
        {},
    ]
    answer = client.post("/v1/events", json=batch).json()
    assert answer["accepted"] == 1
    rejected = {entry["index"]: entry["reason"] for entry in answer["rejected"]}
    assert list(rejected) == [0, 1, 2, 3, 4, 6]
    for index, word in {0: "dwell_s", 1: "at", 2: "article", 3: "offset", 4: "kind", 6: "id"}.items():
        assert word in rejected[index]


def test_a_read_is_out_of_the_very_next_list_and_bends_it(stocked: httpx.Client, event: Make) -> None:
    before = listed(stocked)
    read = before[2]
    stocked.post("/v1/events", json=[event("e1", article=read["article_id"], reader="fresh")])
    after = listed(stocked)
    assert read["article_id"] not in {card["article_id"] for card in after}
    assert {card["parts"]["similarity"] for card in before} == {0.0}
    alike = mean(card["parts"]["similarity"] for card in after if card["category"] == read["category"])
    assert alike > mean(card["parts"]["similarity"] for card in after if card["category"] != read["category"])


def test_each_of_many_reads_is_felt_at_once(stocked: httpx.Client, event: Make) -> None:
    seen = set()
    for number in range(30):
        first = listed(stocked)[0]["article_id"]
        assert first not in seen
        seen.add(first)
        stocked.post("/v1/events", json=[event(f"e{number}", article=first, reader="fresh")])


@pytest.fixture
def stocked(newsroom: Any) -> httpx.Client:
    """A client of a newsroom that holds the sample's articles."""
    now = datetime.now(UTC)
    client: httpx.Client = newsroom.client("operator")
    articles = [one.model_dump(mode="json") for one in generate(seed=1, now=now).articles]
    assert client.put("/v1/articles", json=articles).json()["rejected"] == []
    return client


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/v1/readers/fresh/for-you?limit=100&explain=true").json()["items"]
    return items
