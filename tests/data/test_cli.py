"""The commands of this room: exit codes, one-line errors, nothing half-written."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.store import Store


def newsbell(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NEWSBELL_DATABASE_URL": url}
    command = [sys.executable, "-m", "scheduler.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cli.db'}"


def test_a_command_before_init_says_what_to_do(url: str) -> None:
    done = newsbell("keys", "create", "--role", "app", url=url)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["newsbell: the database has no Newsbell tables yet; run `newsbell init`"]


def test_init_then_doctor_is_content(url: str) -> None:
    assert newsbell("init", url=url).returncode == 0
    assert newsbell("init", url=url).stdout == "The database is up to date.\n"
    done = newsbell("doctor", "--json", url=url)
    assert done.returncode == 0
    assert {finding["check"] for finding in json.loads(done.stdout)} >= {"settings", "database", "disk"}


def test_doctor_weighs_an_empty_and_a_filled_newsroom(url: str, tmp_path: Path) -> None:
    newsbell("init", url=url)
    for articles in (0, 2):
        if articles:
            lines = [json.dumps({"id": f"a{n}", "url": f"https://x.example/{n}", "title": f"Trade talks {n}",
                                 "published_at": "2026-03-01T08:00:00Z"}) for n in range(articles)]  # fmt: skip
            (tmp_path / "news.jsonl").write_text("\n".join(lines))
            assert newsbell("ingest", str(tmp_path / "news.jsonl"), url=url).returncode == 0
        done = newsbell("doctor", "--sizes", "--json", url=url)
        found = {one["what"].strip(): one["value"] for one in json.loads(done.stdout)["sizes"]}
        assert found["articles indexed"] == articles
        assert {"memory an article", "time to load", "database"} <= set(found)
    assert found["memory an article"] > found["words"] > 0
    assert "bytes a posting" in newsbell("doctor", "--sizes", url=url).stdout


def test_doctor_names_what_is_wrong(url: str) -> None:
    done = newsbell("doctor", url=url)
    assert done.returncode == 1
    assert "newsbell init" in done.stdout


def test_wrong_usage_exits_2(url: str) -> None:
    newsbell("init", url=url)
    assert newsbell("keys", "create", "--role", "king", url=url).returncode == 2
    assert newsbell("frobnicate", url=url).returncode == 2


def test_a_key_is_printed_once_and_works(url: str) -> None:
    newsbell("init", url=url)
    secret = json.loads(newsbell("keys", "create", "--role", "ingest", "--json", url=url).stdout)["key"]
    with Store.open(url) as store:
        assert store.key_role(secret) == "ingest"


def test_events_are_imported_with_every_bad_line_named(url: str, tmp_path: Path, article: Any) -> None:
    newsbell("init", url=url)
    with Store.open(url) as store:
        at = article("a1").published_at
        store.put_articles([article("a1")], now=at)
    good = {"id": "e1", "reader": "r", "article": "a1", "kind": "read", "at": "2026-03-01T09:00:00Z"}
    lines = [
        json.dumps(good),
        json.dumps(good),
        json.dumps(good | {"id": "e2", "article": "nope"}),
        json.dumps(good | {"id": "e3", "at": "2026-03-01T09:00:00"}),
        json.dumps(good | {"id": "e4", "dwell_s": -1}),
        '{"id": "half',
        "",
    ]
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    done = newsbell("import-events", str(file), "--json", url=url)
    result = json.loads(done.stdout)
    assert (result["accepted"], result["duplicate"], result["rejected"]) == (1, 1, 4)
    assert any("offset" in reason for reason in result["reasons"])
    again = json.loads(newsbell("import-events", str(file), "--json", url=url).stdout)
    assert (again["accepted"], again["duplicate"]) == (0, 2)


def test_a_missing_file_is_one_line(url: str, tmp_path: Path) -> None:
    newsbell("init", url=url)
    done = newsbell("import-readers", str(tmp_path / "none.jsonl"), url=url)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none.jsonl" in done.stderr
