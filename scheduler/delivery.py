"""claim -> recheck -> `sending` committed -> one send -> settle."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from data.alerts import Due, Outcome
from data.clock import Clock
from data.errors import InvalidInput
from data.outbox import Claim, Outbox
from data.store import Store
from recommender.push_recheck import recheck
from scheduler.message import Outgoing, compose
from scheduler.sender import Sender

log = logging.getLogger(__name__)
LEASE_S = 120.0  # longer than a whole claim takes to send: 100 messages, 15 s at most each way, many in flight
CLAIMED_AT_ONCE = 100
SETTLED_AT_ONCE = 20  # what a kill can leave `unknown` although it was sent


@dataclass
class Drained:
    """What a drain did."""

    sent: int = 0
    failed: int = 0
    gone: int = 0
    unknown: int = 0
    suppressed: int = 0
    expired: int = 0

    def add(self, claim: Claim) -> None:
        """Count what ended before a send."""
        self.suppressed += claim.suppressed
        self.expired += claim.expired

    def include(self, other: "Drained") -> None:
        """Add another drain's counts."""
        for name, number in vars(other).items():
            setattr(self, name, getattr(self, name) + number)

    def sentence(self) -> str:
        """The counts for people."""
        counts = [f"{name} {number:,}" for name, number in vars(self).items() if number]
        return ", ".join(counts) or "nothing was due"

    def note(self, outcome: Outcome) -> None:
        """Count how a send ended."""
        setattr(self, outcome.state, getattr(self, outcome.state) + 1)


@dataclass
class Deliverer:
    """Drains the outbox through a sender. Several may run at once: no delivery is claimed twice."""

    store: Store
    sender: Sender
    clock: Clock
    claimed_at_once: int = CLAIMED_AT_ONCE
    settled_at_once: int = SETTLED_AT_ONCE
    lease_s: float = LEASE_S
    is_stopping: Callable[[], bool] = field(default=lambda: False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.store)

    def drain(self, *, fence: int | None = None) -> Drained:
        """Send everything that is due now, claim by claim, until nothing is left or it is asked to stop."""
        drained, now = Drained(), self.clock.now()
        if not self.outbox.is_due(now):
            return drained
        drained.expired += self.outbox.expire(now)
        self.outbox.release(now)
        while not self.is_stopping():
            claim = self.claim(fence)
            drained.add(claim)
            if not (claim.due or claim.suppressed or claim.expired):
                break
            self._send(claim, drained)
        if any(vars(drained).values()):
            log.info("drained: %s", drained.sentence())
        return drained

    def claim(self, fence: int | None) -> Claim:
        """Take the next deliveries, each judged again by what is true now."""
        now = self.clock.now()
        judge = partial(recheck, rules=self.store.rules(now))
        return self.outbox.claim(now, limit=self.claimed_at_once, lease_s=self.lease_s, recheck=judge, fence=fence)

    def _send(self, claim: Claim, drained: Drained) -> None:
        done: list[tuple[Due, Outcome]] = []
        try:
            for due, outcome in self._outcomes(claim):
                drained.note(outcome)
                done.append((due, outcome))
                if len(done) >= self.settled_at_once:
                    self.outbox.settle(done, self.clock.now())
                    done = []
        finally:
            if done:
                self.outbox.settle(done, self.clock.now())

    def _outcomes(self, claim: Claim) -> Iterator[tuple[Due, Outcome]]:
        ready, now = [], self.clock.now()
        for due in claim.due:
            made = _composed(due, now)
            if isinstance(made, Outcome):
                yield due, made
            else:
                ready.append(made)
        for message, outcome in self.sender.send(ready):
            yield message.due, outcome


def _composed(due: Due, now: datetime) -> Outgoing | Outcome:
    try:
        return compose(due, now)
    except InvalidInput as error:
        log.warning("delivery %s cannot be composed: %s", due.key, error)
        return Outcome("failed", reason=str(error))
