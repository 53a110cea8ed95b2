"""`policy`, `campaign` and `update-story` as people type them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from data.campaigns import Campaigns
from data.errors import Conflict, InvalidInput
from data.store import Store
from recommender import policies
from scheduler import campaign_cli, policy_cli

if TYPE_CHECKING:
    from conftest import Newsroom

APP = typer.Typer()
policy_cli.mount(APP)
campaign_cli.mount(APP)


@pytest.fixture
def run(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("NEWSBELL_DATABASE_URL", str(sqlite_store.engine.url))
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(APP, arguments)
        if result.exception:
            raise result.exception
        return result.output

    return invoke


def test_a_limit_is_changed_listed_and_taken_back(run: Any, sqlite_store: Store) -> None:
    assert run("policy", "set", "personal_cap=3", "--reason", "too many") == "version 1 is in force\n"
    assert "personal_cap                  3   (built in: 4)" in run("policy", "show")
    run("policy", "restore", "0", "--reason", "back")
    history = run("policy", "history").splitlines()
    assert [line[:6] for line in history] == ["   2 *", "   1  ", "   0  "]
    assert json.loads(run("policy", "show", "--json", "--version", "1"))["limits"]["personal_cap"] == 3
    run("policy", "set", "personal_cap=2", "--draft")
    assert policies.in_force(sqlite_store).limits.personal_cap == 4
    run("policy", "publish", "--reason", "calmer")
    assert policies.in_force(sqlite_store).limits.personal_cap == 2


@pytest.mark.parametrize("wrong", [["personal_cap"], ["personal_cap=x"], ["personal=3"], ["personal_cap=99"]])
def test_a_wrong_limit_is_refused(run: Any, wrong: list[str]) -> None:
    with pytest.raises(InvalidInput):
        run("policy", "set", *wrong, "--reason", "why not")


def test_a_replay_is_printed_side_by_side(run: Any, newsroom: "Newsroom") -> None:
    newsroom.articles()
    newsroom.reader("anna")
    campaign, planner = newsroom.campaign(local_times=("07:30", "11:00")), newsroom.planner()
    for hour in (8, 11):
        planner.tick(campaign, newsroom.now.replace(hour=hour, minute=30))
    run("policy", "set", "personal_cap=1", "--draft")
    lines = run("policy", "replay", "--draft", "--day", "2026-03-02").splitlines()
    assert lines[0] == "plans of 2026-03-02: version 0, then the draft"
    assert [line.split() for line in lines[1:3]] == [["SEND", "2", "1"], ["DAILY_CAP", "0", "1"]]
    assert run("policy", "replay", "--day", "2026-03-01") == "no plan was made on 2026-03-01\n"


def test_a_story_is_updated(run: Any, newsroom: "Newsroom") -> None:
    newsroom.articles()
    story = newsroom.store.article_ids(["tariffs"])["tariffs"]
    assert run("update-story", str(story), "--reason", "signed") == f"story {story} has update 1\n"


def test_a_campaign_is_added_once_and_listed(run: Any, sqlite_store: Store) -> None:
    run("campaign", "add", "what-you-follow", "--kind", "follow_up", "--bar", "0", "--paused")
    run("campaign", "add", "evening", "--times", "18:40, 21:00", "--weekdays", "0,6", "--send-time", "best_hour")
    found = Campaigns(sqlite_store).get("evening")
    assert (found.local_times, found.weekdays, found.send_time) == (("18:40", "21:00"), (0, 6), "best_hour")
    assert "what-you-follow          follow_up  paused  every 900 s" in run("campaign", "list")
    assert sqlite_store.changes(limit=1)[0].what == "added"
    with pytest.raises(Conflict):
        run("campaign", "add", "evening", "--times", "18:40")


@pytest.mark.parametrize(
    "wrong",
    [
        ["x"],
        ["x", "--times", "25:00"],
        ["x y", "--times", "07:30"],
        ["x", "--kind", "test"],
        ["alert-7", "--kind", "breaking"],
        ["x", "--times", "07:30", "--weekdays", "7"],
        ["x", "--times", "07:30", "--weekdays", "mon"],
        ["x", "--times", "07:30", "--send-time", "noon"],
        ["x", "--times", "07:30", "--ttl-s", "-1"],
    ],
)
def test_a_campaign_that_could_not_send_is_refused(run: Any, sqlite_store: Store, wrong: list[str]) -> None:
    with pytest.raises(InvalidInput):
        run("campaign", "add", *wrong)
    assert Campaigns(sqlite_store).all() == []


def test_a_campaigns_approval_threshold_is_set_listed_and_given_back(run: Any, sqlite_store: Store) -> None:
    run("campaign", "add", "sport-desk", "--kind", "manual", "--approval-above", "5000")
    assert "approval above 5,000" in run("campaign", "list")
    run("campaign", "approval", "sport-desk", "newsroom", "--reason", "as all")
    assert "approval" not in run("campaign", "list")
    assert sqlite_store.changes(limit=1)[0].why == "as all"
    with pytest.raises(InvalidInput):
        run("campaign", "approval", "sport-desk", "many", "--reason", "x")
