"""`plan`, `drain` and `work` as people type them."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from data.leases import LEADER, Leases
from data.outbox import Outbox
from data.store import Store
from scheduler import push_cli

if TYPE_CHECKING:
    from conftest import Newsroom

APP = typer.Typer()
push_cli.mount(APP)


@pytest.fixture
def run(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("NEWSBELL_DATABASE_URL", str(sqlite_store.engine.url))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(APP, arguments, env={"COLUMNS": "140"})


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def monday(newsroom: "Newsroom") -> None:
    newsroom.articles(news_value=5)
    newsroom.reader("anna")
    newsroom.reader("ben", push=False)
    newsroom.reader("hana", zone="Asia/Tokyo")


AT = "2026-03-02T07:31:00Z"


def test_a_dry_run_as_of_an_instant_tells_verdicts_and_writes_nothing(newsroom: "Newsroom", run: Any) -> None:
    monday(newsroom)
    told = printed(run("plan", "morning-digest", "--at", AT, "--dry-run", "--json"))
    assert told["funnel"]["SEND"] + told["funnel"]["HOLDOUT"] == 1
    assert told["funnel"]["OPTED_OUT"] == 1
    assert [one["reader"] for one in told["readers"]] == ["anna", "ben"]
    assert told["readers"][0]["article"] in {"tariffs", "flood", "opera"}
    assert Outbox(newsroom.store).counts() == {}


def test_a_day_covers_every_zone(newsroom: "Newsroom", run: Any) -> None:
    monday(newsroom)
    asked = ("plan", "morning-digest", "--for-day", "2026-03-03", "--dry-run", "--json", "--all")
    told = printed(run(*asked))
    assert {one["reader"]: one["slot"] for one in told["readers"]} == dict.fromkeys(
        ("anna", "ben", "hana"), "2026-03-03T07:30"
    )


def test_the_funnel_is_a_table_with_reasons(newsroom: "Newsroom", run: Any) -> None:
    monday(newsroom)
    output = run("plan", "morning-digest", "--at", AT, "--dry-run").stdout
    for words in ("Morning digest", "opted in", "OPTED_OUT 1", "above the bar", "ben", "Nothing was written"):
        assert words in output


def test_a_plan_is_written_drained_and_not_written_again(newsroom: "Newsroom", run: Any) -> None:
    newsroom.now = datetime.now(UTC)
    newsroom.articles()
    newsroom.reader("anna", quiet_from="00:00", quiet_until="00:00")
    slot = (newsroom.now - timedelta(minutes=1)).strftime("%H:%M")
    newsroom.campaign(key="now", local_times=(slot,), weekdays=())
    assert printed(run("plan", "now", "--json"))["deliveries"] == 1
    again = run("plan", "now")
    assert "readers' slots are in the outbox already" in again.stdout
    drained = run("drain", "--once")
    assert drained.exit_code == 0
    (line,) = drained.stdout.splitlines()
    assert json.loads(line)["message"]["fid"] == "anna-0"
    assert "sent 1" in drained.stderr
    assert run("drain", "--once").stdout == ""


def test_messages_can_go_to_a_file_and_counts_to_json(newsroom: "Newsroom", run: Any, tmp_path: Path) -> None:
    told = printed(run("drain", "--once", "--json", "--messages", str(tmp_path / "out.jsonl")))
    assert told == dict.fromkeys(("sent", "failed", "gone", "unknown", "kept", "suppressed", "expired"), 0)
    assert (tmp_path / "out.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "evening"), "there are: morning-digest"),
        (("plan", "morning-digest", "--at", "2026-03-02T07:31:00"), "has no offset"),
        (("plan", "morning-digest", "--for-day", "tomorrow"), "no date"),
        (("plan", "morning-digest", "--for-day", "2026-03-02", "--at", AT), "exclude each other"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_mend(
    newsroom: "Newsroom", run: Any, arguments: tuple[str, ...], words: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_sending_without_credentials_is_refused_with_the_mend(
    newsroom: "Newsroom", run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSBELL_SENDER", "fcm")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert "NEWSBELL_FCM_CREDENTIALS" in str(run("drain", "--once").exception)


def test_work_stops_cleanly_when_told(newsroom: "Newsroom", run: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from scheduler.push_cli import work; work()"]
    worker = subprocess.Popen(command, env=dict(os.environ), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while Leases(newsroom.store).holder(LEADER) is None and time.monotonic() < until:
        time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0, errors
    assert "Traceback" not in errors
