"""Signing in: passwords, sessions, and everything somebody might try with them."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from data.clock import SystemClock
from data.store import Store
from data.store.sessions import ABSOLUTE, IDLE, MOST_FAILURES_OF_ADDRESS, MOST_FAILURES_OF_EMAIL
from recommender.web.console.sessions import COOKIE, safe_target

NOW = SystemClock().now()
EDITOR = "editor@herald.example"


def sign_in(client: httpx.Client, password: str, who: str = EDITOR, **more: str) -> httpx.Response:
    return client.post("/console/sign-in", data={"email": who, "password": password, **more})


def test_the_right_password_opens_the_page_that_was_asked_for(room: Any, password: str) -> None:
    client = room.client(None)
    asked = client.get("/console/rules?mine=1")
    assert asked.headers["location"] == "/console/sign-in?next=%2Fconsole%2Frules%3Fmine%3D1"
    answer = sign_in(client, password, next="/console/rules?mine=1")
    assert answer.headers["location"] == "/console/rules?mine=1"
    assert client.get("/console/rules?mine=1").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(room: Any, password: str) -> None:
    cookie = sign_in(room.client(None), password).headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/console", "Max-Age=43200"))


def test_wrong_password_and_unknown_email_read_the_same(room: Any, password: str) -> None:
    answers = [sign_in(room.client(None), "wrong"), sign_in(room.client(None), password, who="nobody@herald.example")]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("Email and password do not match" in answer.text for answer in answers)
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_a_session_planted_before_signing_in_is_worth_nothing(room: Any, password: str) -> None:
    client = room.client(None)
    client.cookies.set(COOKIE, "planted", path="/console")
    sign_in(client, password)
    tokens = {cookie.value for cookie in client.cookies.jar}
    thief = room.client(None)
    thief.cookies.set(COOKIE, "planted")
    assert thief.get("/console").status_code == 303
    assert len(tokens - {"planted"}) == 1


def test_signing_in_again_ends_the_session_before(room: Any, password: str) -> None:
    client = room.client(None)
    sign_in(client, password)
    first = client.cookies[COOKIE]
    sign_in(client, password)
    assert client.cookies[COOKIE] != first
    old = room.client(None)
    old.cookies.set(COOKIE, first)
    assert old.get("/console").status_code == 303


def test_signing_out_ends_the_session_everywhere(room: Any, password: str) -> None:
    client = room.client(None)
    sign_in(client, password)
    copy = room.client(None)
    copy.cookies.set(COOKIE, client.cookies[COOKIE])
    assert copy.get("/console").status_code == 200
    client.post("/console/sign-out")
    assert copy.get("/console").status_code == 303


def test_after_five_failures_even_the_right_password_waits(room: Any, password: str) -> None:
    client = room.client(None)
    for _ in range(MOST_FAILURES_OF_EMAIL):
        sign_in(client, "wrong")
    answer = sign_in(client, password)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert sign_in(client, password, who="lead@herald.example").status_code == 303


def test_failures_are_counted_by_address_too_and_forgotten_in_time(sqlite_store: Store) -> None:
    for number in range(MOST_FAILURES_OF_ADDRESS):
        assert sqlite_store.may_try(f"p{number}@a.example", "10.0.0.1", now=NOW)
        sqlite_store.note_failure(f"p{number}@a.example", "10.0.0.1", now=NOW)
    assert not sqlite_store.may_try("new@a.example", "10.0.0.1", now=NOW)
    assert sqlite_store.may_try("new@a.example", "10.0.0.2", now=NOW)
    assert sqlite_store.may_try("new@a.example", "10.0.0.1", now=NOW + timedelta(minutes=16))


def test_sessions_end_when_idle_and_in_any_case_at_last(store: Store, password: str) -> None:
    store.add_person(EDITOR, "editor", password, now=NOW)
    person = store.check_password(EDITOR, password)
    assert person is not None
    token = store.open_session(person.id, now=NOW)
    assert store.session_person(token, now=NOW + IDLE - timedelta(seconds=1)) == person
    assert store.session_person(token, now=NOW + 2 * IDLE) is None
    token, at = store.open_session(person.id, now=NOW), NOW
    while at < NOW + ABSOLUTE - timedelta(hours=1):
        at += timedelta(hours=1)
        assert store.session_person(token, now=at) == person
    assert store.session_person(token, now=NOW + ABSOLUTE) is None


def test_a_new_password_or_role_counts_at_once(store: Store, password: str) -> None:
    store.add_person(EDITOR, "editor", password, now=NOW)
    person = store.check_password(EDITOR.upper(), password)
    assert person is not None
    token = store.open_session(person.id, now=NOW)
    store.set_role(EDITOR, "viewer", by="op@herald.example", now=NOW)
    found = store.session_person(token, now=NOW)
    assert found is not None
    assert found.role == "viewer"
    store.add_person(EDITOR, "editor", "another password", now=NOW)
    assert store.session_person(token, now=NOW) is None
    assert store.check_password(EDITOR, password) is None


def test_passwords_are_kept_as_argon2_hashes_alone(store: Store, password: str) -> None:
    store.add_person(EDITOR, "editor", password, now=NOW)
    with store.reading() as connection:
        kept = connection.exec_driver_sql("select secret_hash from person").scalar_one()
    assert kept.startswith("$argon2id$")
    assert password not in kept


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console//evil.example",
        "/console/../v1/articles",
        "javascript:alert(1)",
        "/consolex",
        "/console\r\nLocation: https://evil.example",
        "",
        "/console/sign-in",
    ],
)
def test_signing_in_leads_nowhere_but_into_the_console(wanted: str) -> None:
    assert safe_target(wanted) == "/console"


def test_pages_of_the_console_are_led_to() -> None:
    assert safe_target("/console/stories?show=big") == "/console/stories?show=big"
