"""One write for an answer: its head waits for its body, which follows at once, or both come finished."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from recommender.web.hot import Answer
    from recommender.web.shortcut import Shortcut

MOST_BYTES = 65_536  # that wait; more go out at once
WHOLE = "newsbell.whole"  # the name of the extension in a request's scope
Whole = Callable[[int, bytes, bytes], bool]  # status, lines of the head, body -> whether it was written


class Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, over a transport that joins its writes, with a shortcut for what is kept.

    Head and body alone are two calls of the system and wake the reader at the other end twice: a tenth of the cost of
    a small request.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        shortcut = shortcut_of(config.loaded_app)
        self._shortcut = shortcut if shortcut is not None and shortcut.is_open else None
        self._is_inside = False  # of a request that the parser has begun
        self._waits = False  # in the shortcut
        self._used_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        """Read what came: by the shortcut, where nothing is under way."""
        if self._shortcut is not None:
            if self._waits:
                self._shortcut.answer()  # answers keep the order of requests
            if self._is_between and self._shortcut.takes(self, data):
                self._waits = True
                return
        super().data_received(data)

    @property
    def _is_between(self) -> bool:
        """Whether every request was answered and read to its end, and the other end takes answers."""
        done = self.cycle is None or self.cycle.response_complete
        return done and not self._is_inside and not self.flow.write_paused and not self.transport.is_closing()

    def go_on(self, data: bytes) -> None:
        """Read what the shortcut took and cannot answer."""
        self._waits = False
        if self.parser is not None:  # None: the other end is gone
            super().data_received(data)

    def tell(self, answer: "Answer", request_id: bytes) -> None:
        """Write what the shortcut answers."""
        self._waits, self._used_at = False, self.loop.time()
        self.server_state.total_requests += 1
        if self.timeout_keep_alive_task is None and self.parser is not None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        head = answer.head(request_id)
        cast("Joined", self.transport).write_now(
            message(answer.status, self.server_state.default_headers, head, answer.body)
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing came by for long: the shortcut leaves the timer as it was."""
        left = self._used_at + self.timeout_keep_alive - self.loop.time()
        if left > 0 or self._waits:
            self.timeout_keep_alive_task = self.loop.call_later(max(left, 0), self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Begin to stop: what waits is answered first."""
        if self._waits and self._shortcut is not None:
            self._shortcut.answer()
        super().shutdown()

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._is_inside = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """End reading a request."""
        self._is_inside = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Begin a request, which may be answered by one call (`write_whole`)."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.scope["extensions"] = {
                WHOLE: {"write": partial(write_whole, self.cycle)}
            }  # the task begins in a later turn


def shortcut_of(app: Any) -> "Shortcut | None":
    """The shortcut of an application that nothing but the server's own reading of proxies' headers stands before."""
    return getattr(app.app if isinstance(app, ProxyHeadersMiddleware) else app, "shortcut", None)


def message(status: int, own: list[tuple[bytes, bytes]], head: bytes, body: bytes, close: bytes = b"") -> bytes:
    """A whole answer: `own` are the server's headers, `head` and `close` lines with their ends."""
    first = b"".join([b"%b: %b\r\n" % pair for pair in own])
    return b"".join((STATUS_LINE[status], first, head, close, b"\r\n", body))


def write_whole(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """Write a finished answer to a GET or POST; false where it must be sent in messages.

    `head` are the lines of our own headers, each with its end, `content-length` among them where there is a body: they
    are not looked through for characters that no header may hold, half of the cost of sending messages.
    """
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused or cycle.access_log:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    close = b"" if cycle.keep_alive else b"connection: close\r\n"
    cycle.transport.write(message(status, cycle.default_headers, head, body, close))
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

    def write_now(self, data: bytes) -> None:
        """Write without waiting for the end of the turn, behind what waits."""
        if self._parts:
            self._parts.append(data)
            self.flush()
        elif not self._transport.is_closing():
            self._transport.write(data)

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
