"""One write for an answer: its head waits for its body, which follows at once, or both come finished."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

MOST_BYTES = 65_536  # that wait; more go out at once
WHOLE = "newsbell.whole"  # the name of the extension in a request's scope
Whole = Callable[[int, bytes, bytes], bool]  # status, lines of the head, body -> whether it was written


class Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, over a transport that joins its writes.

    Head and body alone are two calls of the system and wake the reader at the other end twice: a tenth of the cost of
    a small request.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))

    def on_headers_complete(self) -> None:
        """Begin a request, which may be answered by one call (`write_whole`)."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.scope["extensions"] = {
                WHOLE: {"write": partial(write_whole, self.cycle)}
            }  # the task begins in a later turn


def write_whole(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """Write a finished answer to a GET or POST; false where it must be sent in messages.

    `head` are the lines of our own headers, each with its end, `content-length` among them where there is a body: they
    are not looked through for characters that no header may hold, half of the cost of sending messages.
    """
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused or cycle.access_log:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    own = b"".join([b"%b: %b\r\n" % pair for pair in cycle.default_headers])
    close = b"" if cycle.keep_alive else b"connection: close\r\n"
    cycle.transport.write(b"".join((STATUS_LINE[status], own, head, close, b"\r\n", body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


class Joined:
    """A transport that writes once a turn of the event loop what was given to it in that turn."""

    __slots__ = ("_bytes", "_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Write soon, in the order given."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits now; nothing where the other end is gone."""
        parts, self._parts, self._bytes = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def close(self) -> None:
        """Close after what waits is written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
