"""POST events, and what the next list makes of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

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


def test_a_read_is_out_of_the_very_next_list_and_bends_it(client: httpx.Client, item: Make, event: Make) -> None:
    client.put("/v1/articles", json=two_subjects(item))
    before = listed(client)
    client.post("/v1/events", json=[event("e1", article="tram-0")])
    after = listed(client)
    assert "tram-0" in before
    assert "tram-0" not in after
    assert similarity(client, "tram-1") > similarity(client, "chess-1")


def test_each_of_many_reads_is_felt_at_once(client: httpx.Client, item: Make, event: Make) -> None:
    client.put("/v1/articles", json=two_subjects(item))
    for number in range(len(TEXTS)):
        (first, *_) = listed(client)
        client.post("/v1/events", json=[event(f"e{number}", article=first)])
        assert first not in listed(client)


TEXTS = {
    "tram-0": (
        "Tram drivers get new timetable",
        "The tram depot adds drivers so that each tram leaves every six minutes.",
    ),
    "tram-1": (
        "City orders forty low-floor trams",
        "A tram with low floors lets wheelchairs roll on; the depot needs longer tracks.",
    ),
    "tram-2": (
        "Night trams return on weekends",
        "After years of night buses the tram runs until four, with two drivers a shift.",
    ),
    "chess-0": (
        "Bishop ending decides chess final",
        "The champion gave up a pawn and won the chess final after seven hours.",
    ),
    "chess-1": (
        "Girl of nine beats grandmaster",
        "A knight fork in the opening cost the grandmaster his queen and the game.",
    ),
    "chess-2": (
        "Schools put chess on the syllabus",
        "Pupils learn openings and endgames, and teachers report calmer classrooms.",
    ),
}


def two_subjects(item: Make) -> list[dict[str, Any]]:
    """Three articles on trams, three on chess, each its own story."""
    return [item(key, title=title, body=body) for key, (title, body) in TEXTS.items()]


def listed(client: httpx.Client) -> list[str]:
    items = client.get("/v1/readers/r1/for-you", params={"limit": 100}).json()["items"]
    return [card["article_id"] for card in items]


def similarity(client: httpx.Client, article: str) -> float:
    answer = client.get("/v1/readers/r1/for-you", params={"limit": 100, "explain": True}).json()
    return float(next(card["parts"]["similarity"] for card in answer["items"] if card["article_id"] == article))
