"""A campaign's own approval threshold in the console: shown, set, asked where an alert is written, plans let go."""

from datetime import timedelta
from typing import Any

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.desk_alerts import DeskAlerts
from data.outbox import Outbox
from data.plans import Plans
from data.wire import ReaderIn

HOME = "/console/push/sport-desk/policy"
SAME = {"daily_cap": "10", "min_gap_min": "120", "hold_s": "0", "bar": "0", "freshness_h": "24"}


def sport_desk(room: Any, *, approval_above: int | None) -> None:
    always = {"quiet_from": "00:00", "quiet_until": "00:00", "followed_topics": ["sport"]}
    room.store.put_readers([ReaderIn(id=f"r{n}", **always) for n in range(40)], now=room.now)
    row = CampaignRow(0, "sport-desk", "Sport desk", kind="manual", approval_above=approval_above)
    Campaigns(room.store).add(row, by="ada", now=room.now)


def write(client: Any, room: Any, **fields: str) -> int:
    given = {"article": room.newest(3), "title": "Bridge closed", "audience": "topic", "value": "sport"} | fields
    assert client.post("/console/push/new", data=given).status_code == 303
    return DeskAlerts(room.store).all(limit=1)[0].id


def test_an_alert_sent_as_a_strict_campaign_needs_a_lead_who_did_not_write_it(room: Any) -> None:
    sport_desk(room, approval_above=2)
    editor, lead = room.client("push_editor"), room.client("lead")
    own, strict = write(editor, room), write(editor, room, sends_as="sport-desk")
    assert editor.post(f"/console/push/alerts/{own}/send").status_code == 303
    assert "More than 2 readers" in editor.get(f"/console/push/alerts/{strict}").text
    assert editor.post(f"/console/push/alerts/{strict}/send").status_code == 403
    assert lead.post(f"/console/push/alerts/{strict}/send").status_code == 303
    alert = DeskAlerts(room.store).get(strict)
    campaign = next(one for one in Campaigns(room.store).all() if one.id == alert.campaign_id)
    assert (campaign.kind, campaign.approval_above) == ("manual", 2)
    assert editor.post("/console/push/new", data={"title": "x", "sends_as": "no-desk"}).status_code == 422


def test_while_it_is_written_the_page_says_that_a_lead_will_have_to_approve_it(room: Any) -> None:
    sport_desk(room, approval_above=2)
    client = room.client("push_editor")
    asked = "?audience=topic&value=sport&title=Bridge"
    assert "has to approve it" not in client.get(f"/console/push/preview{asked}").text
    assert "More than 2 are meant" in client.get(f"/console/push/preview{asked}&sends_as=sport-desk").text
    assert "a second person above 2 readers" in client.get("/console/push/new").text
    assert "a second person above 2 readers" in client.get("/console/push").text


def test_a_lead_sets_the_threshold_of_a_campaign_and_takes_it_away_again(room: Any) -> None:
    sport_desk(room, approval_above=None)
    lead = room.client("lead")
    for given, found in (("1000", 1_000), ("", None), ("0", 0)):
        said = lead.post(HOME, data=SAME | {"approval_above": given, "reason": "smaller audience"})
        assert said.status_code == 303
        assert Campaigns(room.store).get("sport-desk").approval_above == found
    assert room.store.changes(limit=1)[0].after == {"approval_above": 0}
    refused = lead.post(HOME, data=SAME | {"approval_above": "many", "reason": "x"})
    assert refused.status_code == 422
    assert "Write a number" in refused.text
    assert room.client("push_editor").post(HOME, data=SAME | {"reason": "x"}).status_code == 403


def test_a_plan_that_waits_is_on_the_first_page_and_a_lead_lets_it_go(room: Any) -> None:
    outbox, plans, campaign = Outbox(room.store), Plans(room.store), Campaigns(room.store).get("morning-digest")
    campaigns, change = Campaigns(room.store), {"by": "ada", "reason": "careful", "now": room.now}
    campaigns.set_limits("morning-digest", policy={}, approval_above=100, **change)
    ids = []
    for _ in range(2):
        ids.append(outbox.begin_plan(campaign, now=room.now, slots_from=room.now, slots_until=room.now))
        outbox.finish_plan(ids[-1], funnel={"SEND": 250})
        plans.ask(ids[-1])
    editor, lead = room.client("push_editor"), room.client("lead")
    assert "alerts 250 readers" in editor.get("/console").text
    assert "waits for approval" in editor.get("/console/push").text
    assert editor.post("/console/push/approve", data={"plan": str(ids[0])}).status_code == 403
    assert outbox.plan(ids[0]).state == "asked"
    assert lead.post("/console/push/approve", data={"plan": str(ids[0]), "reason": "big day"}).status_code == 303
    assert outbox.plan(ids[0]).state == "done"
    noted = room.store.changes(limit=1, target=f"plan {ids[0]}")[0]
    assert (noted.person, noted.why) == ("lead@herald.example", "big day")
    assert lead.post("/console/push/approve", data={"plan": str(ids[0])}).status_code == 409
    assert editor.post("/console/push/cancel", data={"plan": str(ids[1])}).status_code == 303
    assert outbox.plan(ids[1]).state == "stopped"
    assert outbox.release(room.now + timedelta(hours=1)) == 0
