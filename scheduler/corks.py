"""Sockets that hold back what is written to them until told: what a turn wrote leaves together.

libcurl writes headers and body of every message by themselves, and each write was a packet: a wake-up of the other
side, an answer to it, and a tenth of a message's CPU. The kernel of Linux lets go by itself after 200 ms.
"""

import socket

_CORK: int | None = getattr(socket, "TCP_CORK", None)  # elsewhere every write leaves as it comes


class Corks:
    """The sockets of one transport, by number: they are libcurl's to close."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def put(self, fd: int, _purpose: int = 0) -> int:
        """Hold back what is written to this new socket; 0, as libcurl wants it."""
        if _CORK is not None and _set(fd, _CORK):
            self._numbers.add(fd)
        return 0

    def flush(self) -> None:
        """Send what was held back. To set this sends what waits behind a cork and leaves the cork in (tcp(7)).

        Whoever got the number of a socket that was closed takes no harm: most are no TCP sockets and refuse.
        """
        self._numbers = {fd for fd in self._numbers if _set(fd, socket.TCP_NODELAY)}


def _set(fd: int, option: int) -> bool:
    """Whether this is a TCP socket; the option is set then."""
    try:
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)  # asks for nothing
    except OSError:
        return False
    try:
        one.setsockopt(socket.IPPROTO_TCP, option, 1)
    except OSError:
        return False
    finally:
        one.detach()  # or it would close what is not ours
    return True
