"""Topic subscriptions: the v1 calls, the legacy batch calls, and who a condition reaches."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from scheduler.fake_fcm import answers
from scheduler.fake_fcm.answers import Answer, ok
from scheduler.fake_fcm.messages import TOPIC

PATH = re.compile(r"/v1/projects/([^/]+)/registrations/([^/]+)/topicSubscriptions(?:/([^/]+))?")
_TERM = re.compile(r"'([^']+)' in topics|(&&)|(\|\|)|(!)|([()])|\s+")
LEGACY_MOST = 1_000


@dataclass
class Topics:
    """project -> device -> topic -> since when."""

    held: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(dict)))

    def call(self, method: str, path: str, query: dict[str, str]) -> Answer:
        """One of the `topicSubscriptions` calls."""
        found = PATH.fullmatch(path)
        if found is None:
            return answers.error(404, "NOT_FOUND", "Not found.")
        project, device, topic = (unquote(one) if one else one for one in found.groups())
        mine = self.held[project][device]
        if method == "POST":
            return self._create(project, device, query.get("topic_name") or query.get("topicName") or "")
        if topic is None:
            return self._list(project, device, query)
        if method == "PATCH":
            return self._create(project, device, topic, is_missing_allowed=True)
        if topic not in mine:
            missing = query.get("allow_missing") or query.get("allowMissing")
            if method == "DELETE" and missing == "true":
                return ok({})
            return answers.error(404, "NOT_FOUND", "Requested entity was not found.")
        if method == "DELETE":
            del mine[topic]
            return ok({})
        return ok(_subscription(project, device, topic, mine[topic]))

    def legacy(self, action: str, body: bytes) -> Answer:
        """`iid/v1:batchAdd` and `:batchRemove`."""
        try:
            request = msgspec.json.decode(body)
            topic, devices = request["to"].removeprefix("/topics/"), request["registration_tokens"]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return Answer(400, b'{"error":"INVALID_ARGUMENT"}')
        if not TOPIC.fullmatch(topic) or not 0 < len(devices) <= LEGACY_MOST:
            return Answer(400, b'{"error":"INVALID_ARGUMENT"}')
        for device in devices:
            mine = self.held["-"][device]
            if action == "batchAdd":
                mine[topic] = _now()
            else:
                mine.pop(topic, None)
        return ok({"results": [{} for _ in devices]})

    def reached(self, project: str, kind: str, target: str) -> list[str]:
        """The devices a topic or condition message goes to."""
        holders = [*self.held[project].items(), *self.held["-"].items()]
        if kind == "topic":
            return [device for device, topics in holders if target in topics]
        return [device for device, topics in holders if holds(target, set(topics))]

    def _create(self, project: str, device: str, topic: str, *, is_missing_allowed: bool = False) -> Answer:
        if not TOPIC.fullmatch(topic):
            return answers.payload_error("topic_name", "Invalid topic name.")
        mine = self.held[project][device]
        if topic in mine and not is_missing_allowed:
            return answers.error(409, "ALREADY_EXISTS", "Requested entity already exists")
        return ok(_subscription(project, device, topic, mine.setdefault(topic, _now())))

    def _list(self, project: str, device: str, query: dict[str, str]) -> Answer:
        mine = sorted(self.held[project][device].items())
        size = min(int(query.get("pageSize") or query.get("page_size") or 2_000), 2_000)
        start = int(query.get("pageToken") or query.get("page_token") or 0)
        page = [_subscription(project, device, topic, since) for topic, since in mine[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(mine) else {}
        return ok({"topicSubscriptions": page} | more)


def holds(condition: str, topics: set[str]) -> bool:
    """Whether `'a' in topics && !('b' in topics || ...)` is true; an unreadable one is false."""
    words: list[str] = []
    place = 0
    for found in _TERM.finditer(condition):
        if found.start() != place:
            return False
        place = found.end()
        topic, both, either, no, bracket = found.groups()
        if topic is not None:
            words.append(str(topic in topics))
        elif found.group().strip():
            words.append("and" if both else "or" if either else "not" if no else bracket)
    return place == len(condition) and _value(words)


def _value(words: list[str]) -> bool:
    """The value of True/False, and, or, not and brackets; `and` binds closer than `or`."""
    rest = list(words)

    def either() -> bool:
        found = both()
        while rest and rest[0] == "or":
            rest.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = single()
        while rest and rest[0] == "and":
            rest.pop(0)
            found = single() and found
        return found

    def single() -> bool:
        word = rest.pop(0)
        if word == "not":
            return not single()
        if word == "(":
            found = either()
            rest.pop(0)
            return found
        return word == "True"

    try:
        return either() and not rest
    except IndexError:
        return False


def _subscription(project: str, device: str, topic: str, since: str) -> dict[str, Any]:
    name = f"projects/{project}/registrations/{device}/topicSubscriptions/{topic}"
    return {"name": name, "topicName": topic, "createTime": since}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
