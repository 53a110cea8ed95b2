"""From the outbox through the FCM sender to the phones: what was sent, kept, pruned, told to the operator."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from data.alerts import CampaignRow, Due, NewDelivery, Outcome
from data.clock import FixedClock
from data.models import Change, Device
from data.outbox import Outbox
from data.store import Store
from data.store.database import table
from data.wire import DeviceIn
from scheduler.delivery import Deliverer
from scheduler.fake_fcm.server import FakeFcm
from scheduler.fcm import FcmSender
from scheduler.message import Outgoing

if TYPE_CHECKING:
    from conftest import Newsroom

NOW = datetime.fromisoformat("2026-03-02T07:31:00+00:00")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def planned(newsroom: "Newsroom", readers: int = 60, **campaign: Any) -> CampaignRow:
    newsroom.article("tariffs", "New tariffs on cars")
    for number in range(readers):
        newsroom.reader(f"r{number:03d}")
    made = newsroom.campaign(**campaign)
    newsroom.planner().at(made, newsroom.now)
    return made


def drain(newsroom: "Newsroom", sender: Any, now: datetime | None = None) -> Any:
    return Deliverer(newsroom.store, sender, FixedClock(now or newsroom.now)).drain()


def counts(newsroom: "Newsroom") -> dict[str, int]:
    return Outbox(newsroom.store).counts()


def devices(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    with store.reading() as connection:
        for state in connection.execute(select(table(Device).c.state)).scalars():
            found[state] = found.get(state, 0) + 1
    return found


def test_gone_devices_are_pruned_and_the_rest_arrives(
    newsroom_on_each: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Callable[..., FcmSender]
) -> None:
    planned(newsroom_on_each)
    server = fake(rules=[{"answer": "unregistered", "device": "r00*"}])
    drained = drain(newsroom_on_each, sender_to(server))
    assert (drained.sent, drained.gone) == (50, 10)
    assert counts(newsroom_on_each) == {"sent": 50, "gone": 10}
    assert devices(newsroom_on_each.store) == {"active": 50, "gone": 10}
    assert server.service.log.accepted == 50
    # A phone that is installed anew is reached again.
    newsroom_on_each.store.put_device("r000", DeviceIn(fid="r000-0", platform="android"), now=newsroom_on_each.now)
    assert devices(newsroom_on_each.store)["active"] == 51


def test_a_credential_fault_pauses_the_campaign_and_tells_the_operator(
    newsroom_on_each: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Callable[..., FcmSender]
) -> None:
    planned(newsroom_on_each)
    server = fake(rules=[{"answer": "sender_id_mismatch"}])
    sender = sender_to(server)
    assert drain(newsroom_on_each, sender).kept == 60
    assert newsroom_on_each.campaigns.get("morning").state == "paused"
    assert devices(newsroom_on_each.store) == {"active": 60}
    with newsroom_on_each.store.reading() as connection:
        (change,) = connection.execute(select(table(Change))).all()
    assert (change.person, change.target, change.after) == ("newsbell", "morning", {"state": "paused"})
    assert "400, 401 or 403" in change.why
    posts = server.service.log.posts
    assert drain(newsroom_on_each, sender).sent == 0
    assert server.service.log.posts == posts, "a paused campaign posts nothing"

    server.service.script.rules.clear()
    newsroom_on_each.campaigns.set_state("morning", "on")
    later = newsroom_on_each.now + timedelta(minutes=1)
    assert drain(newsroom_on_each, sender, later).sent == 60
    assert set(server.service.log.accepted_targets().values()) == {1}


def test_a_full_project_is_left_alone_until_it_may_be_sent_to_again(
    newsroom_on_each: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Callable[..., FcmSender]
) -> None:
    planned(newsroom_on_each)
    server = fake(rules=[{"answer": "quota_exceeded", "last": 60, "retry_after_s": 1}])
    clock = FixedClock(newsroom_on_each.now)
    first = drain(newsroom_on_each, sender_to(server, clock=clock))
    assert (first.sent, first.kept) == (0, 60)
    assert counts(newsroom_on_each) == {"ready": 60}
    assert drain(newsroom_on_each, sender_to(server, clock=clock)).sent == 0
    assert server.service.log.posts == 60
    later = newsroom_on_each.now + timedelta(hours=1)
    assert drain(newsroom_on_each, sender_to(server), later).sent == 60
    assert set(server.service.log.accepted_targets().values()) == {1}


def test_what_may_have_arrived_stays_unknown_and_is_not_planned_again(
    newsroom: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Callable[..., FcmSender]
) -> None:
    planned(newsroom)
    server = fake(rules=[{"answer": "reset_stream", "every": 6}])
    drained = drain(newsroom, sender_to(server))
    assert (drained.sent, drained.unknown) == (50, 10)
    newsroom.campaign(key="noon", local_times=("07:31",))
    newsroom.planner().at(newsroom.campaigns.get("noon"), newsroom.now)
    assert drain(newsroom, sender_to(server), newsroom.now + timedelta(hours=5)).sent == 0
    assert set(server.service.log.accepted_targets().values()) == {1}


def add(newsroom: "Newsroom", kind: str, story: int) -> None:
    """Every device has a ready delivery of a campaign of this kind."""
    outbox, store = Outbox(newsroom.store), newsroom.store
    article = store.article_ids(["tariffs"])["tariffs"]
    plan = outbox.begin_plan(newsroom.campaign(key=kind, kind=kind), now=NOW, slots_from=NOW, slots_until=NOW)
    ends = NOW + timedelta(hours=1)
    for device in store.devices_of([one.id for page in store.reader_pages() for one in page]):
        key = f"{kind}-{device.fid}"
        one = NewDelivery(key, device.reader_id, device.id, article, story, 0, f"slot-{kind}", NOW, ends)
        outbox.add(plan, [one], now=NOW)


def test_breaking_news_overtakes_a_digest_that_was_ready_before_it(newsroom_on_each: "Newsroom") -> None:
    class Order:
        def __init__(self) -> None:
            self.campaigns: list[str] = []

        def send(self, messages: Iterator[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
            for one in messages:
                self.campaigns.append(one.due.campaign.key)
                yield one, Outcome("sent", "m")

    newsroom_on_each.article("tariffs", "New tariffs on cars")
    for number in range(2):
        newsroom_on_each.reader(f"r{number}")
    for kind, story in (("digest", 100), ("manual", 200), ("breaking", 300)):
        add(newsroom_on_each, kind, story)
    order = Order()
    Deliverer(newsroom_on_each.store, order, FixedClock(NOW), claimed_at_once=2).drain()
    assert order.campaigns[:2] == ["breaking", "breaking"]


def test_an_error_while_claiming_loses_no_answer_of_what_is_under_way(
    newsroom: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Callable[..., FcmSender]
) -> None:
    planned(newsroom)
    server = fake(latency={"ms": 100})
    deliverer = Deliverer(newsroom.store, sender_to(server), FixedClock(newsroom.now), claimed_at_once=20)
    claims, claim = 0, deliverer.claim

    def fails_later(size: int, fence: int | None) -> Any:
        nonlocal claims
        claims += 1
        if claims == 2:
            raise OSError("the database went away")
        return claim(size, fence)

    deliverer.claim = fails_later  # type: ignore[method-assign]
    with pytest.raises(OSError, match="went away"):
        deliverer.drain()
    assert counts(newsroom) == {"sent": 20, "ready": 40}


def test_a_late_answer_replaces_unknown_but_never_makes_it_ready(
    newsroom_on_each: "Newsroom", make_due: Callable[..., Due]
) -> None:
    planned(newsroom_on_each, readers=2)
    outbox, now = Outbox(newsroom_on_each.store), newsroom_on_each.now
    due = outbox.claim(now, limit=9, lease_s=1, recheck=lambda due: None).due
    assert outbox.recover(now + timedelta(seconds=5)) == 2
    assert outbox.settle([(due[0], Outcome("sent", "m")), (due[1], Outcome("ready"))], now) == 1
    assert outbox.counts() == {"sent": 1, "unknown": 1}
