"""OpenTelemetry spans: sent where the environment says so, named by routes; nothing is loaded otherwise."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from recommender.web import tracing
from recommender.web.gate import Given

ASK = """
import asyncio, sys
from data.clock import SystemClock
from data.settings import load_settings
from data.store import Store
from recommender.service import Service
from recommender.web.app import create_app

async def nothing():
    return {"type": "http.request", "body": b"", "more_body": False}

async def forget(message):
    pass

store = Store.open(sys.argv[1])
store.migrate()
settings, clock = load_settings(public_reads=True), SystemClock()
app = create_app(store, Service(store, settings, clock), settings, clock)
path = "/v1/readers/somebody-private/for-you"
scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
         "client": ("127.0.0.1", 1), "headers": [(b"traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")]}
asyncio.run(app(scope, nothing, forget))
store.close()
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector on a free port, and what it was sent."""
    sent: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str, **environment: str) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | environment
    done = subprocess.run([sys.executable, "-c", ASK, url], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_spans_go_where_the_environment_says_and_name_no_reader(collector: Any, tmp_path: Any) -> None:
    where, sent = collector
    url = f"sqlite:///{tmp_path / 'a.db'}"
    ask(url, OTEL_EXPORTER_OTLP_ENDPOINT=where, OTEL_EXPORTER_OTLP_COMPRESSION="none")
    told = b"".join(sent)
    assert b"GET /v1/readers/{reader}/for-you" in told
    assert b"\xab" * 16 in told  # the caller's trace
    assert b"private" not in told


def test_without_that_environment_there_are_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    tracing._tracer.cache_clear()
    scope = {"method": "GET", "headers": []}
    assert tracing.span(scope, Given(scope)) is tracing.span(scope, Given(scope))
    assert tracing._tracer() is None
