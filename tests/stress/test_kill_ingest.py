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

FEW, MANY = 3_000, 20_000
PARAGRAPHS = 6


def write_articles(path: Path, count: int) -> None:
    """JSONL whose every text carries its number in each paragraph, so that a torn one shows."""
    with path.open("w") as file:
        for number in range(count):
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
    """Start and SIGKILL ingest `kills` times, each while it writes new articles; how many there are after each."""
    random = np.random.default_rng(seed)
    counts = [0]
    for _ in range(kills):
        process = ingest(path, url)
        try:
            _wait_for_new(process, url, counts[-1])
            time.sleep(float(random.uniform(0, 0.1)))
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        counts.append(check_whole(url))
    return counts[1:]


def _wait_for_new(process: subprocess.Popen[bytes], url: str, before: int) -> None:
    """Until this run has written further than the last one, so that the kill falls into the writing."""
    with Store.open(url) as store:
        until = time.monotonic() + 60
        while store.count_articles() <= before and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)


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


def finish(path: Path, url: str, count: int) -> None:
    process = ingest(path, url)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors.decode()
    assert check_whole(url) == count


@pytest.mark.timeout(600)
def test_a_few_kills_leave_every_article_whole_or_absent(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "articles.jsonl"
    write_articles(path, FEW)
    kill_at_random_points(path, database_url, kills=2, seed=1)
    finish(path, database_url, FEW)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_twenty_kills_leave_every_article_whole_or_absent(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "articles.jsonl"
    write_articles(path, MANY)
    counts = kill_at_random_points(path, database_url, kills=20, seed=int(os.environ.get("SEED", "1")))
    sys.stdout.write(f"\narticles after each of 20 kills: {counts}\n")
    assert counts == sorted(counts)
    assert len({count for count in counts if count < MANY}) >= 10, "the kills came too late to interrupt anything"
    finish(path, database_url, MANY)
