"""Clients that send many messages, each in a process of its own: `python -m benchmarks.fcm_clients NAME PORT CA COUNT`.

firebase-admin knows no other host than fcm.googleapis.com: here that name leads to the loopback port, by a wrapper
around `socket.getaddrinfo`, and its CA bundle is the server's.
"""

import asyncio
import gc
import json
import os
import resource
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.alerts import Due, DueArticle, DueCampaign, Wishes
from data.clock import SystemClock

PROJECT = "demo-news"
IN_FLIGHT = 400  # of aiohttp, which opens a connection for each
BATCH = 500
_CAMPAIGN = DueCampaign(1, "morning-digest", "digest", {})


def main() -> None:
    """Run one client and print its figures as JSON."""
    if sys.argv[1] == "memory":
        print(json.dumps(memory(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
        return
    name, port, ca_file, count = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    run = CLIENTS[name](port, ca_file)
    now = SystemClock().now()
    dues = [due(number, now) for number in range(count)]
    run(dues[:500])  # imports, connections, first templates
    gc.freeze()  # what waits to be sent is not garbage, for nobody
    wall, cpu = time.perf_counter(), time.process_time()
    sent = run(dues)
    told = {
        "messages": count,
        "sent": sent,
        "seconds": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def due(number: int, now: Any) -> Due:
    """One delivery of a digest; every thousandth has another article."""
    article = number % 50
    return Due(
        id=number,
        key=f"k{number:012d}",
        campaign=_CAMPAIGN,
        slot="2026-03-02T07:30",
        attempt=1,
        expires_at=now + timedelta(hours=6),
        article=_article(article, now),
        reader_id=number,
        wishes=Wishes("UTC", True, "22:00", "07:00", 4, (), (), ()),
        fid=f"fid-{number:018d}",
        token=None,
        platform=("android", "ios")[number % 2],
        is_test=False,
        device_state="active",
        device_reader_id=number,
    )


@lru_cache(maxsize=64)
def _article(number: int, now: Any) -> DueArticle:
    return DueArticle(
        id=number + 1,
        key=f"a{number}",
        title="Washington and Tokyo agree on new tariffs for cars",
        summary="After months of talks both sides signed an agreement on cars and steel. " * 3,
        url=f"https://news.example/world/2026/03/02/tariffs-{number}",
        image_url="https://news.example/pictures/tariffs.jpg",
        source_key="herald",
        category="World",
        topics=("Trade",),
        published_at=now,
        embargo_until=None,
        retracted_at=None,
        story_id=number + 1,
    )


Run = Callable[[Sequence[Due]], int]


def newsbell(port: int, ca_file: Path) -> Run:
    """Our sender: composes, paces (far above what it reaches), breaks, classifies."""
    from scheduler.message import Composer

    sender, composer = _sender(port, ca_file), Composer()

    def run(dues: Sequence[Due]) -> int:
        now = SystemClock().now()
        messages = (composer.compose(one, now) for one in dues)
        return sum(outcome.state == "sent" for _, outcome in sender.send(messages))

    return run


def _sender(port: int, ca_file: Path) -> Any:
    from scheduler.fcm import FcmSender
    from scheduler.fcm_transport import Transport
    from scheduler.pace import Limits
    from scheduler.pacer import Pacer
    from scheduler.projects import FixedBearer, Project

    url = f"https://127.0.0.1:{port}/v1/projects/{PROJECT}/messages:send"
    pacer = Pacer(Limits(quota_per_minute=60_000_000, share=1.0, ramp_s=0))
    return FcmSender({"": Project("", PROJECT, url, FixedBearer())}, Transport(ca_file=ca_file), pacer)


def _firebase(port: int, ca_file: Path) -> Any:
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(ca_file)
    real = socket.getaddrinfo

    def to_loopback(host: Any, at: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "fcm.googleapis.com":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        return real(host, at, *rest, **options)

    socket.getaddrinfo = to_loopback
    warnings.simplefilter("ignore")
    import firebase_admin
    from google.oauth2.credentials import Credentials

    return firebase_admin.initialize_app(Credentials("ya29.bench"), {"projectId": PROJECT})


class _Loopback(asyncio.SelectorEventLoop):
    """An event loop on which HTTPS leads to one local port: httpx keeps the port it was given, whatever the address."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        await super().sock_connect(sock, (address[0], self.port if address[1] == 443 else address[1]))


def send_each(port: int, ca_file: Path) -> Run:
    """`messaging.send_each`, 500 a call, a Message built for each device."""
    from firebase_admin import messaging

    from scheduler.message import Composer

    app, composer = _firebase(port, ca_file), Composer()

    def run(dues: Sequence[Due]) -> int:
        now, sent = SystemClock().now(), 0
        for start in range(0, len(dues), BATCH):
            batch = [composer.whole(one, now) for one in dues[start : start + BATCH]]
            sent += messaging.send_each(batch, app=app).success_count
        return sent

    return run


def send_each_async(port: int, ca_file: Path) -> Run:
    """`messaging.send_each_async`, one call at a time."""
    from firebase_admin import messaging

    from scheduler.message import Composer

    app, composer = _firebase(port, ca_file), Composer()
    loop = _Loopback(port)

    async def all_of(dues: Sequence[Due]) -> int:
        now, sent = SystemClock().now(), 0
        for start in range(0, len(dues), BATCH):
            batch = [composer.whole(one, now) for one in dues[start : start + BATCH]]
            sent += (await messaging.send_each_async(batch, app=app)).success_count
        return sent

    return lambda dues: loop.run_until_complete(all_of(dues))


def aiohttp(port: int, ca_file: Path) -> Run:
    """aiohttp over HTTP/1.1, 400 in flight, the device spliced in by our composer."""
    import ssl

    import aiohttp as library

    from scheduler.message import Composer

    composer, loop = Composer(), asyncio.new_event_loop()
    url = f"https://127.0.0.1:{port}/v1/projects/{PROJECT}/messages:send"
    headers = {"Authorization": "Bearer ya29.bench", "Content-Type": "application/json"}
    tls = ssl.create_default_context(cafile=str(ca_file))

    async def all_of(dues: Sequence[Due]) -> int:
        now, sent, left = SystemClock().now(), 0, iter(dues)
        async with library.ClientSession(connector=library.TCPConnector(limit=IN_FLIGHT, ssl=tls)) as session:

            async def worker() -> None:
                nonlocal sent
                for one in left:
                    body = composer.compose(one, now).payload
                    async with session.post(url, data=body, headers=headers) as answer:
                        json.loads(await answer.read())
                        sent += answer.status == 200

            await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return sent

    return lambda dues: loop.run_until_complete(all_of(dues))


def memory(port: int, ca_file: Path, count: int) -> dict[str, Any]:
    """Resident megabytes after every twentieth of `count` messages, made one by one and sent by our sender."""
    from scheduler.message import Composer

    sender, composer, now = _sender(port, ca_file), Composer(), SystemClock().now()
    messages = (composer.compose(due(number, now), now) for number in range(count))
    samples, sent, wall, cpu = [], 0, time.perf_counter(), time.process_time()
    for number, (_, outcome) in enumerate(sender.send(messages), 1):
        sent += outcome.state == "sent"
        if number % max(1, count // 20) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            samples.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1))
    seconds, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return {"messages": count, "sent": sent, "rss_mb": samples, "seconds": seconds, "cpu_s": cpu_s}


CLIENTS: dict[str, Callable[[int, Path], Run]] = {
    "newsbell": newsbell,
    "send_each": send_each,
    "send_each_async": send_each_async,
    "aiohttp": aiohttp,
}

if __name__ == "__main__":
    main()
