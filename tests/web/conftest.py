"""A real server on a free port of this machine, in a thread, and a client that holds a key."""

import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from data.clock import SystemClock
from data.settings import Settings
from data.store import Store
from recommender.service import Service
from recommender.web.app import create_app
from recommender.web.server import address, listen
from scheduler.demo import fill

PATIENCE_S = 120.0  # a busy machine starts and stops workers slowly
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serving_app(app: Any) -> Iterator[str]:
    """Serve an application from a thread of this process, as `newsbell serve` does; yields its URL."""
    listener = listen("127.0.0.1", 0)
    http = "recommender.web.joined:Protocol"
    config = uvicorn.Config(app, log_level="critical", ws="none", lifespan="on", http=http, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture(scope="session")
def serving() -> Any:
    """Serves an application from a thread: `with serving(app) as url`."""
    return serving_app


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The Chromium that the tests drive."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


def chromium() -> str:
    """Where Chromium is; the test fails where there is none."""
    spec = importlib.util.spec_from_file_location("chromium", Path(__file__).parents[1] / "chromium.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.find()
    if found is None:
        pytest.fail("no Chromium found; `python tests/chromium.py` installs one")
    return str(found)


class Newsroom:
    """One served application with its store, and clients of each role."""

    def __init__(self, url: str, store: Store) -> None:
        self.url, self.store = url, store
        self.keys = {role: store.create_key(role, now=SystemClock().now()) for role in ("app", "ingest", "operator")}
        self.clients: list[httpx.Client] = []

    def client(self, role: str | None) -> httpx.Client:
        """A client with a key of `role`, or with none."""
        headers = {"authorization": f"Bearer {self.keys[role]}"} if role else {}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=60))
        return self.clients[-1]


@contextmanager
def serving_store(store: Store, **options: Any) -> Iterator[Newsroom]:
    """Serve a store with settings of the test's own."""
    settings, clock = Settings(**options), SystemClock()
    with serving_app(create_app(store, Service(store, settings, clock), settings, clock)) as url:
        newsroom = Newsroom(url, store)
        yield newsroom
        for client in newsroom.clients:
            client.close()


@pytest.fixture
def newsroom(sqlite_store: Store) -> Iterator[Newsroom]:
    """An empty newsroom that asks for keys."""
    with serving_store(sqlite_store) as made:
        yield made


@pytest.fixture
def newsroom_over() -> Any:
    """Serves a store: `with newsroom_over(store, rate_per_s=5) as room`. Twice over one store: two workers."""
    return serving_store


@pytest.fixture
def client(newsroom: Newsroom) -> httpx.Client:
    """A client that may do everything."""
    return newsroom.client("operator")


@pytest.fixture
def demo_room(sqlite_store: Store) -> Iterator[Newsroom]:
    """An empty demo, whose pages are open to this machine."""
    with serving_store(sqlite_store, public_reads=True) as made:
        yield made


@pytest.fixture
def demo(demo_room: Newsroom) -> httpx.Client:
    """A keyless client of an empty demo."""
    return demo_room.client(None)


@contextmanager
def server_process(database_url: str, *arguments: str, **environment: str) -> Iterator[str]:
    """Run `newsbell serve` as a process of its own; yields its URL once it is ready."""
    with listen("127.0.0.1", 0) as free:
        url = address(free)
    command = [sys.executable, "-m", "scheduler.cli", "serve", "--port", url.rpartition(":")[2], *arguments]
    given = os.environ | {"NEWSBELL_DATABASE_URL": database_url} | environment
    process = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        try:
            output, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert b"Traceback" not in output, output.decode()


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once the server answers that it is ready; fail if it ends or takes too long."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0].decode()
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the server did not become ready")


@pytest.fixture
def serve() -> Any:
    """Starts a real server process: `with serve(database_url) as url`."""
    return server_process


@pytest.fixture(scope="session")
def sample_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server process over the sample newsroom, as the demo runs it."""
    database_url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'demo.db'}"
    with Store.open(database_url) as store:
        store.migrate()
        fill(store)
    with server_process(database_url, NEWSBELL_PUBLIC_READS="true") as url:
        yield url


@pytest.fixture
def item() -> Callable[..., dict[str, Any]]:
    """Makes an article as a publisher sends it, published an hour ago."""

    def make(key: str, **fields: Any) -> dict[str, Any]:
        at = SystemClock().now().timestamp() - 3_600
        published_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        given = {
            "id": key,
            "url": f"https://news.example/{key}",
            "title": f"Harbour bridge {key} reopens to trams",
            "published_at": published_at,
            "body": f"Trams cross the harbour bridge again after repairs, the city's engineers said. Report {key}.",
            "source": {"id": "courier", "name": "The Courier"},
            "category": "city",
            "language": "en",
        }
        return given | fields

    return make


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Makes an event that happened now."""

    def make(key: str, **fields: Any) -> dict[str, Any]:
        at = SystemClock().now().isoformat()
        return {"id": key, "reader": "r1", "article": "a1", "kind": "read", "at": at} | fields

    return make
