"""Senders: a message goes in, an outcome comes out. One send is one attempt, never more."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from data.alerts import Outcome
from data.errors import InvalidSettings
from data.settings import Settings
from scheduler.message import Outgoing

if TYPE_CHECKING:
    from data.store import Store


class Sender(Protocol):
    """Sends messages and yields each with its outcome, in whatever order they end; takes no more than it sends."""

    def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]: ...


class LogSender:
    """Prints each message as one line of the JSON that would be posted, and sends nothing.

    An installation id names a device; a legacy token is a secret that lets anybody with the project's key ring it: it
    is printed masked unless `show_tokens`.
    """

    def __init__(self, stream: TextIO, *, show_tokens: bool = False) -> None:
        self.stream, self.show_tokens = stream, show_tokens

    def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        for message in messages:
            self.stream.write(self._line(message) + "\n")
            self.stream.flush()
            yield message, Outcome("sent", f"log/{message.due.key}")

    def post(self, app: str, body: bytes) -> Outcome:  # noqa: ARG002  of the Firebase project `app`
        """Print a message to a topic."""
        self.stream.write(body.decode() + "\n")
        self.stream.flush()
        return Outcome("sent", "log/broadcast")

    def _line(self, message: Outgoing) -> str:
        token = message.body["message"].get("token")
        if token is None or self.show_tokens:
            return message.json
        masked: dict[str, Any] = {"message": message.body["message"] | {"token": mask(token)}}
        return json.dumps(masked, sort_keys=True, ensure_ascii=False)


def mask(token: str) -> str:
    """A token as it may be shown: equal tokens look equal, and nobody can send to it."""
    return f"token:{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def open_messages(path: Path) -> TextIO:
    """The file a log sender appends to, readable by its owner alone: who gets which news is nobody else's business."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8")


def make_sender(
    settings: Settings, stream: TextIO, *, store: "Store | None" = None, show_tokens: bool = False
) -> Sender:
    """The sender the settings ask for. With a store, all senders on it share each project's quota."""
    if settings.sender == "log":
        return LogSender(stream, show_tokens=show_tokens)
    if settings.sender == "firebase":
        from scheduler.firebase_sender import make_firebase_sender

        return make_firebase_sender(settings)
    return _fcm_sender(settings, store)


def _fcm_sender(settings: Settings, store: "Store | None") -> Sender:
    try:
        from scheduler.fcm_transport import TURN_S, Transport
    except ImportError as error:
        raise InvalidSettings(
            f"NEWSBELL_SENDER=fcm needs pycurl ({error}); install it, or set NEWSBELL_SENDER=firebase"
        ) from None
    from data.paces import Paces
    from scheduler.fcm import FcmSender
    from scheduler.message import Composer
    from scheduler.pace import Limits
    from scheduler.pacer import Pacer
    from scheduler.projects import projects
    from scheduler.template import read_look

    limits = Limits(settings.fcm_per_minute, settings.fcm_share, settings.fcm_ramp_s)
    turn_s = min(TURN_S, limits.slack_us / 2e6)  # a slot not used within its slack is lost
    return FcmSender(
        projects(settings),
        Transport(connections=settings.fcm_connections, ca_file=settings.fcm_ca_file, turn_s=turn_s),
        Pacer(limits, Paces(store) if store is not None else None),
        composer=Composer(read_look(settings.fcm_look)),
    )
