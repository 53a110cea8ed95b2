"""Who may do what: every route, every role; nothing changes by a GET; no other site can act for anybody."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from data.store.people import ROLES
from recommender.web.console.access import ACCESS, ANYBODY
from recommender.web.console.mount import ROUTERS
from recommender.web.console.route import ConsoleRoute

VALUES = {
    "surface": "for_you",
    "key": "persona-01",
    "rule_id": "999",
    "alert_id": "999",
    "target_id": "999",
    "replay_id": "999",
    "experiment_id": "999",
    "campaign": "morning-digest",
}
QUERIES = {
    "/console/why": "?article={article}&persona=persona-01",
    "/console/why.json": "?article={article}&persona=persona-01",
    "/console/rules/new": "?kind=pin&target=article&target_key={article}",
    "/console/push/new": "?article={article}",
    "/console/ranking/{surface}": "?freshness=0.1&balance=reader",
    "/console/stories": "?show=big&q=a&section=sport",
    "/console/experiments": "?size=1&effect=5",
    "/console/history": "?q=e&surface=push",
}


def address_of(path: str, article: str) -> str:
    return path.format(**VALUES, article=article)


def test_the_table_names_every_route_and_nothing_else() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, ConsoleRoute) for route in routes)
    there = {(m, route.path) for route in routes if isinstance(route, APIRoute) for m in route.methods}
    assert there == set(ACCESS)


@pytest.fixture(scope="module")
def clients(shared_room: Any) -> dict[str | None, httpx.Client]:
    return {role: shared_room.client(role) for role in (None, *ROLES)}


@pytest.mark.parametrize(("method", "path"), ACCESS)
def test_each_role_may_do_what_the_table_says(shared_room: Any, clients: Any, method: str, path: str) -> None:
    least = ACCESS[method, path]
    for role in (None, *ROLES):
        client = shared_room.client(role) if path.endswith("sign-out") else clients[role]
        answer = client.request(method, address_of(path, shared_room.newest(5)))
        if least == ANYBODY:
            assert answer.status_code in {200, 303, 404, 422, 429}  # 404: no sign-in provider is set
        elif role is None:
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/console/sign-in")
        elif ROLES.index(role) < ROLES.index(least):
            assert answer.status_code == 403, (role, answer.text)
            assert "This needs the role of" in answer.text
        else:
            assert answer.status_code in {200, 303, 404, 409, 422}, (role, answer.status_code, answer.text)


def test_no_get_changes_anything(shared_room: Any) -> None:
    client, article = shared_room.client("operator"), shared_room.newest(5)
    client.get("/console")
    before = everything(shared_room.store)
    for method, path in ACCESS:
        if method == "GET":
            client.get(address_of(path + QUERIES.get(path, ""), article))
    assert everything(shared_room.store) == before


def everything(store: Any) -> dict[str, list[Any]]:
    """Every row of every table, but for when sessions were seen."""
    with store.reading() as connection:
        names = [row[0] for row in connection.execute(text("select name from sqlite_master where type = 'table'"))]
        return {
            name: [tuple(row) for row in connection.execute(text(f'select * from "{name}"'))]
            for name in names
            if name != "web_session"
        }


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_site_is_refused(shared_room: Any, headers: dict[str, str]) -> None:
    client = shared_room.client("operator", **headers)
    before = everything(shared_room.store)
    for method, path in ACCESS:
        if method == "POST":
            answer = client.post(address_of(path, shared_room.newest(5)), data={"reason": "x", "version": "1"})
            assert answer.status_code == 403, path
    assert everything(shared_room.store) == before


def test_a_form_of_the_console_itself_passes(shared_room: Any) -> None:
    client = shared_room.client("editor", **{"sec-fetch-site": "same-origin", "origin": ""})
    assert client.post("/console/ranking/for_you/discard").status_code == 303


def test_no_page_can_be_framed_and_none_allows_inline_code(shared_room: Any) -> None:
    client = shared_room.client("operator")
    for method, path in ACCESS:
        if method != "GET":
            continue
        answer = client.get(address_of(path + QUERIES.get(path, ""), shared_room.newest(5)))
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        if not answer.headers.get("content-type", "").startswith("text/html"):
            assert answer.headers["x-content-type-options"] == "nosniff"
            continue
        assert " style=" not in answer.text
        assert "<script>" not in answer.text
        assert "onerror=alert" not in answer.text.replace("onerror=alert(1)&gt;", "")


def test_hostile_words_are_shown_as_words(shared_room: Any, hostile: str) -> None:
    client = shared_room.client("operator")
    for path in ("/console/stories", "/console/stories/evil-1", "/console/rules"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert hostile not in answer.text
        assert "&lt;script&gt;alert(1)" in answer.text
        assert "49" not in answer.text.split("&lt;script&gt;")[1][:80]


def test_an_address_nobody_gave_a_role_is_refused(shared_room: Any) -> None:
    client = shared_room.client("operator")
    assert client.get("/console/nothing").status_code == 404
    assert client.delete("/console/rules").status_code == 405


def test_a_form_that_is_too_large_or_no_form_is_refused(shared_room: Any) -> None:
    client = shared_room.client("editor")
    assert client.post("/console/rules/new", content=b"a=" + b"x" * 200_000).status_code == 413
    assert client.post("/console/rules/new", content=b"a=1&" * 600).status_code == 422
    assert client.post("/console/rules/new", content=b"\xff\xfe=1").status_code == 422


def test_only_a_lead_looks_at_a_real_reader_and_every_look_is_noted(shared_room: Any) -> None:
    address = f"/console/why?reader=r1&article={shared_room.newest(5)}"
    assert shared_room.client("push_editor").get(address).status_code == 403
    assert shared_room.client("lead").get(address).status_code == 200
    noted = shared_room.store.changes(limit=5, search="looked at reader")
    assert (noted[0].person, noted[0].target) == ("lead@herald.example", "r1")
