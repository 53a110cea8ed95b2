"""Opens expected of alerts that were never sent: near the truth, wide where little is known, blind to what follows."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.errors import InvalidInput
from data.models import Delivery, Event
from data.store import Store
from data.store.database import table
from data.wire import DeviceIn, ReaderIn
from recommender.learned_push.expected import LEAST_ALERTS, OpenRates
from recommender.learned_push.from_store import Opens, Send, expected_opens
from recommender.learned_push.history import PushLog, past
from recommender.simulate.pushes import PushReaders, PushTruth, alerts, open_probability

READERS, DAYS, LEARNED = 1_500, 36, 28
DAY = datetime(2026, 3, 10, tzinfo=UTC)


class World(NamedTuple):
    shares: np.ndarray
    log: PushLog
    truth: np.ndarray  # (n,) the true chance that each alert of the log was opened
    rates: OpenRates


@pytest.fixture(scope="module")
def world() -> World:
    random, truth = np.random.default_rng(3), PushTruth()
    people = PushReaders.draw(READERS, random, truth)
    log = alerts(people, truth, DAYS, 2.0, random)
    true = open_probability(people, truth, log.reader, log.hour, log.score, past(log).fatigue)
    return World(people.hours, log, true, OpenRates.learn(log.chosen(log.at_h < LEARNED * 24), people.hours))


def by_reader(world: World, sends: PushLog) -> np.ndarray:
    unknown = np.zeros(len(sends), bool)
    asked = PushLog(sends.reader, sends.at_h, sends.hour, sends.score, unknown, unknown)
    return np.bincount(asked.reader, world.rates.probability(asked, world.shares), minlength=READERS)


def test_the_truth_of_the_day_after_what_was_learned_lies_in_the_interval(world: World) -> None:
    inside = 0
    for day in range(LEARNED, DAYS):
        of_day = (world.log.at_h >= day * 24) & (world.log.at_h < (day + 1) * 24)
        then = world._replace(rates=OpenRates.learn(world.log.chosen(world.log.at_h < day * 24), world.shares))
        said = then.rates.expected(by_reader(then, world.log.chosen(of_day)))
        inside += said.low <= world.truth[of_day].sum() <= said.high
        assert said.high - said.low < 0.5 * said.opens  # and says something
    assert inside >= (DAYS - LEARNED) - 1


def test_fewer_alerts_bring_fewer_opens_and_the_same_ones_as_many(world: World) -> None:
    day = world.log.chosen((world.log.at_h >= LEARNED * 24) & (world.log.at_h < (LEARNED + 1) * 24))
    whole, half = by_reader(world, day), by_reader(world, day.chosen(day.at_h % 24 < 14))
    assert world.rates.expected(half - whole).high < 0
    assert tuple(world.rates.expected(whole - whole)) == (0.0, 0.0, 0.0)


def test_nothing_of_what_became_of_the_asked_alerts_is_looked_at(world: World) -> None:
    day = world.log.chosen((world.log.at_h >= LEARNED * 24) & (world.log.at_h < (LEARNED + 1) * 24))
    never, always = (np.full(len(day), one) for one in (False, True))
    said = [
        world.rates.probability(PushLog(day.reader, day.at_h, day.hour, day.score, opened, never), world.shares)
        for opened in (never, always)
    ]
    assert said[0].tolist() == said[1].tolist()
    habit = np.bincount(world.log.reader, world.log.opened, READERS)
    keen = habit[day.reader] > np.quantile(habit, 0.9)
    assert said[0][keen].mean() > 1.5 * said[0][~keen].mean()


def some(count: int, opened: int) -> PushLog:
    reader = np.arange(count) // 2
    known = np.arange(count) < opened
    return PushLog(reader, np.arange(count, dtype=float), np.full(count, 8), np.full(count, 0.5), known, known & False)


def test_with_few_opens_each_alert_counts_as_all_did_and_the_interval_is_wide() -> None:
    shares = np.full((100, 24), 1 / 24)
    few, more = OpenRates.learn(some(60, 6), shares), OpenRates.learn(some(200, 20), shares)
    assert few.model is None
    assert few.probability(some(10, 0), shares) == pytest.approx(np.full(10, 6.5 / 61))
    assert few.relative_sd > more.relative_sd > 0.1
    assert OpenRates.learn(some(60, 0), shares).expected(np.ones(9)).low < 0  # not one open proves nothing
    with pytest.raises(InvalidInput, match="29 alerts were sent"):
        OpenRates.learn(some(LEAST_ALERTS - 1, 10), shares)


def sent(store: Store, article: Any, alerts: int, opened: int) -> list[int]:
    """Ten readers who were sent so many alerts before the day, and opened the first of them."""
    store.put_articles([article("a")], now=DAY)
    store.put_readers([ReaderIn(id=f"r{one}", zone="Asia/Tokyo") for one in range(10)], now=DAY)
    for one in range(10):
        store.put_device(f"r{one}", DeviceIn(fid=f"f{one}", platform="ios"), now=DAY)
    Campaigns(store).ensure([CampaignRow(0, "c", "C")], now=DAY)
    campaign, number = Campaigns(store).get("c").id, store.article_ids(["a"])["a"]
    ids = [store.reader(f"r{one}").id for one in range(10)]  # type: ignore[union-attr]
    for one in range(alerts):
        at = DAY - timedelta(days=20, minutes=-one)
        row = Delivery(
            key=f"d{one}", campaign_id=campaign, reader_id=ids[one % 10], device_id=one % 10 + 1, article_id=number,
            story_id=number, update_no=one, slot=str(one), state="sent", planned_at=at, not_before_at=at,
            expires_at=DAY, sent_at=at, score=0.5,
        )  # fmt: skip
        with store.transaction() as connection:
            connection.execute(table(Delivery).insert(), [row.model_dump(exclude={"id"})])
            if one < opened:
                tap = Event(key=f"e{one}", reader_id=row.reader_id, article_id=number, kind="push_open", at=at,
                            received_at=at, batch=0, delivery_key=row.key)  # fmt: skip
                connection.execute(table(Event).insert(), [tap.model_dump(exclude={"id"})])
    return ids


def replayed(ids: list[int], many: int) -> list[Send]:
    at_us = int((DAY + timedelta(hours=8)).timestamp() * 1e6)
    return [Send(ids[one % 10], "Asia/Tokyo", at_us + one, 0.4) for one in range(many)]


def test_from_the_outbox_two_sets_of_alerts_are_told_with_their_difference(store: Store, article: Any) -> None:
    ids = sent(store, article, alerts=40, opened=10)
    found = expected_opens(store, replayed(ids, 20), replayed(ids, 10), until=DAY)
    assert found.before is not None
    assert found.after is not None
    assert found.difference is not None
    rate = 10.5 / 41
    assert found.before.opens == pytest.approx(20 * rate)
    assert found.difference.opens == pytest.approx(-10 * rate)
    assert 0 < found.after.low < found.after.opens < found.after.high
    assert found.said.startswith("Only 10 opens of 40 alerts in the 60 days before")
    assert not found.tells_apart


def test_with_next_to_no_alerts_before_nothing_is_said_but_that(store: Store, article: Any) -> None:
    ids = sent(store, article, alerts=1, opened=1)
    found = expected_opens(store, replayed(ids, 5), [], until=DAY)
    assert found == Opens(said="1 alert before that day: too few to tell opens.")


def test_a_day_without_alerts_brings_no_opens(store: Store, article: Any) -> None:
    ids = sent(store, article, alerts=40, opened=10)
    found = expected_opens(store, replayed(ids, 5), [], until=DAY)
    assert tuple(found.after or ()) == (0.0, 0.0, 0.0)
