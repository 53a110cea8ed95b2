"""The fake's mind: a request in, an answer, a delay and a fault out. Knows nothing of sockets."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from scheduler.fake_fcm import answers
from scheduler.fake_fcm.answers import Answer, named, ok
from scheduler.fake_fcm.inbox import Inbox
from scheduler.fake_fcm.log import Line, Log
from scheduler.fake_fcm.messages import Sent, read
from scheduler.fake_fcm.oauth import OAuth
from scheduler.fake_fcm.quotas import Quotas
from scheduler.fake_fcm.script import FAULTS, Dice, Rule, Script
from scheduler.fake_fcm.topics import Topics

SEND = re.compile(r"/v1/projects/([^/:]+)/messages:send")
UNPROCESSED = "refuse_stream"  # the one fault in which nothing was done


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, whatever carried it. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, when it leaves, and what goes wrong on the way."""

    answer: Answer
    delay_s: float = 0.0
    fault: str | None = None


@dataclass
class Service:
    """All state of one fake."""

    script: Script = field(default_factory=Script)
    inbox: Inbox = field(init=False)
    log: Log = field(init=False)
    quotas: Quotas = field(init=False)
    oauth: OAuth = field(init=False)
    dice: Dice = field(init=False)
    topics: Topics = field(default_factory=Topics)
    started_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.log = Log(keeps_lines=self.script.log_requests)
        self.inbox = Inbox(self.script.keep_phones)
        self.oauth = OAuth(life_s=self.script.token_life_s)
        self.play(self.script)

    def play(self, script: Script) -> None:
        """Take another script from now on; inbox, log and bearers stay."""
        self.script, self.dice = script, Dice(script)
        self.quotas = Quotas(script.quota.per_minute, script.quota.per_device_minute)
        self.oauth.life_s, self.oauth.any_bearer = script.token_life_s, script.any_bearer

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_s

    def handle(self, request: Request) -> Reply:
        """Answer any request that belongs to FCM; others get a 404."""
        if request.method == "POST" and (found := SEND.fullmatch(request.path)):
            return self.send(found[1], request)
        if request.path == "/token" and request.method == "POST":
            return Reply(self.oauth.grant(request.body, self.now_s))
        if not self._may(request):
            return Reply(named("unauthenticated"))
        if request.path.startswith("/iid/v1:"):
            return Reply(self.topics.legacy(request.path.removeprefix("/iid/v1:"), request.body))
        if "/topicSubscriptions" in request.path:
            return Reply(self.topics.call(request.method, request.path, dict(parse_qsl(request.query))))
        return Reply(answers.error(404, "NOT_FOUND", "Requested entity was not found."))

    def send(self, project: str, request: Request) -> Reply:
        """One `messages:send`: bearer, message, script, quota, phone - in this order."""
        delay_s = self.dice.latency_s()
        if not self._may(request):
            return self._told(project, None, request, named("unauthenticated"), "unauthenticated", delay_s)
        sent = read(request.body)
        if isinstance(sent, Answer):
            return self._told(project, None, request, sent, "payload", delay_s)
        rule = self._rule(project, sent)
        if rule is not None and rule.answer not in FAULTS:
            answer = named(rule.answer, retry_after_s=rule.retry_after_s)
            return self._told(project, sent, request, answer, rule.answer, delay_s)
        fault = rule.answer if rule is not None else None
        if fault == UNPROCESSED:
            return Reply(ok({}), 0.0, fault)
        if not self.quotas.allow(project, sent.device, self.now_s):
            answer = named("quota_exceeded", retry_after_s=self.script.quota.retry_after_s)
            return self._told(project, sent, request, answer, "quota_exceeded", delay_s)
        return self._accept(project, sent, request, fault, delay_s)

    def _accept(self, project: str, sent: Sent, request: Request, fault: str | None, delay_s: float) -> Reply:
        if sent.validate_only:
            name = f"projects/{project}/messages/fake_message_id"
            return self._told(project, sent, request, ok({"name": name}), "validated", delay_s, fault)
        number = f"0:{time.time_ns() // 1000}%{secrets.token_hex(8)}" if sent.device else str(secrets.randbits(63))
        name = f"projects/{project}/messages/{number}"
        for device in [sent.device] if sent.device else self.topics.reached(project, sent.kind, sent.target):
            self.inbox.take(device, sent, name, self.now_s)
        return self._told(project, sent, request, ok({"name": name}), fault or "ok", delay_s, fault, is_accepted=True)

    def _told(
        self,
        project: str,
        sent: Sent | None,
        request: Request,
        answer: Answer,
        what: str,
        delay_s: float,
        fault: str | None = None,
        *,
        is_accepted: bool = False,
    ) -> Reply:
        kind, target = (sent.kind, sent.target) if sent else ("", "")
        delivery = str((sent.content.get("data") or {}).get("delivery_id", "")) if sent else ""
        self.log.add(
            Line(self.now_s, project, kind, target, answer.status, what, is_accepted, request.connection, delivery)
        )
        return Reply(answer, delay_s, fault)

    def _rule(self, project: str, sent: Sent) -> Rule | None:
        if not self.script.rules:
            return None
        article = str((sent.content.get("data") or {}).get("article_id", ""))
        topic = sent.target if sent.kind == "topic" else None
        return self.dice.rule(project, sent.device, topic, article, self.now_s)

    def _may(self, request: Request) -> bool:
        return self.oauth.knows(request.headers.get("authorization", ""), self.now_s)


def json_of(body: bytes) -> object:
    """A request's JSON, or None."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
