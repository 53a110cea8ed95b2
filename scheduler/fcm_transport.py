"""HTTP/2 by libcurl: a few connections, a hundred streams on each, every body handed over once.

libcurl repeats a request by itself when a connection it had used before dies, a POST too. Here a body is given out
once: a repeat finds nothing to send and ends as an error. So whatever happens, a message is on the wire at most once,
and whether its body was asked for tells what may have arrived:

not asked for                             nothing left this process           `unsent`
asked for, and an answer came             the answer                          status and body
asked for, and refused by the server      it was never looked at              `unsent`
asked for, anything else                  it may have been processed          `lost`

A server refuses streams (REFUSED_STREAM, or those after the last of its GOAWAY) on a connection that lives on. libcurl
ends them like those of a connection that died, by the same code, but two things differ, and both must hold: libcurl
recorded no trouble of the socket, TLS or HTTP/2 before it wanted to repeat, and no other request of that connection was
lost with it, then or in the next turn.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pycurl

from scheduler.corks import Corks

STREAMS = 100  # of one connection; FCM allows no more
TIMEOUT_MS = 15_000  # shorter ones made duplicates in the official SDK
CONNECT_MS = 10_000
TURN_S = 0.016  # in every turn libcurl looks at all that is under way: 1,600 messages cost it half a millisecond
_STREAM_RESET = 92  # CURLE_HTTP2_STREAM, for which pycurl has no name
_REWOUND = "necessary data rewind was not possible"  # the only trouble: no socket or TLS error came before it
REFUSED = "refused before it was looked at"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """How one POST ended: an answer, or `lost` or `unsent` and why."""

    tag: Any
    status: int = 0
    body: bytes = b""
    retry_after_s: float | None = None
    lost: str = ""
    unsent: str = ""


@dataclass(slots=True)
class _Slot:
    """A libcurl handle and the request it carries."""

    curl: Any
    tag: Any = None
    body: bytes = b""
    asked: int = 0
    url: str = ""
    bearer: str = ""
    size: int = -1
    received: list[bytes] = field(default_factory=list)

    def give(self, _: int) -> bytes | int:
        """The body, once."""
        self.asked += 1
        return self.body if self.asked == 1 else int(pycurl.READFUNC_ABORT)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A request that was either refused or lost with its connection."""

    tag: Any
    connection: int
    poll: int
    why: str


