"""The server as processes of its own: what one writes, the others answer with."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from data.clock import SystemClock
from data.store import Store

DEADLINE_S = 20.0  # generous: the lag itself is printed
Make = Callable[..., dict[str, Any]]


def test_an_article_and_a_read_of_one_process_are_in_the_answers_of_another(
    database_url: str, serve: Any, item: Make, event: Make
) -> None:
    with Store.open(database_url) as store:
        headers = {"authorization": f"Bearer {store.create_key('operator', now=SystemClock().now())}"}
    with (
        serve(database_url) as here,
        serve(database_url) as there,
        httpx.Client(base_url=here, headers=headers, timeout=60) as writer,
        httpx.Client(base_url=there, headers=headers, timeout=60) as reader,
    ):
        writer.put("/v1/articles", json=[item("a1")])
        lag_s = until(lambda: "a1" in listed(reader))
        assert writer.post("/v1/events", json=[event("e1")]).json()["accepted"] == 1
        assert "a1" not in listed(reader)  # reads come from the rows: no lag at all
        sys.stdout.write(f"article to another process: {lag_s:.2f} s\n")


def listed(client: httpx.Client) -> list[str]:
    items = client.get("/v1/readers/r1/for-you").json()["items"]
    return [card["article_id"] for card in items]


def until(seen: Callable[[], bool]) -> float:
    """Seconds until `seen`."""
    start = time.monotonic()
    while time.monotonic() - start < DEADLINE_S:
        if seen():
            return time.monotonic() - start
        time.sleep(0.02)
    pytest.fail(f"not seen within {DEADLINE_S} s")


def test_several_workers_share_one_port(sqlite_store: Store, serve: Any, item: Make) -> None:
    url = str(sqlite_store.engine.url)
    headers = {"authorization": f"Bearer {sqlite_store.create_key('operator', now=SystemClock().now())}"}
    with serve(url, "--workers", "2") as address:
        for number in range(10):
            one = item("a1", title=f"Edition {number} of the story")
            answer = httpx.put(f"{address}/v1/articles", json=[one], headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text


def test_a_taken_port_is_one_line_that_says_what_to_do(sqlite_store: Store) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command(str(sqlite_store.engine.url), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--port" in done.stderr


def test_a_database_without_tables_is_one_line_that_says_what_to_do(tmp_path: Any) -> None:
    done = command(f"sqlite:///{tmp_path / 'none.db'}", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "newsbell init" in done.stderr


def command(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "serve", *arguments],
        env=os.environ | {"NEWSBELL_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
