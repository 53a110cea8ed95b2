"""HTTP/1.1 on one connection, framed by h11; `CONNECT` turns it into a TLS end of whatever host was asked for."""

import asyncio
from collections.abc import Callable

import h11

from scheduler.fake_fcm.h2wire import BODY_MOST, SLOW_BYTES, SLOW_EVERY_S, Handle
from scheduler.fake_fcm.service import Reply, Request


class H1Wire:
    """One request at a time, kept alive."""

    def __init__(
        self, transport: asyncio.Transport, handle: Handle, number: int, on_connect: Callable[[], None]
    ) -> None:
        self.transport, self.handle, self.number, self.on_connect = transport, handle, number, on_connect
        self.loop = asyncio.get_running_loop()
        self.h11 = h11.Connection(h11.SERVER)
        self.asked: h11.Request | None = None
        self.body = bytearray()

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        self.h11.receive_data(data)
        self._read()

    def closed(self) -> None:
        """The connection is gone."""
        self.asked = None

    def _read(self) -> None:
        try:
            while True:
                event = self.h11.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    return
                self._event(event)
        except h11.RemoteProtocolError:
            self.transport.close()

    def _event(self, event: object) -> None:
        if isinstance(event, h11.Request):
            if event.method == b"CONNECT":
                self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.on_connect()
                return
            if self.h11.they_are_waiting_for_100_continue:
                self.transport.write(self.h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self.asked, self.body = event, bytearray()
        elif isinstance(event, h11.Data):
            if len(self.body) < BODY_MOST:
                self.body += event.data
        elif isinstance(event, h11.EndOfMessage) and self.asked is not None:
            reply = self.handle(_request(self.asked, bytes(self.body), self.number))
            if reply.fault != "hang":
                self.loop.call_later(reply.delay_s, self._reply, reply)

    def _reply(self, reply: Reply) -> None:
        if self.asked is None or self.transport.is_closing():
            return
        if reply.fault in ("reset_connection", "close_connection", "reset_stream", "refuse_stream"):
            self.transport.abort()
            return
        answer = reply.answer
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if reply.fault == "goaway":
            headers.append(("Connection", "close"))
        self._write(h11.Response(status_code=answer.status, headers=[*headers, *answer.headers.items()]))
        if reply.fault == "slow_body":
            self._drip(answer.body)
        else:
            self._write(h11.Data(data=answer.body))
            self._end()

    def _drip(self, body: bytes) -> None:
        if self.asked is None or self.transport.is_closing():
            return
        if body:
            self._write(h11.Data(data=body[:SLOW_BYTES]))
            self.loop.call_later(SLOW_EVERY_S, self._drip, body[SLOW_BYTES:])
        else:
            self._end()

    def _end(self) -> None:
        self._write(h11.EndOfMessage())
        if self.h11.our_state is h11.MUST_CLOSE:
            self.transport.close()
            return
        self.h11.start_next_cycle()
        self._read()

    def _write(self, event: h11.Event) -> None:
        self.transport.write(self.h11.send(event) or b"")


def _request(asked: h11.Request, body: bytes, connection: int) -> Request:
    path, _, query = asked.target.decode("latin-1").partition("?")
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in asked.headers}
    return Request(asked.method.decode(), path, query, headers, body, connection)
