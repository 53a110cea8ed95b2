"""Reading a message as FCM does: what is refused, and to whom it goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from scheduler.fake_fcm import answers
from scheduler.fake_fcm.answers import Answer, payload_error
from scheduler.fake_fcm.schema import pick, unknown

TARGETS = ("fid", "token", "topic", "condition")
MOST_BYTES = 4_096
MOST_BYTES_TOPIC = 2_048
TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")
LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
TTL = re.compile(r"\d+(\.\d{1,9})?s")
TTL_MOST_S = 2_419_200  # four weeks
_RESERVED = ("google.", "gcm.notification.")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that FCM would take."""

    content: Mapping[str, Any]
    kind: str  # one of TARGETS
    target: str
    validate_only: bool = False

    @property
    def device(self) -> str | None:
        """The installation id or token, unless it goes to a topic."""
        return self.target if self.kind in ("fid", "token") else None


def read(body: bytes) -> Sent | Answer:
    """The message of a send call, or the answer that refuses it."""
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return answers.error(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unexpected token.")
    content = request.get("message") if isinstance(request, dict) else None
    if not isinstance(content, dict):
        return payload_error("message", "Invalid value at 'message' (google.firebase.fcm.v1.Message)")
    targets = [kind for kind in TARGETS if content.get(kind)]
    if not targets:
        return answers.named("no_target")
    if len(targets) > 1:
        return payload_error("message", "Invalid value at 'message' (oneof), oneof field 'target' is already set.")
    refused = _refused(content, targets[0])
    return refused or Sent(content, targets[0], content[targets[0]], bool(pick(request, "validate_only")))


def _refused(content: Mapping[str, Any], kind: str) -> Answer | None:
    if where := unknown(content):
        parent, _, name = where.rpartition(".")
        return payload_error(
            parent, f"Invalid JSON payload received. Unknown name \"{name}\" at '{parent}': Cannot find field."
        )
    if kind == "topic" and not TOPIC.fullmatch(content["topic"]):
        return payload_error("message.topic", "Invalid topic name.")
    if "android" in content and pick(content, "android_v2"):
        return payload_error("message", "Only one of android and android_v2 may be set.")
    wrong = _bad_data(content) or _bad_android(content.get("android")) or _bad_webpush(content.get("webpush"))
    return wrong or _bad_label(content) or _too_big(content, kind)


def _bad_data(content: Mapping[str, Any]) -> Answer | None:
    for place, (key, value) in enumerate((content.get("data") or {}).items()):
        if not isinstance(value, str):
            where = f"message.data[{place}].value"
            return payload_error(where, f"Invalid value at '{where}' (TYPE_STRING), {value}")
        if key in ("from", "message_type") or key.startswith(_RESERVED):
            return payload_error("message.data", f"Invalid data payload key: {key}")
    return None


def _bad_android(android: Mapping[str, Any] | None) -> Answer | None:
    if not android:
        return None
    ttl = android.get("ttl")
    if ttl is not None and not (isinstance(ttl, str) and TTL.fullmatch(ttl)):
        return payload_error("message.android.ttl", f"Invalid value at 'message.android.ttl' (Duration), {ttl}")
    if ttl is not None and float(ttl[:-1]) > TTL_MOST_S:
        return payload_error("message.android.ttl", "Invalid ttl.")
    if str(android.get("priority", "normal")).lower() not in ("normal", "high"):
        return payload_error("message.android.priority", "Invalid value at 'message.android.priority'")
    return None


def _bad_webpush(webpush: Mapping[str, Any] | None) -> Answer | None:
    link = pick(pick(webpush or {}, "fcm_options") or {}, "link")
    if link is not None and not str(link).startswith("https://"):
        return payload_error("message.webpush.fcm_options.link", "Invalid link: it must be an HTTPS URL.")
    return None


def _bad_label(content: Mapping[str, Any]) -> Answer | None:
    label = pick(pick(content, "fcm_options") or {}, "analytics_label")
    if label is not None and not LABEL.fullmatch(label):
        return payload_error("message.fcm_options.analytics_label", "Invalid analytics label.")
    return None


def _too_big(content: Mapping[str, Any], kind: str) -> Answer | None:
    most = MOST_BYTES if kind in ("fid", "token") else MOST_BYTES_TOPIC
    return answers.named("too_big") if size(content) > most else None


def size(content: Mapping[str, Any]) -> int:
    """Bytes of the payload as counted against the limit: keys and values, without the target."""
    shown = {key: value for key, value in content.items() if key not in TARGETS}
    return len(msgspec.json.encode(shown))
