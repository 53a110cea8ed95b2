"""Alerts of the desk: approval, hold, cancel; and that a test cannot reach anybody but a test device."""

from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from data.alerts import Due, DueArticle, DueCampaign, NewDelivery, Outcome, Wishes
from data.campaigns import Campaigns
from data.clock import FixedClock
from data.desk_alerts import DeskAlerts
from data.errors import Conflict, InvalidInput, NotAllowed
from data.outbox import Outbox
from data.settings import Settings
from data.wire import DeviceIn
from recommender import policies
from recommender.push_recheck import Recheck
from scheduler.delivery import Deliverer
from scheduler.desk_alerts import plan_alert
from scheduler.planning import Planner
from scheduler.runner import Runner


class Heard:
    """A sender that remembers what would have rung where."""

    def __init__(self) -> None:
        self.rang: list[tuple[str, str]] = []

    def send(self, messages: Any) -> Any:
        for one in messages:
            self.rang.append((one.due.fid, one.due.article.title))
            yield one, Outcome("sent", "heard")


def drain(room: Any, *, later_s: float = 0.0) -> list[tuple[str, str]]:
    """Let a sender send all that is due."""
    heard = Heard()
    Deliverer(room.store, heard, FixedClock(room.now + timedelta(seconds=later_s))).drain()
    return heard.rang


def write(client: httpx.Client, room: Any, **fields: str) -> int:
    given = {"article": room.newest(3), "title": "Bridge closed", "body": "All lanes.", "audience": "everyone"} | fields
    answer = client.post("/console/push/new", data=given)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2].partition("?")[0])


def everybody_awake(room: Any) -> None:
    with room.store.transaction() as connection:
        connection.execute(text("update reader set quiet_from = '00:00', quiet_until = '00:00'"))


def test_a_test_rings_the_test_phone_and_says_so(room: Any) -> None:
    client = room.client("push_editor")
    number = write(client, room)
    assert client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"}).status_code == 303
    assert "waits for the scheduler" in client.get(f"/console/push/alerts/{number}").text
    assert drain(room) == [("test-phone", "Test: Bridge closed")]
    assert ": sent" in client.get(f"/console/push/alerts/{number}").text
    client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"})
    assert len(drain(room)) == 1  # once more, whatever the phone was told before


def test_a_test_to_any_other_device_is_refused(room: Any) -> None:
    client = room.client("operator")
    number = write(client, room)
    for device in ("fid-1", "", "test-phone' or '1'='1", "TEST-PHONE", "%", "fid-1\ntest-phone"):
        answer = client.post(f"/console/push/alerts/{number}/test", data={"device": device})
        assert answer.status_code in {403, 422}, device
    repeated = b"device=fid-1&device=test-phone&audience=everyone&kind=manual"
    client.post(f"/console/push/alerts/{number}/test", content=repeated)
    assert drain(room) == []


def test_a_device_that_stops_being_a_test_device_meanwhile_is_not_rung(room: Any) -> None:
    client = room.client("push_editor")
    number = write(client, room)
    client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"})
    room.store.put_device("desk", DeviceIn(fid="test-phone", platform="ios", is_test=False), now=room.now)
    assert drain(room) == []


def test_a_test_device_that_moved_to_a_reader_is_not_rung(room: Any) -> None:
    client = room.client("push_editor")
    number = write(client, room)
    client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"})
    room.store.put_device("r1", DeviceIn(fid="test-phone", platform="ios", is_test=True), now=room.now)
    assert drain(room) == []


def test_a_delivery_of_a_test_forged_for_a_public_device_is_refused_by_the_sender(room: Any) -> None:
    client = room.client("push_editor")
    number = write(client, room)
    client.post(f"/console/push/alerts/{number}/test", data={"device": "test-phone"})
    outbox, public = Outbox(room.store), room.store.devices_of([room.store.reader("r1").id])[0]
    plan = outbox.plans(limit=1)[0]
    forged = NewDelivery(
        key="forged", reader_id=public.reader_id, device_id=public.id, article_id=room.store.article(room.newest(3)).id,
        story_id=None, update_no=0, slot="forged", not_before_at=room.now, expires_at=room.now + timedelta(hours=1),
    )  # fmt: skip
    outbox.add(plan.id, [forged], now=room.now)
    assert [fid for fid, _ in drain(room)] == ["test-phone"]


def test_no_call_of_the_api_sends_or_makes_a_test_device_of_a_public_one(room: Any) -> None:
    paths = httpx.get(f"{room.url}/openapi.json").json()["paths"]
    assert not [path for path in paths if "alert" in path or "push" in path or "test" in path]
    app = httpx.Client(base_url=room.url)
    assert app.put("/v1/readers/r1/devices/fid-1", json={"platform": "android", "is_test": True}).status_code == 401
    app.close()


