"""A plan: every reader ends with one verdict, and what is written is what was judged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from data.errors import Conflict
from data.leases import LEADER, Leases
from data.models import Delivery
from data.outbox import Outbox
from data.store.database import table
from scheduler.plan_report import MISSED, PLANNED_BEFORE

if TYPE_CHECKING:
    from conftest import Newsroom

VerdictsOf = Callable[[Any], dict[str, str]]


def deliveries(newsroom: "Newsroom") -> list[Any]:
    with newsroom.store.reading() as connection:
        return list(connection.execute(select(table(Delivery)).order_by(table(Delivery).c.id)))


def test_every_reader_ends_with_one_verdict_and_its_reason(
    newsroom_on_each: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom = newsroom_on_each
    newsroom.articles()
    newsroom.reader("anna")
    newsroom.reader("ben", push=False)
    newsroom.reader("cleo", devices=0)
    newsroom.reader("dan", quiet_until="08:00")
    newsroom.reader("eva", daily_cap=0)
    newsroom.reader("finn")
    newsroom.reads("finn", "tariffs", "flood", "opera")
    newsroom.reader("gus", language="cs")
    newsroom.reader("hana", zone="Asia/Tokyo")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now, keeps_all=True)
    assert verdicts_of(report) == {
        "anna": "SEND",
        "ben": "OPTED_OUT",
        "cleo": "NO_DEVICE",
        "dan": "QUIET_HOURS",
        "eva": "DAILY_CAP",
        "finn": "ALREADY_READ",
        "gus": "NOTHING_NEW",
    }
    assert sum(report.funnel.values()) == 7
    assert Outbox(newsroom.store).plan(report.plan_id or 0).funnel == dict(report.funnel)
    assert [one.slot for one in deliveries(newsroom)] == ["2026-03-02T07:30"]


def test_nobody_gets_what_is_below_the_bar(newsroom: "Newsroom", verdicts_of: VerdictsOf) -> None:
    newsroom.articles()
    newsroom.reader("anna")
    report = newsroom.planner().at(newsroom.campaign(bar=0.99), newsroom.now)
    assert verdicts_of(report) == {"anna": "BELOW_BAR"}
    assert 0 < report.endings[0].score < 0.99
    assert deliveries(newsroom) == []


def test_the_alert_is_the_story_closest_to_the_reader(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for reader, taste in (("anna", "tariffs"), ("ben", "flood")):
        newsroom.article(
            f"old-{taste}",
            f"More on {taste}: "
            + {"tariffs": "Tokyo tariffs on cars and steel", "flood": "rain and rivers over their banks"}[taste],
            published_at=newsroom.now - timedelta(days=3),
            topics=[taste],
        )
        newsroom.reader(reader)
        newsroom.reads(reader, f"old-{taste}")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now)
    keys = {one.id: one.key for one in newsroom.store.articles(one.article_id for one in report.endings)}
    assert {one.reader: keys[one.article_id] for one in report.endings} == {"anna": "tariffs", "ben": "flood"}
    for one in report.endings:
        assert sum(one.parts.values()) == pytest.approx(one.score, abs=2e-4)


@pytest.mark.parametrize("fate", ["retracted", "embargoed", "blocked", "topic blocked", "old", "minor", "future"])
def test_what_may_not_be_pushed_is_no_candidate(
    newsroom: "Newsroom", verdicts_of: VerdictsOf, make_rule: Any, fate: str
) -> None:
    fields: dict[str, Any] = {
        "embargoed": {"embargo_until": newsroom.now + timedelta(hours=1)},
        "old": {"published_at": newsroom.now - timedelta(hours=25)},
        "minor": {"news_value": 1},
        "future": {"published_at": newsroom.now + timedelta(minutes=1)},
    }.get(fate, {})
    newsroom.article("tariffs", "New tariffs on cars", **fields)
    if fate == "retracted":
        newsroom.store.retract_article("tariffs", now=newsroom.now)
    if fate == "blocked":
        newsroom.rules = [make_rule("block", "source", "herald", surface="push")]
    if fate == "topic blocked":
        newsroom.rules = [make_rule("block", "topic", "Tariffs")]
    newsroom.reader("anna")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now)
    assert verdicts_of(report) == {"anna": "NOTHING_NEW"}


def test_a_story_has_one_candidate_a_language_the_one_the_desk_values_most(newsroom: "Newsroom") -> None:
    newsroom.article("first", "Tariffs agreed between Tokyo and Washington", news_value=3)
    newsroom.article("best", "Tokyo and Washington agree on tariffs", story="first", news_value=5)
    newsroom.article("danish", "Told på biler aftalt mellem Tokyo og Washington", story="first", language="da")
    newsroom.reader("anna")
    newsroom.reader("bo", language="da")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now)
    keys = {one.id: one.key for one in newsroom.store.articles(one.article_id for one in report.endings)}
    assert {one.reader: keys[one.article_id] for one in report.endings} == {"anna": "best", "bo": "danish"}
    assert report.candidates == 2


def test_a_reader_who_read_another_outlets_article_knows_the_story(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom.article("first", "Tariffs agreed between Tokyo and Washington")
    newsroom.article("second", "Tokyo and Washington agree on tariffs", story="first", source={"id": "p", "name": "P"})
    newsroom.reader("anna")
    newsroom.reads("anna", "second")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now)
    assert verdicts_of(report) == {"anna": "ALREADY_READ"}


def test_a_story_told_by_one_campaign_is_not_told_by_another(newsroom: "Newsroom", verdicts_of: VerdictsOf) -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    newsroom.reader("anna")
    planner = newsroom.planner()
    planner.at(newsroom.campaign(), newsroom.now)
    noon = newsroom.campaign(key="noon", local_times=("12:00",))
    report = planner.at(noon, datetime(2026, 3, 2, 12, 5, tzinfo=UTC))
    assert verdicts_of(report) == {"anna": "ALREADY_TOLD"}


def test_two_campaigns_keep_the_gap_between_them(newsroom: "Newsroom", verdicts_of: VerdictsOf) -> None:
    newsroom.articles()
    newsroom.reader("anna")
    planner = newsroom.planner()
    planner.at(newsroom.campaign(), newsroom.now)
    again = newsroom.campaign(key="again", local_times=("09:00",))
    assert verdicts_of(planner.at(again, newsroom.now.replace(hour=9, minute=1))) == {"anna": "TOO_SOON"}
    assert verdicts_of(planner.at(again, newsroom.now.replace(hour=9, minute=31))) == {"anna": "SEND"}


def test_planning_again_writes_nothing_again(newsroom_on_each: "Newsroom") -> None:
    newsroom = newsroom_on_each
    newsroom.articles()
    newsroom.reader("anna", devices=2)
    newsroom.reader("ben")
    planner, campaign = newsroom.planner(), newsroom.campaign()
    assert planner.at(campaign, newsroom.now).deliveries == 3
    again = planner.at(campaign, newsroom.now)
    assert (again.deliveries, again.funnel) == (0, {PLANNED_BEFORE: 2})


def test_a_planner_that_died_half_way_is_completed_by_the_next(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for number in range(5):
        newsroom.reader(f"r{number}")
    campaign, planner = newsroom.campaign(), newsroom.planner(page=2)
    add, calls = planner.outbox.add, iter(range(10))

    def dies(*args: Any, **options: Any) -> int:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return add(*args, **options)

    planner.outbox.add = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        planner.tick(campaign, newsroom.now)
    assert len(deliveries(newsroom)) == 2
    report = newsroom.planner(page=2).tick(campaign, newsroom.now)
    assert report is not None
    assert report.funnel == {PLANNED_BEFORE: 2, "SEND": 3}
    assert len({one.reader_id for one in deliveries(newsroom)}) == 5


def test_a_dry_run_writes_nothing(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    report = newsroom.planner().at(newsroom.campaign(), newsroom.now, is_written=False)
    assert (report.funnel, report.plan_id, deliveries(newsroom)) == ({"SEND": 1}, None, [])
    assert Outbox(newsroom.store).plans() == []


def test_a_dry_run_and_the_plan_agree(newsroom: "Newsroom", verdicts_of: VerdictsOf) -> None:
    newsroom.articles()
    for number in range(8):
        newsroom.reader(f"r{number}", push=number % 3 > 0)
    planner, campaign = newsroom.planner(), newsroom.campaign()
    dry = planner.at(campaign, newsroom.now, is_written=False, keeps_all=True)
    assert planner.at(campaign, newsroom.now, keeps_all=True).endings == dry.endings


def test_the_size_of_a_page_changes_nothing(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for number in range(7):
        newsroom.reader(f"r{number}")
        newsroom.reads(f"r{number}", *["tariffs", "flood"][: number % 3])
    campaign = newsroom.campaign()
    plans = [
        newsroom.planner(page=page).at(campaign, newsroom.now, is_written=False, keeps_all=True).endings
        for page in (1, 3, 100)
    ]
    assert plans[0] == plans[1] == plans[2]


def test_a_plan_on_dask_is_the_plan_made_here(newsroom: "Newsroom", dask_address: str) -> None:
    newsroom.articles()
    for number in range(12):
        newsroom.reader(f"r{number}", push=number % 5 > 0, muted_topics=["opera"] if number % 2 else [])
        newsroom.reads(f"r{number}", *["tariffs", "flood"][: number % 3])
    campaign = newsroom.campaign()
    here, there = (
        newsroom.planner(page=3, dask=address).at(campaign, newsroom.now, is_written=False, keeps_all=True)
        for address in (None, dask_address)
    )
    assert here.endings == there.endings
    assert len(here.endings) == 12


def test_a_day_is_planned_at_everybodys_own_time(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for key, zone in (("tokyo", "Asia/Tokyo"), ("prague", "Europe/Prague"), ("la", "America/Los_Angeles")):
        newsroom.reader(key, zone=zone)
    monday = date(2026, 3, 2)
    report = newsroom.planner().for_day(
        newsroom.campaign(), monday, newsroom.now.replace(hour=5), is_written=False, keeps_all=True
    )
    assert {one.reader: one.send_at.strftime("%d %H:%M") for one in report.endings} == {
        "tokyo": "01 22:30",
        "prague": "02 06:30",
        "la": "02 15:30",
    }
    # What was not published by then could not be told.
    assert {one.reader: one.verdict for one in report.endings} == {
        "tokyo": "NOTHING_NEW",
        "prague": "SEND",
        "la": "SEND",
    }


def test_ticks_plan_each_zone_at_its_time_once(newsroom: "Newsroom") -> None:
    newsroom.articles()
    for key, zone in (("prague", "Europe/Prague"), ("london", "Europe/London"), ("lagos", "Africa/Lagos")):
        newsroom.reader(key, zone=zone)
    campaign, planner = newsroom.campaign(), newsroom.planner()
    at, planned = datetime(2026, 3, 2, 6, tzinfo=UTC), {}
    while at < datetime(2026, 3, 2, 9, tzinfo=UTC):
        report = planner.tick(campaign, at)
        if report is not None:
            planned[at.strftime("%H:%M")] = sorted(one.reader for one in report.endings)
        at += timedelta(minutes=5)
    assert planned == {"06:30": ["lagos", "prague"], "07:30": ["london"]}
    assert len(deliveries(newsroom)) == 3


def test_a_slot_missed_by_more_than_the_catch_up_is_counted_not_sent(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    campaign, planner = newsroom.campaign(), newsroom.planner()
    assert planner.tick(campaign, newsroom.now.replace(hour=6)) is None
    report = planner.tick(campaign, newsroom.now.replace(hour=12))
    assert report is not None
    assert report.funnel == {MISSED: 1}
    assert deliveries(newsroom) == []


def test_a_slot_missed_by_less_is_caught_up_if_the_hour_is_still_right(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom.articles()
    newsroom.reader("anna")
    newsroom.reader("ben", quiet_from="09:00", quiet_until="10:00")
    campaign, planner = newsroom.campaign(), newsroom.planner()
    planner.tick(campaign, newsroom.now.replace(hour=6))
    report = planner.tick(campaign, newsroom.now.replace(hour=9, minute=10))
    assert verdicts_of(report) == {"anna": "SEND", "ben": "QUIET_HOURS"}
    assert deliveries(newsroom)[0].not_before_at == newsroom.now.replace(hour=9, minute=10)


def test_slots_pass_while_a_campaign_is_paused(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    campaign, planner = newsroom.campaign(), newsroom.planner()
    planner.tick(campaign, newsroom.now.replace(hour=6))
    planner.tick(replace(campaign, state="paused"), newsroom.now)
    assert planner.tick(campaign, newsroom.now + timedelta(minutes=5)) is None


def test_a_reader_who_changes_zone_gets_the_slot_once(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna", zone="Europe/Prague")
    campaign, planner = newsroom.campaign(), newsroom.planner()
    planner.tick(campaign, datetime(2026, 3, 2, 6, 30, tzinfo=UTC))
    newsroom.reader("anna", zone="Europe/London")
    report = planner.tick(campaign, datetime(2026, 3, 2, 7, 30, tzinfo=UTC))
    assert report is not None
    assert report.funnel == {PLANNED_BEFORE: 1}
    assert len(deliveries(newsroom)) == 1


def test_a_held_plan_waits_and_a_test_campaign_reaches_test_devices_only(
    newsroom: "Newsroom", verdicts_of: VerdictsOf
) -> None:
    newsroom.articles()
    newsroom.reader("anna")
    newsroom.planner().at(newsroom.campaign(hold_s=600, jitter_s=60), newsroom.now)
    (one,) = deliveries(newsroom)
    assert (one.state, one.not_before_at) == ("held", newsroom.now + timedelta(seconds=600))
    trial = newsroom.campaign(key="trial", kind="test")
    assert verdicts_of(newsroom.planner().at(trial, newsroom.now, is_written=False)) == {"anna": "NO_DEVICE"}


def test_a_planner_who_leads_no_more_writes_nothing(newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    leases = Leases(newsroom.store)
    old = leases.acquire(LEADER, "one", now=newsroom.now, ttl_s=1)
    leases.acquire(LEADER, "two", now=newsroom.now + timedelta(seconds=2), ttl_s=1)
    with pytest.raises(Conflict):
        newsroom.planner().tick(newsroom.campaign(), newsroom.now, fence=old)
    assert deliveries(newsroom) == []