class Transport:
    """POSTs under way at the same time, over kept connections. One thread."""

    def __init__(
        self,
        *,
        connections: int = 16,
        ca_file: Path | None = None,
        timeout_ms: int = TIMEOUT_MS,
        turn_s: float = TURN_S,
    ) -> None:
        self.capacity = connections * STREAMS
        self.ca_file, self.timeout_ms, self.turn_s = ca_file, timeout_ms, turn_s
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
        self._corks = Corks()
        self._free: list[_Slot] = []
        self._busy: dict[Any, _Slot] = {}
        self._doubts: list[_Doubt] = []
        self._dead: set[int] = set()  # connections that took requests with them, in this turn and the last
        self._polls = 0
        self._began_s = 0.0  # the last turn

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._busy) + len(self._doubts)

    @property
    def room(self) -> int:
        """How many more may be started."""
        return self.capacity - len(self._busy)

    def post(self, url: str, bearer: str, body: bytes, tag: Any) -> None:
        """Start a POST; its reply carries `tag`."""
        slot = self._free.pop() if self._free else self._new()
        if slot.url != url:
            slot.url = url
            slot.curl.setopt(pycurl.URL, url)
            plain = url.startswith("http://")
            wanted = pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE if plain else pycurl.CURL_HTTP_VERSION_2TLS
            slot.curl.setopt(pycurl.HTTP_VERSION, wanted)
        if slot.bearer != bearer:
            slot.bearer = bearer
            headers = [f"Authorization: Bearer {bearer}", "Content-Type: application/json", "Accept:", "Expect:"]
            slot.curl.setopt(pycurl.HTTPHEADER, headers)
        if slot.size != len(body):
            slot.size = len(body)
            slot.curl.setopt(pycurl.POSTFIELDSIZE, slot.size)
        slot.tag, slot.body, slot.asked = tag, body, 0
        self._busy[slot.curl] = slot
        self._multi.add_handle(slot.curl)

    def poll(self, wait_s: float) -> list[Reply]:
        """What ended; waits for it at most `wait_s`, or for what is left of a turn, unless `wait_s` is 0."""
        early_s = self._began_s + self.turn_s - time.monotonic()
        if wait_s > 0 and early_s > 0:
            time.sleep(early_s)
        self._began_s = time.monotonic()
        self._polls += 1
        ended = self._turned()
        if not ended and wait_s > 0:
            self._multi.select(wait_s)
            ended = self._turned()
        return ended

    def _turned(self) -> list[Reply]:
        self._multi.perform()
        self._corks.flush()
        return self._ended()

    def close(self) -> None:
        """Drop every connection; what was under way is lost."""
        for curl in list(self._busy):
            self._multi.remove_handle(curl)
        self._busy.clear()
        self._free.clear()
        self._multi.close()

    def _ended(self) -> list[Reply]:
        replies: list[Reply] = []
        while True:
            more, good, bad = self._multi.info_read()
            replies += [self._answered(curl) for curl in good]
            replies += [one for one in (self._broken(*each) for each in bad) if one is not None]
            if not more:
                break
        return replies + (self._decided() if self._doubts else [])

    def _answered(self, curl: Any) -> Reply:
        slot = self._busy.pop(curl)
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        after = curl.getinfo(pycurl.RETRY_AFTER) if status != 200 else 0
        made = Reply(slot.tag, status, b"".join(slot.received), float(after) if after else None)
        self._release(slot)
        return made

    def _broken(self, curl: Any, code: int, text: str) -> Reply | None:
        slot = self._busy.pop(curl)
        why, made = f"libcurl {code}: {text}"[:160], None
        if slot.asked == 0:
            made = Reply(slot.tag, unsent=why)
        elif code == pycurl.E_SEND_FAIL_REWIND and text == _REWOUND:
            self._doubts.append(_Doubt(slot.tag, curl.getinfo(pycurl.CONN_ID), self._polls, why))
        else:
            made = Reply(slot.tag, lost=why)
            if code != _STREAM_RESET:  # one stream alone was reset
                self._dead.add(curl.getinfo(pycurl.CONN_ID))
        self._release(slot)
        return made

    def _decided(self) -> list[Reply]:
        """The doubts of earlier turns, refused or lost."""
        ripe = [one for one in self._doubts if one.poll < self._polls or not self._busy]
        self._doubts = [one for one in self._doubts if one.poll >= self._polls and self._busy]
        made = [
            Reply(one.tag, lost=one.why) if one.connection in self._dead else Reply(one.tag, unsent=REFUSED)
            for one in ripe
        ]
        if not self._doubts:
            self._dead.clear()
        return made

    def _release(self, slot: _Slot) -> None:
        self._multi.remove_handle(slot.curl)
        slot.received.clear()
        slot.tag, slot.body = None, b""
        self._free.append(slot)

    def _new(self) -> _Slot:
        curl = pycurl.Curl()
        slot = _Slot(curl)
        settings: dict[int, int | str | list[str] | Callable[..., Any]] = {
            pycurl.POST: 1,
            pycurl.READFUNCTION: slot.give,
            pycurl.WRITEFUNCTION: slot.received.append,
            pycurl.TIMEOUT_MS: self.timeout_ms,
            pycurl.CONNECTTIMEOUT_MS: CONNECT_MS,
            pycurl.NOSIGNAL: 1,
            pycurl.PIPEWAIT: 1,
            pycurl.FOLLOWLOCATION: 0,
            pycurl.USERAGENT: "newsbell",
            pycurl.SOCKOPTFUNCTION: self._corks.put,
        }
        for option, value in settings.items():
            curl.setopt(option, value)
        if self.ca_file is not None:
            curl.setopt(pycurl.CAINFO, str(self.ca_file))
        return slot
