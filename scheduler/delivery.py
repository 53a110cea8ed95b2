"""claim -> recheck -> `sending` committed -> one send -> settle, as one stream."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import InterfaceError, OperationalError

from data.alerts import Due, Outcome
from data.campaigns import Campaigns
from data.clock import Clock
from data.errors import DatabaseNotReady, InvalidInput
from data.outbox import Claim, Outbox
from data.store import Store
from recommender.policies import in_force
from recommender.push_recheck import Recheck
from scheduler.message import Composer, Outgoing
from scheduler.sender import Sender

log = logging.getLogger(__name__)
LEASE_S = 120.0  # longer than a claim takes to send: one second's worth, a wait for the canary, 15 s for an answer
CLAIMED_AT_ONCE = 100
CLAIMED_MOST = 2_000
SETTLED_AT_ONCE = 500  # what a kill can leave `unknown` although it was sent:
SETTLE_EVERY_S = 0.2  # so many, or what ended within this time
QUICK_S, SLOW_S = 0.25, 0.5  # a claim gone in less is doubled, one that lasts longer is halved


@dataclass
class Drained:
    """What a drain did. `kept`: claimed and given back unsent, to go later."""

    sent: int = 0
    failed: int = 0
    gone: int = 0
    unknown: int = 0
    kept: int = 0
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
        if outcome.state == "sent":  # nearly all of them
            self.sent += 1
            return
        name = "kept" if outcome.state == "ready" else outcome.state
        setattr(self, name, getattr(self, name) + 1)


@dataclass
class Deliverer:
    """Drains the outbox through a sender. Several may run at once: no delivery is claimed twice."""

    store: Store
    sender: Sender
    clock: Clock
    claimed_at_once: int = CLAIMED_AT_ONCE
    settled_at_once: int = SETTLED_AT_ONCE
    settle_every_s: float = SETTLE_EVERY_S
    lease_s: float = LEASE_S
    is_stopping: Callable[[], bool] = field(default=lambda: False)
    composer: Composer = field(default_factory=Composer)

    def __post_init__(self) -> None:
        self.outbox, self.campaigns = Outbox(self.store), Campaigns(self.store)
        self.held: dict[str, datetime] = {}  # app -> when it may be sent to again
        self.ended: list[tuple[Due, Outcome]] = []  # not written down yet; kept while the database cannot be reached

    def drain(self, *, fence: int | None = None) -> Drained:
        """Send everything that is due now, until nothing is left or it is asked to stop."""
        drained, now = Drained(), self.clock.now()
        flow = _Flow(self, drained, fence)
        flow.settle()  # what an earlier drain could not
        if flow.error is None and not self.outbox.is_due(now):
            return drained
        if flow.error is None:
            drained.expired += self.outbox.expire(now)
            self.outbox.release(now)
        flow.run()
        if flow.error is not None:
            raise flow.error
        if any(vars(drained).values()):
            log.info("drained: %s", drained.sentence())
        return drained

    def claim(self, limit: int, fence: int | None) -> Claim:
        """Take the next deliveries, each judged again by what is true now."""
        now = self.clock.now()
        self.held = {app: until for app, until in self.held.items() if until > now}
        recheck = Recheck(now, rules=self.store.rules(now), house=in_force(self.store).limits)
        return self.outbox.claim(
            now, limit=limit, lease_s=self.lease_s, recheck=recheck, fence=fence, without_apps=self.held
        )


class _Flow:
    """One drain: claims when the sender asks for more, settles what it reports."""

    def __init__(self, deliverer: Deliverer, drained: Drained, fence: int | None) -> None:
        self.deliverer, self.drained, self.fence = deliverer, drained, fence
        self.settled_s = time.monotonic()
        self.alarms: set[tuple[str, str]] = set()
        self.error: Exception | None = None

    def run(self) -> None:
        """Send until nothing is left. After an error nothing more is claimed; what is under way is waited for."""
        for messages in (self.messages(), iter(())):
            try:
                for message, outcome in self.deliverer.sender.send(messages):
                    self.end(message.due, outcome)
            except Exception as error:
                self.error = self.error or error
            else:
                break
        self.settle()

    def messages(self) -> Iterator[Outgoing]:
        """Claimed messages, claim by claim: each about half a second's worth, so that a stop is obeyed soon.

        An error ends them and is raised when what is under way has ended.
        """
        size = self.deliverer.claimed_at_once
        try:
            while self.error is None and not self.deliverer.is_stopping():
                claim = self.deliverer.claim(size, self.fence)
                self.drained.add(claim)
                if not (claim.due or claim.suppressed or claim.expired):
                    return
                started_s = time.monotonic()
                yield from self._composed(claim)
                size = self._next_size(size, time.monotonic() - started_s)
        except Exception as error:
            self.error = error

    def end(self, due: Due, outcome: Outcome) -> None:
        """A send ended."""
        self.drained.note(outcome)
        self.deliverer.ended.append((due, outcome))
        if outcome.holds_app and outcome.retry_at is not None:
            self.deliverer.held[due.app] = outcome.retry_at
        if outcome.alarm:
            self._alarm(due, outcome)
        is_late = time.monotonic() - self.settled_s > self.deliverer.settle_every_s
        if is_late or len(self.deliverer.ended) >= self.deliverer.settled_at_once:
            self.settle()

    def settle(self) -> None:
        """Write what ended. If the database cannot, it is kept for the next try: a row says `sending` until then."""
        ended = self.deliverer.ended
        try:
            self.deliverer.outbox.settle(ended, self.deliverer.clock.now())
        except (DatabaseNotReady, OperationalError, InterfaceError) as error:
            self.error = self.error or error
        else:
            ended.clear()
        self.settled_s = time.monotonic()

    def _composed(self, claim: Claim) -> Iterator[Outgoing]:
        now, composer = self.deliverer.clock.now(), self.deliverer.composer
        for due in claim.due:
            if self.deliverer.is_stopping():
                self.end(due, Outcome("ready", reason="the sender was stopped"))
                continue
            try:
                made = composer.compose(due, now)
            except InvalidInput as error:
                log.warning("delivery %s cannot be composed: %s", due.key, error)
                self.end(due, Outcome("failed", reason=str(error)))
            else:
                yield made

    def _next_size(self, size: int, took_s: float) -> int:
        least = self.deliverer.claimed_at_once
        if took_s < QUICK_S:
            return min(max(CLAIMED_MOST, least), size * 2)
        return max(least, size // 2) if took_s > SLOW_S else size

    def _alarm(self, due: Due, outcome: Outcome) -> None:
        """Tell the operator once, and pause the campaign if it must stop."""
        told = (due.campaign.key, outcome.alarm)
        if told in self.alarms:
            return
        log.error("%s: %s", due.campaign.key, outcome.alarm)
        now = self.deliverer.clock.now()
        self.deliverer.campaigns.raise_alarm(due.campaign.key, outcome.alarm, now=now, pauses=outcome.stops)
        self.alarms.add(told)
