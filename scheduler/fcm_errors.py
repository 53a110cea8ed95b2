"""What FCM's answers mean, by code. A text decides only together with its code."""

from enum import Enum
from typing import Any

import msgspec

BAD_TOKEN_TEXT = "The registration token is not a valid FCM registration token"  # noqa: S105
TOKEN_FIELDS = ("message.token", "message.fid")
APNS_GONE_REASONS = ("Unregistered", "BadDeviceToken")


class Meaning(Enum):
    """What an answer says about the one message it answers."""

    SENT = "sent"
    GONE = "the device has no such installation any more"
    BAD_ADDRESS = "the device's token is no token"
    MISMATCH = "the device belongs to another project"
    PAYLOAD = "the message itself is refused"
    PLATFORM = "the project's key for Apple's or the web's push service is refused"
    UNAUTHENTICATED = "our access token is refused"
    DENIED = "this account or address may not send"
    QUOTA = "too many for the project or the device"
    SERVER = "FCM failed; it may have sent the message"

    @property
    def is_client_error(self) -> bool:
        """Whether the circuit breaker counts it: 400, 401, 403 and what is no answer of FCM's."""
        return self in _CLIENT_ERRORS


_CLIENT_ERRORS = (
    Meaning.BAD_ADDRESS,
    Meaning.MISMATCH,
    Meaning.PAYLOAD,
    Meaning.PLATFORM,
    Meaning.UNAUTHENTICATED,
    Meaning.DENIED,
)


class Said(msgspec.Struct, frozen=True, gc=False):
    """An answer, understood."""

    meaning: Meaning
    reason: str = ""  # codes alone: texts may quote the message
    name: str | None = None  # FCM's name of a sent message
    retry_after_s: float | None = None


class _Sent(msgspec.Struct):
    name: str


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    details: list[dict[str, Any]] = []


class _Envelope(msgspec.Struct):
    error: _Error


_sent = msgspec.json.Decoder(_Sent)
_envelope = msgspec.json.Decoder(_Envelope)


def understand(status: int, body: bytes, retry_after_s: float | None = None) -> Said:
    """The meaning of one HTTP answer. A body that is not FCM's envelope counts by its status alone."""
    if status == 200:
        try:
            return Said(Meaning.SENT, name=_sent.decode(body).name)
        except msgspec.DecodeError:
            return Said(Meaning.SENT, "no name came back")
    try:
        error = _envelope.decode(body).error
    except msgspec.DecodeError:
        error = _Error()
    code = _fcm_code(error)
    meaning = _by_code(status, code, error)
    return Said(meaning, f"{status} {code or error.status or 'without a code'}", None, retry_after_s)


def _by_code(status: int, code: str, error: _Error) -> Meaning:
    if code == "UNREGISTERED":
        return Meaning.GONE
    if code == "SENDER_ID_MISMATCH":
        return Meaning.MISMATCH
    if code in ("THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"):
        return Meaning.PLATFORM
    if code == "QUOTA_EXCEEDED" or status == 429:
        return Meaning.QUOTA
    if status == 400:
        return _invalid(error, code)
    if status == 401:
        return Meaning.UNAUTHENTICATED
    return Meaning.DENIED if status < 500 else Meaning.SERVER


def _invalid(error: _Error, code: str) -> Meaning:
    """400: the device's address, the phone at Apple's, or (whatever else) the message."""
    if code != "INVALID_ARGUMENT":
        return Meaning.PAYLOAD
    for detail in error.details:
        if detail.get("@type", "").endswith(".ApnsError"):
            gone = detail.get("statusCode") == 410 or detail.get("reason") in APNS_GONE_REASONS
            return Meaning.GONE if gone else Meaning.PAYLOAD
        for violation in detail.get("fieldViolations") or ():
            if violation.get("field") in TOKEN_FIELDS:
                return Meaning.BAD_ADDRESS
    return Meaning.BAD_ADDRESS if error.message == BAD_TOKEN_TEXT else Meaning.PAYLOAD


def _fcm_code(error: _Error) -> str:
    for detail in error.details:
        if detail.get("@type", "").endswith("google.firebase.fcm.v1.FcmError"):
            return str(detail.get("errorCode", ""))
    return ""
