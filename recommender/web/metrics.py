"""What the server counts, for Prometheus: of one process, or of all workers together."""

import os
from pathlib import Path
from time import time
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from recommender.observe import Observer
from recommender.web.server import SHARED

TYPE = prometheus_client.CONTENT_TYPE_LATEST
FAST_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
LAG_S = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
MANY = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 50_000)


class Metrics(Observer):
    """The counters of one process. Labels are routes, surfaces and kinds: never a reader, an article or a key."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("http_requests", "Requests", "route", "method", "status")
        self._seconds = self._histogram("http_request_seconds", "Time to the end of the answer", FAST_S, "route")
        self._errors = self._counter("errors", "Error answers by status, and unforeseen ones by class", "type")
        self._candidates = self._histogram("candidates", "Articles that a list was ranked from", MANY, "surface")
        self._lists = self._counter("for_you_lists", "For-you lists by what is known of the reader", "reader")
        self._cache = self._counter("cache", "Answers looked for in a cache", "cache", "result")
        self._hits = {
            (cache, hit): self._cache.labels(cache, "hit" if hit else "miss")
            for cache in ("related", "for_you")
            for hit in (True, False)
        }
        self._lag = self._histogram("visible_seconds", "From receipt until it counts in answers", LAG_S, "what")
        self._group = self._histogram("commit_events", "Events of one transaction", MANY)
        self._posts = self._histogram("commit_posts", "Posts of one transaction", MANY)
        self._commit = self._histogram("commit_seconds", "Time of one transaction of events", FAST_S)
        self._articles = self._gauge("index_articles", "Articles in the index")
        self._followed = self._gauge("index_followed_timestamp_seconds", "When rows were last looked through")
        self._labelled: dict[tuple[Any, str], Any] = {}
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"newsbell_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"newsbell_{name}", about, labels, buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"newsbell_{name}", about, registry=self.registry, multiprocess_mode="livemin")

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request was answered."""
        known = self._known.get((route, method, status))
        if known is None:  # looking a label up takes longer than counting
            requests, times = self._requests.labels(route, method, str(status)), self._seconds.labels(route)
            known = self._known[route, method, status] = (requests, times)
        requests, times = known
        requests.inc()
        times.observe(seconds)
        if status >= 400:
            self._errors.labels(str(status)).inc()

    def _of(self, metric: Counter | Histogram, label: str) -> Any:
        """A metric under one label: looking a label up takes longer than counting."""
        found = self._labelled.get((metric, label))
        if found is None:
            found = self._labelled[metric, label] = metric.labels(label)
        return found

    def failed(self, error: BaseException) -> None:
        """Something happened that nobody foresaw."""
        self._errors.labels(type(error).__name__).inc()

    def listed(self, surface: str, candidates: int, *, is_cold: bool = False) -> None:
        self._of(self._candidates, surface).observe(candidates)
        if surface == "for_you":
            self._of(self._lists, "cold" if is_cold else "known").inc()

    def cached(self, cache: str, *, hit: bool) -> None:
        self._hits[cache, hit].inc()

    def visible(self, what: str, lag_s: float) -> None:
        self._lag.labels(what).observe(max(lag_s, 0.0))

    def written(self, posts: int, events: int, seconds: float) -> None:
        self._posts.observe(posts)
        self._group.observe(events)
        self._commit.observe(seconds)

    def followed(self, articles: int) -> None:
        self._articles.set(articles)
        self._followed.set(time())

    def page(self) -> bytes:
        """What `/metrics` answers: the sums over all workers where there are several."""
        folder = os.environ.get(SHARED)
        if not folder:
            return prometheus_client.generate_latest(self.registry)
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Remove the gauges of workers that are gone; what they counted stays."""
    for file in folder.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc").exists():
            file.unlink(missing_ok=True)
