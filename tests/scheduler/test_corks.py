"""What one turn writes to a socket leaves together."""

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.corks import Corks

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="this system holds no writes back")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with ours, theirs:
            theirs.settimeout(5)
            yield ours, theirs


def _is_held_back(corks: Corks, ours: socket.socket, theirs: socket.socket) -> bool:
    """The kernel lets go by itself after 200 ms, which a busy machine can spend between two lines."""
    for one in (b"headers", b"body"):
        ours.sendall(one)
    was_held = not select.select([theirs], [], [], 0)[0]
    corks.flush()
    got = b""
    while len(got) < len(b"headersbody"):
        got += theirs.recv(100)
    return was_held


def test_small_writes_wait_for_each_other(pair: tuple[socket.socket, socket.socket]) -> None:
    corks = Corks()
    assert corks.put(pair[0].fileno()) == 0
    assert any(_is_held_back(corks, *pair) for _ in range(5))
    assert any(_is_held_back(corks, *pair) for _ in range(5)), "a flush must leave the cork in"


def test_without_a_cork_they_do_not(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pair[0].sendall(b"headers")
    assert pair[1].recv(100) == b"headers"


def test_a_socket_that_was_closed_is_forgotten_and_not_closed_again(pair: tuple[socket.socket, socket.socket]) -> None:
    corks, fd = Corks(), pair[0].fileno()
    corks.put(fd)
    pair[0].close()
    with Path(os.devnull).open("rb") as other:  # the next to be opened gets the lowest free number
        assert other.fileno() == fd
        corks.flush()
        del corks
        assert other.read() == b"", "another's file is not ours to close"


def test_a_number_that_came_back_is_the_new_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    corks, fd = Corks(), pair[0].fileno()
    corks.put(fd)
    corks.put(fd)
    assert any(_is_held_back(corks, *pair) for _ in range(5))
    del corks
    pair[0].sendall(b"still open")
