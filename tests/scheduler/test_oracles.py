"""Clients and documents we did not write, unmodified, against the fake: they say whether it, and we, read FCM right."""

import json
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import firebase_admin
import pytest
from firebase_admin import exceptions, messaging
from google.oauth2.credentials import Credentials

from data.alerts import Due
from data.clock import SystemClock
from scheduler.fake_fcm import schema
from scheduler.fake_fcm.answers import NAMES, named
from scheduler.fake_fcm.server import FakeFcm
from scheduler.fcm_errors import Meaning, understand
from scheduler.message import Composer
from scheduler.template import Content, Look, build

Fake = Callable[..., FakeFcm]
# name of the answer -> (firebase-admin's class, our meaning)
ROWS: dict[str, tuple[type[Exception], Meaning]] = {
    "unregistered": (messaging.UnregisteredError, Meaning.GONE),
    "invalid_token": (exceptions.InvalidArgumentError, Meaning.BAD_ADDRESS),
    "invalid_token_field": (exceptions.InvalidArgumentError, Meaning.BAD_ADDRESS),
    "payload": (exceptions.InvalidArgumentError, Meaning.PAYLOAD),
    "too_big": (exceptions.InvalidArgumentError, Meaning.PAYLOAD),
    "no_target": (exceptions.InvalidArgumentError, Meaning.PAYLOAD),
    "apns_disabled": (exceptions.InvalidArgumentError, Meaning.GONE),
    "sender_id_mismatch": (messaging.SenderIdMismatchError, Meaning.MISMATCH),
    "third_party_auth": (messaging.ThirdPartyAuthError, Meaning.PLATFORM),
    "unauthenticated": (exceptions.UnauthenticatedError, Meaning.UNAUTHENTICATED),
    "unauthenticated_html": (exceptions.UnauthenticatedError, Meaning.UNAUTHENTICATED),
    "permission_denied": (exceptions.PermissionDeniedError, Meaning.DENIED),
    "quota_exceeded": (messaging.QuotaExceededError, Meaning.QUOTA),
    "unavailable": (exceptions.UnavailableError, Meaning.SERVER),
    "internal": (exceptions.InternalError, Meaning.SERVER),
    "bad_gateway": (exceptions.UnknownError, Meaning.SERVER),
}


