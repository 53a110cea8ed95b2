"""The shortest way to a kept list: written in the turn of the event loop in which it was asked for, by no task.

Only one whole GET of a list, plainly well formed, by a caller with a key comes this way; anything else, and every list
that is not in memory, goes on to the server's own parser as it came. What one turn read is answered together.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import lru_cache, partial
from time import perf_counter
from typing import NamedTuple, Protocol, cast
from urllib.parse import parse_qsl

from data.errors import NewsbellError
from data.store.reader_state import Revision
from recommender.web import tracing
from recommender.web.bodies import query_of
from recommender.web.gate import Given, request_id_of
from recommender.web.hot import FOR_YOU, RELATED, Answer, Hot, beside
from recommender.web.shapes import ForYouQuery, RelatedQuery, identifier
from recommender.web.site import Site

log = logging.getLogger(__name__)
LONGEST = 4_096  # bytes of a request
_END = b"\r\n\r\n"
_LINE = re.compile(rb"GET /v1/(readers|articles)/([\w.~:@-]+)/(for-you|related)(?:\?([!$-~]*))? HTTP/1\.1\Z")
_HEADER = re.compile(rb"([!#$%&'*+.^`|~\w-]+):([\t\x20-\x7e\x80-\xff]*)\Z")
_ELSEWHERE = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"})
_ROUTES = {b"readers/for-you": FOR_YOU, b"articles/related": RELATED}


class Connection(Protocol):
    """What the shortcut needs of the connection that a request came by."""

    def tell(self, answer: Answer, request_id: bytes) -> None:
        """Write a finished answer."""

    def go_on(self, data: bytes) -> None:
        """Read a request as if it had never come here."""


class Asked(NamedTuple):
    """A request line that the shortcut knows."""

    route: str
    name: str  # of the reader or the article
    wanted: ForYouQuery | RelatedQuery


class _Waiting(NamedTuple):
    connection: Connection
    data: bytes
    asked: Asked
    headers: Given
    start: float


Finder = Callable[[_Waiting], Answer | None]


class Shortcut:
    """Answers what is kept. For the event loop's thread."""

    def __init__(self, hot: Hot, site: Site) -> None:
        self._hot, self._site = hot, site
        self._waiting: list[_Waiting] = []

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be told of each request that is told elsewhere: spans, lines of a log."""
        return not self._site.settings.access_log and not tracing.is_on()

    def takes(self, connection: Connection, data: bytes) -> bool:
        """Whether these bytes of a connection on which nothing else waits are a request for here: then it waits."""
        line, _, rest = data.partition(b"\r\n")
        if len(data) > LONGEST or data.find(_END) != len(data) - len(_END):
            return False
        asked, headers = asked_of(line), given(rest)
        if asked is None or headers is None:
            return False
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.answer)
        self._waiting.append(_Waiting(connection, data, asked, headers, perf_counter()))
        return True

    def answer(self) -> None:
        """Answer everything that waits. What is asked of the store is asked now, once: no answer is older than that."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            finders = self._finders(waiting)
        except Exception:  # whoever goes on meets it again, and it is told there
            finders = {}
        for one in waiting:
            try:
                self._settle(one, self._found(one, finders))
            except Exception:  # one connection that fails must not leave the others waiting
                log.exception("could not answer a request")

    def _settle(self, one: _Waiting, answer: Answer | None) -> None:
        if answer is None:
            one.connection.go_on(one.data)
        else:
            one.connection.tell(answer, request_id_of(one.headers).encode())
            self._site.metrics.answered(one.asked.route, "GET", answer.status, perf_counter() - one.start)

    def _finders(self, waiting: list[_Waiting]) -> dict[str, Finder]:
        """By route: what finds a kept answer, by what the store says now."""
        made: dict[str, Finder] = {}
        readers = {one.asked.name for one in waiting if one.asked.route == FOR_YOU}
        if readers:
            made[FOR_YOU] = partial(self._for_you, self._site.store.reader_revisions(readers))
        if any(one.asked.route == RELATED for one in waiting):
            made[RELATED] = partial(self._related, self._site.store.article_rev())
        return made

    def _found(self, one: _Waiting, finders: dict[str, Finder]) -> Answer | None:
        """The answer, None where the request must go on: nothing is kept, or the caller may not have it."""
        try:
            return finders[one.asked.route](one) if finders else None
        except Exception:  # it is met again by whoever goes on, and told there
            return None

    def _for_you(self, revisions: dict[str, tuple[Revision, int]], one: _Waiting) -> Answer | None:
        wanted, name = cast("ForYouQuery", one.asked.wanted), one.asked.name
        kept = self._hot.for_you_kept(name, wanted, one.headers, *revisions[name])
        if kept is None:
            return None
        self._let_in(one)
        return self._hot.serve_again(kept, name, wanted, one.headers)

    def _related(self, rev: int, one: _Waiting) -> Answer | None:
        kept = self._hot.related_kept((one.asked.name, one.asked.wanted.limit, one.asked.wanted.language), rev)
        if kept is None:
            return None
        self._let_in(one)
        self._site.metrics.cached("related", hit=True)
        return beside(kept, one.headers)

    def _let_in(self, one: _Waiting) -> None:
        """Count the call of the caller's key; raises where it may not call."""
        self._site.keys.check(one.headers.get(b"authorization"), "app")


@lru_cache(maxsize=16_384)
def asked_of(line: bytes) -> Asked | None:
    """What a request line asks for; None where that is no first page, or not plain."""
    found = _LINE.match(line)
    route = _ROUTES.get(b"%b/%b" % found.group(1, 3)) if found else None
    if found is None or route is None:
        return None
    pairs = parse_qsl((found[4] or b"").decode(), keep_blank_values=True)
    try:
        wanted = query_of(pairs, ForYouQuery) if route == FOR_YOU else query_of(pairs, RelatedQuery)
        return Asked(route, identifier(found[2].decode(), "id in the address"), wanted) if wanted.is_kept else None
    except NewsbellError:
        return None


@lru_cache(maxsize=1_024)
def given(block: bytes) -> Given | None:
    """The headers of a request without a body, as they stand; None where they are not plain or name no key."""
    pairs = []
    for line in block.removesuffix(_END).split(b"\r\n"):
        found = _HEADER.match(line)
        if found is None:
            return None
        name, value = found[1].lower(), found[2].strip(b" \t")
        if name in _ELSEWHERE or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        pairs.append((name, value))
    headers = Given({"headers": pairs})
    return headers if b"authorization" in headers else None
