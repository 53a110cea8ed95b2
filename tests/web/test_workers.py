"""Several workers on one port: one killed under load is replaced, nothing accepted is lost; all follow at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from data.clock import SystemClock
from data.models import Event
from data.store import Store
from data.store.database import table
from data.wire import ArticleIn
from recommender.web.server import REPLACE_S

Make = Callable[..., dict[str, Any]]
CLIENTS = 4
KILLED_S = 30.0  # a worker that is gone must be back in this time


class Server:
    """`newsbell serve --workers N` as a process group of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, key: str) -> None:
        self.process, self.url = process, url
        self.headers = {"authorization": f"Bearer {key}"}

    def workers(self) -> list[int]:
        """The process ids of the workers: the parent's children but for multiprocessing's tracker."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in command_of(pid)]

    def are_ready(self, count: int) -> bool:
        """Whether so many workers have loaded everything: each has counters of its own by then."""
        workers = self.workers()
        return len(workers) == count and all(has_counters(pid) for pid in workers)


def has_counters(pid: int) -> bool:
    name = b"PROMETHEUS_MULTIPROC_DIR="
    try:
        given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    folder = next((Path(one.removeprefix(name).decode()) for one in given if one.startswith(name)), None)
    return folder is not None and (folder / f"gauge_livemin_{pid}.db").exists()


def command_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""


@contextmanager
def serving(store: Store, workers: int, port: int) -> Iterator[Server]:
    key = store.create_key("operator", now=SystemClock().now())
    command = [sys.executable, "-m", "scheduler.cli", "serve", "--port", str(port), "--workers", str(workers)]
    given = os.environ | {"NEWSBELL_DATABASE_URL": store.engine.url.render_as_string(hide_password=False)}
    process = subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(process, f"http://127.0.0.1:{port}", key)
    try:
        wait(lambda: len(server.workers()) == workers and answers(server), "the server did not start")
        yield server
    finally:
        process.terminate()
        assert process.wait(180) is not None


def answers(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def wait(true: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + 180  # generous: a busy machine starts a worker slowly
    while not true():
        if time.monotonic() > until:
            pytest.fail(otherwise)
        time.sleep(0.02)


@pytest.fixture
def ten(article: Any) -> list[ArticleIn]:
    """Ten articles."""
    return [article(f"a{n}", title=f"Subject {n} of its own", published_at=now()) for n in range(10)]


def free_port() -> int:
    from recommender.web.server import listen

    with listen("127.0.0.1", 0) as free:
        return int(free.getsockname()[1])


class Client(threading.Thread):
    """Posts events and reads lists all the time; keeps the ids that were accepted and every status it saw."""

    def __init__(self, server: Server, event: Make, name: str) -> None:
        super().__init__()
        self.server, self.event, self.name = server, event, name
        self.accepted: list[str] = []
        self.statuses: set[int] = set()
        self.cut = 0
        self.stop = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            with httpx.Client(base_url=self.server.url, headers=self.server.headers, timeout=60) as client:
                try:
                    while not self.stop.is_set():
                        number += 1
                        self._post(client, [f"{self.name}-{number}-{one}" for one in range(5)])
                        self.statuses.add(client.get(f"/v1/readers/{self.name}/for-you").status_code)
                except httpx.TransportError:  # the worker of this connection is gone; nothing was promised
                    self.cut += 1
                    time.sleep(0.02)

    def _post(self, client: httpx.Client, ids: list[str]) -> None:
        batch = [
            self.event(one, reader=self.name, article=f"a{place}", kind="impression") for place, one in enumerate(ids)
        ]
        answer = client.post("/v1/events", json=batch)
        self.statuses.add(answer.status_code)
        if answer.status_code == 202:
            assert answer.json()["accepted"] == len(ids), answer.text
            self.accepted += ids


def kill_workers(store: Store, event: Make, kills: int, seed: int) -> list[Client]:
    """SIGKILL one of two workers under load, again and again; what was accepted must be there."""
    random = np.random.default_rng(seed)
    with serving(store, 2, free_port()) as server:
        clients = [Client(server, event, f"c{number}") for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for _ in range(kills):
                wait(lambda: server.are_ready(2), "a worker that was killed did not come back")
                time.sleep(float(random.uniform(1.0, 2.0)))
                os.kill(int(random.choice(server.workers())), signal.SIGKILL)
            wait(lambda: server.are_ready(2), "a worker that was killed did not come back")
            time.sleep(1.0)
        finally:
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join(60)
    return clients


def check_nothing_lost(store: Store, clients: list[Client]) -> int:
    events = table(Event)
    with store.reading() as connection:
        held = set(connection.execute(select(events.c.key)).scalars())
    accepted = [one for client in clients for one in client.accepted]
    assert len(accepted) == len(set(accepted))
    assert set(accepted) <= held
    assert {status for client in clients for status in client.statuses} <= {200, 202}
    return len(accepted)


def test_a_worker_killed_before_it_could_tell_that_it_lives_is_replaced_at_once(
    sqlite_store: Store, ten: list[ArticleIn]
) -> None:
    sqlite_store.put_articles(ten, now=SystemClock().now())
    with serving(sqlite_store, 2, free_port()) as server:
        wait(lambda: server.are_ready(2), "the workers did not start")
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        time.sleep(2)  # its parent asks every half second, and gets no answer
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        wait(lambda: server.are_ready(2) and victim not in server.workers(), "nobody took its place")
        assert time.monotonic() - killed < REPLACE_S


def test_a_worker_killed_under_load_loses_nothing_and_is_replaced(
    sqlite_store: Store, ten: list[ArticleIn], event: Make
) -> None:
    sqlite_store.put_articles(ten, now=SystemClock().now())
    clients = kill_workers(sqlite_store, event, kills=2, seed=1)
    assert check_nothing_lost(sqlite_store, clients) > 200


@pytest.mark.stress
def test_thirty_workers_killed_under_load_lose_nothing(store: Store, ten: list[ArticleIn], event: Make) -> None:
    store.put_articles(ten, now=SystemClock().now())
    clients = kill_workers(store, event, kills=30, seed=int(os.environ.get("SEED", "1")))
    accepted = check_nothing_lost(store, clients)
    assert accepted > 2_000
    sys.stdout.write(f"{accepted:,} events accepted, {sum(c.cut for c in clients)} connections cut, none lost\n")


def lags(server: Server, item: Make, event: Make, rounds: int) -> dict[str, list[float]]:
    """Seconds until an article, and until its popularity, shows in an answer of every worker, under load."""
    found: dict[str, list[float]] = {"article": [], "event": []}
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as writer:
        for number in range(rounds):
            key = f"fresh-{number}"
            start = time.monotonic()
            text = " ".join(f"x{word}z" for word in np.random.default_rng((2, number)).integers(0, 10**6, 30))
            one = item(key, title=text[:60], body=text, news_value=5)
            assert writer.put("/v1/articles", json=[one]).json()["new"] == 1
            found["article"].append(seen_by_all(server, start, lambda got, key=key: key in got))
            before = listed(writer)[key]["popularity"]
            start = time.monotonic()
            reads = [event(f"pop-{number}-{n}", reader=f"p{n}", article=key, kind="finish") for n in range(40)]
            assert writer.post("/v1/events", json=reads).json()["accepted"] == 40
            found["event"].append(
                seen_by_all(server, start, lambda got, key=key, before=before: got[key]["popularity"] > before + 1e-3)
            )
    return found


def listed(client: httpx.Client) -> dict[str, dict[str, float]]:
    """The parts of each article on a newcomer's list."""
    answer = client.get("/v1/readers/nobody-yet/for-you", params={"limit": 100, "explain": "true"})
    return {card["article_id"]: card["parts"] for card in answer.json()["items"]}


