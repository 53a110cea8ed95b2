"""Sending at length: storms, faults and two processes under one quota, counted against the server's log."""

import json
import logging
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from data.alerts import Due, DueCampaign, Outcome
from data.clock import SystemClock
from scheduler.fake_fcm.script import make_script
from scheduler.fake_fcm.server import FakeFcm, running
from scheduler.fcm import FcmSender
from scheduler.fcm_transport import Transport
from scheduler.message import Composer, Outgoing
from scheduler.pace import Limits
from scheduler.pacer import Pacer
from scheduler.projects import FixedBearer, Project

pytestmark = pytest.mark.stress
SENDER = Path(__file__).with_name("a_sender.py")
COUNT = 20_000
QUIET = {
    "quota": {"per_minute": None, "per_device_minute": None},
    "latency": {"kind": "lognormal", "ms": 40, "p95_ms": 120},
}
SCENARIOS: dict[str, dict[str, Any]] = {
    "429 storm": {"rules": [{"answer": "quota_exceeded", "from_s": 1, "until_s": 3, "retry_after_s": 2}]},
    "503 storm": {"rules": [{"answer": "unavailable", "from_s": 1, "until_s": 3}]},
    "503 with Retry-After": {"rules": [{"answer": "unavailable", "from_s": 1, "until_s": 3, "retry_after_s": 2}]},
    "GOAWAY every 500": {"connection": {"goaway_every": 500}},
    "1 % of streams reset after processing": {"rules": [{"answer": "reset_stream", "share": 0.01}]},
    "connections reset after processing": {"rules": [{"answer": "reset_connection", "share": 0.0005}]},
    "20 % of devices gone": {"rules": [{"answer": "unregistered", "share": 0.2}]},
    "one poisoned article of 50": {"rules": [{"answer": "payload", "article": "a7"}]},
    "credentials of another project": {"rules": [{"answer": "sender_id_mismatch", "from_s": 1}]},
    "gateway errors": {"rules": [{"answer": "bad_gateway", "first": 5_000, "last": 5_000}]},
}
# A reset takes answers with it that the server had written and nobody had read: how many is the kernel's business.
CAMPAIGNS = [DueCampaign(number, f"c{number}", "digest", {}) for number in range(10)]
ANSWERS_LOST = "connections reset after processing"


def due(number: int, now: Any) -> Due:
    """Campaign c0 to c9, article a0 to a49, a device each."""
    from benchmarks.fcm_clients import due as made

    return msgspec.structs.replace(made(number, now), campaign=CAMPAIGNS[number % 10])


def sender_to(server: FakeFcm) -> FcmSender:
    url = f"{server.url}/v1/projects/demo-news/messages:send"
    pacer = Pacer(Limits(quota_per_minute=600_000, share=0.8, ramp_s=0), rng=random.Random(1))
    project = Project("", "demo-news", url, FixedBearer())
    return FcmSender({"": project}, Transport(connections=8, ca_file=server.ca_file), pacer)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_campaign_survives(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is given back goes again until all ended; each phone got at most one message, and the counts agree."""
    caplog.set_level(logging.CRITICAL)
    with running(make_script(QUIET | SCENARIOS[name])) as server:
        sender, composer, now = sender_to(server), Composer(), SystemClock().now()
        ended, kept = to_the_end(sender, [composer.compose(due(number, now), now) for number in range(COUNT)])
        sender.close()
        log, told = server.service.log, Counter(outcome.state for outcome in ended.values())
        pruned = sum(bool(outcome.device) for outcome in ended.values())
        print(f"\n{name}: {dict(told)}, given back {kept}, pruned {pruned}; server {dict(log.answers)}")  # noqa: T201
        assert len(ended) == COUNT
        assert max(log.accepted_targets().values(), default=0) <= 1, "a phone got a message twice"
        assert server.service.inbox.doubled() == server.service.inbox.rung_twice() == {}
        if name != ANSWERS_LOST:
            assert told["sent"] == log.answers["ok"]
        assert told["sent"] <= log.answers["ok"] <= told["sent"] + told["unknown"]
        assert told["sent"] <= log.accepted <= told["sent"] + told["unknown"]
        assert pruned == log.answers["unregistered"]


def to_the_end(sender: FcmSender, left: list[Outgoing]) -> tuple[dict[int, Outcome], int]:
    """Send what is given back again, as the outbox would, until nothing is but messages of stopped campaigns.

    Returns how each ended, and how often one was given back.
    """
    ended: dict[int, Outcome] = {}
    kept, stopped = 0, set[str]()
    while left:
        again: list[tuple[Outgoing, Outcome]] = []
        for one, outcome in sender.send(iter(left)):
            if outcome.stops:
                stopped.add(one.due.campaign.key)
            if outcome.state == "ready":
                again.append((one, outcome))
            else:
                ended[one.due.id] = outcome
        kept += len(again)
        ended.update((one.due.id, outcome) for one, outcome in again if one.due.campaign.key in stopped)
        left = [one for one, _ in again if one.due.campaign.key not in stopped]
        time.sleep(max(0.0, *(room.until_s - time.monotonic() for room in sender.rooms.values()), 0.0))
    return ended, kept


@pytest.fixture
def fake_process(tmp_path: Path) -> Iterator[Callable[..., tuple[str, str, Path]]]:
    """The fake as a process of its own: (TLS address, plain address, CA file)."""
    processes = []

    def start(**script: Any) -> tuple[str, str, Path]:
        file = tmp_path / "script.json"
        file.write_text(json.dumps({"any_bearer": True} | script))
        command = [sys.executable, "-m", "scheduler.cli", "fake-fcm", "--port", "0", "--script", str(file)]
        process = subprocess.Popen(
            [*command, "--folder", str(tmp_path / "fake")], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        processes.append(process)
        assert process.stdout is not None
        words = process.stdout.readline().split()
        return words[3].rstrip(";"), words[-1], tmp_path / "fake" / "ca.pem"

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_two_processes_keep_one_quota_in_every_second(
    database_url: str, fake_process: Callable[..., tuple[str, str, Path]], share: float
) -> None:
    """1,000 a second for 12 s by two processes on one database; the server counts windows of one second."""
    quota, seconds = 1_000, 12
    tls, plain, ca_file = fake_process(quota={"per_minute": None, "per_device_minute": None}, latency={"ms": 30})
    arguments = [database_url, tls, str(ca_file), str(quota * 60), str(share), str(round(quota * share * seconds / 2))]
    workers = [subprocess.Popen([sys.executable, str(SENDER), *arguments, str(n)]) for n in range(2)]
    assert [one.wait(timeout=120) for one in workers] == [0, 0]
    told = json.loads(urllib.request.urlopen(f"{plain}/_fake/log?lines=1000000").read())
    times = sorted(line["at_s"] for line in told["lines"])
    start = most = 0
    for end, at_s in enumerate(times):
        while times[start] <= at_s - 1.0:
            start += 1
        most = max(most, end - start + 1)
    lasted_s = times[-1] - times[0]
    print(f"\nshare {share}: {len(times)} messages in {lasted_s:.1f} s, most in a second {most}")  # noqa: T201
    assert len(times) == round(quota * share * seconds / 2) * 2
    assert most <= quota * 1.02
