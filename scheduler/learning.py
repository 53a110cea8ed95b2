"""Learning beside the scheduler: `newsbell learn` in a process of its own, so that a long fit delays no alert."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

from data.errors import NewsbellError
from data.settings import Settings

NICE = 10  # it yields to whoever answers readers
LOOK_EVERY_S = 0.2


class Stopped(NewsbellError):
    """The scheduler stops; whoever leads next learns."""


def learn_apart(settings: Settings, must_stop: Callable[[], bool]) -> str:
    """What was learned, or why nothing could be, in one sentence. Raises Stopped when `must_stop` says so meanwhile."""
    command = [sys.executable, "-m", "scheduler.cli", "learn", "--days", str(settings.learn_days), "--json"]
    command += ["--interest"] if settings.learn_interest else []
    given = os.environ | {"NEWSBELL_DATABASE_URL": settings.database_url}
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, env=given, stdout=told, stderr=errors)  # noqa: S603  our own program
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            while _is_running(process):
                if must_stop():
                    raise Stopped("learning was stopped with the scheduler")
        finally:
            process.kill()
            process.wait()
        told.seek(0)
        errors.seek(0)
        return _sentence(json.loads(told.read())) if process.returncode == 0 else _reason(errors.read())


def _is_running(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _sentence(told: dict[str, object]) -> str:
    figures = [f"{_mean(told[one])} {what}" for one, what in (("learned", "with them"), ("live", "with the live ones"))]
    model = f" and a click model of {told['trees']} trees" if told.get("trees") else ""
    return (
        f"learned for-you weights{model} from {told['lists']} lists, {told['opened']} of them with something opened; "
        f"nDCG@10 {' and '.join(figures)}; they wait as a draft"
    )


def _mean(side: object) -> str:
    found = side["ndcg_10"] if isinstance(side, dict) else None
    return f"{found[0]:.3f}" if found else "unknown"


def _reason(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return f"nothing was learned: {lines[-1] if lines else 'it ended without a word'}"
