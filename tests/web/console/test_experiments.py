"""Experiments in the page: started by a lead on what may be tried, watched by anybody, stopped with a reason."""

from datetime import timedelta
from typing import Any

import pytest

from data.clock import SystemClock
from data.experiments import ExperimentRow
from data.store import Store
from data.store.audit import note
from data.values import ServedPage
from data.wire import EventIn
from recommender.experiments import desk
from recommender.service import ensure_default_weights
from recommender.web.console import experiments

HOME = "/console/experiments"
FIELDS = {
    "name": "fresher", "tried": "2", "against": "0", "kind": "split", "percent": "20", "days": "14",
    "metric": "opens", "reason": "does more freshness pay?",
}  # fmt: skip


@pytest.fixture
def desk_of(room: Any) -> Any:
    """A room with a version that is not live, and one person's draft."""
    live = room.store.live_weights("for_you")
    fresher = {**live.weights, "freshness": 0.4}
    room.store.save_draft("for_you", "lead@herald.example", base_version=1, weights=fresher, options={}, now=room.now)
    assert room.store.try_draft("for_you", "lead@herald.example", now=room.now) == 2
    return room


def begun(room: Any, **fields: str) -> ExperimentRow:
    answer = room.client("lead").post(HOME, data=FIELDS | fields)
    assert answer.status_code == 303, answer.text
    (row,) = room.store.experiments(room.now)
    assert answer.headers["location"] == f"{HOME}/{row.id}?said=experiment"
    return row  # type: ignore[no-any-return]


def test_a_lead_starts_one_that_serving_and_the_log_know_of(desk_of: Any) -> None:
    row = begun(desk_of)
    assert [one.version for one in row.arms] == [1, 2]  # what is live stays what it was
    assert (row.kind, row.buckets, row.days, row.metric) == ("split", 200, 14, "opens")
    assert (row.author, row.reason) == ("lead@herald.example", "does more freshness pay?")
    noted = desk_of.store.changes(limit=1, target="fresher")[0]
    assert (noted.what, noted.why) == ("started experiment", "does more freshness pay?")
    page = desk_of.client("viewer").get(f"{HOME}/{row.id}").text
    assert "Nothing can be said yet" in page
    assert "Day 0 of 14" in page
    assert "Stopping an experiment needs a lead." in page
    assert f'href="{HOME}/{row.id}"' in desk_of.client("viewer").get("/console/history").text


def test_a_draft_is_kept_as_a_version_with_the_experiment_or_not_at_all(desk_of: Any) -> None:
    refused = desk_of.client("lead").post(HOME, data=FIELDS | {"tried": "draft", "days": "9999"})
    assert refused.status_code == 422
    missing = desk_of.client("operator").post(HOME, data=FIELDS | {"tried": "draft"})
    assert missing.status_code == 422
    assert "has no draft of for_you" in missing.text
    assert len(desk_of.store.weight_versions("for_you")) == 2
    row = begun(desk_of, tried="draft", kind="interleave")
    assert [one.version for one in row.arms] == [1, 3]
    again = desk_of.client("lead").post(HOME, data=FIELDS | {"tried": "draft"})
    assert again.status_code == 409
    assert "give this one another name" in again.text
    assert len(desk_of.store.weight_versions("for_you")) == 3  # the draft of what did not start was not kept


def test_what_cannot_be_is_told_at_its_field_and_what_was_typed_is_kept(desk_of: Any) -> None:
    client = desk_of.client("lead")
    for wrong, field in (
        ({"name": ""}, "name"),
        ({"percent": "lots"}, "percent"),
        ({"days": "0"}, "days"),
        ({"reason": " "}, "reason"),
        ({"tried": "v2"}, "tried"),
        ({"metric": "clicks"}, "metric"),
        ({"tried": "77"}, "experiment"),
        ({"tried": "1", "against": "1"}, "against"),
    ):
        answer = client.post(HOME, data=FIELDS | {"reason": "kept words"} | wrong)
        assert answer.status_code == 422, wrong
        assert f'href="#{field}"' in answer.text
        assert "kept words" in answer.text or "reason" in wrong
    assert desk_of.store.experiments() == []


def test_a_holdout_keeps_a_version_while_the_others_get_what_is_live(desk_of: Any) -> None:
    assert [one.version for one in begun(desk_of, kind="holdout").arms] == [2, 0]