def seen_by_all(server: Server, start: float, true: Callable[[dict[str, dict[str, float]]], bool]) -> float:
    """Ask on fresh connections, which fall on any worker, until a dozen answers in a row are right."""
    right, last = 0, start
    while right < 12:
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
            asked = time.monotonic()
            got = listed(client)
        if true(got):
            right += 1
        else:
            right, last = 0, asked
        assert time.monotonic() - start < 60
    return last - start


def own_reads_felt(server: Server, event: Make, reads: int, clients: int = 1) -> int:
    """Post a read, ask for the list on another connection: how often the article is gone from it."""
    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(lambda client: _own_reads(server, event, reads // clients, client), range(clients)))


def _own_reads(server: Server, event: Make, reads: int, client: int) -> int:
    felt = 0
    with closing(Line(server)) as writer, closing(Line(server)) as reader:
        for number in range(reads):
            path = f"/v1/readers/own-{client}-{number // 8}/for-you"
            items = reader.ask("GET", path)["items"]
            read = items[number % len(items)]["article_id"]
            one = event(f"own-{client}-{number}", reader=path.split("/")[3], article=read)
            assert writer.ask("POST", "/v1/events", [one])["accepted"] == 1
            felt += read not in {card["article_id"] for card in reader.ask("GET", path)["items"]}
    return felt


class Line(HTTPConnection):
    """One connection, which one worker answers; a tenth of the cost of a client that can do everything."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url.removeprefix("http://"), timeout=60)
        self.headers = {**server.headers, "content-type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)


def p99(values: list[float]) -> float:
    return float(np.percentile(values, 99))


def test_own_reads_are_felt_at_once_on_every_worker(sqlite_store: Store, item: Make, event: Make) -> None:
    fill(sqlite_store, item)
    with serving(sqlite_store, 2, free_port()) as server:
        assert own_reads_felt(server, event, 60) == 60


def fill(store: Store, item: Make) -> None:
    words = np.random.default_rng(1).integers(0, 2_000, (60, 30))
    bodies = [" ".join(f"w{word}x" for word in row) for row in words]
    articles = [item(f"a{n}", title=body[:60], body=body, published_at=now()) for n, body in enumerate(bodies)]
    store.put_articles([ArticleIn.model_validate(one) for one in articles], now=SystemClock().now())


def now() -> str:
    return SystemClock().now().isoformat()


@pytest.mark.stress
def test_four_workers_under_load_are_fresh(store: Store, item: Make, event: Make) -> None:
    fill(store, item)
    with serving(store, 4, free_port()) as server:
        client = Client(server, event, "load")
        client.start()
        try:
            found = lags(server, item, event, rounds=40)
        finally:
            client.stop.set()
            client.join(60)
        felt = own_reads_felt(server, event, 10_000, clients=8)
    assert felt == 10_000
    sys.stdout.write(", ".join(f"{what} visible: p99 {p99(values):.2f} s" for what, values in found.items()) + "\n")
    assert client.statuses <= {200, 202}


def test_two_workers_count_limit_and_stop_as_one(sqlite_store: Store, item: Make) -> None:
    slow = sqlite_store.create_key("app", now=SystemClock().now(), rate_per_s=5)
    fill(sqlite_store, item)
    with serving(sqlite_store, 2, free_port()) as server:
        path = f"{server.url}/v1/readers/r/for-you"  # each on a connection of its own, which falls on either worker
        assert {httpx.get(path, headers=server.headers, timeout=30).status_code for _ in range(40)} == {200}
        limited = {"authorization": f"Bearer {slow}"}
        start = time.monotonic()
        refused = [httpx.get(f"{server.url}/v1/readers/r", headers=limited).status_code == 429 for _ in range(40)]
        assert 40 - sum(refused) <= 5 * (time.monotonic() - start) + 6
        time.sleep(0.1)  # a request is counted when its answer is sent
        page = httpx.get(f"{server.url}/metrics").text
        assert (
            'newsbell_http_requests_total{method="GET",route="/v1/readers/{reader}/for-you",status="200"} 40.0' in page
        )
        assert page.count("newsbell_index_articles 60.0") == 1
        answer: list[int] = []

        def put() -> None:
            batch = [item(f"late-{n}", title=f"Late number {n}", body=f"Unlike any other: {n}.") for n in range(300)]
            made = httpx.put(f"{server.url}/v1/articles", json=batch, headers=server.headers, timeout=60)
            answer.append(made.status_code)

        thread = threading.Thread(target=put)
        thread.start()
        wait(lambda: sqlite_store.count_articles() > 60, "the articles did not arrive")
        server.process.terminate()  # while the answer is still being made
        thread.join(60)
        assert answer == [200]
        assert server.process.wait(60) is not None
