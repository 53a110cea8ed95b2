"""What every request passes before a route sees it: path, size and type of the body; and what every answer carries."""

import re
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender.web.problems import problem

BODY_LIMIT = 10_000_000  # bytes
CSP = (
    "default-src 'self'; img-src 'self' https: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_ENCODED = re.compile(rb"%(2[fF]|25)")
_JSON = re.compile(r"application/(json|[\w.-]+\+json)$")


class Gate:
    """ASGI middleware: keeps `%2F` inside one path segment, limits bodies, adds the safety headers.

    A publisher's identifiers may hold slashes (many feeds use addresses), so `%2F` must not split the path. It stays
    encoded in the path that is matched; `segment` decodes it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        keep_encoded_slashes(scope)
        send = _with_safe_headers(send)
        headers = Headers(scope=scope)
        refused = _refusal(scope["path"], headers)
        if refused:
            await problem(*refused)(scope, receive, send)
            return
        await self.app(scope, _limited(receive), send)


def keep_encoded_slashes(scope: MutableMapping[str, Any]) -> None:
    """Decode the path again from its raw form, but for `%2F` and `%25`."""
    raw = scope.get("raw_path")
    if raw and b"%" in raw:
        scope["path"] = unquote(_ENCODED.sub(rb"%25\1", raw.partition(b"?")[0]).decode("latin-1"))


def segment(value: str) -> str:
    """The text of one path segment as the caller meant it."""
    return unquote(value)


def _refusal(path: str, headers: Headers) -> tuple[int, str] | None:
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > BODY_LIMIT:
        return 413, f"The body is larger than {BODY_LIMIT:,} bytes; send it in parts."
    if not path.startswith("/v1/") or (length == "0" and "transfer-encoding" not in headers):
        return None
    if headers.get("content-encoding", "identity") != "identity":
        return 415, "Compressed bodies are not read; send the JSON as it is."
    kind, _, options = headers.get("content-type", "application/json").lower().partition(";")
    if not _JSON.match(kind.strip()) or ("charset" in options and "utf-8" not in options):
        return 415, "The body must be JSON in UTF-8; send Content-Type: application/json."
    return None


def _limited(receive: Receive) -> Receive:
    """`receive` that stops at the limit: a chunked body has no length to refuse it by."""
    total = 0

    async def limited() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > BODY_LIMIT:
            raise HTTPException(413, f"The body is larger than {BODY_LIMIT:,} bytes; send it in parts.")
        return message

    return limited


def _with_safe_headers(send: Send) -> Send:
    async def safe(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return safe
