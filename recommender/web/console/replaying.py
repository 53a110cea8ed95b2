"""Replays beside the answers: one thread a process takes what waits, tells how far it is, stops when told."""

import logging
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Protocol

from fastapi import Request

from data.errors import NewsbellError
from data.store.replays import ReplayRow
from recommender.web.site import Site, site_of
from recommender.yesterday import Progress, Replayed

log = logging.getLogger(__name__)
LONGEST_S = 900.0  # a replay that takes longer is given up
BEAT_S = 1.0  # between two entries of how far it is
YIELDS = 0.25  # of the time it worked it sleeps, so that answers of this process are not kept waiting


class Stopped(Exception):
    """Somebody stopped the replay, or it took too long."""


class Replayer(Protocol):
    """Judges weights on past requests. Reports often; ends with Stopped when `progress` raises it."""

    def __call__(self, args: Mapping[str, Any], progress: Progress) -> Replayed: ...


class ReplayWorker:
    """One a process. A thread lives only while there is something to do."""

    def __init__(self, site: Site, replayers: Mapping[str, Replayer]) -> None:
        self.site, self.replayers = site, replayers
        self.name = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._lock = Lock()
        self._thread: Thread | None = None

    def wake(self) -> None:
        """Look for work, unless a thread is at it."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="newsbell-replay", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float = 60.0) -> None:
        """Until there is nothing left to do."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        store, clock = self.site.store, self.site.clock
        while (row := store.take_replay(self.name, clock.now())) is not None:
            result, said = self._result(row)
            store.finish_replay(row.id, self.name, result=result, said=said, now=clock.now())

    def _result(self, row: ReplayRow) -> tuple[dict[str, Any] | None, str]:
        replayer = self.replayers.get(row.kind)
        if replayer is None:
            return None, "This kind of replay is not built in."
        try:
            found = replayer(row.args, _Pacer(self.site, self.name, row.id))
        except Stopped as error:
            return None, str(error)
        except NewsbellError as error:
            return None, str(error)
        except Exception:
            log.exception("replay %d failed", row.id)
            return None, "It failed; the server's log says why."
        return asdict(found), f"{found.requests:,} requests"


class _Pacer:
    """Writes how far a replay is, once a second; lets answers go first; stops what was stopped or takes too long."""

    def __init__(self, site: Site, worker: str, number: int) -> None:
        self.site, self.worker, self.number = site, worker, number
        self.begun_s = self.worked_s = monotonic()
        self.told_s = float("-inf")

    def __call__(self, share: float, said: str) -> None:
        at_s = monotonic()
        if at_s - self.begun_s > LONGEST_S:
            raise Stopped(f"It took longer than {LONGEST_S / 60:.0f} minutes; try fewer requests.")
        if at_s - self.told_s >= BEAT_S:
            self.told_s = at_s
            now = self.site.clock.now()
            if not self.site.store.beat_replay(self.number, self.worker, share=share, said=said, now=now):
                raise Stopped("Somebody stopped it.")
        sleep(min(max(at_s - self.worked_s, 0.0) * YIELDS, 0.5))
        self.worked_s = monotonic()


def worker_of(request: Request) -> ReplayWorker:
    """The process's worker, made when it is first needed."""
    state = request.app.state
    if not hasattr(state, "replay_worker"):
        from recommender.web.console.replayers import REPLAYERS

        site = site_of(request)
        state.replay_worker = ReplayWorker(site, {kind: make(site) for kind, make in REPLAYERS.items()})
    found: ReplayWorker = state.replay_worker
    return found
