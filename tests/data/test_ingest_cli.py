"""The `ingest` command: counts, exit codes, files it writes, and being killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data.store import Store

COMMAND = [sys.executable, "-m", "scheduler.cli"]


def article(key: int, **fields: Any) -> str:
    known = {"id": f"k{key}", "url": f"https://h.example/{key}", "title": f"Title {key}"}
    return json.dumps({**known, "published_at": "2026-03-01T08:00:00Z", "body": f"{key} text " * 40, **fields}) + "\n"


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'cli.db'}"
    with Store.open(found) as store:
        store.migrate()
    return found


def environment(url: str) -> dict[str, str]:
    return os.environ | {"NEWSBELL_DATABASE_URL": url}


def ingest(*arguments: str | Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "ingest", *map(str, arguments)]
    return subprocess.run(command, env=environment(url), capture_output=True, text=True, check=False, timeout=120)


def test_it_ends_with_counts_reasons_and_a_table(url: str, tmp_path: Path) -> None:
    file, refused = tmp_path / "a.jsonl", tmp_path / "rejected.jsonl"
    file.write_text(article(1) + article(2, published_at="2026-03-01T08:00:00") + "{\n" + article(3))
    done = ingest(file, "--rejected", refused, url=url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "2 new, 0 changed, 0 same, 2 rejected."
    assert "1 x published_at: " in done.stdout
    kept = [json.loads(line) for line in refused.read_text().splitlines()]
    assert [entry["where"] for entry in kept] == ["line 2 (k2)", "line 3"]
    assert all(entry["reason"] and entry["source"] == str(file) for entry in kept)


def test_json_holds_the_same(url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(article(1) + "{\n")
    result = json.loads(ingest(file, "--json", url=url).stdout)
    assert (result["new"], result["changed"], result["same"], result["rejected"]) == (1, 0, 0, 1)
    assert list(result["reasons"].values()) == [1]
    assert result["sources"][0]["kinds"] == {"article JSONL": 1}


def test_an_unreadable_source_gives_exit_1_and_one_line(url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(article(1))
    done = ingest("none.xml", file, url=url)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["none.xml does not exist; give a file, a directory or an http(s) address"]
    assert done.stdout.startswith("1 new")


def test_private_addresses_need_their_option(url: str) -> None:
    done = ingest("http://127.0.0.1:1/rss", url=url)
    assert done.returncode == 1
    assert "--allow-private" in done.stderr
    assert "could not be reached" in ingest("http://127.0.0.1:1/rss", "--allow-private", url=url).stderr


def test_wrong_usage_gives_exit_2(url: str, tmp_path: Path) -> None:
    assert ingest(url=url).returncode == 2
    assert ingest("--batch", "501", tmp_path, url=url).returncode == 2


def test_a_rejected_file_that_cannot_be_written_is_told_before_anything_is_read(url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(article(1))
    done = ingest(file, "--rejected", tmp_path / "no" / "x.jsonl", url=url)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with Store.open(url) as store:
        assert store.count_articles() == 0


def test_killed_at_any_point_articles_are_whole_or_absent_and_a_rerun_completes(url: str, tmp_path: Path) -> None:
    file, total = tmp_path / "a.jsonl", 2_000
    file.write_text("".join(article(key) for key in range(total)))
    chance = random.Random(4)
    counts = []
    for _ in range(4):
        process = subprocess.Popen(
            [*COMMAND, "ingest", str(file), "--batch", "20"], env=environment(url), stdout=subprocess.DEVNULL
        )
        _wait_for_growth(url, counts[-1] if counts else 0, process)
        time.sleep(chance.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Store.open(url) as store:
            counts.append(store.count_articles())
            stored = store.articles(store.article_ids([f"k{key}" for key in range(total)]).values())
        assert len(stored) == counts[-1]
        assert all(row.body.startswith(f"{row.key[1:]} text") and row.title == f"Title {row.key[1:]}" for row in stored)
    assert ingest(file, url=url).returncode == 0
    with Store.open(url) as store:
        assert store.count_articles() == total


def _wait_for_growth(url: str, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process has committed something beyond `count`, or is done; 30 s at most."""
    for _ in range(600):
        with Store.open(url) as store:
            if store.count_articles() > count or process.poll() is not None:
                return
        time.sleep(0.05)
