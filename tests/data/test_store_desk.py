"""What the desk writes and reads, on both databases: the log, counts by the hour, campaigns, alerts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.alerts import CampaignRow, NewDelivery
from data.campaigns import Campaigns
from data.commands import Commands
from data.desk_alerts import DeskAlerts
from data.errors import NotFound
from data.outbox import Outbox
from data.store import Store
from data.store.personas import PersonaRow
from data.wire import DeviceIn, EventIn, ReaderIn

NOW = datetime(2026, 3, 2, 18, 37, tzinfo=UTC)
ADA = "ada@herald.example"


@pytest.fixture
def filled(store: Store, article: Any) -> Store:
    """One article, two readers, a phone each, one of them for tests."""
    store.put_articles([article("a1"), article("a2")], now=NOW)
    store.put_readers([ReaderIn(id="r1"), ReaderIn(id="r2")], now=NOW)
    store.put_device("r1", DeviceIn(fid="f1", platform="android"), now=NOW)
    store.put_device("r2", DeviceIn(fid="t1", platform="ios", is_test=True), now=NOW)
    return store


def test_the_log_is_searched_and_paged(store: Store) -> None:
    for number in range(5):
        store.note(ADA, "tried", f"thing {number}", why="100%_sure" if number == 3 else "", now=NOW)
    assert [one.target for one in store.changes(limit=2)] == ["thing 4", "thing 3"]
    assert [one.target for one in store.changes(search="%_S")] == ["thing 3"]
    oldest = store.changes()[-1]
    assert store.changes(before_id=oldest.id + 1) == [oldest]
    assert [one.id for one in store.changes(target="thing 2")] == [oldest.id + 2]


def test_reads_are_counted_by_the_hour(filled: Store) -> None:
    ages_h = (0.1, 0.9, 1.2, 23.9, 24.1)
    events = [
        EventIn(id=f"e{n}", reader="r1", article="a1", kind="read", at=NOW - timedelta(hours=age))
        for n, age in enumerate(ages_h)
    ]
    filled.add_events([*events, EventIn(id="x", reader="r2", article="a2", kind="impression", at=NOW)], now=NOW)
    hours = filled.hourly_events(("read",), NOW)
    assert (hours[-1], hours[-2], hours[0], sum(hours)) == (2, 1, 1, 4)
    ids = filled.article_ids(["a1", "a2"])
    assert filled.readers_reached(ids.values()) == {ids["a1"]: 1, ids["a2"]: 1}
    assert filled.count_reached(ids.values()) == 2
    assert sum(filled.hourly_sends(NOW)) == 0


def test_personas_are_kept_whole_and_forgotten(store: Store) -> None:
    reads = ({"article": "a1", "kind": "read", "hours_ago": 3.0},)
    store.save_persona(PersonaRow("p", "Ada", followed_topics=("sport",), reads=reads), by=ADA, now=NOW)
    store.save_persona(PersonaRow("p", "Ada L.", reads=reads), by=ADA, now=NOW)
    (found,) = store.personas()
    assert (found.name, found.followed_topics, found.reads, found.author) == ("Ada L.", (), reads, ADA)
    store.remove_persona("p", by=ADA, now=NOW)
    with pytest.raises(NotFound):
        store.persona("p")


def test_campaigns_are_switched_all_at_once_with_one_entry(store: Store) -> None:
    campaigns = Campaigns(store)
    campaigns.ensure([CampaignRow(0, key, key) for key in ("a", "b")], now=NOW)
    assert campaigns.switch("paused", by=ADA, reason="fire", now=NOW, key="a") == 1
    assert campaigns.switch("paused", by=ADA, reason="fire", now=NOW) == 1
    assert {one.state for one in campaigns.all()} == {"paused"}
    assert campaigns.switch("on", by=ADA, reason="", now=NOW) == 2
    assert [one.what for one in store.changes()] == ["resumed push", "paused push", "paused push"]


def test_limits_are_written_with_what_they_were(store: Store) -> None:
    campaigns = Campaigns(store)
    campaigns.ensure([CampaignRow(0, "a", "a", policy={"daily_cap": 4})], now=NOW)
    campaigns.set_limits("a", policy={"daily_cap": 2}, bar=0.7, by=ADA, reason="calmer", now=NOW)
    found = campaigns.get("a")
    assert (found.policy, found.bar) == ({"daily_cap": 2}, 0.7)
    entry = store.changes(limit=1)[0]
    assert (entry.before, entry.after) == ({"daily_cap": 4, "bar": 0.0}, {"daily_cap": 2, "bar": 0.7})


def test_sending_an_alert_makes_its_campaign_and_its_command(filled: Store) -> None:
    alerts, article = DeskAlerts(filled), filled.article("a1")
    options = {"audience": {"kind": "everyone"}, "policy": {}, "by": ADA, "reason": "", "now": NOW}
    number = alerts.write(article.id, "Flood", "Stay in.", **options)
    alerts.send(number, by="bo", now=NOW, hold_s=60)
    sent = alerts.get(number)
    campaign = next(one for one in Campaigns(filled).all() if one.id == sent.campaign_id)
    assert (campaign.kind, campaign.message) == ("manual", {"title": "Flood", "body": "Stay in."})
    assert sent.hold_until == NOW + timedelta(seconds=60)
    assert [(one.kind, one.args) for one in Commands(filled).take()] == [("alert", {"alert": number})]


def test_a_due_delivery_says_what_the_desk_wrote(filled: Store) -> None:
    alerts, article = DeskAlerts(filled), filled.article("a1")
    options = {"audience": {"kind": "everyone"}, "policy": {}, "by": ADA, "reason": "", "now": NOW}
    number = alerts.write(article.id, "Flood", "Stay in.", **options)
    assert [one.fid for one in alerts.test_devices()] == ["t1"]
    alerts.send_test(number, "t1", by=ADA, now=NOW)
    claim = Outbox(filled).claim(NOW, limit=5, lease_s=60, recheck=lambda _due: None)
    assert [(one.article.title, one.article.summary, one.is_test) for one in claim.due] == [
        ("Test: Flood", "Stay in.", True)
    ]


def test_deliveries_are_counted_by_quarter_and_by_article(filled: Store) -> None:
    campaigns, outbox = Campaigns(filled), Outbox(filled)
    campaigns.ensure([CampaignRow(0, "a", "a")], now=NOW)
    plan = outbox.begin_plan(campaigns.get("a"), now=NOW, slots_from=NOW, slots_until=NOW)
    phone = filled.devices_of([filled.reader("r1").id])[0]  # type: ignore[union-attr]
    article = filled.article("a1")
    fields: dict[str, Any] = {"reader_id": phone.reader_id, "device_id": phone.id, "article_id": article.id}
    later = {"story_id": None, "update_no": 0, "expires_at": NOW + timedelta(hours=9)}
    made = [
        NewDelivery(key=f"k{n}", slot=f"s{n}", not_before_at=NOW + timedelta(minutes=m), **fields, **later)
        for n, m in enumerate((1, 2, 60))
    ]
    outbox.add(plan, made, now=NOW, hold=True)
    quarter = NOW.replace(minute=30)
    found = outbox.by_quarter(NOW - timedelta(hours=1), NOW + timedelta(hours=2))
    assert found == [(quarter, "held", 2), (quarter + timedelta(hours=1), "held", 1)]
    assert outbox.counts_of_articles([article.id]) == {"held": 3}
    assert filled.count_devices() == {"active": 2, "test": 1}
