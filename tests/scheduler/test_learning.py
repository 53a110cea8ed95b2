"""Learning by itself: once in so many hours, beside the scheduler, into a draft that nobody has to use."""

import io
import logging
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from data.clock import Clock, SystemClock
from data.settings import Settings, load_settings
from data.store import Store
from recommender import interest_files
from recommender.service import ensure_default_weights
from recommender.simulate.slates import World, clicks, ranked, requests
from recommender.simulate.to_store import Served, put_log, put_world
from scheduler.learning import Stopped, learn_apart
from scheduler.runner import Runner, tick_of
from scheduler.sender import LogSender

DAYS, READERS, LISTS = 2, 60, 240


@pytest.fixture
def settings(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NEWSBELL_INDEX_DIR", "")
    url = sqlite_store.engine.url.render_as_string(hide_password=False)
    return load_settings(database_url=url, learn_every_h=24, learn_days=DAYS + 1)


def leader(store: Store, settings: Settings, clock: Clock) -> Runner:
    def nothing() -> None:
        raise AssertionError("learning looks at no snapshot of the scheduler")

    made = Runner(store, settings, clock, sender=LogSender(io.StringIO()), snapshot=nothing)  # type: ignore[arg-type]
    made.lead()
    return made


def live_through(store: Store) -> None:
    """Two days of lists, some of them opened."""
    now, random = SystemClock().now(), np.random.default_rng(1)
    ensure_default_weights(store, now - timedelta(days=DAYS))
    world = World.draw(READERS, 120, random, days=DAYS)
    start_at = now - timedelta(days=DAYS, minutes=5)
    articles = put_world(store, world, start_at=start_at, until_at=now)
    asked = requests(world, random.integers(0, READERS, LISTS), random.uniform(12, 24 * DAYS, LISTS), random)
    chosen = ranked(asked, (0.5, 0.2, 0.3, 0.0), 8)
    opened = clicks(world, asked, chosen, random)
    put_log(store, Served(asked, chosen, opened, np.ones(LISTS, np.int64)), articles, start_at=start_at, now=now)


def test_what_readers_open_becomes_a_draft_once_a_day(
    sqlite_store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    live_through(sqlite_store)
    caplog.set_level(logging.INFO)
    worker = leader(sqlite_store, settings, SystemClock())
    live = sqlite_store.weight_version("for_you", 1)
    for _ in range(2):
        worker.learn()
    said = [one for one in caplog.messages if one.startswith("learned")]
    assert len(said) == 1
    assert "they wait as a draft" in said[0]
    (draft,) = sqlite_store.drafts("for_you")
    assert (draft.author, draft.base_version) == ("newsbell learn", 1)
    assert sum(draft.weights.values()) == pytest.approx(1.0, abs=0.01)
    assert sqlite_store.weight_version("for_you", 1) == live  # nothing is published
    worker.stop()


def test_a_click_model_is_kept_and_named_by_the_draft(
    sqlite_store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through(sqlite_store)
    monkeypatch.setenv("NEWSBELL_MODELS_DIR", str(tmp_path / "models"))
    said = learn_apart(settings.model_copy(update={"learn_interest": True}), lambda: False)
    assert "and a click model of" in said
    (draft,) = sqlite_store.drafts("for_you")
    (number,) = interest_files.numbers(tmp_path / "models")
    assert int(draft.options["interest_model"]) == number
    assert interest_files.load(tmp_path / "models", number).told["lists"] > 100


def test_too_little_to_learn_from_is_said_and_left_until_the_next_day(
    sqlite_store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ensure_default_weights(sqlite_store, SystemClock().now())
    caplog.set_level(logging.INFO)
    worker = leader(sqlite_store, settings, SystemClock())
    for _ in range(2):
        worker.learn()
    said = [one for one in caplog.messages if one.startswith("nothing was learned")]
    assert len(said) == 1
    assert "at least 50" in said[0]
    assert sqlite_store.drafts("for_you") == []
    worker.stop()


def test_who_does_not_lead_and_who_was_not_told_to_learns_nothing(sqlite_store: Store, settings: Settings) -> None:
    other = leader(sqlite_store, settings.model_copy(update={"learn_every_h": 0.0}), SystemClock())
    other.learn()
    standby = leader(sqlite_store, settings, SystemClock())
    assert standby.fence is None
    standby.learn()
    other.stop()


def test_a_stop_ends_learning_and_the_next_leader_learns(sqlite_store: Store, settings: Settings) -> None:
    worker = leader(sqlite_store, settings, SystemClock())
    worker.stopping.set()
    with pytest.raises(Stopped):
        learn_apart(settings, lambda: True)
    worker.learn()
    now = worker.clock.now()
    tick_at = tick_of(now, settings.learn_every_h * 3_600)
    assert worker.fence
    assert worker.ticks.begin("learn", tick_at, now=now, fence=worker.fence)
    worker.stop()
