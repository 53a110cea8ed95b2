"""Follow-ups, breaking news, best hours, spreading, approval, progress and stopping, and a policy replayed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from data.clock import FixedClock
from data.commands import Commands
from data.desk_alerts import DeskAlerts
from data.errors import InvalidInput
from data.models import Delivery
from data.outbox import Outbox
from data.settings import Settings
from data.store.database import table
from recommender import policies
from recommender.policies import InForce
from recommender.push_policy import HousePolicy
from scheduler.desk_alerts import plan_alert
from scheduler.plan_report import Run
from scheduler.planning import Planner, look_slots
from scheduler.policy_replay import replay
from scheduler.runner import Runner
from scheduler.sender import LogSender

if TYPE_CHECKING:
    from conftest import Newsroom

VerdictsOf = Callable[[Any], dict[str, str]]
FREE = {"holdout_share": 0}


def look(newsroom: "Newsroom", at: datetime, **fields: Any) -> Any:
    campaign = newsroom.campaign(key="follow", kind="follow_up", local_times=(), freshness_h=12.0, **fields)
    return newsroom.planner().run(Run(campaign, look_slots({"UTC": 1}, at), at, keeps_all=True), after=at)


def deliveries(newsroom: "Newsroom") -> list[Any]:
    with newsroom.store.reading() as connection:
        return list(connection.execute(select(table(Delivery)).order_by(table(Delivery).c.id)))


def test_followers_hear_what_is_new_about_their_story_though_they_read_it_before(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom.article("tariffs", "New tariffs on cars", published_at=newsroom.now - timedelta(hours=5))
    newsroom.article("opera", "The opera opens its season")
    story = str(newsroom.store.article_ids(["tariffs"])["tariffs"])
    newsroom.reader("anna", followed_stories=[story])
    newsroom.reader("ben", followed_topics=["OPERA"])
    newsroom.reader("cleo")
    newsroom.reader("dan", followed_stories=[story], muted_topics=["tariffs"])
    newsroom.reader("eva", followed_stories=[story], language="da")
    newsroom.reads("anna", "tariffs", at=newsroom.now - timedelta(hours=4))
    found = verdicts_of(look(newsroom, newsroom.now))
    assert found == {
        "anna": "ALREADY_READ", "ben": "SEND", "cleo": "NOTHING_NEW", "dan": "NOTHING_NEW", "eva": "NOTHING_NEW",
    }  # fmt: skip
    newsroom.article("second", "Tariffs on cars come at midnight", story="tariffs", news_value=5)
    assert verdicts_of(look(newsroom, newsroom.now + timedelta(minutes=1)))["anna"] == "SEND"
    assert verdicts_of(look(newsroom, newsroom.now + timedelta(hours=3)))["anna"] == "ALREADY_TOLD"
    newsroom.store.renew_story(int(story), by="ada", now=newsroom.now + timedelta(hours=3))
    assert verdicts_of(look(newsroom, newsroom.now + timedelta(hours=4)))["anna"] == "SEND"


def test_a_material_update_makes_a_story_news_to_those_who_read_it(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    newsroom.reader("anna")
    newsroom.reads("anna", "tariffs")
    campaign = newsroom.campaign()
    assert verdicts_of(newsroom.planner().at(campaign, newsroom.now, is_written=False)) == {"anna": "ALREADY_READ"}
    newsroom.store.renew_story(newsroom.store.article_ids(["tariffs"])["tariffs"], by="ada", now=newsroom.now)
    assert verdicts_of(newsroom.planner().at(campaign, newsroom.now, is_written=False)) == {"anna": "SEND"}


def desk_alert(newsroom: "Newsroom", *, by: str = "ada", approver: str = "bo", **fields: Any) -> tuple[int, str]:
    newsroom.article("tariffs", "New tariffs on cars")
    alerts, article = DeskAlerts(newsroom.store), newsroom.store.article_ids(["tariffs"])["tariffs"]
    given = {"audience": {"kind": "everyone"}, "policy": FREE, "reason": ""} | fields
    number = alerts.write(article, "Tariffs", "", by=by, now=newsroom.now, **given)
    alerts.send(number, by=approver, now=newsroom.now, hold_s=0)
    return number, plan_alert(newsroom.planner(), number, now=newsroom.now)


def test_an_alert_of_the_desk_goes_to_whom_it_is_meant_for_with_a_verdict_for_each(newsroom: "Newsroom") -> None:
    newsroom.reader("anna", followed_topics=["Steel"])
    newsroom.reader("ben", followed_topics=["steel"], push=False)
    newsroom.reader("cleo", zone="Asia/Tokyo", quiet_from="00:00", quiet_until="23:59", followed_topics=["steel"])
    newsroom.reader("dan")
    _, said = desk_alert(newsroom, audience={"kind": "topic", "value": "steel"}, spread_s=3_600)
    assert said.endswith("1 deliveries held")
    plan = Outbox(newsroom.store).plans(limit=1)[0]
    assert plan.funnel == {"SEND": 1, "OPTED_OUT": 1, "QUIET_HOURS": 1}
    (one,) = deliveries(newsroom)
    assert newsroom.now < one.not_before_at <= newsroom.now + timedelta(hours=1)


def test_only_level_one_and_a_lead_ring_in_quiet_hours(newsroom: "Newsroom") -> None:
    for email, role in (("ada", "push_editor"), ("bo", "push_editor"), ("lea", "lead")):
        newsroom.store.add_person(email, role, "secret of the test", now=newsroom.now)
    newsroom.reader("anna", quiet_from="00:00", quiet_until="23:59")
    lifted = {"policy": FREE | {"overrides_quiet": True}, "kind": "breaking"}
    number, said = desk_alert(newsroom, approver="bo", **lifted)
    assert said.endswith("only a lead may let an alert ring in quiet hours")
    assert DeskAlerts(newsroom.store).get(number).state == "asked"
    assert desk_alert(newsroom, approver="lea", level=2, **lifted)[1].endswith("the policy allows it up to 1")
    assert desk_alert(newsroom, approver="lea", **lifted)[1].endswith("1 deliveries held")
    DeskAlerts(newsroom.store).send(number, by="lea", now=newsroom.now)  # what was sent back can be sent again
    assert DeskAlerts(newsroom.store).get(number).state == "sending"


def test_more_readers_than_the_policy_says_need_a_second_person(newsroom: "Newsroom") -> None:
    for email in ("ada", "lea"):
        newsroom.store.add_person(email, "lead", "secret of the test", now=newsroom.now)
    policies.change(newsroom.store, {"approval_above": 1}, by="lea", reason="small town", now=newsroom.now)
    newsroom.reader("anna")
    newsroom.reader("ben")
    assert "2 readers are meant; more than 1 need a second person" in desk_alert(newsroom, approver="ada")[1]
    assert desk_alert(newsroom, approver="lea")[1].endswith("2 deliveries held")


@pytest.mark.parametrize("fields", [{"kind": "digest"}, {"level": 4}, {"mode": "often"}, {"spread_s": -1}])
def test_an_alert_that_cannot_be_sent_so_is_refused(newsroom: "Newsroom", fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        desk_alert(newsroom, **fields)


@pytest.mark.parametrize("mode", ["at_most_once", "at_least_once"])
def test_only_a_campaign_that_asks_for_it_is_sent_again_when_its_sender_vanished(
    newsroom: "Newsroom", mode: str
) -> None:
    newsroom.reader("anna")
    desk_alert(newsroom, mode=mode)
    outbox, later = Outbox(newsroom.store), newsroom.now + timedelta(minutes=10)
    assert len(outbox.claim(newsroom.now, limit=9, lease_s=60, recheck=lambda _due: None).due) == 1
    assert outbox.recover(later) == (1 if mode == "at_most_once" else 0)
    assert [one.state for one in deliveries(newsroom)] == ["unknown" if mode == "at_most_once" else "ready"]


def test_each_reader_has_a_best_hour_near_the_slot_and_the_plan_is_made_in_time_for_it(newsroom: "Newsroom") -> None:
    newsroom.article("tariffs", "New tariffs on cars", published_at=newsroom.now - timedelta(hours=20))
    newsroom.article("flood", "Rivers rise over their banks")
    for reader, hour in (("early", 8), ("late", 10), ("unknown", None)):
        newsroom.reader(reader)
        for day in range(1, 20) if hour else ():
            at = newsroom.now.replace(hour=hour, minute=30) - timedelta(days=day)
            newsroom.reads(reader, "tariffs", at=at + timedelta(seconds=day))
    campaign = newsroom.campaign(local_times=("09:30",), send_time="best_hour", best_within_h=1)
    assert newsroom.planner().tick(campaign, newsroom.now.replace(hour=8, minute=29)) is None
    report = newsroom.planner().tick(campaign, newsroom.now.replace(hour=8, minute=30))
    assert report is not None
    hours = {one.reader: f"{one.send_at:%H:%M}" for one in report.endings}
    assert (hours["early"], hours["late"]) == ("08:30", "10:30")
    assert {one.slot for one in report.endings} == {"2026-03-02T09:30"}


def test_a_plan_says_how_far_it_is_and_stops_with_the_block_when_it_is_cancelled(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for number in range(9):
        newsroom.reader(f"r{number}")
    planner, campaign = newsroom.planner(page=3), newsroom.campaign()
    told: list[int] = []

    def cancel_at_once(readers: int) -> None:
        told.append(readers)
        (plan,) = planner.outbox.plans()
        assert (plan.state, plan.readers_due, plan.readers_done) == ("planning", 9, 0)
        planner.plans.cancel(plan_id=plan.id)
        planner.outbox.cancel(now=newsroom.now, reason="cancelled", plan_id=plan.id)

    slots = look_slots({"UTC": 1}, newsroom.now)
    report = planner.run(Run(campaign, slots, newsroom.now), after=newsroom.now, progress=cancel_at_once)
    (plan,) = planner.outbox.plans()
    assert (told, report.is_stopped, plan.state, plan.readers_done) == ([3], True, "stopped", 3)
    assert {one.state for one in deliveries(newsroom)} == {"cancelled"}
    assert plan.zone_version
    whole = planner.run(
        Run(campaign, look_slots({"UTC": 1}, newsroom.now + timedelta(hours=3)), newsroom.now), after=newsroom.now
    )
    done = planner.outbox.plan(whole.plan_id or 0)
    assert (done.state, done.readers_done, sum(done.funnel.values())) == ("done", 9, 9)


def test_a_pause_stops_a_plan_under_way(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for number in range(6):
        newsroom.reader(f"r{number}")
    planner, campaign = newsroom.planner(page=2), newsroom.campaign()
    run = Run(campaign, look_slots({"UTC": 1}, newsroom.now), newsroom.now)
    report = planner.run(run, after=newsroom.now, progress=lambda _: newsroom.campaigns.set_state("morning", "paused"))
    assert (report.is_stopped, report.readers) == (True, 2)


def test_a_plan_is_replayed_under_another_policy_and_writes_nothing(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for number in range(6):
        newsroom.reader(f"r{number}")
    times = ("07:30", "09:00", "11:00")
    campaign, planner = newsroom.campaign(local_times=times), newsroom.planner()
    for hour in (8, 9, 11):
        planner.tick(campaign, newsroom.now.replace(hour=hour, minute=30))
    before, day = len(deliveries(newsroom)), newsroom.now.date()
    now = replay(planner, day, InForce(0, HousePolicy()))
    assert now.alerts.total() == before  # the same policy gives the same plans
    assert sum(now.funnel.values()) == sum(sum(one.funnel.values()) for one in planner.outbox.plans())
    tight = replay(planner, day, InForce(1, HousePolicy(personal_cap=1)))
    loose = replay(planner, day, InForce(2, HousePolicy(personal_gap_s=0, first_days=0)))
    assert tight.readers_by_alerts == {1: 6}
    assert loose.alerts.total() > before > tight.alerts.total()
    assert replay(planner, day, InForce(2, HousePolicy(personal_gap_s=0, first_days=0))) == loose
    assert len(deliveries(newsroom)) == before


def test_a_face_asks_for_a_replay_and_an_update_by_command(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    newsroom.planner().tick(newsroom.campaign(), newsroom.now)
    story = newsroom.store.article_ids(["tariffs"])["tariffs"]
    runner = Runner(
        newsroom.store, Settings(), FixedClock(newsroom.now), sender=LogSender(None), snapshot=newsroom.snapshot
    )  # type: ignore[arg-type]
    commands = Commands(newsroom.store)
    commands.ask("update_story", {"story": story, "reason": "signed"}, author="ada", now=newsroom.now)
    commands.ask("replay_policy", {"day": "2026-03-02"}, author="ada", now=newsroom.now)
    runner.lead()
    runner.obey()
    with newsroom.store.reading() as connection:
        results = list(connection.exec_driver_sql("select state, result from command order by id"))
    assert results[0] == ("done", f"story {story} has update 1")
    assert json.loads(results[1][1])["before"]["funnel"] == {"SEND": 1}


def test_a_new_reader_gets_two_alerts_in_a_day_and_the_week_is_spread(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    for number in range(4):
        newsroom.article(f"n{number}", f"Story number {number} about something else")
    newsroom.reader("anna", quiet_from="03:00", quiet_until="03:01", daily_cap=9)
    policies.change(newsroom.store, {"weekly_budget": 1}, by="ada", reason="a test", now=newsroom.now)
    times, planner = ("08:00", "12:00"), newsroom.planner()
    campaign = newsroom.campaign(local_times=times)
    at = datetime(2026, 3, 2, 8, 1, tzinfo=UTC)
    assert verdicts_of(planner.at(campaign, at)) == {"anna": "SEND"}
    assert verdicts_of(planner.at(campaign, at + timedelta(hours=4))) == {"anna": "WEEKLY_BUDGET"}
    policies.change(newsroom.store, {"weekly_budget": 0, "first_cap": 1}, by="ada", reason="a test", now=newsroom.now)
    assert verdicts_of(planner.at(campaign, at + timedelta(hours=4), is_written=False)) == {"anna": "DAILY_CAP"}


def test_a_planner_may_be_given_a_policy_of_its_own(newsroom: "Newsroom", verdicts_of: VerdictsOf) -> None:
    newsroom.articles()
    newsroom.reader("anna")
    campaign = newsroom.campaign(policy={})
    strict = Planner(newsroom.store, newsroom.snapshot, policy=InForce(7, HousePolicy(holdout_share=0.5, daily_cap=0)))
    report = strict.at(campaign, newsroom.now)
    assert verdicts_of(report)["anna"] in {"DAILY_CAP", "HOLDOUT"}
    assert Outbox(newsroom.store).plan(report.plan_id or 0).policy_version == 7
