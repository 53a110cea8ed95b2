"""Alerts to very many leave as one message; results stand beside those of the holdout."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from data.alerts import Outcome
from data.broadcasts import Broadcasts
from data.clock import FixedClock
from data.desk_alerts import DeskAlerts
from data.outbox import Outbox
from data.settings import Settings
from data.wire import DeviceIn, EventIn, ReaderPatch
from recommender import policies
from recommender.web.console import compose
from scheduler.desk_alerts import plan_alert
from scheduler.planning import Planner
from scheduler.runner import Runner


class Topics:
    """A sender that can broadcast; what would ring a single phone is kept apart."""

    def __init__(self, state: str = "sent") -> None:
        self.state, self.posts, self.rang = state, [], []  # type: ignore[var-annotated]

    def send(self, messages: Any) -> Any:
        for one in messages:
            self.rang.append(one.due.fid)
            yield one, Outcome("sent", "heard")

    def post(self, _app: str, body: bytes) -> Outcome:
        self.posts.append(json.loads(body)["message"])
        return Outcome(self.state, "projects/p/messages/1", "")  # type: ignore[arg-type]


class Phones:
    """A sender that knows single phones only."""

    def __init__(self) -> None:
        self.rang: list[str] = []

    send = Topics.send


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "BROADCAST_ABOVE", 5)


def written(room: Any, **fields: str) -> int:
    given = {"article": room.newest(3), "title": "Flood: leave now", "body": "All of the harbour.", "lift": "yes"}
    answer = room.client("lead").post("/console/push/new", data=given | {"reason": "danger"} | fields)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2].partition("?")[0])


def sent(room: Any, number: int) -> None:
    room.client("lead").post(f"/console/push/alerts/{number}/ask")
    page = room.client("operator").get(f"/console/push/alerts/{number}").text
    answer = room.client("operator").post(f"/console/push/alerts/{number}/send", data={"reason": "yes"})
    assert answer.status_code == 303, page


def worked(room: Any, sender: Any, *, later_s: float) -> None:
    """One beat of a scheduler, some seconds from now."""
    clock = FixedClock(room.now + timedelta(seconds=later_s))
    runner = Runner(room.store, Settings(index_dir=None), clock, sender=sender, snapshot=lambda: room.service.snapshot)
    runner.lead()
    runner.obey()
    runner.deliver()
    runner.leases.release("leader", runner.holder, now=clock.now())


def test_an_alert_with_lifted_limits_to_very_many_is_one_message_after_its_hold(room: Any, few_are_many: None) -> None:
    number, phones = written(room, audience="everyone"), Topics()
    draft = room.client("operator").get(f"/console/push/alerts/{number}").text
    assert "It leaves as a <strong>broadcast</strong>" in draft
    sent(room, number)
    worked(room, phones, later_s=1)
    assert phones.posts == []
    worked(room, phones, later_s=121)
    worked(room, phones, later_s=122)
    (message,) = phones.posts
    assert message["topic"] == "everyone"
    assert "Flood: leave now" in json.dumps(message)
    assert phones.rang == []
    assert [one["state"] for one in Broadcasts(room.store).all()] == ["sent"]
    page = room.client("viewer").get(f"/console/push/alerts/{number}").text
    assert "One message to everybody" in page
    answer = room.client("lead").post(f"/console/push/alerts/{number}/cancel")
    assert answer.status_code == 409
    assert "send a correction" in answer.text


def test_who_follows_a_topic_is_told_by_the_topic(room: Any, few_are_many: None) -> None:
    number, phones = written(room, audience="topic", value="Sport"), Topics()
    sent(room, number)
    worked(room, phones, later_s=121)
    assert [one["reader_topic"] for one in Broadcasts(room.store).all()] == ["Sport"]
    assert len(phones.posts) == 1


@pytest.mark.parametrize("how", ["cancelled", "paused", "retracted", "too late"])
def test_nothing_leaves_that_was_stopped_during_its_hold(room: Any, few_are_many: None, how: str) -> None:
    number, phones = written(room, audience="everyone"), Topics()
    sent(room, number)
    later_s = 121.0
    if how == "cancelled":
        room.client("lead").post(f"/console/push/alerts/{number}/cancel")
    elif how == "paused":
        room.client("lead").post("/console/push/pause", data={"reason": "wrong"})
    elif how == "retracted":
        room.store.retract_article(room.newest(3), now=room.now)
    else:
        later_s = 4_000
    worked(room, phones, later_s=later_s)
    assert phones.posts == []
    assert Broadcasts(room.store).all() == []
    if how == "retracted":
        assert "retracted" in room.store.changes(limit=1)[0].why
        assert DeskAlerts(room.store).get(number).state == "cancelled"


@pytest.mark.parametrize("why", ["limits hold", "a place", "few", "two projects"])
def test_all_others_go_to_each_device_with_every_limit(room: Any, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(compose, "BROADCAST_ABOVE", 500 if why == "few" else 5)
    policies.change(room.store, {"approval_above": 5}, by="x", reason="x", now=room.now)
    if why == "two projects":
        room.store.put_device("r1", DeviceIn(fid="other-app", platform="ios", app="second"), now=room.now)
    fields = {"audience": "place", "value": "UTC"} if why == "a place" else {"audience": "everyone"}
    number, phones = written(room, **fields, lift="" if why == "limits hold" else "yes"), Topics()
    sent(room, number)
    worked(room, phones, later_s=121)
    worked(room, phones, later_s=122)
    assert phones.posts == []
    assert sum(Outbox(room.store).plans(limit=1)[0].funnel.values()) > 10


def test_a_sender_that_knows_no_topics_rings_each_phone(room: Any, few_are_many: None) -> None:
    number, phones = written(room, audience="everyone"), Phones()
    sent(room, number)
    worked(room, phones, later_s=121)
    worked(room, phones, later_s=300)  # planned late, its hold begins anew
    assert len(phones.rang) > 20


def test_results_stand_beside_those_of_the_holdout(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.change(room.store, {"approval_above": 1_000}, by="x", reason="x", now=room.now)
    with room.store.transaction() as connection:
        connection.execute(text("update reader set quiet_from = '00:00', quiet_until = '00:00'"))
    client, article = room.client("push_editor"), room.newest(3)
    given = {"article": article, "title": "Bridge closed", "audience": "everyone"}
    number = int(client.post("/console/push/new", data=given).headers["location"].rpartition("/")[2].partition("?")[0])
    client.post(f"/console/push/alerts/{number}/send")
    assert plan_alert(Planner(room.store, lambda: room.service.snapshot), number, now=room.now).endswith("held")
    phones, later = Topics(), room.now + timedelta(seconds=122)
    worked(room, phones, later_s=121)
    told = [fid.replace("fid-", "r") for fid in phones.rang]
    opened = [
        EventIn(id=f"o{n}", reader=r, article=article, kind="push_open", at=later) for n, r in enumerate(told[:5])
    ]
    room.store.add_events(opened, now=later)
    room.store.patch_reader(told[0], ReaderPatch(push=False), now=later)
    page = client.get(f"/console/push/alerts/{number}").text
    assert f"5 of {len(told)} readers who got it" in page.replace("\u202f", "")
    assert "Against the holdout" in page
    assert f"1 of {len(told)}" in page.replace("\u202f", "").split("turned alerts off since")[1]
    assert "95 % interval" in page


def test_a_test_of_what_would_be_broadcast_rings_the_test_phone_alone(room: Any, few_are_many: None) -> None:
    number, phones = written(room, audience="everyone"), Topics()
    client = room.client("lead")
    client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"})
    assert client.post(f"/console/push/alerts/{number}/test", data={"device": "fid-1"}).status_code == 403
    worked(room, phones, later_s=1)
    assert phones.rang == ["test-phone"]
    assert phones.posts == []
    given = {"article": room.newest(3), "title": "Test: flood", "lift": "yes", "reason": "x", "audience": "everyone"}
    assert client.post("/console/push/new", data=given).status_code == 422