def test_a_lead_stops_one_with_a_reason_and_only_once(desk_of: Any) -> None:
    row = begun(desk_of)
    assert desk_of.client("push_editor").post(f"{HOME}/{row.id}/stop", data={"reason": "x"}).status_code == 403
    client = desk_of.client("lead")
    assert client.post(f"{HOME}/{row.id}/stop", data={"reason": " "}).status_code == 422
    assert desk_of.store.experiment("fresher").state == "running"
    answer = client.post(f"{HOME}/{row.id}/stop", data={"reason": "enough"})
    assert answer.headers["location"] == f"{HOME}/{row.id}?said=experiment-stopped"
    ended = desk_of.store.experiment("fresher")
    assert (ended.state, bool(ended.outcome)) == ("stopped", True)
    noted = desk_of.store.changes(limit=1, target="fresher")[0]
    assert (noted.person, noted.what, noted.why) == ("lead@herald.example", "stopped experiment", "enough")
    assert client.post(f"{HOME}/{row.id}/stop", data={"reason": "again"}).status_code == 409
    assert "Stop the experiment" not in client.get(f"{HOME}/{row.id}").text
    assert ended.outcome[:20] in client.get(HOME).text


def test_an_entry_of_the_log_that_cannot_be_written_starts_and_stops_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both databases: draft, change and entries are one transaction."""
    now = SystemClock().now()
    ensure_default_weights(store, now)
    weights = store.live_weights("for_you").weights  # type: ignore[union-attr]
    store.save_draft("for_you", "lea", base_version=1, weights=weights, options={}, now=now)
    given: Any = {"versions": [0, -1], "share": 0.2, "days": 7, "author": "lea", "reason": "x", "draft_of": "lea"}
    fails = ["started experiment", "stopped experiment"]

    def fragile(connection: Any, by: str, what: str, *arguments: Any, **named: Any) -> None:
        if what in fails:
            raise RuntimeError(what)
        note(connection, by, what, *arguments, **named)

    monkeypatch.setattr("data.store.experiments.note", fragile)
    with pytest.raises(RuntimeError):
        desk.start(store, "fresher", now=now, **given)
    assert store.experiments() == []
    assert len(store.weight_versions("for_you")) == 1
    fails.remove("started experiment")
    desk.start(store, "fresher", now=now, **given)
    with pytest.raises(RuntimeError):
        desk.stop(store, "fresher", author="lea", reason="x", now=now + timedelta(hours=1))
    assert store.experiment("fresher").state == "running"


def test_the_page_says_how_many_readers_it_takes_or_why_it_cannot(desk_of: Any, monkeypatch: Any) -> None:
    client = desk_of.client("lead")
    assert "fewer than" in client.get(f"{HOME}?size=1&effect=2&days=7&name=fresher").text.lower()
    found = desk.Size(readers_an_arm=23_000, readers_seen=5_000, variation=1.5, effect_share=0.061)
    monkeypatch.setattr(experiments.desk, "size", lambda *_, **__: found)
    page = client.get(f"{HOME}?size=1&effect=2&days=7&name=fresher&metric=visits").text
    assert "A change of 2.0% is found in 80 of 100 with 23,000 readers in each half." in page
    assert 'value="fresher"' in page  # what was typed stays
    assert client.get(f"{HOME}?size=1&effect=lots").status_code == 200


def test_what_readers_of_both_sides_did_stands_in_a_table(desk_of: Any) -> None:
    store, row = desk_of.store, begun(desk_of, percent="100")
    with store.transaction() as connection:
        connection.exec_driver_sql("update experiment set starts_at = starts_at - 172800000000")
    readers, shown = [store.reader(f"r{n}").id for n in range(20)], (store.article(desk_of.newest(3)).id,)
    at = desk_of.now - timedelta(days=1, hours=3)
    store.add_served(
        [ServedPage(f"s{n}", "for_you", reader, None, at, 0, shown, 1) for n, reader in enumerate(readers)]
    )
    opened = [
        EventIn(id=f"x{n}", reader=f"r{n}", article=desk_of.newest(3), kind="open", at=at, served_id=f"s{n}")
        for n in range(10)
    ]
    store.add_events(opened, now=desk_of.now)
    counts = desk.look(store, row.key, now=desk_of.now)[1]
    page = desk_of.client("viewer").get(f"{HOME}/{row.id}").text
    assert "Day 2 of 14" in page
    assert "Opens by list" in page
    for number, of_arm in enumerate(counts.readers):
        opens = counts.responses["open+read+finish"]
        rate = opens[counts.arm == number].sum() / of_arm
        assert f'<td class="n">{of_arm}</td><td class="n">{of_arm}</td>' in page
        assert f'<td class="n">{rate:.3f}</td>' in page
