"""Answers in one write: nothing is held back, lost or put in another order."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from data.clock import SystemClock
from data.settings import load_settings
from data.store import Store
from recommender.service import Service
from recommender.web.app import create_app
from recommender.web.joined import MOST_BYTES, WHOLE, Joined
from recommender.web.server import listen


class Wire:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"


def after_one_turn(act: Callable[[Joined], None]) -> Wire:
    wire = Wire()

    async def turn() -> None:
        act(Joined(wire, asyncio.get_running_loop()))  # type: ignore[arg-type]
        assert b"".join(wire.written) == b"" or wire.closed or len(wire.written[0]) > MOST_BYTES
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(turn())
    return wire


def test_what_is_written_in_one_turn_goes_out_together_and_in_order() -> None:
    def act(joined: Joined) -> None:
        for part in (b"head ", b"body ", b"tail"):
            joined.write(part)

    assert after_one_turn(act).written == [b"head body tail"]


def test_closing_writes_what_waits_first_and_nothing_later() -> None:
    def act(joined: Joined) -> None:
        joined.write(b"last words")
        joined.close()
        joined.write(b"too late")

    wire = after_one_turn(act)
    assert wire.closed
    assert wire.written == [b"last words"]


def test_a_long_answer_does_not_wait() -> None:
    def act(joined: Joined) -> None:
        joined.write(b"x" * (MOST_BYTES + 1))

    assert [len(part) for part in after_one_turn(act).written] == [MOST_BYTES + 1]


def test_everything_else_is_the_transport_s_own() -> None:
    joined = Joined(Wire(), asyncio.new_event_loop())  # type: ignore[arg-type]
    with closing(joined._loop):
        assert joined.get_extra_info("peername") == "the peername"


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def at_once(scope: Any, receive: Any, send: Any) -> None:
    """Answers by our server's own call, but for a path that sends messages."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    write = scope["extensions"][WHOLE]["write"]
    if scope["path"] == "/messages":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        assert not write(200, b"", b"too late")
        await send({"type": "http.response.body", "body": b"hello"})
    else:
        assert write(200, b"content-length: 5\r\n", b"hello")
        assert not write(200, b"content-length: 5\r\n", b"again")


@pytest.mark.parametrize("answers", [app, at_once])
def test_the_server_sends_head_and_body_in_one_piece_also_to_requests_in_a_row(answers: Any) -> None:
    http = "recommender.web.joined:Protocol"
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(
            uvicorn.Config(answers, log_level="critical", ws="none", lifespan="off", http=http, access_log=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            with socket.create_connection(listener.getsockname(), timeout=30) as line:
                line.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                assert line.recv(65_536).endswith(b"\r\n\r\nhello")
                line.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2)
                both = b""
                while both.count(b"hello") < 2:
                    both += line.recv(65_536)
                line.sendall(b"GET /messages HTTP/1.1\r\nhost: a\r\n\r\n")
                mixed = line.recv(65_536)
                assert mixed.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
                assert mixed.endswith(b"\r\n\r\nhello")
                line.sendall(b"GET / HTTP/1.0\r\n\r\n")
                last = b""
                while piece := line.recv(65_536):
                    last += piece
                assert last.count(b"\r\nconnection: close\r\n") == 1
                assert last.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
                assert last.endswith(b"\r\n\r\nhello")
        finally:
            server.should_exit = True
            thread.join(30)


def test_answers_are_handed_over_only_where_nothing_stands_between(sqlite_store: Store) -> None:
    """What lets other origins in adds headers to messages: an answer that went past it would lack them."""
    for origins, is_first in (("", True), ("https://app.example", False)):
        settings, clock = load_settings(cors_origins=origins), SystemClock()
        made: Any = create_app(sqlite_store, Service(sqlite_store, settings, clock), settings, clock)
        assert (made if is_first else made.app).is_first == is_first
