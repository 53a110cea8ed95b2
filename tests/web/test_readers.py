"""Readers' choices and devices over the API."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]
PATH = "/v1/readers/reader-1"


def test_choices_are_kept_whole_and_defaults_fill_the_rest(client: httpx.Client) -> None:
    given = {"zone": "Europe/Prague", "language": "cs", "followed_topics": ["trams"], "quiet_until": "06:30"}
    answer = client.put(PATH, json=given)
    assert answer.status_code == 200
    assert client.get(PATH).json() == answer.json()
    assert answer.json()["id"] == "reader-1"
    assert {name: answer.json()[name] for name in given} == given
    assert client.put(PATH, json={}).json()["zone"] == "UTC"


def test_each_wrong_field_is_named(client: httpx.Client) -> None:
    answer = client.put(PATH, json={"zone": "Middle/Earth", "daily_cap": -1, "colour": "red"})
    assert answer.status_code == 422
    faults = {fault["where"]: fault["message"] for fault in answer.json()["errors"]}
    assert set(faults) == {"zone", "daily_cap", "colour"}
    assert "Europe/Prague" in faults["zone"]
    assert client.get(PATH).status_code == 404


def test_the_body_may_repeat_the_id_but_not_change_it(client: httpx.Client) -> None:
    assert client.put(PATH, json={"id": "reader-1"}).status_code == 200
    assert client.put(PATH, json={"id": "reader-2"}).status_code == 422
    assert client.get("/v1/readers/reader-2").status_code == 404


def test_a_device_is_registered_and_forgotten(client: httpx.Client) -> None:
    device = f"{PATH}/devices/fid-1"
    assert client.put(device, json={"platform": "android", "app_version": "4.2"}).status_code == 204
    assert client.get(PATH).status_code == 200  # registering makes the reader known
    assert client.delete(device).status_code == 204
    assert client.delete(device).status_code == 404
    assert client.put(device, json={"platform": "fridge"}).status_code == 422


def test_a_reader_nobody_has_seen_gets_a_list(client: httpx.Client) -> None:
    answer = client.get("/v1/readers/somebody/for-you")
    assert answer.status_code == 200
    assert answer.json()["items"] == []


def test_choices_change_one_by_one_and_back(client: httpx.Client) -> None:
    before = client.put(PATH, json={"zone": "Europe/Prague", "followed_topics": ["trams"]}).json()
    change = {"push": False, "add": {"muted_sources": ["s1"]}, "remove": {"followed_topics": ["trams"]}}
    after = client.patch(PATH, json=change).json()
    assert after == before | {"push": False, "muted_sources": ["s1"], "followed_topics": []}
    undo = {"push": None, "remove": {"muted_sources": ["s1"]}, "add": {"followed_topics": ["trams"]}}
    assert client.patch(PATH, json=undo).json() == before
    wrong = client.patch(PATH, json={"zone": "Nowhere", "add": {"colour": ["red"]}})
    assert {fault["where"] for fault in wrong.json()["errors"]} == {"zone", "add.colour"}
    assert client.get(PATH).json() == before


def test_everything_held_is_handed_out_and_then_erased(client: httpx.Client, item: Make, event: Make) -> None:
    client.put("/v1/articles", json=[item("a1")])
    client.put(f"{PATH}/devices/fid-1", json={"platform": "ios"})
    client.post("/v1/events", json=[event("e1", reader="reader-1")])
    held = client.get(f"{PATH}?export=true").json()
    assert [one["fid"] for one in held["devices"]] == ["fid-1"]
    assert [one["article"] for one in held["events"]] == ["a1"]
    assert client.delete(PATH).status_code == 204
    assert client.get(PATH).status_code == 404
    assert client.get(f"{PATH}?export=true").status_code == 404
    assert client.delete(PATH).status_code == 404
    assert [card["article_id"] for card in listed(client)] == ["a1"]


@pytest.mark.parametrize(
    ("act", "undo"),
    [
        ({"kind": "hide"}, None),
        ({"kind": "less_like_this"}, None),
        ({"kind": "read"}, None),
        ({"add": {"muted_sources": ["ferry-post"]}}, {"remove": {"muted_sources": ["ferry-post"]}}),
        ({"add": {"muted_topics": ["sea"]}}, {"remove": {"muted_topics": ["sea"]}}),
    ],
)
def test_what_a_reader_does_changes_the_next_list_and_can_be_undone(
    client: httpx.Client, item: Make, event: Make, act: dict[str, object], undo: dict[str, object] | None
) -> None:
    ferry = item(
        "a2", title="Ferry workers vote", body="On the quay.", category="sea", source={"id": "ferry-post", "name": "F"}
    )
    client.put("/v1/articles", json=[item("a1"), ferry])
    client.put(PATH, json={})
    before = [card["article_id"] for card in listed(client)]
    assert set(before) == {"a1", "a2"}
    if undo is None:
        client.post("/v1/events", json=[event("e1", reader="reader-1", article="a2", **act)])
    else:
        client.patch(PATH, json=act)
    assert [card["article_id"] for card in listed(client)] == ["a1"]
    if undo is None:
        assert client.delete("/v1/events/e1").status_code == 204
        assert client.delete("/v1/events/e1").status_code == 404
    else:
        client.patch(PATH, json=undo)
    assert [card["article_id"] for card in listed(client)] == before


def test_a_followed_topic_is_the_reason_in_the_next_list_until_it_is_not(client: httpx.Client, item: Make) -> None:
    client.put("/v1/articles", json=[item("a1"), item("a2", title="Ferry workers vote", body="Quay.", category="sea")])
    assert client.patch(PATH, json={"add": {"followed_topics": ["sea"]}}).status_code == 404
    client.put(PATH, json={})
    client.patch(PATH, json={"add": {"followed_topics": ["sea"]}})
    assert ["which you follow" in card["why"] for card in listed(client) if card["article_id"] == "a2"] == [True]
    client.patch(PATH, json={"remove": {"followed_topics": ["sea"]}})
    assert not any("which you follow" in card["why"] for card in listed(client))


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"{PATH}/for-you").json()["items"]
    return items
