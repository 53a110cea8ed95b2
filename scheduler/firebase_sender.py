"""The plain sender over `firebase_admin.messaging.send_each`: slow, and the reference for the other.

Its risks, which are why it is not the default: after a reset connection or a timeout the library posts again without
telling, so a phone may get a message twice; a batch of 500 has one result, so a kill loses 500 outcomes; it knows no
shared pace, and blocks while it waits for a Retry-After.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from data.alerts import Outcome
from data.clock import Clock, SystemClock
from data.errors import InvalidSettings
from data.settings import Settings
from scheduler.breaker import Breaker
from scheduler.fcm_errors import Meaning, Said, understand
from scheduler.message import Composer, Outgoing
from scheduler.template import read_look

BATCH = 500
WAIT_S = 60.0


class FirebaseSender:
    """Sends batches of 500, one app after the other."""

    def __init__(
        self, apps: Mapping[str, Any], *, composer: Composer | None = None, clock: Clock | None = None
    ) -> None:
        self.apps, self.composer, self.clock = apps, composer or Composer(), clock or SystemClock()
        self.breakers: dict[str, Breaker] = {}

    def send(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        """Yields each message with its outcome, batch by batch."""
        self.breakers, source = {}, iter(messages)
        while batch := list(islice(source, BATCH)):
            for app in sorted({one.due.app for one in batch}):
                yield from self._send(app, [one for one in batch if one.due.app == app])

    def _send(self, app: str, batch: list[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        from firebase_admin import messaging
        from firebase_admin.exceptions import FirebaseError

        stopped = [one for one in batch if app not in self.apps or self._breaker(one).is_open]
        yield from ((one, Outcome("ready", reason="the campaign was stopped")) for one in stopped)
        left = [one for one in batch if one not in stopped]
        if not left:
            return
        now = self.clock.now()
        made = [self.composer.whole(one.due, now) for one in left]
        try:
            said = [_said(answer) for answer in messaging.send_each(made, app=self.apps[app]).responses]
        except FirebaseError:  # one result for all: whatever was sent is not told
            said = [Said(Meaning.SERVER, "no answer")] * len(left)
        for one, what in zip(left, said, strict=True):
            self._breaker(one).note(is_bad=what.meaning.is_client_error)
        for one, what in zip(left, said, strict=True):
            yield one, self._outcome(one, what)

    def _breaker(self, message: Outgoing) -> Breaker:
        return self.breakers.setdefault(message.due.campaign.key, Breaker())

    def _outcome(self, message: Outgoing, said: Said) -> Outcome:
        breaker, meaning = self._breaker(message), said.meaning
        alarm, stops = (breaker.reason, True) if breaker.is_open else ("", False)
        if meaning is Meaning.SENT:
            return Outcome("sent", said.name, alarm=alarm, stops=stops)
        if meaning is Meaning.SERVER:
            return Outcome("unknown", reason=said.reason, alarm=alarm, stops=stops)
        if meaning is Meaning.QUOTA:
            at = self.clock.now() + timedelta(seconds=said.retry_after_s or WAIT_S)
            return Outcome("ready", reason=said.reason, retry_at=at, holds_app=True)
        if meaning in (Meaning.UNAUTHENTICATED, Meaning.DENIED, Meaning.PLATFORM):
            return Outcome("ready", reason=said.reason, alarm=alarm or meaning.value, stops=True)
        if meaning is Meaning.PAYLOAD:
            return Outcome("failed", reason=said.reason, alarm=alarm or meaning.value, stops=True)
        if breaker.is_open:
            return Outcome("failed", reason=said.reason, alarm=alarm, stops=True)
        if meaning is Meaning.MISMATCH:
            return Outcome("failed", reason=said.reason, device="quarantined")
        return Outcome("gone", reason=said.reason, device="gone")


def make_firebase_sender(settings: Settings) -> FirebaseSender:
    """The sender for the project of the settings, and its further ones."""
    from scheduler.projects import accounts

    return FirebaseSender(
        {app: _app(project, file) for app, (project, file) in accounts(settings).items()},
        composer=Composer(read_look(settings.fcm_look)),
    )


def _app(project: str, file: Any) -> Any:
    import firebase_admin
    from firebase_admin import credentials

    try:
        account = credentials.Certificate(str(file)) if file else credentials.ApplicationDefault()
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"NEWSBELL_FCM_CREDENTIALS={file}: no service-account file ({error})") from None
    name = f"newsbell-{project}"
    try:
        return firebase_admin.get_app(name)
    except ValueError:
        return firebase_admin.initialize_app(account, {"projectId": project, "httpTimeout": 15}, name=name)


def _said(answer: Any) -> Said:
    if answer.success:
        return Said(Meaning.SENT, name=answer.message_id)
    response = getattr(answer.exception, "http_response", None)
    if response is None:
        return Said(Meaning.SERVER, "no answer")
    after = response.headers.get("Retry-After", "")
    return understand(response.status_code, response.content, float(after) if after.isdigit() else None)
