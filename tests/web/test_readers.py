"""Readers' choices and devices over the API."""

import httpx

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
