"""HTTP/2 on one connection: frames by the h2 library, misbehaviour by script."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from scheduler.fake_fcm.answers import Answer
from scheduler.fake_fcm.script import Connection
from scheduler.fake_fcm.service import Reply, Request

Handle = Callable[[Request], Reply]
SLOW_BYTES, SLOW_EVERY_S = 8, 0.1
BODY_MOST = 1_000_000


@dataclass(slots=True)
class Stream:
    """A request being read."""

    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class H2Wire:
    """Reads requests, calls `handle`, writes replies when they are due."""

    def __init__(
        self, transport: asyncio.Transport, handle: Handle, style: Connection, number: int, goaways: Callable[[], None]
    ) -> None:
        self.transport, self.handle, self.style, self.number = transport, handle, style, number
        self.loop, self.goaways = asyncio.get_running_loop(), goaways
        self.streams: dict[int, Stream] = {}
        self.owed: set[int] = set()  # read to the end, not answered yet
        self.unsent: dict[int, bytes] = {}  # bodies that wait for the window
        self.last = self.asked = 0
        self.is_going = False
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: style.streams})
        self.h2.increment_flow_control_window(2**24)
        self._flush()
        self.ageing = self.loop.call_later(style.max_age_s, self.go_away, b"max_age")
        self.idle = self.loop.call_later(style.idle_s, self.go_away, b"session_timeout")

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self._flush()
            self.transport.close()
            return
        for event in events:
            self._event(event)
        self._flush()

    def closed(self) -> None:
        """The connection is gone; nothing more is due."""
        self.ageing.cancel()
        self.idle.cancel()
        self.owed.clear()

    def go_away(self, why: bytes = b"") -> None:
        """A graceful end: streams up to here are answered, later ones were never looked at."""
        if self.is_going or self.transport.is_closing():
            return
        self.is_going = True
        self.goaways()
        # The h2 library cannot answer streams after a GOAWAY of its own, so the frame is written beside it.
        self._flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=self.last, error_code=0, additional_data=why).serialize())
        self._end_if_done()

    def _event(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            if not self.is_going:
                self.streams[event.stream_id] = Stream(dict(event.headers))  # type: ignore[arg-type]
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            stream = self.streams.get(event.stream_id)
            if stream is not None and len(stream.body) < BODY_MOST:
                stream.body += event.data
        elif isinstance(event, h2.events.StreamEnded):
            self._ended(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.streams.pop(event.stream_id, None)
            self.owed.discard(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for number, body in list(self.unsent.items()):
                self._body(number, body)

    def _ended(self, number: int) -> None:
        stream = self.streams.pop(number, None)
        if stream is None:
            return  # came after our GOAWAY
        self.last = max(self.last, number)
        self.asked += 1
        self.owed.add(number)
        reply = self.handle(_request(stream, self.number))
        if ":authority" not in stream.headers:
            reply = Reply(Answer(400, b"Bad Request", "text/html"))
        if reply.fault == "refuse_stream":
            self._reset(number, h2.errors.ErrorCodes.REFUSED_STREAM)
        elif reply.fault != "hang":
            self.loop.call_later(reply.delay_s, self._reply, number, reply)
        if reply.fault == "goaway" or (self.style.goaway_every and self.asked >= self.style.goaway_every):
            self.go_away(b"max_requests" if self.style.goaway_every else b"")

    def _reply(self, number: int, reply: Reply) -> None:
        if number not in self.owed or self.transport.is_closing():
            return
        if reply.fault == "reset_connection":
            self.transport.abort()
            return
        if reply.fault == "close_connection":
            self.transport.close()
            return
        if reply.fault == "reset_stream":
            self._reset(number, h2.errors.ErrorCodes.INTERNAL_ERROR)
        else:
            answer = reply.answer
            headers = [(":status", str(answer.status)), ("content-type", answer.content_type)]
            if reply.fault != "slow_body":
                headers.append(("content-length", str(len(answer.body))))
            self.h2.send_headers(number, [*headers, *((k.lower(), v) for k, v in answer.headers.items())])
            if reply.fault == "slow_body":
                self._drip(number, answer.body)
            else:
                self._body(number, answer.body)
        self._flush()

    def _body(self, number: int, body: bytes) -> None:
        room = self.h2.local_flow_control_window(number)
        if room < len(body):
            self.unsent[number] = body
            return
        self.unsent.pop(number, None)
        self.h2.send_data(number, body, end_stream=not self.style.empty_data)
        if self.style.empty_data:
            self.h2.end_stream(number)
        if self.style.ping:
            self.h2.ping(number.to_bytes(8, "big"))
        self._done(number)

    def _drip(self, number: int, body: bytes) -> None:
        if number not in self.owed or self.transport.is_closing():
            return
        if body:
            self.h2.send_data(number, body[:SLOW_BYTES])
            self.loop.call_later(SLOW_EVERY_S, self._drip, number, body[SLOW_BYTES:])
        else:
            self.h2.end_stream(number)
            self._done(number)
        self._flush()

    def _reset(self, number: int, code: h2.errors.ErrorCodes) -> None:
        self.h2.reset_stream(number, code)
        self._done(number)

    def _done(self, number: int) -> None:
        self.owed.discard(number)
        self._end_if_done()

    def _end_if_done(self) -> None:
        # A server that has said goodbye waits for the client to hang up: closing at once would throw away answers
        # that the client has not read yet.
        if self.is_going and not self.owed:
            self.loop.call_later(self.style.linger_s, self.transport.close)

    def _flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


def _request(stream: Stream, connection: int) -> Request:
    path, _, query = stream.headers[":path"].partition("?")
    return Request(stream.headers[":method"], path, query, stream.headers, bytes(stream.body), connection)
