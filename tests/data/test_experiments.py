"""Experiments as rows, on both databases: nobody is in two of a layer, every start and stop is remembered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from data.errors import Conflict, NotFound
from data.experiments import Arm, ExperimentRow
from data.store import Store
from data.values import ServedPage
from data.wire import EventIn, ReaderIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def experiment(key: str = "fresher", first: int = 0, buckets: int = 500, **fields: object) -> ExperimentRow:
    given: dict[str, object] = {
        "surface": "for_you", "kind": "split", "layer": "for_you", "salt": key, "metric": "opens", "days": 14,
        "arms": (Arm(0, 0.5), Arm(1, 0.5)), "starts_at": NOW, "ends_at": NOW + 14 * DAY,
        "author": "ed", "reason": "try", "guardrails": {"hides": 0.1},
    }  # fmt: skip
    return ExperimentRow(key=key, first_bucket=first, buckets=buckets, **(given | fields))  # type: ignore[arg-type]


@pytest.fixture
def published(store: Store) -> Store:
    store.publish_weights("for_you", {"freshness": 1.0}, {}, author="ed", reason="one", now=NOW)
    return store


def test_what_was_started_comes_back_and_is_in_the_log(published: Store) -> None:
    published.start_experiment(experiment(), now=NOW)
    assert replace(published.experiment("fresher"), id=0) == experiment()
    (entry,) = published.changes(target="fresher")
    assert (entry.person, entry.what, entry.why) == ("ed", "started experiment", "try")


def test_two_of_a_layer_never_share_readers_and_other_layers_may(published: Store) -> None:
    published.start_experiment(experiment(), now=NOW)
    with pytest.raises(Conflict, match="began meanwhile"):
        published.start_experiment(experiment("b", 499, 10), now=NOW)
    published.start_experiment(experiment("c", 500, 10), now=NOW)
    published.start_experiment(experiment("d", 0, 10, layer="push"), now=NOW)
    assert [one.key for one in published.experiments(NOW)] == ["d", "c", "fresher"]


def test_a_stopped_one_gives_its_readers_back_and_cannot_be_stopped_twice(published: Store) -> None:
    published.start_experiment(experiment(), now=NOW)
    row = published.stop_experiment("fresher", by="ed", reason="enough", outcome="no difference", now=NOW + DAY)
    assert (row.state, row.outcome, row.stopped_at) == ("stopped", "no difference", NOW + DAY)
    assert row.is_on(NOW + DAY / 2)
    assert not row.is_on(NOW + DAY)
    assert published.experiments(NOW + DAY) == []
    published.start_experiment(experiment("next"), now=NOW + DAY)
    with pytest.raises(Conflict, match="over since"):
        published.stop_experiment("fresher", by="ed", reason="", outcome="", now=NOW + DAY)


def test_names_and_versions_must_be_there(published: Store) -> None:
    published.start_experiment(experiment(), now=NOW)
    with pytest.raises(Conflict, match="another name"):
        published.start_experiment(experiment(first=600, buckets=100), now=NOW)
    with pytest.raises(NotFound, match="no version 9"):
        published.start_experiment(experiment("x", 600, 100, arms=(Arm(0, 0.5), Arm(9, 0.5))), now=NOW)
    with pytest.raises(NotFound, match="experiment list"):
        published.experiment("nothing")
    with pytest.raises(NotFound, match="experiment list"):
        published.stop_experiment("nothing", by="ed", reason="", outcome="", now=NOW)
    assert len(published.experiments()) == 1


def test_lists_and_what_readers_did_with_them_are_found_again(store: Store, article: object) -> None:
    store.put_articles([article("a1"), article("a2", title="Ferry workers vote")], now=NOW)  # type: ignore[operator]
    store.put_readers([ReaderIn(id="r1")], now=NOW)
    reader = store.reader("r1")
    assert reader
    ids = tuple(store.article_ids(["a1", "a2"]).values())
    pages = [
        ServedPage("l1", "for_you", reader.id, None, NOW, 0, ids, 3, teams=(0, 1)),
        ServedPage("l1", "for_you", reader.id, None, NOW, 2, ids, 3),
        ServedPage("l2", "for_you", None, None, NOW, 0, ids, 3),
        ServedPage("l3", "related", reader.id, None, NOW, 0, ids, 3),
        ServedPage("l4", "for_you", reader.id, None, NOW + DAY, 0, ids, 3),
    ]
    store.add_served(pages)
    assert store.served("l1") == pages[:2]
    for number, kind in enumerate(["open", "open", "read", "hide"]):
        at = (NOW + timedelta(minutes=number + 1)).isoformat()
        event = {"id": f"e{number}", "reader": "r1", "article": "a2", "kind": kind, "at": at, "served_id": "l1"}
        store.add_events([EventIn.model_validate(event)], now=NOW + timedelta(hours=1))
    now_us = int(NOW.timestamp() * 1e6)
    assert store.lists_served("for_you", NOW, NOW + DAY) == [("l1", "r1", now_us)]
    assert store.teams_served("for_you", NOW, NOW + DAY) == {"l1": {ids[0]: 0, ids[1]: 1}}
    found = store.responses(["open", "read"], NOW, NOW + DAY)
    assert sorted(found) == [("l1", ids[1], "open", now_us + 60_000_000), ("l1", ids[1], "read", now_us + 180_000_000)]
