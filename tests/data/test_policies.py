"""The push policy: versions with author and reason, drafts, restoring; a story's material update; the ledger's key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from data.alerts import CampaignRow, NewDelivery
from data.broadcasts import Broadcasts, NewBroadcast
from data.campaigns import Campaigns
from data.errors import Conflict, InvalidInput, NotFound
from data.leases import LEADER, Leases
from data.ledger import Ledger, local_week
from data.outbox import Outbox
from data.plans import Ticks
from data.policies import Policies
from data.store import Store
from data.wire import ArticleIn, DeviceIn, ReaderIn
from recommender import policies

NOW = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
WHO: dict[str, Any] = {"by": "ada", "now": NOW}


def test_a_change_of_a_limit_is_a_version_with_its_author_and_reason(store: Store) -> None:
    held = Policies(store)
    assert (held.live().version, policies.in_force(store).limits.personal_cap) == (0, 4)
    policies.change(store, {"personal_cap": 3}, reason="calmer", **WHO)
    policies.change(store, {"hourly_cap": 1}, reason="calmer still", **WHO)
    live = held.live()
    assert (live.version, live.limits, live.author, live.reason) == (
        2, {"personal_cap": 3, "hourly_cap": 1}, "ada", "calmer still",
    )  # fmt: skip
    assert [(one.version, one.live) for one in held.history()] == [(2, True), (1, False), (0, False)]
    entry = store.changes(limit=1)[0]
    assert (entry.person, entry.before, entry.after) == ("ada", {"version": 1}, {"version": 2, "hourly_cap": 1})


def test_restoring_makes_a_new_version_of_the_old_limits(store: Store) -> None:
    policies.change(store, {"personal_cap": 3}, reason="calmer", **WHO)
    assert Policies(store).restore(0, reason="", **WHO).version == 2
    assert policies.in_force(store).limits.personal_cap == 4
    with pytest.raises(NotFound, match="policy history"):
        Policies(store).get(9)


def test_a_draft_changes_nothing_until_it_is_published_and_only_if_nobody_was_faster(store: Store) -> None:
    policies.save_draft(store, {"daily_cap": 8}, **WHO)
    assert policies.in_force(store).limits.daily_cap == 10
    policies.change(store, {"personal_cap": 3}, reason="meanwhile", by="bo", now=NOW)
    with pytest.raises(Conflict, match="version 1 went live"):
        Policies(store).publish_draft(reason="calmer", **WHO)
    policies.save_draft(store, {"daily_cap": 8}, **WHO)
    assert Policies(store).publish_draft(reason="calmer", **WHO).limits == {"daily_cap": 8}
    assert Policies(store).draft("ada") is None
    with pytest.raises(Conflict, match="gone"):
        Policies(store).publish_draft(reason="calmer", **WHO)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"dayly_cap": 3}, "no limit 'dayly_cap'"),
        ({"daily_cap": 51}, "daily_cap is a number from 0 to 50"),
        ({"daily_cap": 2.5}, "whole number"),
        ({"holdout_share": "x"}, "holdout_share is a number"),
        ({"stop_days": float("nan")}, "stop_days is a number"),
    ],
)
def test_a_limit_that_is_none_is_refused_and_nothing_is_written(store: Store, limits: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        policies.change(store, limits, reason="why not", **WHO)
    with pytest.raises(InvalidInput, match="say why"):
        policies.change(store, {"daily_cap": 3}, reason=" ", **WHO)
    assert Policies(store).live().version == 0


@pytest.fixture
def told(store: Store) -> tuple[Store, NewDelivery]:
    """A newsroom with one delivery of one story, not yet written."""
    shape = {
        "id": "a1",
        "url": "https://n.example/a1",
        "title": "A",
        "published_at": NOW,
        "source": {"id": "s", "name": "S"},
    }
    store.put_articles([ArticleIn.model_validate(shape)], now=NOW)
    store.put_readers([ReaderIn(id="r1")], now=NOW)
    store.put_device("r1", DeviceIn(fid="f1", platform="ios"), now=NOW)
    article = store.article_ids(["a1"])["a1"]
    store.assign_stories([(article, article)], now=NOW)
    reader = store.reader("r1")
    assert reader is not None
    device = store.devices_of([reader.id])[0]
    later = NOW + timedelta(hours=1)
    return store, NewDelivery("k", reader.id, device.id, article, article, 0, "s1", NOW, later)


def test_the_database_lets_a_story_be_told_again_only_under_the_next_number(told: tuple[Store, NewDelivery]) -> None:
    store, first = told
    outbox, campaigns = Outbox(store), Campaigns(store)
    campaigns.ensure([CampaignRow(0, "a", "a"), CampaignRow(0, "b", "b")], now=NOW)
    plans = [outbox.begin_plan(campaigns.get(key), now=NOW, slots_from=NOW, slots_until=NOW) for key in "ab"]
    assert outbox.add(plans[0], [first], now=NOW) == 1
    again = replace(first, key="k2", slot="s2")
    assert outbox.add(plans[1], [again], now=NOW) == 0
    assert outbox.add(plans[1], [replace(again, told_no=1)], now=NOW) == 1
    assert outbox.add(plans[0], [replace(again, key="k3", slot="s3", told_no=1)], now=NOW) == 0
    assert outbox.add(plans[0], [replace(again, key="k4", slot="s4", update_no=1)], now=NOW) == 1
    found = Ledger(store).told([first.reader_id], since=NOW - timedelta(days=1))
    assert sorted(zip(found.update_no.tolist(), found.told_no.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0)]


def test_a_topic_is_told_again_after_the_window(store: Store, told: tuple[Store, NewDelivery]) -> None:
    ledger = Broadcasts(store)
    story = told[1].article_id
    one = NewBroadcast("b1", "", "everyone", None, story, story, 0)
    ledger.begin(one, now=NOW)
    with pytest.raises(Conflict):
        ledger.begin(replace(one, key="b2"), now=NOW + timedelta(hours=47))
    ledger.begin(replace(one, key="b3"), now=NOW + timedelta(hours=48))
    with pytest.raises(Conflict):
        ledger.begin(replace(one, key="b4"), now=NOW + timedelta(hours=49))


def test_a_material_update_is_counted_and_noted(told: tuple[Store, NewDelivery]) -> None:
    store, one = told
    assert store.renew_story(one.article_id, by="ada", now=NOW, reason="the verdict is in") == 1
    assert store.renewals() == {one.article_id: (1, int(NOW.timestamp() * 1e6))}
    assert (store.changes(limit=1)[0].what, store.changes(limit=1)[0].why) == ("updated", "the verdict is in")
    with pytest.raises(InvalidInput, match="no story 99"):
        store.renew_story(99, by="ada", now=NOW)


def test_a_tick_is_done_once_by_whoever_leads(store: Store) -> None:
    ticks, leases = Ticks(store), Leases(store)
    old = leases.acquire(LEADER, "a", now=NOW, ttl_s=1) or 0
    assert ticks.begin("plan", NOW, now=NOW, fence=old)
    assert not ticks.begin("plan", NOW, now=NOW, fence=old)
    assert ticks.begin("plan", NOW + timedelta(minutes=1), now=NOW, fence=old)
    ticks.end("plan", NOW + timedelta(minutes=1), now=NOW, fence=old)
    new = leases.acquire(LEADER, "b", now=NOW + timedelta(seconds=2), ttl_s=1) or 0
    assert ticks.begin("plan", NOW, now=NOW, fence=new)  # what the former leader left
    assert not ticks.begin("plan", NOW + timedelta(minutes=1), now=NOW, fence=new)  # what it had done
    with pytest.raises(Conflict):
        ticks.begin("plan", NOW + timedelta(minutes=2), now=NOW, fence=old)
    ticks.give_up("plan", NOW, fence=new)
    assert ticks.begin("plan", NOW, now=NOW, fence=new)


def test_only_one_version_can_be_live(store: Store) -> None:
    policies.change(store, {"daily_cap": 8}, reason="calmer", **WHO)
    policies.change(store, {"daily_cap": 7}, reason="calmer", **WHO)
    with pytest.raises(IntegrityError), store.transaction() as connection:
        connection.exec_driver_sql("update policy set live = true")


@pytest.mark.parametrize(
    ("at", "zone", "day", "week"),
    [
        ("2026-03-02T07:31+00:00", "UTC", "2026-03-02T00:00+00:00", "2026-03-02T00:00+00:00"),
        ("2026-03-08T23:30+00:00", "UTC", "2026-03-08T00:00+00:00", "2026-03-02T00:00+00:00"),
        ("2026-03-08T23:30+00:00", "Asia/Tokyo", "2026-03-08T15:00+00:00", "2026-03-08T15:00+00:00"),
        ("2026-03-02T03:00+00:00", "America/New_York", "2026-03-01T05:00+00:00", "2026-02-23T05:00+00:00"),
    ],
)
def test_a_week_begins_on_monday_where_the_reader_is(at: str, zone: str, day: str, week: str) -> None:
    wanted = tuple(int(datetime.fromisoformat(one).timestamp() * 1e6) for one in (day, week))
    assert local_week(int(datetime.fromisoformat(at).timestamp() * 1e6), zone) == wanted
