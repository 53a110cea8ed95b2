"""What every request passes before a route sees it: its path, the size and type of its body."""

import re
from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from recommender.ids import fresh_id

BODY_LIMIT = 10_000_000  # bytes
CSP = (
    "default-src 'self'; img-src 'self' https: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Given:
    """The headers of a request by name; of one that is given twice the last counts. Looked up five times a request."""

    __slots__ = ("_raw",)

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._raw: dict[bytes, bytes] = dict(scope["headers"])

    def get(self, name: bytes, default: str = "") -> str:
        """The value of a header, whose name is in small letters."""
        value = self._raw.get(name)
        return default if value is None else value.decode("latin-1")

    def __contains__(self, name: bytes) -> bool:
        return name in self._raw

    def as_dict(self) -> dict[str, str]:
        """All of them."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._raw.items()}


_ENCODED = re.compile(rb"%(2[fF]|25)")
_ID = re.compile(r"[\w.:-]{1,64}\Z")
_JSON = re.compile(r"application/(json|[\w.-]+\+json)$")


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they stand in an answer."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


SAFE_LINES = lines(SAFE_HEADERS)


def request_id_of(headers: Given) -> str:
    """The caller's id of a request, or a new one."""
    given = headers.get(b"x-request-id")
    return given if given and _ID.match(given) else fresh_id()


def keep_encoded_slashes(scope: MutableMapping[str, Any]) -> None:
    """Decode the path again from its raw form, but for `%2F` and `%25`."""
    raw = scope.get("raw_path")
    if raw and b"%" in raw:
        scope["path"] = unquote(_ENCODED.sub(rb"%25\1", raw.partition(b"?")[0]).decode("latin-1"))


async def body_of(receive: Receive) -> bytes:
    """The whole body of a request, within the limit."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body") and len(message["body"]) <= BODY_LIMIT:
        body: bytes = message["body"]  # nearly always: it came as one piece
        return body
    return await _of_parts(message, receive)


async def _of_parts(message: Message, receive: Receive) -> bytes:
    parts, total = [], 0
    while message["type"] != "http.disconnect":
        parts.append(message.get("body", b""))
        total += len(parts[-1])
        _check_size(total)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise ClientDisconnect


def segment(value: str) -> str:
    """The text of one path segment as the caller meant it."""
    return unquote(value)


def refusal(path: str, headers: Given) -> tuple[int, str] | None:
    """Status and detail for a request whose body cannot be taken as it is announced; None: go on."""
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return None  # nearly always: there is none
    length = headers.get(b"content-length", "0")
    if length.isdigit() and int(length) > BODY_LIMIT:
        return 413, f"The body is larger than {BODY_LIMIT:,} bytes; send it in parts."
    if not path.startswith("/v1/") or (length == "0" and b"transfer-encoding" not in headers):
        return None
    if headers.get(b"content-encoding", "identity") != "identity":
        return 415, "Compressed bodies are not read; send the JSON as it is."
    if not _is_json(headers.get(b"content-type", "application/json")):
        return 415, "The body must be JSON in UTF-8; send Content-Type: application/json."
    return None


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    kind, _, options = content_type.lower().partition(";")
    return bool(_JSON.match(kind.strip())) and ("charset" not in options or "utf-8" in options)


def limited(receive: Receive) -> Receive:
    """`receive` that stops at the limit: a chunked body has no length to refuse it by."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        _check_size(total)
        return message

    return counted


def _check_size(total: int) -> None:
    if total > BODY_LIMIT:
        raise HTTPException(413, f"The body is larger than {BODY_LIMIT:,} bytes; send it in parts.")
