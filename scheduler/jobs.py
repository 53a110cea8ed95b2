"""The table of jobs: what ticks, how often. APScheduler holds nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from data.settings import Settings


class Duties(Protocol):
    """What a worker does, one method a tick."""

    def lead(self) -> None: ...
    def obey(self) -> None: ...
    def plan(self) -> None: ...
    def deliver(self) -> None: ...
    def recover(self) -> None: ...
    def reach(self) -> None: ...
    def judge(self) -> None: ...
    def forget(self) -> None: ...
    def learn(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A tick: `run` every `every_s` seconds, never twice at the same time, missed ones rolled into one."""

    name: str
    every_s: float
    run: Callable[[], None]


def jobs(duties: Duties, settings: Settings, *, lease_s: float) -> tuple[Job, ...]:
    """Everything that happens by itself."""
    return (
        Job("lead", lease_s / 3, duties.lead),
        Job("obey", 1.0, duties.obey),
        Job("plan", settings.tick_s, duties.plan),
        Job("deliver", 1.0, duties.deliver),
        Job("recover", 15.0, duties.recover),
        Job("reach", 60.0, duties.reach),
        Job("judge", 900.0, duties.judge),
        Job("forget", 3600.0, duties.forget),
        Job("learn", 600.0, duties.learn),
    )
