"""SIGKILL during ingest: afterwards every article is whole or absent, running again completes, nothing is doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from data.models import Article
from data.store import Store
from data.store.database import table

ARTICLES = 3_000
PARAGRAPHS = 6


def write_articles(path: Path) -> None:
    """JSONL whose every text carries its number in each paragraph, so that a torn one shows."""
    with path.open("w") as file:
        for number in range(ARTICLES):
            body = "\n".join(f"Paragraph {part} of article {number}, number {number}." for part in range(PARAGRAPHS))
            item = {
                "id": f"k{number}",
                "url": f"https://news.example/k{number}",
                "title": f"Article number {number}",
                "body": body,
                "published_at": "2026-03-01T08:00:00Z",
                "source": {"id": f"s{number % 7}", "name": f"Source {number % 7}"},
                "language": "en",
            }
            file.write(json.dumps(item) + "\n")


def ingest(path: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "scheduler.cli", "ingest", str(path), "--batch", "100"]
    environment = os.environ | {"NEWSBELL_DATABASE_URL": url}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def kill_at_random_points(path: Path, url: str, kills: int, seed: int) -> list[int]:
    """Start and SIGKILL ingest `kills` times, each at a random moment after its first commit; counts after each."""
    random = np.random.default_rng(seed)
    counts = []
    for _ in range(kills):
        process = ingest(path, url)
        try:
            _wait_for_work(process, url)
            time.sleep(float(random.uniform(0, 1.0)))
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        counts.append(check_whole(url))
    return counts


def _wait_for_work(process: subprocess.Popen[bytes], url: str) -> None:
    """Until this run has asked for its first revision numbers, so that kills fall into the writing."""
    with Store.open(url) as store:
        before = store.article_rev()
        until = time.monotonic() + 60
        while store.article_rev() == before and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)


def check_whole(url: str) -> int:
    """Every article present is complete in all its tables; returns how many there are."""
    articles = table(Article)
    with Store.open(url) as store, store.reading() as connection:
        rows = connection.execute(articles.select()).all()
        names = dict(
            connection.execute(text("select article_id, count(*) from article_name group by article_id")).all()
        )  # type: ignore[arg-type]
    for row in rows:
        number = row.key.removeprefix("k")
        assert row.title == f"Article number {number}"
        assert row.body.count(f"number {number}.") == PARAGRAPHS
        assert names[row.id] == 3
        assert row.source_id is not None
    assert len({row.key for row in rows}) == len(rows)
    assert set(names) == {row.id for row in rows}
    return len(rows)


def finish(path: Path, url: str) -> None:
    process = ingest(path, url)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors.decode()
    assert check_whole(url) == ARTICLES


@pytest.mark.timeout(600)
def test_a_few_kills_leave_every_article_whole_or_absent(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "articles.jsonl"
    write_articles(path)
    kill_at_random_points(path, database_url, kills=2, seed=1)
    finish(path, database_url)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_twenty_kills_leave_every_article_whole_or_absent(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "articles.jsonl"
    write_articles(path)
    counts = kill_at_random_points(path, database_url, kills=20, seed=int(os.environ.get("SEED", "1")))
    sys.stdout.write(f"\narticles after each of 20 kills: {counts}\n")
    assert counts == sorted(counts)
    finish(path, database_url)
