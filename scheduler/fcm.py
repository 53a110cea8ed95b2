"""The FCM sender: many messages under way, at the shared pace, every answer turned into an outcome by its code."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from data.alerts import Due, Outcome
from data.clock import Clock, SystemClock
from data.errors import InvalidInput
from scheduler.breaker import Breaker
from scheduler.fcm_errors import Meaning, Said, understand
from scheduler.fcm_transport import REFUSED, Reply, Transport
from scheduler.message import Composer, Outgoing
from scheduler.pacer import Pacer
from scheduler.projects import CredentialRefused, Project
from scheduler.room import Room
from scheduler.suspects import Result, Suspects, kept

log = logging.getLogger(__name__)
POLL_S = 0.05
PATIENCE_S = 1.0  # a wait longer than this gives messages back instead of holding them
CALM_S = 600.0  # a campaign silent for this long begins with a canary again
BACKOFF_S, BACKOFF_MOST_S = 10.0, 3_600.0
BAD_GATEWAY_S = 30.0
STORM = 20  # server errors within the last answers of a project that make it wait
PLATFORM_OFF_S = 600.0
STOPPED_S = 30.0  # a campaign resumed while its senders still run waits this long
FEW = 20  # answers from which a share can be judged


class FcmSender:
    """Sends over HTTP/2. One `send` at a time; what is under way when its caller stops listening is waited for."""

    def __init__(
        self,
        projects: Mapping[str, Project],
        transport: Transport,
        pacer: Pacer,
        *,
        clock: Clock | None = None,
        composer: Composer | None = None,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self.transport, self.pacer = transport, pacer
        self.clock, self.composer, self.make_breaker = clock or SystemClock(), composer or Composer(), breaker
        self.rooms = {app: Room(project) for app, project in projects.items()}
        self.breakers: dict[str, tuple[Breaker, float]] = {}
        self.platforms_off: dict[tuple[str, str], float] = {}  # (app, platform) -> until, monotonic

    def send(self, messages: Iterable[Outgoing]) -> Iterator[Result]:
        """Yields each message with its outcome as they end."""
        for room in self.rooms.values():  # what stopped the last one may have been mended
            room.fault = room.renewed = ""
        self.breakers = {key: known for key, known in self.breakers.items() if not known[0].is_open}
        return _Run(self, messages).results()

    def post(self, app: str, body: bytes) -> Outcome:
        """One message that is no delivery, like one to a topic; outside the lanes, within the pace."""
        room = self.rooms.get(app)
        if room is None:
            raise InvalidInput(f"no project for app {app!r}; add it to NEWSBELL_FCM_APPS")
        for _ in range(3):  # a refused stream and an expired token may be tried again
            self._wait(room)
            try:
                token = room.project.bearer.token()
                reply = self._reply(room, token, body)
                said = understand(reply.status, reply.body, reply.retry_after_s)
                if not reply.unsent and said.meaning is not Meaning.UNAUTHENTICATED:
                    break
                if reply.status:
                    room.project.bearer.renew(token)
            except CredentialRefused as error:
                return Outcome("failed", reason=str(error))
        if reply.unsent:
            return Outcome("failed", reason=f"FCM not reached: {reply.unsent}")
        if said.meaning is Meaning.SENT:
            return Outcome("sent", said.name)
        if reply.lost or said.meaning is Meaning.SERVER:
            return Outcome("unknown", reason=reply.lost or said.reason)
        return Outcome("failed", reason=said.reason)

    def _wait(self, room: Room) -> None:
        """For a slot of the project."""
        while not (found := self.pacer.free(room.project.id))[0]:
            time.sleep(min(1.0, found[1] or 0.001))
        self.pacer.take(room.project.id)

    def _reply(self, room: Room, token: str, body: bytes) -> Reply:
        self.transport.post(room.project.url, token, body, None)
        while not (replies := self.transport.poll(POLL_S)):
            pass
        return replies[0]

    def close(self) -> None:
        """Drop the connections."""
        self.transport.close()

    def breaker(self, campaign: str) -> Breaker:
        """The breaker of a campaign; a new one after a long silence."""
        now_s = time.monotonic()
        known = self.breakers.get(campaign)
        one = known[0] if known and now_s - known[1] < CALM_S else self.make_breaker()
        self.breakers[campaign] = (one, now_s)
        return one


class _Run:
    """One `send` from its first message to its last outcome."""

    def __init__(self, sender: FcmSender, messages: Iterable[Outgoing]) -> None:
        self.sender, self.source = sender, iter(messages)
        self.is_dry = False  # the source has no more
        self.next: deque[Outgoing] = deque()  # go before the source: waiting for a slot, or to go again
        self.canaries: dict[str, deque[Outgoing]] = {}  # wait for the first answers of their campaign
        self.waiting = 0  # in all canaries
        self.done: list[Result] = []
        self.breakers: dict[str, Breaker] = {}
        self.suspects = Suspects()
        self.stopped: dict[str, str] = {}  # campaign -> why
        self.untold: set[str] = set()  # campaigns whose stop no outcome has told yet

    def results(self) -> Iterator[Result]:
        transport = self.sender.transport
        while True:
            wait_s = self._fill()
            if len(transport):
                for reply in transport.poll(0.0 if self.done else min(wait_s, POLL_S)):
                    self._ended(reply)
            elif self._is_finished():
                break
            elif not self.done:
                time.sleep(min(wait_s, POLL_S))
            yield from self._told()
        self._believe_all()
        now_s = time.monotonic()
        self.sender.breakers.update({campaign: (one, now_s) for campaign, one in self.breakers.items()})
        yield from self._told()

    def _told(self) -> Iterator[Result]:
        """What is done; the first outcome of a stopped campaign says so."""
        done, self.done = self.done, []
        for message, outcome in done:
            campaign = message.due.campaign.key
            if campaign in self.untold:
                self.untold.discard(campaign)
                outcome = msgspec.structs.replace(outcome, alarm=self.stopped[campaign], stops=True)  # noqa: PLW2901
            yield message, outcome

    def _breaker(self, campaign: str) -> Breaker:
        found = self.breakers.get(campaign)
        if found is None:
            found = self.breakers[campaign] = self.sender.breaker(campaign)
        return found

    # --- going out ---

    def _is_finished(self) -> bool:
        return self.is_dry and not self.next and not self.waiting

    def _fill(self) -> float:
        """Start what may start; returns the seconds until more may."""
        sender, free = self.sender, dict.fromkeys(self.sender.rooms, 0)
        while sender.transport.room > 0 and (message := self._pull()) is not None:
            due = message.due
            room = sender.rooms.get(due.app)
            breaker = self._breaker(due.campaign.key)
            if (held := self._held_back(room, due, breaker)) is not None or room is None:
                self.done.append((message, held or kept("no project")))
            elif not breaker.may_start():
                self.canaries.setdefault(due.campaign.key, deque()).append(message)
                self.waiting += 1
            elif free[due.app] > 0 or (wait_s := self._slots(room, free)) is None:
                free[due.app] -= self._start(room, message, breaker)
            else:
                self.next.appendleft(message)
                if wait_s > PATIENCE_S:
                    room.until_s = time.monotonic() + wait_s
                else:
                    return wait_s
        return POLL_S

    def _slots(self, room: Room, free: dict[str, int]) -> float | None:
        """Fetch slots of the project into `free`; the seconds to wait if there are none now."""
        for _ in range(2):  # a used-up grant is replaced by the second call
            free[room.project.app], wait_s = self.sender.pacer.free(room.project.id)
            if free[room.project.app] > 0:
                return None
            if wait_s > 0:
                return wait_s
        return 0.001

    def _pull(self) -> Outgoing | None:
        """The next message: one that goes again, one whose canary ended, one of the source."""
        if self.next:
            return self.next.popleft()
        if self.waiting and (one := self._let_out()) is not None:
            return one
        if self.is_dry or self.waiting >= self.sender.transport.capacity:
            return None
        message = next(self.source, None)
        self.is_dry = message is None
        return message

    def _let_out(self) -> Outgoing | None:
        for campaign, queue in self.canaries.items():
            breaker = self._breaker(campaign)
            if queue and (breaker.may_start() or breaker.is_open or campaign in self.stopped):
                self.waiting -= 1
                return queue.popleft()
        return None

    def _held_back(self, room: Room | None, due: Due, breaker: Breaker) -> Outcome | None:
        """Why this one is given back unsent, if it is."""
        if due.campaign.key in self.stopped or breaker.is_open:
            return kept("the campaign was stopped", self._at(STOPPED_S))
        if room is None:
            self._stop(due, f"devices of app {due.app!r} have no Firebase project; add it to NEWSBELL_FCM_APPS")
            return kept("no project", self._at(STOPPED_S))
        if room.fault:
            self._stop(due, room.fault)
            return kept("no access token")
        if not (room.until_s or self.sender.platforms_off):  # nearly always
            return None
        now_s = time.monotonic()
        if room.until_s > now_s:
            return kept("the project waits", self._at(room.until_s - now_s), holds_app=True)
        off_s = self.sender.platforms_off.get((due.app, due.platform), 0.0)
        return kept("the platform waits", self._at(off_s - now_s)) if off_s > now_s else None

    def _start(self, room: Room, message: Outgoing, breaker: Breaker) -> int:
        """Post it; 1 if it went, 0 if there is no token to post with."""
        try:
            token = room.project.bearer.token()
        except CredentialRefused as error:
            room.fault = str(error)
            self.next.appendleft(message)
            return 0
        self.sender.pacer.take(room.project.id)
        breaker.start()
        self.sender.transport.post(room.project.url, token, message.payload, (message, token, room, breaker))
        return 1

    # --- coming back ---

    def _ended(self, reply: Reply) -> None:
        message, token, room, breaker = reply.tag
        if reply.unsent:
            breaker.take_back()
            self._unsent(room, message, reply.unsent)
        elif reply.lost:
            room.lose()
            breaker.note(is_bad=False)
            self._server_failed(room, message, Said(Meaning.SERVER, "no answer"), 0)
        else:
            said = understand(reply.status, reply.body, reply.retry_after_s)
            if said.meaning is Meaning.UNAUTHENTICATED and self._renewed(room, token):
                breaker.take_back()
                self.next.append(message)
            else:
                self._answered(room, breaker, message, said, reply.status)

    def _answered(self, room: Room, breaker: Breaker, message: Outgoing, said: Said, status: int) -> None:
        due = message.due
        room.errors.append(said.meaning is Meaning.SERVER)
        if breaker.note(is_bad=said.meaning.is_client_error and not self._is_acted_upon(due, said)):
            self._stop(due, breaker.reason)
        if self.suspects:
            self._believe(due.campaign.key)
        if said.meaning is Meaning.SENT:
            self.done.append((message, Outcome("sent", said.name, said.reason)))
        elif said.meaning is Meaning.GONE:
            self._gone(message, said)
        elif said.meaning is Meaning.QUOTA:
            wait_s = self._pause(room, said.retry_after_s, None)
            self.done.append((message, kept(said.reason, self._at(wait_s), holds_app=True)))
        elif said.meaning is Meaning.SERVER:
            self._server_failed(room, message, said, status)
        elif said.meaning is Meaning.PLATFORM:
            self._platform_off(message, said)
        elif said.meaning is Meaning.PAYLOAD:
            self._stop(due, f"FCM refuses article {due.article.key!r} as a message ({said.reason})")
            self.done.append((message, Outcome("failed", reason=said.reason)))
        elif said.meaning is Meaning.UNAUTHENTICATED:
            room.fault = room.fault or f"FCM refuses the access token of {room.project.id}, a renewed one too"
            self._stop(due, room.fault)
            self.done.append((message, kept(said.reason)))
        else:
            self.suspects.add(message, said, breaker.answered)

    def _is_acted_upon(self, due: Due, said: Said) -> bool:
        """A platform's refusal that came after the platform was switched off for it."""
        off_s = self.sender.platforms_off.get((due.app, due.platform), 0.0)
        return said.meaning is Meaning.PLATFORM and off_s > time.monotonic()

    def _unsent(self, room: Room, message: Outgoing, why: str) -> None:
        """It never left, or was never looked at: it goes again, at once or when FCM can be reached."""
        if why == REFUSED:
            self.next.append(message)
            return
        log.warning("cannot reach FCM: %s", why)
        wait_s = self._pause(room, None, BACKOFF_S)
        self.done.append((message, kept("FCM not reached", self._at(wait_s), holds_app=True)))

    def _renewed(self, room: Room, refused: str) -> bool:
        """Whether there is now a token other than the refused one, which was itself no renewed one."""
        if room.fault or room.renewed == refused:
            return False
        try:
            room.renewed = room.project.bearer.renew(refused)
        except CredentialRefused as error:
            room.fault = str(error)
            return False
        return True

    def _gone(self, message: Outgoing, said: Said) -> None:
        due = message.due
        if due.token and not message.is_by_token:  # an app from before installation ids
            again = self.sender.composer.compose(due, self.sender.clock.now(), by_token=True)
            self.next.append(again)
            return
        is_stopped = due.campaign.key in self.stopped
        self.done.append((message, Outcome("gone", reason=said.reason, device="" if is_stopped else "gone")))

    def _pause(self, room: Room, retry_after_s: float | None, pause_s: float | None) -> float:
        wait_s = self.sender.pacer.slow_down(room.project.id, retry_after_s=retry_after_s, pause_s=pause_s)
        room.until_s = time.monotonic() + wait_s
        return wait_s

    def _server_failed(self, room: Room, message: Outgoing, said: Said, status: int) -> None:
        """It may have been sent. Whether it may be repeated is the campaign's choice."""
        due = message.due
        if said.retry_after_s is not None or status == 502 or sum(room.errors) >= STORM:
            self._pause(room, said.retry_after_s, BAD_GATEWAY_S if status == 502 else BACKOFF_S)
            room.errors.clear()
        if due.campaign.mode != "at_least_once":
            self.done.append((message, Outcome("unknown", reason=said.reason)))
            return
        spread = 0.5 + self.sender.pacer.rng.random()
        after_s = min(BACKOFF_MOST_S, BACKOFF_S * 2 ** (due.attempt - 1)) * spread
        self.done.append((message, kept(said.reason, self._at(max(after_s, said.retry_after_s or 0)))))

    def _platform_off(self, message: Outgoing, said: Said) -> None:
        due = message.due
        place, alarm = (due.app, due.platform), ""
        if self.sender.platforms_off.get(place, 0.0) <= time.monotonic():
            self.sender.platforms_off[place] = time.monotonic() + PLATFORM_OFF_S
            project = self.sender.rooms[due.app].project.id
            alarm = f"project {project} sends nothing to {due.platform}: its key for that push service is refused"
        self.done.append((message, kept(said.reason, self._at(PLATFORM_OFF_S), alarm=alarm)))

    # --- believing ---

    def _stop(self, due: Due, why: str) -> None:
        """The campaign stops; refusals not believed yet change no device."""
        if due.campaign.key in self.stopped:
            return
        log.error("campaign %s stops: %s", due.campaign.key, why)
        self.stopped[due.campaign.key] = why
        self.untold.add(due.campaign.key)

    def _believe(self, campaign: str) -> None:
        """Refusals that a whole window of answers followed are about their device, not about us."""
        breaker = self._breaker(campaign)
        self.done += self.suspects.ripe(campaign, breaker, is_stopped=campaign in self.stopped)

    def _believe_all(self) -> None:
        """At the end: by the share of refusals among what was answered."""
        for campaign, first in self.suspects.first():
            breaker = self._breaker(campaign)
            doubts = campaign in self.stopped or breaker.bad > breaker.most_share * max(breaker.answered, FEW)
            if doubts:
                self._stop(first.due, breaker.reason)
            self.done += self.suspects.rest(campaign, are_doubted=doubts)

    def _at(self, after_s: float) -> datetime:
        return self.sender.clock.now() + timedelta(seconds=after_s)
