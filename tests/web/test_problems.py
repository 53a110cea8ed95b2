"""Every error answer: its form, its status, and that it says what to do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from recommender.web.gate import BODY_LIMIT

Make = Callable[..., dict[str, Any]]


def expect(answer: httpx.Response, status: int, word: str = "") -> dict[str, Any]:
    """Check the form of a problem and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "errors"}
    assert problem["status"] == status
    assert "Traceback" not in answer.text
    assert word in problem["detail"]
    return problem


def test_an_unknown_address_and_a_wrong_method_are_problems(client: httpx.Client) -> None:
    expect(client.get("/v1/nothing"), 404, "/docs")
    answer = client.post("/v1/articles", json=[])
    expect(answer, 405, "PUT")
    assert answer.headers["allow"] == "PUT"
    assert client.post("/v1/readers/r1").headers["allow"] == "DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"\xff\xfe", b'["\\ud800"]', b"[NaN]", b"[" * 50_000])
def test_what_is_not_json_is_a_bad_request(client: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    expect(client.put("/v1/articles", content=body, headers=headers), 400, "body")
    expect(client.put("/v1/readers/r1", content=body, headers=headers), 400, "body")


@pytest.mark.parametrize("body", [b"{}", b"1", b"null", b'"text"', b"[1e400]"])
def test_json_of_another_shape_is_invalid(client: httpx.Client, body: bytes) -> None:
    expect(client.post("/v1/events", content=body, headers={"content-type": "application/json"}), 422, "body")


def test_the_body_must_be_sent_as_plain_json(client: httpx.Client) -> None:
    for headers in (
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ):
        expect(client.put("/v1/articles", content=b"[]", headers=headers), 415, "JSON")


def test_a_body_over_the_limit_is_refused_by_its_length_or_while_it_comes(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    expect(client.put("/v1/articles", content=b" " * (BODY_LIMIT + 1), headers=headers), 413, "10,000,000")

    def pieces() -> Iterator[bytes]:
        yield b'["'
        for _ in range(11):
            yield b"x" * 1_000_000

    expect(client.put("/v1/articles", content=pieces(), headers=headers), 413, "10,000,000")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limmit=3", "limmit"),
        ("limit=3&limit=4", "limit"),
        ("language=x!", "language"),
    ],
)
def test_a_wrong_query_names_the_parameter(client: httpx.Client, query: str, where: str) -> None:
    for path in ("/v1/readers/r1/for-you", "/v1/articles/a1/related"):
        assert expect(client.get(f"{path}?{query}"), 422, "query")["errors"][0]["where"] == where


def test_related_to_an_unknown_article_is_not_found(client: httpx.Client) -> None:
    expect(client.get("/v1/articles/never-put/related"), 404, "never-put")


@pytest.mark.parametrize("key", ["%00", "%20", "x" * 201, "%ED%A0%80"])
def test_an_impossible_id_in_the_address_is_invalid_or_unknown(client: httpx.Client, key: str) -> None:
    answer = client.get(f"/v1/articles/{key}/related")
    assert answer.status_code in {404, 422}
    expect(answer, answer.status_code)
    assert client.get(f"/v1/readers/{key}/for-you").status_code in {200, 422}


def test_calls_need_a_key_of_the_right_role(newsroom: Any) -> None:
    calls = [
        ("PUT", "/v1/articles", "ingest"),
        ("DELETE", "/v1/articles/a1", "ingest"),
        ("POST", "/v1/events", "app"),
        ("GET", "/v1/articles/a1/related", "app"),
        ("GET", "/v1/readers/r1/for-you", "app"),
        ("PUT", "/v1/readers/r1", "app"),
        ("GET", "/v1/readers/r1", "app"),
        ("PATCH", "/v1/readers/r1", "app"),
        ("DELETE", "/v1/readers/r1", "app"),
        ("DELETE", "/v1/events/e1", "app"),
        ("PUT", "/v1/readers/r1/devices/f1", "app"),
        ("DELETE", "/v1/readers/r1/devices/f1", "app"),
    ]
    for method, path, role in calls:
        answer = newsroom.client(None).request(method, path)
        expect(answer, 401, "Bearer")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        wrong = newsroom.client({"app": "ingest", "ingest": "app"}[role])
        expect(wrong.request(method, path), 403, role)
        for right in (role, "operator"):
            assert newsroom.client(right).request(method, path).status_code not in {401, 403}


@pytest.mark.parametrize("header", ["Bearer nb_00000000_wrong", "Bearer", "Basic eDp5", "Bearer \u00e9\u00ff"])
def test_a_wrong_key_is_refused(newsroom: Any, header: str) -> None:
    headers = {b"authorization": header.encode("latin-1")}
    answer = newsroom.client(None).get("/v1/readers/r1/for-you", headers=headers)
    expect(answer, 401)


def test_the_demo_reads_without_a_key_but_writes_with_one(demo: httpx.Client) -> None:
    assert demo.get("/v1/readers/r1/for-you").status_code == 200
    expect(demo.get("/v1/readers/r1/for-you", headers={"authorization": "Bearer wrong"}), 401)
    expect(demo.post("/v1/events", json=[]), 401)
    expect(demo.get("/v1/readers/r1"), 401)


def test_a_person_in_a_browser_gets_a_page_instead(demo: httpx.Client) -> None:
    answer = demo.get("/a/never-put", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text


def test_an_unforeseen_error_tells_nothing_of_the_inside(newsroom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(newsroom.store, "reader", broken)
    answer = newsroom.client("app").get("/v1/readers/r1")
    expect(answer, 500)
    assert "secret" not in answer.text


def test_a_database_that_does_not_answer_is_a_503_to_try_again(newsroom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("select", {}, Exception("database is locked"))

    monkeypatch.setattr(newsroom.store, "reader", locked)
    answer = newsroom.client("app").get("/v1/readers/r1")
    expect(answer, 503, "again")
    assert answer.headers["retry-after"] == "1"


def test_health_needs_no_key_and_ready_asks_the_database(newsroom: Any) -> None:
    client = newsroom.client(None)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    with newsroom.store.transaction() as connection:
        connection.exec_driver_sql("delete from alembic_version")
    expect(client.get("/readyz"), 503, "newsbell init")


def test_every_answer_carries_the_safety_headers(client: httpx.Client) -> None:
    for path in ("/healthz", "/docs", "/v1/nothing", "/static/page.css"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_description_names_every_call_and_its_problems(client: httpx.Client, item: Make) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    calls = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert calls == {
        "PUT /v1/articles",
        "DELETE /v1/articles/{article}",
        "POST /v1/events",
        "GET /v1/articles/{article}/related",
        "GET /v1/readers/{reader}/for-you",
        "PUT /v1/readers/{reader}",
        "GET /v1/readers/{reader}",
        "PATCH /v1/readers/{reader}",
        "DELETE /v1/readers/{reader}",
        "DELETE /v1/events/{event}",
        "GET /metrics",
        "PUT /v1/readers/{reader}/devices/{fid}",
        "DELETE /v1/readers/{reader}/devices/{fid}",
        "GET /healthz",
        "GET /readyz",
    }
    page = client.get("/docs").text
    assert all(call.split()[1] in page for call in calls)
    assert "http://" not in page.replace(str(client.base_url).rstrip("/"), "")
    unresolved = set(_references(document)) - {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    }
    assert not unresolved


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_answers_have_the_fields_that_the_description_names(client: httpx.Client, item: Make) -> None:
    client.put("/v1/articles", json=[item("a1"), item("a2", title="Ferry workers vote", body="On the quay.")])
    shapes = client.get("/openapi.json").json()["components"]["schemas"]
    lists = {
        "ForYouAnswer": client.get("/v1/readers/r1/for-you?explain=true").json(),
        "RelatedAnswer": client.get("/v1/articles/a1/related").json(),
    }
    for shape, answer in lists.items():
        assert set(answer) == set(shapes[shape]["properties"])
        assert set(answer["items"][0]) == set(shapes["CardShape"]["properties"])
    assert json.dumps(lists)
