"""A newsroom that goes on while it is measured: reads and articles arrive at stated rates."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import numpy as np

from benchmarks.http.newsroom import Newsroom, zipf

EVENTS_A_S, EVENTS_A_POST, ARTICLES_A_S = 200, 20, 0.5
TURN_S = 0.1


@contextmanager
def stream(where: str, key: str, newsroom: Newsroom) -> Iterator[None]:
    """Post events and articles from a thread while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(where, key, newsroom, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def _run(where: str, key: str, newsroom: Newsroom, stop: threading.Event) -> None:
    random, size = np.random.default_rng(9), newsroom.size
    turns_an_article = round(1 / (ARTICLES_A_S * TURN_S))
    start, turn = time.monotonic(), 0
    with httpx.Client(base_url=where, headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        while not stop.wait(max(0.0, start + turn * TURN_S - time.monotonic())):
            turn += 1
            readers, articles = zipf(random, size.readers, EVENTS_A_POST), zipf(random, size.articles, EVENTS_A_POST)
            at = datetime.now(UTC).isoformat()
            events = [
                {"id": uuid4().hex, "reader": f"r{reader}", "article": f"a{article}", "kind": "read", "at": at}
                for reader, article in zip(readers, articles, strict=True)
            ]
            client.post("/v1/events", json=events).raise_for_status()
            if turn % turns_an_article == 0:
                one = newsroom.article(size.articles + turn)
                one["published_at"] = at
                client.put("/v1/articles", json=[one]).raise_for_status()
