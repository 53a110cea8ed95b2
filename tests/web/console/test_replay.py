"""Replays: asked for, left, found again, stopped; one at a time; lost when their worker is."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from data.errors import Conflict
from data.store import Store
from recommender.web.console.replaying import ReplayWorker
from recommender.yesterday import Interval, Measured, Replayed

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FOUND = Replayed([Measured("nDCG@10", Interval(0.2, 0.1, 0.3), Interval(0.3, 0.2, 0.4))], 7, ("mind this",))


class Slow:
    """A replayer that goes on when it is told to."""

    def __init__(self) -> None:
        self.begun, self.may_end = Event(), Event()

    def __call__(self, args: Any, progress: Any) -> Replayed:
        progress(0.4, "in the middle")
        self.begun.set()
        for _ in range(600):
            if self.may_end.wait(0.05):
                return FOUND
            progress(0.5, "goes on")
        raise AssertionError(args)


class Broken:
    def __call__(self, args: Any, progress: Any) -> Replayed:
        raise RuntimeError("secret detail")


@pytest.fixture
def slow(room: Any) -> Any:
    """The room, with a replay that waits for the test."""
    made = Slow()
    state = room.app.framework.state
    state.replay_worker = ReplayWorker(state.site, {"weights": made})
    made.worker = state.replay_worker
    yield made
    made.may_end.set()
    made.worker.wait()


def begin(room: Any, **fields: str) -> str:
    answer = room.client("editor").post("/console/replay", data={"of": "1", "hours": "24"} | fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_replay_is_left_and_found_again_by_anybody(room: Any, slow: Any) -> None:
    page = begin(room)
    assert slow.begun.wait(20)
    viewer = room.client("viewer")
    assert "in the middle" in viewer.get(page).text or "goes on" in viewer.get(page).text
    assert "under way" in viewer.get("/console/replay").text
    assert "data-more" in viewer.get(f"{page}?part=1").text
    assert room.client("editor").post("/console/replay", data={"of": "1"}).status_code == 409
    slow.may_end.set()
    slow.worker.wait()
    text = viewer.get(page).text
    assert "nDCG@10" in text
    assert "mind this" in text
    assert "data-more" not in viewer.get(f"{page}?part=1").text
    assert room.store.changes(limit=1)[0].what == "started"


def test_a_replay_is_stopped_by_whoever_may(room: Any, slow: Any) -> None:
    page = begin(room)
    assert slow.begun.wait(20)
    room.client("editor").post(f"{page}/stop")
    slow.worker.wait()
    assert "stopped by editor@herald.example" in room.client("viewer").get(page).text
    assert room.client("editor").post(f"{page}/stop").status_code == 409


def test_what_fails_says_so_without_its_details(room: Any) -> None:
    state = room.app.framework.state
    state.replay_worker = ReplayWorker(state.site, {"weights": Broken()})
    page = begin(room)
    state.replay_worker.wait()
    text = room.client("viewer").get(page).text
    assert "It failed" in text
    assert "secret detail" not in text


@pytest.mark.parametrize("surface", ["for_you", "push"])
def test_yesterday_is_replayed_from_the_rows(room: Any, surface: str) -> None:
    room.client("editor").post(f"/console/ranking/{surface}/draft", data={"freshness": "0.9", "similarity": "0"})
    page = begin(room, of="draft", surface=surface)
    state = room.app.framework.state
    state.replay_worker.wait()
    row = room.store.replays(limit=1)[0]
    text = room.client("viewer").get(page).text
    if surface == "push":  # no plan was made
        assert (row.state, "nothing to replay" in text) == ("failed", True)
        return
    assert row.state == "done", row.said
    assert [one["name"] for one in row.result["measures"]][:2] == ["nDCG@10", "Of the day's articles in a first ten"]
    assert row.result["requests"] >= 20
    assert "draft of editor@herald.example: " in text


def test_one_is_worked_on_at_a_time_and_the_lost_make_room(store: Store) -> None:
    given: Any = {"by": "ada", "now": NOW}
    number = store.ask_replay("weights", "for_you", "x", {}, **given)
    with pytest.raises(Conflict):
        store.ask_replay("weights", "push", "y", {}, **given)
    row = store.take_replay("one", NOW)
    assert row is not None
    assert store.take_replay("two", NOW) is None
    assert store.beat_replay(number, "one", share=0.3, said="a", now=NOW)
    assert not store.beat_replay(number, "two", share=0.3, said="a", now=NOW)
    later = NOW + timedelta(minutes=2)
    assert store.replay(number).is_lost(later)
    fresh = store.ask_replay("weights", "push", "y", {}, by="ada", now=later)
    assert store.replay(number).state == "failed"
    assert not store.finish_replay(number, "one", result={}, said="", now=later)
    taken = store.take_replay("two", later)
    assert taken is not None
    assert taken.id == fresh
    store.stop_replay(fresh, by="ada", now=later)
    assert not store.finish_replay(fresh, "two", result={}, said="", now=later)
    assert [one.state for one in store.replays()] == ["stopped", "failed"]
