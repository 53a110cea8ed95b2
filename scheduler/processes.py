"""Several `newsbell` commands as one process group: started together, restarted alone, stopped together."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

import typer

STOP_S = 10.0  # a child that has not finished by then is killed
CALM_S = 30.0  # a child that lived this long had started well: its earlier deaths are forgotten
RETRIES = 5


@dataclass
class Child:
    """One command that should be running."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    deaths: int = 0

    @property
    def name(self) -> str:
        return self.arguments[0]

    def start(self) -> None:
        command = [sys.executable, "-m", "scheduler.cli", *self.arguments]
        self.process = subprocess.Popen(command, env=dict(self.environment))  # noqa: S603  our own program
        self.started_s = time.monotonic()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Group:
    """Children that live and die together; a child that dies alone is started again, a few times."""

    children: list[Child]
    is_stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Block until SIGINT or SIGTERM, or until one child keeps dying (exit 1)."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            while not self.is_stopping:
                for child in self.children:
                    self._tend(child)
                time.sleep(0.2)
        finally:
            self.stop()

    def start(self) -> None:
        for child in self.children:
            child.start()

    def stop(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()  # all at once: nobody waits for the others' grace
        for child in self.children:
            child.stop()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopping = True

    def _tend(self, child: Child) -> None:
        if child.process is None or child.process.poll() is None:
            return
        if self.is_stopping:
            return
        lived_s = time.monotonic() - child.started_s
        child.deaths = 1 if lived_s > CALM_S else child.deaths + 1
        if child.deaths > RETRIES:
            typer.echo(f"newsbell: `{child.name}` ended {RETRIES} times in a row; see its messages above", err=True)
            raise typer.Exit(1)
        typer.echo(f"newsbell: `{child.name}` ended with {child.process.returncode}; starting it again", err=True)
        time.sleep(min(0.5 * 2**child.deaths, 5.0))
        child.start()
