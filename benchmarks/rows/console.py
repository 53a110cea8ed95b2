"""A key press on a slider of the ranking page until the new preview stands there, in Chromium, over 20,000 articles."""

import argparse
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import uvicorn

from benchmarks.measure import Contender, compare
from benchmarks.report import Report
from data.clock import FixedClock
from data.sample.articles import draft_articles
from data.settings import Settings
from data.store import Store
from data.wire import ArticleIn
from recommender.service import Service, ensure_default_weights
from recommender.web.app import create_app
from recommender.web.console.trial import Trial
from recommender.web.server import address, listen

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PRESSES = 60
WAIT_FOR_CHANGE = """key => new Promise((done) => {
  const start = performance.now(), place = document.getElementById("preview");
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  });
  watch.observe(place, { childList: true });
  const slide = document.querySelector("input[data-of=freshness]");
  slide.focus();
  slide.value = Number(slide.value) + (key ? 0.01 : -0.01);
  slide.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def run(options: argparse.Namespace) -> Iterator[Report]:
    """One table: the whole way in the browser by the clock on the wall, and the list alone by CPU."""
    count = 2_000 if options.quick else 20_000
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder) / 'bench.db'}") as store:
        store.migrate()
        for batch in _batches(count, options.seed):
            store.put_articles(batch, now=NOW)
        ensure_default_weights(store, NOW)
        store.add_person("bench@newsbell.example", "editor", "bench", now=NOW)
        settings, clock = Settings(index_dir=None, window_days=10), FixedClock(NOW)
        service = Service(store, settings, clock)
        service.refresh()
        app = create_app(store, service, settings, clock)
        token = store.open_session(store.people()[0].id, now=NOW)
        wall = _presses(app, token)
        site = SimpleNamespace(store=store, service=service, settings=settings, clock=clock)
        trial = Trial(site)  # type: ignore[arg-type]
        persona, live = trial.persona(""), store.live_weights("for_you")
        window = len(service.snapshot.index.window(0, 2**62))

        def tried(task: int) -> object:
            weights = {**live.weights, "freshness": task % 100 / 100}
            return trial.tried("for_you", persona, weights, live.options)

        (server,) = compare([Contender("the list under other weights alone, CPU", tried, 20)], 3)
    browser = {"name": "key press to new preview in Chromium, wall", **_figures(wall)}
    yield Report(
        name="console",
        about="Milliseconds from a key press on a slider of the ranking page to the new preview, focus kept.",
        facts={
            "articles in the window": window,
            "presses": len(wall),
            "95th percentile": float(np.percentile(wall, 95)),
        },
        lines=[browser, server],
        caveats=["The first line is wall time: server and browser share the cores, other work on the machine counts."],
        command="python -m benchmarks console",
    )


def _figures(wall: list[float]) -> dict[str, float]:
    return {
        "cpu_ms": float(np.median(wall)),
        "cpu_ms_p90": float(np.percentile(wall, 90)),
        "cpu_ms_p99": float(np.percentile(wall, 99)),
        "cpu_ms_mean": float(np.mean(wall)),
        "cpu_ms_mean_low": min(wall),
        "cpu_ms_mean_high": max(wall),
        "wall_ms": float(np.median(wall)),
    }


def _presses(app: Any, token: str) -> list[float]:
    """Milliseconds of each press."""
    from playwright.sync_api import sync_playwright

    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none", loop="uvloop", http="httptools"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            context = browser.new_context(base_url=address(listener))
            context.add_cookies([{"name": "newsbell_session", "value": token, "url": f"{address(listener)}/console"}])
            page = context.new_page()
            page.goto("/console/ranking/for_you", timeout=120_000)
            found = []
            for number in range(PRESSES):
                found.append(float(page.evaluate(WAIT_FOR_CHANGE, number % 4 < 2)))
                assert page.evaluate("document.activeElement.dataset.of") == "freshness"
                page.wait_for_timeout(30)
            browser.close()
            return found
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def _batches(count: int, seed: int) -> Iterator[list[ArticleIn]]:
    """Articles of ten days whose sentences are those of the sample newsroom, mixed anew."""
    chance = random.Random(seed)
    drafted = [one.article for one in draft_articles(1, NOW) if one.article.language == "en"]
    sentences = [part for one in drafted for part in one.body.split(". ") if len(part) > 40]
    made = []
    for number in range(count):
        like = chance.choice(drafted)
        body = ". ".join([*like.body.split(". ")[:2], *chance.sample(sentences, 8)])
        at = NOW - timedelta(minutes=chance.uniform(1, 14_000))
        fields = {"id": f"b{number}", "url": f"https://b.example/{number}", "title": f"{like.title} ({number})"}
        fields |= {"published_at": at, "body": body, "category": like.category, "topics": like.topics, "language": "en"}
        source = {"id": f"s{number % 40}", "name": f"Source {number % 40}"}
        made.append(
            ArticleIn.model_validate({**fields, "source": source, "news_value": chance.choice([None, 2, 3, 4])})
        )
        if len(made) == 1_000:
            yield made
            made = []
    yield made
