"""One contract for every sender: log, FCM, and firebase-admin's own as the reference."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import firebase_admin
import pytest
from google.oauth2.credentials import Credentials

from data.errors import InvalidSettings
from data.settings import load_settings
from scheduler.fake_fcm.server import FakeFcm
from scheduler.firebase_sender import FirebaseSender
from scheduler.message import Outgoing
from scheduler.sender import LogSender, Sender, make_sender

Many = Callable[..., list[Outgoing]]
NAMES = ("log", "fcm", "firebase")
ONLINE = ("fcm", "firebase")


class StaticToken(Credentials):  # type: ignore[misc]
    """A token that a 401 does not try to renew."""

    def refresh(self, request: Any) -> None:
        self.token = "ya29.static"


@pytest.fixture
def make(fake: Any, sender_to: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Sender, FakeFcm]]]:
    """`make(name, **script)` -> the sender and the server behind it."""
    apps: list[Any] = []

    def made(name: str, **script: Any) -> tuple[Sender, FakeFcm]:
        server: FakeFcm = fake(**script)
        if name == "log":
            return LogSender(io.StringIO()), server
        if name == "fcm":
            monkeypatch.delenv("HTTPS_PROXY", raising=False)  # ours takes a proxy too
            return sender_to(server), server
        monkeypatch.setenv("HTTPS_PROXY", server.plain_url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setattr(time, "sleep", lambda _: None)  # its waits between tries
        options = {"projectId": "demo-news"}
        apps.append(firebase_admin.initialize_app(StaticToken("ya29.x"), options, f"contract-{len(apps)}"))
        return FirebaseSender({"": apps[-1]}), server

    yield made
    for app in apps:
        firebase_admin.delete_app(app)


@pytest.mark.parametrize("name", NAMES)
def test_each_message_ends_once_and_sent(name: str, make: Any, many: Many) -> None:
    sender, server = make(name)
    messages = many(30)
    results = list(sender.send(iter(messages)))
    assert sorted(one.due.id for one, _ in results) == list(range(30))
    assert {outcome.state for _, outcome in results} == {"sent"}
    assert all(outcome.message_name for _, outcome in results)
    assert server.service.log.accepted == (0 if name == "log" else 30)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_send_is_no_error(name: str, make: Any) -> None:
    assert list(make(name)[0].send(iter(()))) == []


@pytest.mark.parametrize("name", ONLINE)
def test_a_device_that_is_gone_is_pruned(name: str, make: Any, many: Many) -> None:
    sender, _ = make(name, rules=[{"answer": "unregistered", "device": "fid-3"}])
    ends = {one.due.fid: (outcome.state, outcome.device) for one, outcome in sender.send(iter(many(40)))}
    assert ends.pop("fid-3") == ("gone", "gone")
    assert set(ends.values()) == {("sent", "")}


@pytest.mark.parametrize("name", ONLINE)
@pytest.mark.parametrize("answer", ["sender_id_mismatch", "payload", "unauthenticated_html", "permission_denied"])
def test_a_fault_of_ours_prunes_nobody_and_stops_the_campaign(name: str, answer: str, make: Any, many: Many) -> None:
    sender, _ = make(name, rules=[{"answer": answer}])
    outcomes = [outcome for _, outcome in sender.send(iter(many(120)))]
    assert not any(one.device for one in outcomes)
    assert any(one.stops and one.alarm for one in outcomes)
    assert {one.state for one in outcomes} <= {"ready", "failed"}


@pytest.mark.parametrize("name", ONLINE)
def test_a_failing_server_makes_unknown_of_what_it_may_have_sent(name: str, make: Any, many: Many) -> None:
    sender, _ = make(name, rules=[{"answer": "internal"}])
    assert {outcome.state for _, outcome in sender.send(iter(many(15)))} == {"unknown"}


@pytest.mark.parametrize("name", ONLINE)
def test_too_many_are_kept_for_later(name: str, make: Any, many: Many) -> None:
    sender, _ = make(name, rules=[{"answer": "quota_exceeded"}])
    outcomes = [outcome for _, outcome in sender.send(iter(many(15)))]
    assert {one.state for one in outcomes} == {"ready"}
    assert all(one.holds_app for one in outcomes)


def test_what_firebase_repeats_our_sender_does_not(make: Any, many: Many) -> None:
    """The reference posts again after a closed connection and tells nobody: why it is not the default."""
    for name, arrivals, states in (("firebase", 2, {"sent"}), ("fcm", 1, {"unknown"})):
        sender, server = make(name, rules=[{"answer": "close_connection", "first": 1, "last": 1}])
        assert {outcome.state for _, outcome in sender.send(iter(many(1)))} == states
        assert server.service.log.accepted == arrivals


@pytest.mark.parametrize("name", ["fcm", "firebase"])
def test_a_credentials_file_that_is_none_is_refused_by_name(name: str, tmp_path: Any) -> None:
    path = tmp_path / "account.json"
    path.write_text("{}")
    with pytest.raises(InvalidSettings, match="NEWSBELL_FCM_CREDENTIALS"):
        make_sender(load_settings(sender=name, fcm_credentials=path), io.StringIO())


def test_further_projects_come_from_a_file(tmp_path: Any, fake: Any) -> None:
    server: FakeFcm = fake()
    apps = tmp_path / "apps.json"
    account = server.account_file(tmp_path, "sport-1")
    apps.write_text(f'{{"sport": {{"project": "sport-1", "credentials": "{account}"}}}}')
    settings = load_settings(sender="fcm", fcm_apps=apps, fcm_base_url=server.url, fcm_ca_file=server.ca_file)
    sender: Any = make_sender(settings, io.StringIO())
    assert {app: room.project.id for app, room in sender.rooms.items()} == {"": "demo-news", "sport": "sport-1"}
    sender.close()
    apps.write_text('{"sport": {"projekt": "x"}}')
    with pytest.raises(InvalidSettings, match="NEWSBELL_FCM_APPS"):
        make_sender(settings, io.StringIO())


def test_a_look_is_checked_before_anything_is_sent(tmp_path: Any) -> None:
    path = tmp_path / "look.json"
    path.write_text('{"android": {"channel_id": "news", "colour": "red"}}')
    with pytest.raises(InvalidSettings, match="colour"):
        make_sender(load_settings(sender="fcm", fcm_look=path, fcm_base_url="http://127.0.0.1:9"), io.StringIO())
