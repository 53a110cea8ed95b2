"""An experiment from start to verdict, on a simulated newsroom in a real store."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data.clock import FixedClock
from data.errors import Conflict, InvalidInput, NotFound
from data.experiments import LIVE, ExperimentRow
from data.store import Store
from recommender.experiments import desk
from recommender.experiments.cli import mount
from recommender.experiments.interleave import team_draft
from recommender.experiments.metrics import RATES
from recommender.experiments.serving import arm_of
from recommender.simulate.slates import World, clicks, ranked, requests
from recommender.simulate.to_store import Served, put_log, put_world, reader_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 4
END = NOW + timedelta(days=DAYS)
RANDOM, GOOD = (0.0, 0.0, 0.0, 1.0), (0.5, 0.2, 0.3, 0.0)
READERS = 240


@pytest.fixture
def newsroom(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two versions; 1 is live. Always the same draw of arms: of drawn ones, one in twenty shows what is not there."""
    monkeypatch.setattr(desk.secrets, "token_hex", lambda size: "5a" * size)
    for number in (2, 1):
        sqlite_store.publish_weights("for_you", {"freshness": 1 / number}, {}, author="ed", reason="r", now=NOW)
    return sqlite_store


def begin(store: Store, **given: Any) -> ExperimentRow:
    asked = {"versions": [LIVE, 1], "share": 1.0, "days": DAYS, "author": "ed", "reason": "to see", "now": NOW}
    return desk.start(store, "try", **(asked | given))


def live_through(store: Store, row: ExperimentRow, second: tuple[float, ...], lists: int = 1_500) -> None:
    """Write what readers do while the experiment runs; the second arm is ranked by `second`, the first at random."""
    random = np.random.default_rng(1)
    world = World.draw(READERS, 400, random, days=DAYS + 2)
    start_at = NOW - timedelta(days=1)
    articles = put_world(store, world, start_at=start_at, until_at=END)
    asked = requests(world, random.integers(0, READERS, lists), random.uniform(24, 24 * (DAYS + 1), lists), random)
    sides = [ranked(asked, weights, 8) for weights in (RANDOM, second)]
    teams = None
    if row.kind == "interleave":
        pairs = zip(*(one.tolist() for one in sides), strict=True)
        drafted = [team_draft(one, other, 8, Random(n)) for n, (one, other) in enumerate(pairs)]
        chosen, teams = np.array([one.items for one in drafted]), np.array([one.teams for one in drafted])
        versions = np.full(lists, 2)
    else:
        arms = np.array([arm_of(row, reader_key(int(one))) for one in asked.reader])
        chosen, versions = np.where(arms[:, None] == 1, sides[1], sides[0]), 2 - arms
    opened = clicks(world, asked, chosen, random)
    put_log(store, Served(asked, chosen, opened, versions, teams), articles, start_at=start_at, now=END)


def test_a_better_version_is_found_in_one_sentence(newsroom: Store) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, GOOD)
    found, counts = desk.look(newsroom, "try", now=END)
    assert found.is_decided
    assert not found.must_stop
    assert found.sentence.startswith("Readers of version 1 open articles from a list ")
    assert "more than those of version 2 (95 % interval +" in found.sentence
    assert sum(found.readers) == counts.lists.shape[0] == READERS
    assert counts.lists.sum() == 1_500


def test_what_is_not_over_yet_does_not_count(newsroom: Store) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, GOOD)
    _, counts = desk.look(newsroom, "try", now=NOW + timedelta(days=2.5))
    whole = desk.counted(newsroom, row, END)
    assert counts.days == 2
    np.testing.assert_array_equal(counts.lists.sum(), whole.lists[:, :2].sum())
    found, _ = desk.look(newsroom, "try", now=NOW)
    assert found.sentence.startswith("Nothing can be said yet")


def test_what_readers_did_before_the_experiment_is_taken_out(newsroom: Store) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, RANDOM)
    later = replace(row, starts_at=NOW + timedelta(days=2), days=2)
    counts, first = desk.counted(newsroom, later, END), desk.counted(newsroom, row, END)
    assert first.before(RATES["opens"]) is None
    before = counts.before(RATES["opens"])
    assert before is not None
    everybody = counts.lists.sum() + before.below.sum()
    assert 0.9 * first.lists.sum() <= everybody <= first.lists.sum()
    assert 0 < before.above.sum() < first.above(RATES["opens"]).sum()
    path, plain = counts.path(RATES["opens"]), replace(counts, past={}).path(RATES["opens"])
    assert path.error[-1] < plain.error[-1]
    assert path.effect[-1] == pytest.approx(plain.effect[-1], abs=3 * plain.error[-1])


def test_a_version_against_itself_makes_no_difference(newsroom: Store) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, RANDOM)
    found, _ = desk.look(newsroom, "try", now=END)
    assert not found.is_decided
    assert found.sentence.startswith("No difference between version 1 and version 2 is beyond chance (")
    assert f"All {DAYS} days are over" in found.sentence


def test_interleaved_lists_say_which_version_readers_prefer(newsroom: Store) -> None:
    row = begin(newsroom, kind="interleave")
    live_through(newsroom, row, GOOD, lists=600)
    found, _ = desk.look(newsroom, "try", now=END)
    assert found.is_decided
    assert found.sentence.startswith("Readers prefer version 1: it gets ")


