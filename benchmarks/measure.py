"""Timing contenders side by side: rounds in turn, so that a busy machine is busy for all of them."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Work = Callable[[int], object]


@dataclass
class Contender:
    """One way to do a job. `work(i)` does the i-th task; `tasks` of them make a round."""

    name: str
    work: Work
    tasks: int
    each: int = 1  # tasks done by one call, for batches
    cpu_ms: list[list[float]] = field(default_factory=list)  # per round, per task
    wall_ms: list[list[float]] = field(default_factory=list)

    def result(self) -> dict[str, float | str | int]:
        """Milliseconds a task: median, 90 % and 99 % of single tasks; median over rounds of the mean, and its range."""
        single = np.concatenate([np.array(one) for one in self.cpu_ms])
        means = [statistics.fmean(one) for one in self.cpu_ms]
        return {
            "name": self.name,
            "cpu_ms": float(np.median(single)),
            "cpu_ms_p90": float(np.percentile(single, 90)),
            "cpu_ms_p99": float(np.percentile(single, 99)),
            "cpu_ms_mean": statistics.median(means),
            "cpu_ms_mean_low": min(means),
            "cpu_ms_mean_high": max(means),
            "wall_ms": statistics.median(float(np.median(one)) for one in self.wall_ms),
            "rounds": len(self.cpu_ms),
            "tasks_a_round": self.tasks,
        }


def compare(contenders: Sequence[Contender], rounds: int = 5) -> list[dict[str, float | str | int]]:
    """Each contender's results; every round takes other tasks, the same for those of as many tasks."""
    for one in contenders:
        one.work(0)  # whatever is built or compiled at first use
    for number in range(rounds):
        for one in contenders:
            cpu, wall = [], []
            for task in range(number * one.tasks, (number + 1) * one.tasks, one.each):
                wall_start, start = time.perf_counter_ns(), time.thread_time_ns()
                one.work(task)
                cpu.append((time.thread_time_ns() - start) / 1e6 / one.each)
                wall.append((time.perf_counter_ns() - wall_start) / 1e6 / one.each)
            one.cpu_ms.append(cpu)
            one.wall_ms.append(wall)
    return [one.result() for one in contenders]


def timed(work: Callable[[], object]) -> tuple[object, float, float]:
    """What it gave, CPU seconds of the process, wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, time.process_time() - cpu, time.perf_counter() - wall
