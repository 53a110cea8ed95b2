"""Turns: one sender's share of a project's pace, taken a little at a time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from data.alerts import Pace
from scheduler.pace import SECOND_US, Grant, Limits, rate, reserve, slow_down

T = TypeVar("T")
AHEAD_S = 0.1  # slots reserved at once: few transactions, yet nobody waits long for another's share


class SharedPace(Protocol):
    """Where a pace lives: `data.paces.Paces`, or memory for a sender that is alone."""

    def change(self, project: str, decide: Callable[[Pace], tuple[Pace, T]]) -> T: ...


@dataclass
class OwnPace:
    """Paces of one process alone."""

    paces: dict[str, Pace] = field(default_factory=dict)

    def change(self, project: str, decide: Callable[[Pace], tuple[Pace, T]]) -> T:
        after, result = decide(self.paces.get(project, Pace()))
        self.paces[project] = after
        return result


def now_us() -> int:
    """The machine's wall clock: processes must agree on it."""
    return time.time_ns() // 1_000


class Pacer:
    """Asks for slots when it has none, and tells how many may be used now."""

    def __init__(
        self,
        limits: Limits,
        shared: SharedPace | None = None,
        *,
        clock_us: Callable[[], int] = now_us,
        rng: random.Random | None = None,
    ) -> None:
        self.limits, self.shared, self.clock_us = limits, shared or OwnPace(), clock_us
        self.rng = rng or random.Random()  # noqa: S311  spreads returns, keeps no secret
        self._grants: dict[str, Grant] = {}
        self._taken: dict[str, int] = {}
        self.lost = 0  # slots that came and went unused

    def free(self, project: str) -> tuple[int, float]:
        """(messages that may go at once, seconds until more may)."""
        at_us = self.clock_us()
        grant = self._grants.get(project)
        if grant is None or self._taken[project] >= grant.count:
            grant = self._reserve(project, at_us)
        lost, usable = grant.usable(self._taken[project], at_us, self.limits.slack_us)
        self.lost += lost
        self._taken[project] += lost
        if usable:
            return usable, 0.0
        if self._taken[project] >= grant.count and grant.count:
            return 0, 0.0
        next_us = grant.start_us + self._taken[project] * grant.every_us
        return 0, max(0.0, (next_us - at_us) / SECOND_US)

    def take(self, project: str, count: int = 1) -> None:
        """Use slots that `free` offered."""
        self._taken[project] += count

    def slow_down(self, project: str, *, retry_after_s: float | None, pause_s: float | None = None) -> float:
        """Tell the others to hold on too; returns the seconds until the project may send again."""
        at_us, jitter = self.clock_us(), self.rng.random()

        def decide(pace: Pace) -> tuple[Pace, int]:
            after = slow_down(pace, at_us, self.limits, retry_after_s=retry_after_s or pause_s, jitter=jitter)
            return after, after.paused_until_us

        until_us = self.shared.change(project, decide)
        self._grants.pop(project, None)
        return max(0.0, (until_us - at_us) / SECOND_US)

    def _reserve(self, project: str, at_us: int) -> Grant:
        def decide(pace: Pace) -> tuple[Pace, Grant]:
            wanted = max(1, int(rate(pace, at_us, self.limits) * AHEAD_S))
            return reserve(pace, at_us, wanted, self.limits)

        grant = self.shared.change(project, decide)
        self._grants[project], self._taken[project] = grant, 0
        if not grant.count:
            del self._grants[project]
        return grant