def test_a_guardrail_stops_the_experiment_and_the_log_says_why(newsroom: Store) -> None:
    row = begin(newsroom, versions=[1, LIVE], guardrails={"opens": 0.05})
    live_through(newsroom, row, tuple(-one for one in GOOD))
    said = desk.look_after(newsroom, now=NOW + timedelta(days=3))
    assert said == [f"stopped experiment try: {newsroom.experiment('try').outcome}"]
    assert newsroom.experiment("try").outcome == "Stop: readers of version 2 open less than is borne, beyond chance."
    assert newsroom.experiment("try").state == "stopped"
    assert newsroom.changes(target="try")[0].person == "newsbell"
    assert desk.look_after(newsroom, now=END) == []


def test_an_experiment_is_ended_when_its_time_is_over(newsroom: Store) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, RANDOM)
    assert desk.look_after(newsroom, now=END - timedelta(seconds=1)) == []
    assert len(desk.look_after(newsroom, now=END)) == 1
    assert (newsroom.experiment("try").state, newsroom.experiments(END)) == ("ended", [])


def test_a_split_that_went_wrong_is_a_fault_not_a_finding(newsroom: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    row = begin(newsroom)
    live_through(newsroom, row, GOOD)
    lists = newsroom.lists_served("for_you", NOW, END)
    lost = [one for one in lists if arm_of(row, one.reader) == 0 or one.reader < "sim-r15"]
    monkeypatch.setattr(Store, "lists_served", lambda *_: lost)
    found, _ = desk.look(newsroom, "try", now=END)
    assert found.must_stop
    assert "chance does not explain" in found.sentence


def test_what_comes_before_says_how_many_readers_are_needed(newsroom: Store) -> None:
    live_through(newsroom, begin(newsroom), RANDOM)
    found = desk.size(newsroom, effect_share=0.02, days=DAYS, now=END)
    assert found.readers_seen == READERS
    assert found.readers_an_arm > 2_000
    assert found.effect_share > 0.02
    with pytest.raises(InvalidInput, match="serve lists first"):
        desk.size(newsroom, effect_share=0.02, days=DAYS, now=NOW)


def test_experiments_share_no_readers_and_a_full_house_is_refused(newsroom: Store) -> None:
    desk.start(newsroom, "a", versions=[0, 1], share=0.6, days=3, author="ed", reason="r", now=NOW)
    second = desk.start(
        newsroom, "b", versions=[1, 0], share=0.4, days=3, author="ed", reason="r", now=NOW, kind="holdout"
    )
    assert (second.first_bucket, second.buckets) == (600, 400)
    assert [one.version for one in second.arms] == [1, LIVE]  # a holdout follows what is live
    assert newsroom.experiment("a").arms[0].version == 2  # a split compares with what was live when it began
    with pytest.raises(Conflict, match="smaller share"):
        desk.start(newsroom, "c", versions=[0, 1], share=0.1, days=3, author="ed", reason="r", now=NOW)
    desk.stop(newsroom, "a", author="ed", reason="r", now=NOW)
    desk.start(newsroom, "c", versions=[0, 1], share=0.1, days=3, author="ed", reason="r", now=NOW)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "guess"}, "split, interleave, holdout"),
        ({"versions": [2, LIVE]}, "two different"),
        ({"versions": [1]}, "two different"),
        ({"kind": "holdout", "versions": [1, 2]}, "whatever is live"),
        ({"days": 0}, "from 1 to"),
        ({"days": 100, "kept_days": 90}, "NEWSBELL_SERVED_DAYS"),
        ({"share": 0.0}, "above 0"),
        ({"metric": "joy"}, "opens, finishes"),
        ({"reason": " "}, "found out"),
        ({"guardrails": {"hides": 2.0}}, "0 to 1"),
        ({"guardrails": {"joy": 0.1}}, "opens, finishes"),
    ],
)
def test_what_cannot_be_an_experiment_is_refused_before_anything_is_written(
    newsroom: Store, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        begin(newsroom, **given)
    assert newsroom.experiments() == []


def test_versions_with_other_candidates_are_split_not_interleaved(newsroom: Store) -> None:
    newsroom.publish_weights("for_you", {"freshness": 1}, {"window_h": 24}, author="ed", reason="r", now=NOW)
    with pytest.raises(InvalidInput, match="differ in window_h"):
        begin(newsroom, kind="interleave")
    begin(newsroom)


def test_the_command_starts_lists_looks_and_stops(newsroom: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSBELL_DATABASE_URL", str(newsroom.engine.url))
    monkeypatch.setattr("data.clock.SystemClock", lambda: FixedClock(NOW))
    app, runner = typer.Typer(), CliRunner()
    mount(app)

    def run(*words: str) -> str:
        found = runner.invoke(app, ["experiment", *words], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    assert run("list") == "No experiments yet.\n"
    said = run("start", "fresher", "--version", "1", "--reason", "pays?", "--share", "0.2", "--by", "ed@news.example")
    assert said == "fresher runs until 2026-03-15 00:00Z on 20.0% of the readers.\n"
    assert "fresher: split of 2 and 1, 20.0% of the readers, 2026-03-01 to 2026-03-15, running" in run("list")
    assert json.loads(run("look", "fresher", "--json"))["finding"]["high"] is None
    assert (
        run("stop", "fresher", "--reason", "done")
        == "Nothing can be said yet: too few readers. Day 0 of 14, 0 readers.\n"
    )
    (row,) = json.loads(run("list", "--json"))
    assert (row["state"], row["author"]) == ("stopped", "ed@news.example")
    with pytest.raises(NotFound, match="experiment list"):
        run("look", "nothing")
    with pytest.raises(InvalidInput, match="--draft"):
        run("start", "x", "--reason", "r")
    with pytest.raises(NotFound, match="has no draft"):
        run("start", "x", "--reason", "r", "--draft", "nobody")