def test_the_text_of_a_test_cannot_be_sent_to_the_public(room: Any) -> None:
    client = room.client("operator")
    for title in ("Test: Bridge closed", "TEST: x", "test", "This is a test"):
        fields = {"article": room.newest(3), "title": title, "audience": "everyone"}
        answer = client.post("/console/push/new", data=fields)
        assert answer.status_code == 422
        assert "text of a test" in answer.text
    assert DeskAlerts(room.store).all() == []


def planner(room: Any) -> Planner:
    return Planner(room.store, lambda: room.service.snapshot)


def test_a_small_alert_is_held_and_then_reaches_those_who_are_meant(room: Any) -> None:
    everybody_awake(room)
    client = room.client("push_editor")
    number = write(client, room, audience="topic", value="Sport")
    assert client.post(f"/console/push/alerts/{number}/send").status_code == 303
    assert plan_alert(planner(room), number, now=room.now).endswith("deliveries held")
    assert drain(room) == []
    rang = drain(room, later_s=121)
    assert rang
    assert {title for _, title in rang} == {"Bridge closed"}
    assert {int(fid.removeprefix("fid-")) % 2 for fid, _ in rang} == {1}
    assert max(Counter(fid for fid, _ in rang).values()) == 1
    plan_alert(planner(room), number, now=room.now)  # asked for twice by a scheduler that died
    assert drain(room, later_s=122) == []


