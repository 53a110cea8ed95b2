"""Refusals that are not believed at once: a wrong credential of ours looks like thousands of devices that are wrong."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from data.alerts import Outcome
from scheduler.breaker import Breaker
from scheduler.fcm_errors import Meaning, Said
from scheduler.message import Outgoing

Result = tuple[Outgoing, Outcome]


class Suspects:
    """Refused messages by campaign, in the order of their answers."""

    def __init__(self) -> None:
        self._held: dict[str, deque[tuple[Outgoing, Said, int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, message: Outgoing, said: Said, answered: int) -> None:
        """Hold one; `answered`: how many answers its campaign had by then."""
        self._held.setdefault(message.due.campaign.key, deque()).append((message, said, answered))

    def ripe(self, campaign: str, breaker: Breaker, *, is_stopped: bool) -> Iterator[Result]:
        """Those that a whole window of answers followed, believed; of a campaign that stopped all, doubted."""
        held = self._held.get(campaign)
        while held and (is_stopped or breaker.answered - held[0][2] >= breaker.window):
            message, said, _ = held.popleft()
            yield message, _doubted(said) if is_stopped else _believed(said)
        if held is not None and not held:
            del self._held[campaign]

    def first(self) -> list[tuple[str, Outgoing]]:
        """Each campaign that is left, and its first message."""
        return [(campaign, held[0][0]) for campaign, held in self._held.items()]

    def rest(self, campaign: str, *, are_doubted: bool) -> list[Result]:
        """All of a campaign."""
        held = self._held.pop(campaign)
        return [(message, _doubted(said) if are_doubted else _believed(said)) for message, said, _ in held]


def kept(reason: str, retry_at: datetime | None = None, *, alarm: str = "", holds_app: bool = False) -> Outcome:
    """A message that did not leave, and may later."""
    return Outcome("ready", reason=reason, retry_at=retry_at, alarm=alarm, holds_app=holds_app)


def _believed(said: Said) -> Outcome:
    if said.meaning is Meaning.BAD_ADDRESS:
        return Outcome("gone", reason=said.reason, device="gone")
    return Outcome("failed", reason=said.reason, device="quarantined" if said.meaning is Meaning.MISMATCH else "")


def _doubted(said: Said) -> Outcome:
    """Nothing is pruned; what the account may not send is kept for when it may."""
    if said.meaning in (Meaning.MISMATCH, Meaning.DENIED):
        return kept(said.reason)
    return Outcome("failed", reason=said.reason)
