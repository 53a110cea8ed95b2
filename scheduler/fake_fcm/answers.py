"""What FCM answers: every error of the protocol sheet by name, as recorded from the real service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
APNS_ERROR = "type.googleapis.com/google.firebase.fcm.v1.ApnsError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
INVALID = "Request contains an invalid argument."
NO_BEARER = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `headers` besides the content type."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.status == 200


def ok(content: Any) -> Answer:
    """A 200 with a JSON body."""
    return Answer(200, msgspec.json.encode(content))


def error(
    status: int, name: str, message: str, *details: Mapping[str, Any], retry_after_s: float | None = None
) -> Answer:
    """Google's error envelope."""
    content: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        content["details"] = list(details)
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    return Answer(status, msgspec.json.encode({"error": content}), headers=headers)


def fcm_error(code: str) -> dict[str, str]:
    """The detail that holds FCM's own code."""
    return {"@type": FCM_ERROR, "errorCode": code}


def field_violation(where: str, text: str) -> dict[str, Any]:
    """The detail that names a bad field."""
    return {"@type": BAD_REQUEST, "fieldViolations": [{"field": where, "description": text}]}


def payload_error(where: str, text: str) -> Answer:
    """A message that no device could take."""
    return error(400, "INVALID_ARGUMENT", text, fcm_error("INVALID_ARGUMENT"), field_violation(where, text))


def _html(status: int, title: str, text: str) -> Answer:
    page = f"<!DOCTYPE html>\n<html lang=en>\n<title>{title}</title>\n<p><b>{status}.</b> <ins>{text}</ins>\n"
    return Answer(status, page.encode(), HTML)


def _token_field() -> Answer:
    detail = field_violation("message.token", "Invalid registration token")
    return error(400, "INVALID_ARGUMENT", INVALID, fcm_error("INVALID_ARGUMENT"), detail)


def _apns_disabled() -> Answer:
    apns = {"@type": APNS_ERROR, "statusCode": 410, "reason": "Unregistered"}
    return error(400, "INVALID_ARGUMENT", "APNs device token is disabled.", fcm_error("INVALID_ARGUMENT"), apns)


def _quota(retry_after_s: float | None) -> Answer:
    failure = {"@type": QUOTA_FAILURE, "violations": [{"subject": "project", "description": "messages a minute"}]}
    text = "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute'."
    return error(429, "RESOURCE_EXHAUSTED", text, fcm_error("QUOTA_EXCEEDED"), failure, retry_after_s=retry_after_s)


def named(name: str, *, retry_after_s: float | None = None) -> Answer:
    """The answer of that name; KeyError names those that exist."""
    if name == "quota_exceeded":
        return _quota(retry_after_s)
    if name == "unavailable":
        text = "The service is currently unavailable."
        return error(503, "UNAVAILABLE", text, fcm_error("UNAVAILABLE"), retry_after_s=retry_after_s)
    return PLAIN[name]


PLAIN: dict[str, Answer] = {
    "unregistered": error(404, "NOT_FOUND", "Requested entity was not found.", fcm_error("UNREGISTERED")),
    "invalid_token": error(
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        fcm_error("INVALID_ARGUMENT"),
    ),
    "invalid_token_field": _token_field(),
    "payload": payload_error("message.data[0].value", "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"),
    "too_big": error(400, "INVALID_ARGUMENT", INVALID),
    "no_target": payload_error("message", "Recipient of the message is not set."),
    "apns_disabled": _apns_disabled(),
    "sender_id_mismatch": error(403, "PERMISSION_DENIED", "SenderId mismatch", fcm_error("SENDER_ID_MISMATCH")),
    "third_party_auth": error(
        401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", fcm_error("THIRD_PARTY_AUTH_ERROR")
    ),
    "unauthenticated": error(401, "UNAUTHENTICATED", NO_BEARER),
    "unauthenticated_html": _html(401, "Error 401 (Unauthorized)!!1", "That's an error. Unauthorized."),
    "permission_denied": error(
        403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on this project."
    ),
    "internal": error(500, "INTERNAL", "Internal error encountered.", fcm_error("INTERNAL")),
    "bad_gateway": _html(
        502,
        "Error 502 (Server Error)!!1",
        "That's an error. The server encountered a temporary error. Please try again in 30 seconds.",
    ),
}
NAMES = ("quota_exceeded", "unavailable", *PLAIN)
