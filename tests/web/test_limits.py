"""A key's rate: how many calls pass, when the next one does, over all workers of a server."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import SystemClock
from data.errors import TooMany
from recommender.web.limits import Limits


class Ticking:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def passes(limits: Limits, key: int, rate: float) -> bool:
    try:
        limits.take(key, rate)
    except TooMany:
        return False
    return True


@given(rate=st.floats(0.2, 500), gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_never_more_than_a_second_ahead_of_the_rate(rate: float, gaps: list[float]) -> None:
    clock = Ticking()
    limits = Limits(clock=clock)
    passed = 0
    for gap in gaps:
        clock.now += gap
        passed += passes(limits, 1, rate)
        assert passed <= rate * (clock.now - 100.0) + max(rate, 1.0) + 1e-6


@given(rate=st.floats(0.2, 500))
def test_who_waits_as_told_passes_and_others_are_not_touched(rate: float) -> None:
    clock = Ticking()
    limits = Limits(clock=clock)
    for _ in range(1_000):
        try:
            limits.take(7, rate)
        except TooMany as error:
            assert passes(limits, 8, rate)
            clock.now += error.after_s + 1e-6
            assert passes(limits, 7, rate)
            return
    pytest.fail("a thousand calls at once passed")


def test_workers_share_one_rate(tmp_path: Path) -> None:
    clock = Ticking()
    workers = [Limits(tmp_path / "rates", clock) for _ in range(4)]
    assert sum(passes(workers[call % 4], 1, 20) for call in range(200)) == 20


def test_no_rate_is_no_limit() -> None:
    limits = Limits(clock=Ticking())
    assert all(passes(limits, 1, 0) for _ in range(1_000))


def test_a_key_that_calls_too_often_is_told_when_to_come_back(newsroom: Any) -> None:
    newsroom.keys["app"] = newsroom.store.create_key("app", now=SystemClock().now(), rate_per_s=2)
    client, other = newsroom.client("app"), newsroom.client("operator")
    answers = [client.get(f"/v1/{path}") for path in ("readers/r/for-you", "readers/r") * 10]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused[0].headers["retry-after"]) <= 2
    assert "2 times a second" in refused[0].json()["detail"]
    assert all(other.get("/v1/readers/r/for-you").status_code == 200 for _ in range(20))