def test_the_scheduler_obeys_the_rows_that_the_console_wrote(room: Any) -> None:
    everybody_awake(room)
    client = room.client("push_editor")
    number = write(client, room, audience="topic", value="sport")
    client.post(f"/console/push/alerts/{number}/send")
    client.post("/console/ranking/push/draft", data={"freshness": "0.17"})
    soon = (room.now + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M")
    client.post("/console/ranking/push/publish", data={"reason": "tonight", "publish_at": soon})
    clock, heard = FixedClock(room.now), Heard()
    runner = Runner(room.store, Settings(index_dir=None), clock, sender=heard, snapshot=lambda: room.service.snapshot)
    runner.lead()
    runner.obey()
    runner.deliver()
    assert heard.rang == []
    assert room.store.live_weights("push").version == 1
    clock.advance(minutes=3)
    runner.lead()
    runner.obey()
    runner.deliver()
    assert {title for _, title in heard.rang} == {"Bridge closed"}
    assert room.store.live_weights("push").version == 2


def test_cancel_leaves_no_trace_on_any_phone(room: Any) -> None:
    everybody_awake(room)
    client = room.client("push_editor")
    number = write(client, room, audience="topic", value="sport")
    client.post(f"/console/push/alerts/{number}/send")
    plan_alert(planner(room), number, now=room.now)
    assert "Cancel" in client.get("/console").text
    client.post(f"/console/push/alerts/{number}/cancel")
    assert drain(room, later_s=121) == []
    assert plan_alert(planner(room), number, now=room.now) == f"alert {number} is cancelled"
    client.post("/console/push/resume")
    assert drain(room, later_s=125) == []
    assert client.post(f"/console/push/alerts/{number}/send").status_code == 409


def test_a_large_alert_needs_a_second_person(room: Any) -> None:
    policies.change(room.store, {"approval_above": 5}, by="x", reason="x", now=room.now)
    everybody_awake(room)
    writer, lead, operator = (room.client(role) for role in ("push_editor", "lead", "operator"))
    number = write(writer, room)
    assert writer.post(f"/console/push/alerts/{number}/send").status_code == 403
    writer.post(f"/console/push/alerts/{number}/ask")
    assert "asks to send" in lead.get("/console").text
    assert lead.post(f"/console/push/alerts/{number}/send", data={"reason": "checked"}).status_code == 303
    entry = room.store.changes(limit=1, target=f"alert {number}")[0]
    assert (entry.person, entry.why) == ("lead@herald.example", "approved; checked")
    own = write(operator, room, title="Own words")
    assert operator.post(f"/console/push/alerts/{own}/send").status_code == 403  # whoever wrote it


def test_alone_at_the_desk_it_takes_a_second_look_and_is_noted(room: Any) -> None:
    policies.change(room.store, {"approval_above": 5}, by="x", reason="x", now=room.now)
    everybody_awake(room)
    room.store.set_role("operator@herald.example", "viewer", by="x", now=room.now)
    lead = room.client("lead")
    number = write(lead, room)
    assert lead.post(f"/console/push/alerts/{number}/send").status_code == 422
    assert lead.post(f"/console/push/alerts/{number}/send", data={"sure": "yes"}).status_code == 303
    assert "without a second person" in room.store.changes(limit=1)[0].why


def test_lifting_limits_needs_a_lead_and_a_reason(room: Any) -> None:
    fields = {"article": room.newest(3), "title": "Flood", "audience": "everyone", "lift": "yes", "reason": "danger"}
    assert room.client("push_editor").post("/console/push/new", data=fields).status_code == 403
    assert room.client("lead").post("/console/push/new", data=fields | {"reason": ""}).status_code == 422
    assert room.client("lead").post("/console/push/new", data=fields).status_code == 303


def test_while_push_is_paused_nothing_is_sent_and_the_pause_is_noted(room: Any) -> None:
    everybody_awake(room)
    editor = room.client("push_editor")
    number = write(editor, room, audience="topic", value="sport")
    editor.post(f"/console/push/alerts/{number}/send")
    plan_alert(planner(room), number, now=room.now)
    room.client("editor").post("/console/push/pause", data={"reason": "wrong headline"})
    assert drain(room, later_s=121) == []
    assert room.store.changes(limit=1)[0].why == "wrong headline"
    other = write(editor, room)
    assert editor.post(f"/console/push/alerts/{other}/send").status_code == 403
    editor.post("/console/push/resume")
    assert drain(room, later_s=123)


def test_a_plan_is_cancelled_and_limits_are_set(room: Any) -> None:
    client = room.client("lead")
    limits = {"daily_cap": "3", "min_gap_min": "90", "hold_s": "60", "bar": "0.4", "freshness_h": "24"}
    assert client.post("/console/push/morning-digest/policy", data=limits).status_code == 422
    client.post("/console/push/morning-digest/policy", data=limits | {"reason": "too many"})
    campaign = Campaigns(room.store).get("morning-digest")
    assert (campaign.policy["daily_cap"], campaign.policy["min_gap_s"], campaign.bar) == (3, 5_400, 0.4)
    entry = room.store.changes(limit=1)[0]
    assert (entry.before["bar"], entry.after["bar"]) == (0.5, 0.4)


def test_a_correction_takes_the_place_of_the_alert(room: Any) -> None:
    everybody_awake(room)
    client, alerts = room.client("push_editor"), DeskAlerts(room.store)
    first = write(client, room, audience="topic", value="sport")
    client.post(f"/console/push/alerts/{first}/send")
    plan_alert(planner(room), first, now=room.now)
    rang = drain(room, later_s=121)
    second = write(client, room, title="Correction: one lane", audience="topic", value="sport", corrects=str(first))
    client.post(f"/console/push/alerts/{second}/send")
    plan_alert(planner(room), second, now=room.now)
    again = drain(room, later_s=260)
    assert alerts.get(second).corrects == first
    assert {fid for fid, _ in again} >= {fid for fid, _ in rang} > set()  # and whoever had read what was wrong


def test_states_are_left_one_way_only(room: Any) -> None:
    alerts = DeskAlerts(room.store)
    number = write(room.client("push_editor"), room)
    alerts.ask(number, by="ada", now=room.now)
    with pytest.raises(Conflict):
        alerts.ask(number, by="ada", now=room.now)
    alerts.cancel(number, by="ada", now=room.now)
    for step in (alerts.send, alerts.ask, alerts.cancel):
        with pytest.raises(Conflict):
            step(number, by="ada", now=room.now)
    with pytest.raises(NotAllowed):
        alerts.send_test(number, "fid-2", by="ada", now=room.now)
    with pytest.raises(InvalidInput):
        alerts.write(1, " ", "", audience={"kind": "everyone"}, policy={}, by="ada", reason="", now=room.now)


def test_recheck_lets_a_test_pass_the_limits_but_no_other_device(room: Any) -> None:
    at = room.now
    nobody = Wishes("UTC", push=False, quiet_from="00:00", quiet_until="23:59", daily_cap=0, muted_topics=(),
                    muted_sources=(), muted_stories=())  # fmt: skip
    article = DueArticle(1, "a", "t", "", "u", None, None, None, (), at, None, None, None)
    due = Due(
        id=1, key="k", campaign=DueCampaign(1, "t", "test", {}), slot="s", attempt=1, expires_at=at, article=article,
        reader_id=1, wishes=nobody, fid="f", token=None, platform="ios", is_test=False, device_state="active",
        device_reader_id=1, has_read=True,
    )  # fmt: skip
    assert Recheck(at)(due) == "test_only"
