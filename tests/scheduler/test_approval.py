"""From how many readers on an alert of a campaign waits for a second person: asked where it is sent."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.desk_alerts import DeskAlerts
from data.errors import Conflict, InvalidInput
from data.outbox import Outbox
from data.plans import Plans
from recommender import policies
from scheduler.campaigns import check_campaign
from scheduler.desk_alerts import plan_alert
from scheduler.plan_table import _footer

if TYPE_CHECKING:
    from conftest import Newsroom


@pytest.fixture
def town(newsroom_on_each: "Newsroom") -> "Newsroom":
    """Two readers, two leads, and a newsroom that asks from three readers on."""
    room = newsroom_on_each
    room.article("tariffs", "New tariffs on cars")
    for email in ("ada", "lea"):
        room.store.add_person(email, "lead", "secret of the test", now=room.now)
    for reader in ("anna", "ben"):
        room.reader(reader)
    policies.change(room.store, {"approval_above": 2}, by="lea", reason="small town", now=room.now)
    return room


def send(room: "Newsroom", *, approver: str, sends_as: str = "") -> str:
    alerts, article = DeskAlerts(room.store), room.store.article_ids(["tariffs"])["tariffs"]
    text = {"audience": {"kind": "everyone"}, "policy": {"holdout_share": 0, "min_gap_s": 0}, "reason": ""}
    number = alerts.write(article, "Tariffs", "", by="ada", now=room.now, sends_as=sends_as, **text)
    alerts.send(number, by=approver, now=room.now, hold_s=0)
    return plan_alert(room.planner(), number, now=room.now)


def desk_campaign(room: "Newsroom", **fields: Any) -> CampaignRow:
    return room.campaign(key="sport-desk", **{"kind": "manual", "local_times": (), "weekdays": ()} | fields)


def test_an_alert_needs_a_second_person_above_the_number_of_the_campaign_it_is_sent_as(town: "Newsroom") -> None:
    desk_campaign(town, approval_above=1)
    assert send(town, approver="ada").endswith("2 deliveries held")  # as an alert of its own: the newsroom's two
    said = send(town, approver="ada", sends_as="sport-desk")
    assert said.endswith("2 readers are meant; more than 1 need a second person")
    assert not send(town, approver="lea", sends_as="sport-desk").endswith("second person")


def test_a_campaign_may_also_be_freer_than_the_newsroom_and_without_a_number_is_as_it(town: "Newsroom") -> None:
    desk_campaign(town, approval_above=5)
    policies.change(town.store, {"approval_above": 0}, by="lea", reason="every one", now=town.now)
    assert send(town, approver="ada", sends_as="sport-desk").endswith("2 deliveries held")
    change = {"by": "lea", "reason": "no more", "now": town.now}
    Campaigns(town.store).set_limits("sport-desk", policy={}, approval_above=None, **change)
    assert send(town, approver="ada", sends_as="sport-desk").endswith("more than 0 need a second person")
    noted = town.store.changes(limit=20, target="sport-desk")[0]
    assert (noted.before, noted.after) == ({"approval_above": 5}, {"approval_above": None})


def test_an_alert_is_sent_as_a_campaign_of_the_desk_that_is_on(town: "Newsroom") -> None:
    town.campaign(key="digest")
    with pytest.raises(InvalidInput, match="digest is a digest"):
        send(town, approver="ada", sends_as="digest")
    desk_campaign(town, state="paused")
    with pytest.raises(Conflict, match="paused or gone"):
        send(town, approver="ada", sends_as="sport-desk")
    assert Outbox(town.store).counts() == {}


def test_a_digest_to_more_readers_than_its_number_leaves_nothing_until_a_person_approves(town: "Newsroom") -> None:
    outbox, plans, later = Outbox(town.store), Plans(town.store), town.now + timedelta(minutes=1)
    report = town.planner().at(town.campaign(approval_above=1), town.now)
    assert report.plan_id is not None
    assert (outbox.plan(report.plan_id).state, outbox.counts()) == ("asked", {"held": 2})
    assert "a lead approves it on the Push page" in _footer(report)
    assert outbox.release(later) == 0
    plans.approve(report.plan_id, by="lea", reason="big day", now=later)
    assert outbox.release(later) == 2
    assert town.store.changes(limit=1)[0].why == "big day"
    with pytest.raises(Conflict):
        plans.approve(report.plan_id, by="lea", now=later)


@pytest.mark.parametrize("above", [None, 2])
def test_a_digest_to_no_more_readers_leaves_by_itself(town: "Newsroom", above: int | None) -> None:
    report = town.planner().at(town.campaign(approval_above=above), town.now)
    assert report.plan_id is not None
    Outbox(town.store).release(town.now)
    assert Outbox(town.store).plan(report.plan_id).state == "done"
    assert Outbox(town.store).counts() == {"ready": 2}


def test_what_a_dead_leader_left_half_planned_waits_for_a_person_too(town: "Newsroom") -> None:
    campaign, outbox = town.campaign(approval_above=1), Outbox(town.store)
    planner = town.planner(page=1)

    def die(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _plan(planner, campaign, town, die)
    assert outbox.release(town.now) == 0
    second = town.planner().at(campaign, town.now)
    assert second.plan_id is not None
    left = next(one for one in outbox.plans() if one.id != second.plan_id)
    assert (left.state, outbox.plan(second.plan_id).state) == ("asked", "done")
    assert outbox.release(town.now) == 1  # the reader of the second plan alone
    Plans(town.store).cancel(plan_id=left.id)
    assert outbox.plan(left.id).state == "stopped"


def _plan(planner: Any, campaign: CampaignRow, town: "Newsroom", progress: Any) -> None:
    from scheduler import slots
    from scheduler.plan_report import Run

    after = town.now - timedelta(hours=3)
    due = slots.due(campaign, {"UTC": 2}, after=after, now=town.now).slots
    planner.run(Run(campaign, due, town.now), after=after, progress=progress)


@pytest.mark.parametrize("fields", [{"approval_above": -1}, {"key": "alert-7"}, {"kind": "test"}])
def test_a_campaign_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check_campaign(CampaignRow(**{"id": 0, "key": "desk", "name": "Desk", "kind": "manual"} | fields))
