"""From the outbox to what it teaches: every reader's alerts once, in their own hour, opened on any device."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import typer
from sqlalchemy import insert
from typer.testing import CliRunner

from data.clock import FixedClock
from data.errors import InvalidInput
from data.models import Campaign, Delivery, Event
from data.store import Store
from data.store.database import table
from data.wire import DeviceIn, ReaderIn, ReaderPatch
from recommender.learned_push.cli import mount
from recommender.learned_push.from_store import push_log, taught
from recommender.simulate.pushes import PushReaders, PushTruth, alerts

NOW = datetime(2026, 3, 10, tzinfo=UTC)
START = datetime(2026, 1, 30, tzinfo=UTC)
BEGUN_US = int(START.timestamp() * 1e6)


def put(store: Store, article: Any, readers: int, zone: str = "UTC") -> tuple[int, int]:
    """Readers with a device each, an article, a campaign; the numbers of the last two."""
    store.put_articles([article("a")], now=START)
    store.put_readers([ReaderIn(id=f"r{one}", zone=zone) for one in range(readers)], now=START)
    for one in range(readers):
        store.put_device(f"r{one}", DeviceIn(fid=f"f{one}", platform="ios", token="t"), now=START)
    with store.transaction() as connection:
        given = {"key": "c", "name": "c", "created_at": START}
        fields = Campaign(**given).model_dump(exclude={"id"})
        campaign = connection.execute(insert(table(Campaign)).values(**fields).returning(table(Campaign).c.id))
        return next(iter(store.article_ids(["a"]).values())), int(campaign.scalar_one())


def send(store: Store, rows: list[dict[str, Any]], opens: list[dict[str, Any]]) -> None:
    base = Delivery(
        key="", campaign_id=0, reader_id=0, device_id=0, article_id=0, slot="", state="sent", planned_at=START,
        not_before_at=START, expires_at=NOW,
    ).model_dump(exclude={"id"})  # fmt: skip
    with store.transaction() as connection:
        connection.execute(insert(table(Delivery)), [base | row for row in rows])
        if opens:
            event = Event(
                key="", reader_id=0, article_id=0, kind="push_open", at=NOW, received_at=NOW, batch=0
            ).model_dump(exclude={"id"})
            connection.execute(insert(table(Event)), [event | row for row in opens])


def row_of(number: int, reader: int, article: int, campaign: int, at: datetime, **given: Any) -> dict[str, Any]:
    made = {"key": f"d{number}", "reader_id": reader, "device_id": reader, "article_id": article, "sent_at": at}
    return made | {"campaign_id": campaign, "slot": f"{number}", "update_no": number, "story_id": number} | given


def test_alerts_come_once_a_reader_in_their_own_hours_with_what_became_of_them(store: Store, article: Any) -> None:
    a, c = put(store, article, 2, "Asia/Tokyo")
    store.put_device("r0", DeviceIn(fid="second", platform="web", token="t"), now=START)
    first, second = (store.reader(f"r{one}").id for one in range(2))  # type: ignore[union-attr]
    rows = [
        row_of(1, first, a, c, START, score=0.3),
        row_of(2, first, a, c, START + timedelta(seconds=1), score=0.3, device_id=3, slot="1"),
        row_of(3, first, a, c, START + timedelta(hours=5), score=0.7),
        row_of(4, second, a, c, START + timedelta(hours=1)),
        row_of(5, second, a, c, START, state="cancelled", is_told=False),
    ]
    opens = [{"key": "e", "reader_id": first, "article_id": a, "delivery_key": "d2"}]
    send(store, rows, opens)
    store.patch_reader("r0", ReaderPatch(push=False), now=NOW)
    log, numbers, zones = push_log(store, START, NOW)
    assert (numbers, zones) == ([first, second], ["Asia/Tokyo"] * 2)
    assert log.reader.tolist() == [0, 0, 1]
    assert log.hour.tolist() == [9, 14, 10]
    assert log.score.tolist() == [0.3, 0.7, 0.0]
    assert log.opened.tolist() == [True, False, False]
    assert log.opted_out.tolist() == [False, True, False]


@pytest.fixture
def alerted(sqlite_store: Store, article: Any) -> Store:
    """Five weeks of simulated alerts as rows."""
    random, truth = np.random.default_rng(0), PushTruth(open_base=-1.5, leave_base=-4.5)
    people = PushReaders.draw(200, random, truth)
    log = alerts(people, truth, 35, 1.0, random)
    a, c = put(sqlite_store, article, 200)
    ids = [sqlite_store.reader(f"r{one}").id for one in range(200)]  # type: ignore[union-attr]
    at = [START + timedelta(hours=float(one)) for one in log.at_h]
    rows = [row_of(n, ids[log.reader[n]], a, c, at[n], score=float(log.score[n])) for n in range(len(log))]
    opens = [
        {"key": f"e{n}", "reader_id": ids[log.reader[n]], "article_id": a, "delivery_key": f"d{n}", "at": at[n]}
        for n in np.flatnonzero(log.opened).tolist()
    ]
    send(sqlite_store, rows, opens)
    for one in np.unique(log.reader[log.opted_out]).tolist():
        sqlite_store.patch_reader(f"r{one}", ReaderPatch(push=False), now=NOW)
    return sqlite_store


def test_rows_teach_what_was_planted_and_the_command_says_it_in_words(
    alerted: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = taught(alerted, now=NOW)
    assert found.model.opens.effect("score") == pytest.approx(3.0, abs=1.0)
    assert found.model.opens.effect("fatigue") < 0
    assert found.model.opens.effect("hour") > 0.3
    assert found.model.leaves.effect("fatigue") > 0
    assert found.calibration_error < 0.08
    assert found.population.sum() == pytest.approx(1)
    assert found.best.sum() == pytest.approx(1)
    monkeypatch.setenv("NEWSBELL_DATABASE_URL", str(alerted.engine.url))
    monkeypatch.setattr("data.clock.SystemClock", lambda: FixedClock(NOW))
    app, runner = typer.Typer(), CliRunner()
    mount(app)
    said = runner.invoke(app, [], catch_exceptions=False).output
    assert "for one alert more of late" in said
    assert "Best hours: " in said
    told = json.loads(runner.invoke(app, ["--json"]).output)["model"]
    assert told["opens"] == json.loads(json.dumps(found.model.opens.to_json()))


def test_without_alerts_it_says_so(sqlite_store: Store) -> None:
    with pytest.raises(InvalidInput, match="no alert was sent"):
        taught(sqlite_store, now=NOW)