class StaticToken(Credentials):  # type: ignore[misc]
    """A token that a 401 does not try to renew."""

    def refresh(self, request: Any) -> None:
        self.token = "ya29.static"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeFcm], Any]]:
    """firebase-admin as it is, led to the fake by the two variables every deployment behind a proxy sets."""
    made: list[Any] = []

    def make(server: FakeFcm) -> Any:
        monkeypatch.setenv("HTTPS_PROXY", server.plain_url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        made.append(firebase_admin.initialize_app(StaticToken("ya29.static"), {"projectId": "demo-news"}, "oracle"))
        return made[-1]

    yield make
    for one in made:
        firebase_admin.delete_app(one)


def test_every_row_of_the_sheet_is_answered() -> None:
    assert set(ROWS) == set(NAMES)


def test_firebase_admin_and_we_read_every_error_alike(
    fake: Fake, app: Callable[[FakeFcm], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # it waits 7 s for a 5xx to go away
    server = fake(rules=[{"answer": name, "device": name} for name in ROWS])
    read_by_it, read_by_us = {}, {}
    oracle = app(server)
    for name in ROWS:
        with pytest.raises(exceptions.FirebaseError) as caught:
            messaging.send(messaging.Message(fid=name, data={"a": "b"}), app=oracle)
        answer = named(name)
        read_by_it[name] = type(caught.value)
        read_by_us[name] = understand(answer.status, answer.body).meaning
    assert read_by_it == {name: row[0] for name, row in ROWS.items()}
    assert read_by_us == {name: row[1] for name, row in ROWS.items()}


def test_firebase_admin_sends_many_through_the_fake(fake: Fake, app: Callable[[FakeFcm], Any]) -> None:
    server = fake(rules=[{"answer": "unregistered", "device": "fid-3"}])
    batch = messaging.send_each(
        [messaging.Message(fid=f"fid-{n}", data={"n": str(n)}) for n in range(20)], app=app(server)
    )
    assert (batch.success_count, batch.failure_count) == (19, 1)
    assert isinstance(batch.responses[3].exception, messaging.UnregisteredError)
    assert server.service.log.accepted == 19


def test_firebase_admin_subscribes_and_sends_to_a_topic(fake: Fake, app: Callable[[FakeFcm], Any]) -> None:
    server = fake()
    oracle = app(server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = messaging.subscribe_to_topic(["fid-1", "fid-2"], "breaking", app=oracle)
        assert answer.success_count == 2
        messaging.unsubscribe_from_topic(["fid-2"], "breaking", app=oracle)
    messaging.send(messaging.Message(topic="breaking", notification=messaging.Notification("T", "B")), app=oracle)
    messaging.send(messaging.Message(condition="'breaking' in topics && !('x' in topics)", data={"a": "b"}), app=oracle)
    assert list(server.service.inbox.phones) == ["fid-1"]
    assert server.service.inbox.phone("fid-1").arrived == 2


def test_a_dry_run_reaches_no_phone(fake: Fake, app: Callable[[FakeFcm], Any]) -> None:
    server = fake()
    name = messaging.send(messaging.Message(fid="fid-1", data={"a": "b"}), dry_run=True, app=app(server))
    assert name == "projects/demo-news/messages/fake_message_id"
    assert server.service.log.accepted == 0


def test_the_google_api_client_drives_the_fake(fake: Fake) -> None:
    from googleapiclient.discovery import build as build_client
    from googleapiclient.errors import HttpError

    server = fake(rules=[{"answer": "unregistered", "device": "gone"}])
    client = build_client(
        "fcm",
        "v1",
        credentials=StaticToken("ya29.static"),
        client_options={"api_endpoint": server.plain_url},
        static_discovery=True,
    )
    messages = client.projects().messages()
    body = {"message": {"fid": "fid-1", "android": {"collapseKey": "k", "ttl": "60s"}, "data": {"a": "b"}}}
    told = messages.send(parent="projects/demo-news", body=body).execute()
    assert told["name"].startswith("projects/demo-news/messages/0:")
    with pytest.raises(HttpError) as caught:
        messages.send(parent="projects/demo-news", body={"message": {"fid": "gone"}}).execute()
    assert caught.value.status_code == 404
    assert caught.value.error_details[0]["errorCode"] == "UNREGISTERED"
    subscriptions = client.projects().registrations().topicSubscriptions()
    parent = "projects/demo-news/registrations/fid-1"
    made = subscriptions.create(parent=parent, topicName="news", body={}).execute()
    assert made["topicName"] == "news"
    assert subscriptions.list(parent=parent).execute()["topicSubscriptions"] == [made]
    assert subscriptions.delete(name=made["name"]).execute() == {}
    client.close()


# --- FCM's discovery document, as it comes with google-api-python-client ---


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    found = files("googleapiclient.discovery_cache").joinpath("documents/fcm.v1.json").read_text()
    made: dict[str, Any] = json.loads(found)["schemas"]
    return made


def unknown_fields(content: Any, name: str, schemas: dict[str, Any], where: str) -> list[str]:
    """Paths in `content` that the schema `name` does not have."""
    known, found = schemas[name].get("properties", {}), []
    for key, value in content.items():
        head, *rest = key.split("_")
        field = known.get(key) or known.get(head + "".join(part.capitalize() for part in rest))
        if field is None:
            found.append(f"{where}.{key}")
        elif "$ref" in field and isinstance(value, dict):
            found += unknown_fields(value, field["$ref"], schemas, f"{where}.{key}")
    return found


LOOK = Look(
    android={"channel_id": "news", "color": "#aa0000", "notification_count": 1, "visibility": "public"},
    ios={"sound": "default", "badge": 1, "category": "NEWS"},
    web={"icon": "https://news.example/icon.png", "require_interaction": True},
)


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
def test_every_field_we_send_is_in_the_discovery_document(
    schemas: dict[str, Any], make_due: Callable[..., Due], now: datetime, platform: str
) -> None:
    body = Composer(LOOK).compose(make_due(platform=platform, policy={"priority": "high"}), now).body
    assert unknown_fields(body, "SendMessageRequest", schemas, "request") == []


def test_every_field_of_a_topic_message_is_in_the_discovery_document(schemas: dict[str, Any]) -> None:
    content = Content("breaking", "high", "", "a1", "story-1", "1", "Title", "Text", "https://n.example/1", None)
    body = json.loads(build(content, LOOK).fill(b'"topic":"news"', b"d1", b"60", b"1700000000"))
    assert unknown_fields(body, "SendMessageRequest", schemas, "request") == []
    assert set(body["message"]) >= {"android", "apns", "webpush", "topic"}


def test_the_fake_knows_the_fields_of_the_discovery_document_and_no_others(schemas: dict[str, Any]) -> None:
    def compare(known: dict[str, Any], name: str) -> None:
        properties = schemas[name]["properties"]
        assert {schema.snake(one) for one in properties} == set(known), name
        for key, field in properties.items():
            inner = known[schema.snake(key)]
            if "$ref" in field and inner and field["$ref"] != "Color":
                compare(inner, field["$ref"])

    compare(schema.MESSAGE, "Message")


def test_what_we_send_is_taken_by_the_fake_on_each_platform(
    fake: Fake, make_due: Callable[..., Due], sender_to: Callable[..., Any]
) -> None:
    now, composer = SystemClock().now(), Composer(LOOK)
    ends = now + timedelta(days=365)  # longer than FCM stores anything
    dues = [make_due(id=n, fid=p, platform=p, expires_at=ends) for n, p in enumerate(("android", "ios", "web"))]
    results = list(sender_to(fake()).send(iter([composer.compose(one, now) for one in dues])))
    assert [outcome.state for _, outcome in results] == ["sent"] * 3
