"""Whatever is sent as articles or events: never a 5xx, never half a batch."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.wire import ArticleIn, EventIn

SCRAPS = [
    "a1",
    "'; drop table event; --",
    "<script>x</script>",
    "2026-03-01T08:00:00Z",
    "2026-03-01",
    "\x00",
    "é" * 300,
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(SCRAPS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", max_size=5), inner, max_size=3),
    max_leaves=6,
)


def items(shape: type[ArticleIn] | type[EventIn], valid: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of valid items, of items with fields broken, dropped and added, and of rubbish."""
    names = st.sampled_from([*shape.model_fields, "extra"])
    broken = st.builds(
        lambda number, changes, drops: {
            name: value for name, value in (valid | {"id": f"k{number}"} | changes).items() if name not in drops
        },
        st.integers(0, 5),
        st.dictionaries(names, values, max_size=3),
        st.sets(names, max_size=1),
    )
    return st.lists(broken | values, max_size=8)


EVENT = {"reader": "r1", "article": "a1", "kind": "read", "at": "2026-03-01T08:00:00Z"}
ARTICLE = {"url": "https://news.example/x", "title": "Title", "published_at": "2026-03-01T08:00:00Z"}
many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@many
@given(batch=items(ArticleIn, ARTICLE))
def test_any_articles_are_counted_or_rejected_one_by_one(client: httpx.Client, batch: list[Any]) -> None:
    answer = client.put("/v1/articles", content=json.dumps(batch), headers={"content-type": "application/json"})
    if answer.status_code == 422:  # a number that no field can hold
        return
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["new"] + told["changed"] + told["same"] + len(told["rejected"]) == len(batch)
    again = client.put("/v1/articles", content=json.dumps(batch), headers={"content-type": "application/json"}).json()
    assert again["new"] == 0
    assert again["rejected"] == told["rejected"]


@many
@given(batch=items(EventIn, EVENT))
def test_any_events_are_counted_or_rejected_one_by_one(
    client: httpx.Client, item: Callable[..., dict[str, Any]], batch: list[Any]
) -> None:
    assert client.put("/v1/articles", json=[item("a1")]).status_code == 200
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/events", content=json.dumps(batch), headers=headers)
    if answer.status_code == 422:
        return
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["accepted"] + told["duplicate"] + len(told["rejected"]) == len(batch)
    again = client.post("/v1/events", content=json.dumps(batch), headers=headers).json()
    assert again["accepted"] == 0
    assert again["duplicate"] == told["accepted"] + told["duplicate"]


@many
@given(body=st.binary(max_size=200))
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/articles"), ("POST", "/v1/events"), ("PUT", "/v1/readers/r")]
)
def test_any_bytes_get_a_clear_refusal(client: httpx.Client, method: str, path: str, body: bytes) -> None:
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {200, 202, 400, 422}
    if answer.status_code >= 400:
        assert answer.json()["detail"]
