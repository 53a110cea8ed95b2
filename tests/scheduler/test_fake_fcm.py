"""The loopback FCM: what a phone shows, what is refused, how it misbehaves when told to."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.errors import InvalidInput
from scheduler.fake_fcm import answers
from scheduler.fake_fcm.inbox import Inbox
from scheduler.fake_fcm.messages import Sent, read
from scheduler.fake_fcm.quotas import Quotas
from scheduler.fake_fcm.script import Dice, make_script, read_script
from scheduler.fake_fcm.server import FakeFcm
from scheduler.fake_fcm.topics import holds
from scheduler.fcm import FcmSender
from scheduler.message import Outgoing
from scheduler.projects import CredentialRefused, GoogleBearer

Fake = Callable[..., FakeFcm]


def message(**fields: Any) -> bytes:
    return json.dumps({"message": {"fid": "f", "data": {"a": "b"}} | fields}).encode()


def sent(**fields: Any) -> Sent:
    found = read(message(**fields))
    assert isinstance(found, Sent), found
    return found


# --- what is refused ---


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"fid": None}, "message"),
        ({"token": "t"}, "message"),
        ({"data": {"a": 1}}, "message.data[0].value"),
        ({"data": {"google.x": "1"}}, "message.data"),
        ({"data": {"from": "1"}}, "message.data"),
        ({"colour": "red"}, "message"),
        ({"android": {"notification": {"colour": "red"}}}, "message.android.notification"),
        ({"android": {"ttl": "6 hours"}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"priority": "loud"}}, "message.android.priority"),
        ({"android": {}, "androidV2": {"ttl": "1s"}}, "message"),
        ({"webpush": {"fcmOptions": {"link": "http://n.example"}}}, "message.webpush.fcm_options.link"),
        ({"fcm_options": {"analytics_label": "no spaces"}}, "message.fcm_options.analytics_label"),
        ({"fid": None, "topic": "/topics/news"}, "message.topic"),
    ],
)
def test_a_wrong_message_is_refused_by_the_name_of_its_field(fields: dict[str, Any], where: str) -> None:
    found = read(message(**fields))
    assert isinstance(found, answers.Answer)
    assert found.status == 400
    assert json.loads(found.body)["error"]["details"][1]["fieldViolations"][0]["field"] == where


def test_both_ways_to_write_a_name_are_one_field() -> None:
    assert sent(android={"collapse_key": "k"}).device == sent(android={"collapseKey": "k"}).device == "f"


def test_a_message_may_have_4096_bytes_and_half_of_that_for_a_topic() -> None:
    assert isinstance(read(message(data={"a": "x" * 4_000})), Sent)
    assert read(message(data={"a": "x" * 4_097})) == answers.named("too_big")
    assert read(message(fid=None, topic="news", data={"a": "x" * 2_049})) == answers.named("too_big")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"message": 3}', b"\xff"])
def test_no_message_at_all_is_an_error_and_no_crash(body: bytes) -> None:
    found = read(body)
    assert isinstance(found, answers.Answer)
    assert found.status == 400


# --- what the phone shows ---


def alert(story: str, *, tag: str = "", ttl: str = "3600s", collapse: str = "") -> Sent:
    android = {"ttl": ttl, "notification": {"tag": tag}} | ({"collapse_key": collapse} if collapse else {})
    return sent(notification={"title": f"About {story}"}, data={"story_id": story}, android=android)


def test_the_same_tag_replaces_and_another_stands_beside_it() -> None:
    inbox = Inbox()
    for number, one in enumerate((alert("1", tag="s1"), alert("2", tag="s2"), alert("1", tag="s1"))):
        inbox.take("phone", one, f"m{number}", 0)
    phone = inbox.phone("phone")
    assert [note.story for note in phone.shown.values()] == ["2", "1"]
    assert (phone.arrived, phone.replaced) == (3, 1)
    assert inbox.doubled() == {}
    assert inbox.rung_twice() == {"phone": ["1"]}


def test_without_tags_a_story_stands_there_twice() -> None:
    inbox = Inbox()
    for number in range(2):
        inbox.take("phone", alert("1"), f"m{number}", 0)
    assert inbox.doubled() == {"phone": ["1"]}


def test_an_offline_phone_gets_the_last_of_each_collapse_key_that_still_lives() -> None:
    inbox = Inbox()
    phone = inbox.phone("phone")
    phone.disconnect()
    waiting = (alert("1", collapse="a"), alert("2", collapse="a"), alert("3", ttl="10s"), alert("4", ttl="0s"))
    for number, one in enumerate(waiting):
        inbox.take("phone", one, f"m{number}", 0)
    phone.connect(60)
    assert [note.story for note in phone.shown.values()] == ["2"]
    assert (phone.collapsed, phone.expired) == (1, 2)


def test_four_collapse_keys_and_a_hundred_other_messages_are_stored() -> None:
    inbox = Inbox()
    phone = inbox.phone("phone")
    phone.disconnect()
    for number in range(6):
        inbox.take("phone", alert(str(number), collapse=f"key-{number}"), f"k{number}", 0)
    assert len(phone.waiting) == 4
    for number in range(101):
        inbox.take("phone", alert(str(number)), f"m{number}", 0)
    assert (len(phone.waiting), phone.dropped) == (4, 101)


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("'a' in topics", True),
        ("'a' in topics && 'c' in topics", False),
        ("'c' in topics || 'a' in topics && 'b' in topics", True),
        ("!('a' in topics) || ('b' in topics && !('c' in topics))", True),
        ("'a' in topics &&", False),
        ("__import__('os')", False),
    ],
)
def test_conditions(condition: str, value: bool) -> None:
    assert holds(condition, {"a", "b"}) is value


# --- quotas, script ---


def test_a_project_and_a_device_have_quotas_of_their_own() -> None:
    quotas = Quotas(per_minute=600, per_device_minute=8)
    assert [quotas.allow("p", "d", 0) for _ in range(3)] == [True, True, False]
    assert sum(quotas.allow("p", None, 0) for _ in range(20)) == 7, "the second's ten, less three"
    assert quotas.allow("q", "e", 0)
    assert sum(quotas.allow("p", None, 1.0) for _ in range(20)) == 10


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ({"rules": [{"answer": "teapot"}]}, "no answer 'teapot'"),
        ({"latencie": {}}, "latencie"),
        ({"quota": {"per_minute": "many"}}, "quota.per_minute"),
    ],
)
def test_a_wrong_script_is_refused_by_name(script: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        make_script(script)


def test_scripts_are_yaml_or_json(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("latency: {kind: lognormal, ms: 80, p95_ms: 350}\nrules:\n- {answer: unavailable, every: 10}\n")
    script = read_script(path)
    dice = Dice(script)
    draws = sorted(dice.latency_s() for _ in range(4_000))
    assert draws[2_000] == pytest.approx(0.08, rel=0.1)
    assert draws[3_800] == pytest.approx(0.35, rel=0.15)
    path.write_text('{"rules": [{"answer": "hang", "share": 0.1}]}')
    assert read_script(path).rules[0].answer == "hang"


def test_a_slow_body_arrives_whole(fake: Fake, sender_to: Callable[..., FcmSender], many: Any) -> None:
    server = fake(rules=[{"answer": "slow_body"}])
    assert [outcome.state for _, outcome in sender_to(server).send(many(2))] == ["sent", "sent"]


# --- OAuth ---


@pytest.fixture
def bearer(tmp_path: Path) -> Callable[[FakeFcm], GoogleBearer]:
    from google.oauth2 import service_account

    from scheduler.projects import SCOPE

    def make(server: FakeFcm) -> GoogleBearer:
        file = server.account_file(tmp_path)
        return GoogleBearer(service_account.Credentials.from_service_account_file(str(file), scopes=[SCOPE]))

    return make


def test_a_service_account_gets_a_bearer_and_nothing_else_passes(
    fake: Fake, bearer: Callable[[FakeFcm], GoogleBearer], sender_to: Callable[..., FcmSender], many: Any
) -> None:
    server = fake()
    sender = sender_to(server, bearer=bearer(server))
    assert {outcome.state for _, outcome in sender.send(many(200))} == {"sent"}
    assert server.service.oauth.grants == 1
    stranger = sender_to(server)
    told = [outcome for _, outcome in stranger.send(many(2))]
    assert [one.state for one in told] == ["ready", "ready"]
    assert server.service.log.accepted == 200


def test_a_bearer_that_ends_is_renewed_without_losing_a_message(
    fake: Fake, bearer: Callable[[FakeFcm], GoogleBearer], sender_to: Callable[..., FcmSender], many: Any
) -> None:
    server = fake(token_life_s=1.0, latency={"ms": 400})
    sender = sender_to(server, bearer=bearer(server), transport={"connections": 1})
    told = [outcome.state for _, outcome in sender.send(many(400))]
    assert told.count("sent") == 400
    assert 2 <= server.service.oauth.grants <= 6


def test_a_revoked_account_stops_the_campaign_and_loses_nothing(
    fake: Fake, bearer: Callable[[FakeFcm], GoogleBearer], sender_to: Callable[..., FcmSender], many: Any
) -> None:
    server = fake(latency={"ms": 20})
    account = bearer(server)
    sender = sender_to(server, bearer=account)
    results: list[tuple[Outgoing, Any]] = []
    for one in sender.send(many(2_000)):
        results.append(one)
        if len(results) == 400:
            server.service.oauth.revoke(account.credentials.service_account_email)
    states = [outcome.state for _, outcome in results]
    assert set(states) == {"sent", "ready"}
    assert states.count("sent") == server.service.log.accepted < 2_000
    assert not any(outcome.device for _, outcome in results)
    assert "no access token" in next(outcome.alarm for _, outcome in results if outcome.stops)
    with pytest.raises(CredentialRefused):
        account.renew(account.credentials.token)
    server.service.oauth.restore(account.credentials.service_account_email)
    kept = [one for one, outcome in results if outcome.state == "ready"]
    assert {outcome.state for _, outcome in sender.send(kept)} == {"sent"}
    assert set(server.service.log.accepted_targets().values()) == {1}


# --- the page, the calls, the command ---


def get(url: str, method: str = "GET", body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text


def test_a_running_fake_is_steered_and_asked_over_http(
    fake: Fake, sender_to: Callable[..., FcmSender], many: Any
) -> None:
    server = fake()
    get(f"{server.plain_url}/_fake/script", "PUT", b'{"rules": [{"answer": "unregistered", "device": "fid-1"}]}')
    get(f"{server.plain_url}/_fake/phones/fid-0", "PUT", b'{"online": false}')
    list(sender_to(server).send(many(3)))
    told = get(f"{server.plain_url}/_fake/log?lines=5")
    assert told["answers"] == {"ok": 2, "unregistered": 1}
    assert len(told["lines"]) == 3
    assert get(f"{server.plain_url}/_fake/phones/fid-0")["waiting"] == 1
    assert get(f"{server.plain_url}/_fake/phones/fid-0", "PUT", b'{"online": true}')["shown"][0]["story"] == "7"
    assert get(f"{server.plain_url}/_fake/phones")["shows_a_story_twice"] == {}


def test_what_a_push_says_is_text_on_the_page_and_nothing_else(fake: Fake, many: Any, sender_to: Any) -> None:
    server = fake()
    list(sender_to(server).send(many(1, title="<script>alert(1)</script>")))
    page = get(f"{server.plain_url}/phones/fid-0")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "http://" not in page.replace("https://news.example", "")


@pytest.mark.browser
def test_the_page_in_a_browser(fake: Fake, sender_to: Any, many: Any) -> None:
    from playwright.sync_api import sync_playwright

    server = fake()
    titles = ["Flood in the south", "القمة تنتهي باتفاق", "👩‍👩‍👧 Families day"]
    list(sender_to(server).send(many(3, fid="phone-1", title=lambda n: titles[n], story_id=lambda n: n + 1)))
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=quiet)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.plain_url)
        page.get_by_role("link", name="phone-1").click()
        shown = page.locator("article h2").all_text_contents()
        page.get_by_role("button", name="Go offline").click()
        offline = page.get_by_role("button", name="Come online").is_visible()
        browser.close()
    assert sorted(shown) == sorted(titles)
    assert offline
    assert all(url.startswith(server.plain_url) for url in asked)


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scheduler.cli", "fake-fcm", "--port", "0", "--folder", str(tmp_path / "fake")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    account = next((tmp_path / "fake").glob("demo-news-*.json"))
    assert account.stat().st_mode & 0o077 == 0
    assert get(first.split()[-1] + "/_fake/log")["posts"] == 0
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not account.exists(), "a key nobody will know again"
