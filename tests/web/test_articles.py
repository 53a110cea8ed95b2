"""PUT and DELETE articles."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]


def test_an_article_is_new_then_same_then_changed(client: httpx.Client, item: Make) -> None:
    one = item("a1")
    assert client.put("/v1/articles", json=[one]).json() == {"new": 1, "changed": 0, "same": 0, "rejected": []}
    assert client.put("/v1/articles", json=[one]).json()["same"] == 1
    assert client.put("/v1/articles", json=[one | {"title": "Harbour bridge closed again"}]).json()["changed"] == 1


def test_good_items_go_in_beside_wrong_ones_and_each_wrong_one_is_named(client: httpx.Client, item: Make) -> None:
    batch = [
        item("a1"),
        item("a2", published_at="2026-03-01T08:00:00"),
        item("a3", titel="misspelt"),
        "not an object",
        item("a5"),
        item("a6", title=""),
    ]
    answer = client.put("/v1/articles", json=batch)
    assert answer.status_code == 200
    assert answer.json()["new"] == 2
    rejected = {entry["index"]: entry["reason"] for entry in answer.json()["rejected"]}
    assert list(rejected) == [1, 2, 3, 5]
    assert "published_at" in rejected[1]
    assert "offset" in rejected[1]
    assert "titel" in rejected[2]


def test_an_added_article_is_in_the_very_next_list(client: httpx.Client, item: Make) -> None:
    client.put("/v1/articles", json=[item("a1")])
    assert [card["article_id"] for card in for_you(client, "r1")] == ["a1"]
    client.put("/v1/articles", json=[item("a2", title="Ferry workers vote to strike", body="A vote on the quay.")])
    assert {card["article_id"] for card in for_you(client, "r1")} == {"a1", "a2"}


def test_a_retracted_article_is_in_no_list(client: httpx.Client, item: Make) -> None:
    client.put("/v1/articles", json=[item("a1"), item("a2", title="Ferry workers vote", body="On the quay.")])
    assert client.delete("/v1/articles/a1").status_code == 204
    assert [card["article_id"] for card in for_you(client, "r1")] == ["a2"]
    assert client.get("/v1/articles/a2/related").json()["items"] == []


def test_retracting_an_unknown_article_is_not_found(client: httpx.Client) -> None:
    answer = client.delete("/v1/articles/never-put")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["https://news.example/2026/03/01?x=1#top", "a/b", "100%2F", "kožená / 東京", "a b"])
def test_an_identifier_may_be_any_string(client: httpx.Client, item: Make, key: str) -> None:
    from urllib.parse import quote

    assert client.put("/v1/articles", json=[item("x") | {"id": key}]).json()["new"] == 1
    assert client.get(f"/v1/articles/{quote(key, safe='')}/related").status_code == 200
    assert client.delete(f"/v1/articles/{quote(key, safe='')}").status_code == 204


def test_more_than_a_thousand_articles_are_too_many_at_once(client: httpx.Client, item: Make) -> None:
    answer = client.put("/v1/articles", json=[item("a1")] * 1_001)
    assert answer.status_code == 413
    assert "1,000" in answer.json()["detail"]
    assert client.put("/v1/articles", json=[]).json() == {"new": 0, "changed": 0, "same": 0, "rejected": []}


def test_a_title_of_100000_characters_is_refused_and_not_sent_back(client: httpx.Client, item: Make) -> None:
    answer = client.put("/v1/articles", json=[item("a1", title="x" * 100_000)])
    (rejected,) = answer.json()["rejected"]
    assert "title" in rejected["reason"]
    assert len(rejected["reason"]) <= 500


@pytest.mark.parametrize(
    "nasty", ["'; drop table article; --", '<img src=x onerror="alert(1)">', "{{ 7 * 7 }}", "\x00a"]
)
def test_sql_and_html_are_kept_as_text(client: httpx.Client, item: Make, nasty: str) -> None:
    fields = dict.fromkeys(("title", "summary", "author", "category"), nasty)
    one = item("a1", topics=[nasty], places=[nasty], source={"id": nasty, "name": nasty}, **fields)
    assert client.put("/v1/articles", json=[one]).json()["new"] == 1
    (card,) = for_you(client, "r1")
    assert card["title"] == nasty.replace("\x00", "")
    assert client.put("/v1/articles", json=[item("a2")]).json()["new"] == 1


def for_you(client: httpx.Client, reader: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/readers/{reader}/for-you", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
