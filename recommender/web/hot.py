"""The three calls that make nearly all of the load, by the shortest way: bytes in, bytes out, no framework between."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from hashlib import blake2b
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from zlib import Z_DEFAULT_STRATEGY, compressobj

import msgspec
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope

from data.errors import TooLarge
from data.event_lines import EventLines, read_each, read_quickly
from recommender.answers import RelatedList
from recommender.service import Behind
from recommender.snapshot import Snapshot
from recommender.web.auth import open_to
from recommender.web.bodies import LONGEST_LIST, as_list, decoded, query_of
from recommender.web.gate import Given, body_of, segment
from recommender.web.shapes import ForYouQuery, RelatedQuery, identifier
from recommender.web.site import Site

JSON = (b"content-type", b"application/json")
PRIVATE = (b"cache-control", b"private, no-store")
# Asking again is nearly free, and a retraction must hold at once: so a copy may be kept, but not shown unasked.
ASK_AGAIN = (b"cache-control", b"private, no-cache")
BY_ENCODING = (b"vary", b"Accept-Encoding, Authorization")
ZIPPED = (b"content-encoding", b"gzip")
ZIP_FROM = 1_000  # bytes
FRESH_S = 1.0  # a list of before the last reads is answered this long: popularity is to be felt within two seconds
SAME_S = 20.0  # a list after which nothing at all changed; it says how old its articles are
MOST_LISTS = 10_000
_encode = msgspec.json.Encoder().encode
Pairs = tuple[tuple[bytes, bytes], ...]


class Answer(NamedTuple):
    """A finished answer."""

    status: int
    body: bytes
    headers: Pairs


class Kept(NamedTuple):
    """A related list as it was answered."""

    rev: int
    snapshot: Snapshot
    made_at: float
    etag: bytes
    body: bytes
    zipped: bytes


class RelatedLists:
    """The related lists answered a moment ago, by article and query: many readers come to the same articles.

    A list is used while no article changed, for FRESH_S once reads were counted or the desk changed something, and for
    SAME_S at most. Lists for a named reader are not kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, str | None], Kept] = OrderedDict()

    def get(self, key: tuple[str, int, str | None], rev: int, snapshot: Snapshot) -> Kept | None:
        """The list that was kept, if it holds still."""
        kept = self._kept.get(key)
        if kept is None or kept.rev != rev:
            return None
        return kept if monotonic() - kept.made_at < (SAME_S if kept.snapshot is snapshot else FRESH_S) else None

    def put(self, key: tuple[str, int, str | None], kept: Kept) -> None:
        """Keep a list; the one kept longest goes where there are too many."""
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_LISTS:
            self._kept.popitem(last=False)


class Hot:
    """Finds and answers the hot calls of one site."""

    def __init__(self, site: Site) -> None:
        self.site, self.lists = site, RelatedLists()

    def find(self, scope: Scope) -> "tuple[str, Call, str] | None":
        """The route, the function and the id, as it stands in the path, of a hot call; None: it is another one."""
        path: str = scope["path"]
        if scope["method"] == "POST":
            return ("/v1/events", self.events, "") if path == "/v1/events" else None
        if scope["method"] != "GET" or not path.startswith("/v1/"):
            return None
        parts = path.split("/")
        if len(parts) != 5 or not parts[3]:
            return None
        if parts[2] == "readers" and parts[4] == "for-you":
            return "/v1/readers/{reader}/for-you", self.for_you, parts[3]
        if parts[2] == "articles" and parts[4] == "related":
            return "/v1/articles/{article}/related", self.related, parts[3]
        return None

    async def for_you(self, scope: Scope, headers: Given, receive: Receive, name: str) -> Answer:  # noqa: ARG002
        """A reader's list."""
        self._check_reading(scope, headers)
        wanted = _query(ForYouQuery, scope["query_string"])
        ask = partial(
            self.site.service.for_you,
            _identifier(name, "reader id"),
            limit=wanted.limit,
            category=wanted.category,
            language=wanted.language,
            exclude=wanted.exclude,
            explain=wanted.explain,
            cursor=wanted.cursor,
        )
        try:
            slate = ask(wait=False)
        except Behind:
            slate = await run_in_threadpool(ask)
        body = _encode(slate)
        if _takes_gzip(headers) and len(body) >= ZIP_FROM:
            return Answer(200, _zipped(body), (JSON, PRIVATE, BY_ENCODING, ZIPPED))
        return Answer(200, body, (JSON, PRIVATE, BY_ENCODING))

    async def related(self, scope: Scope, headers: Given, receive: Receive, name: str) -> Answer:  # noqa: ARG002
        """What to read after an article; 304 where the caller holds the same list."""
        self._check_reading(scope, headers)
        wanted = _query(RelatedQuery, scope["query_string"])
        key = (_identifier(name, "article id"), wanted.limit, wanted.language)
        rev = self.site.store.article_rev()
        snapshot = self.site.service.snapshot
        kept = None if wanted.reader else self.lists.get(key, rev, snapshot)
        if wanted.reader is None:
            self.site.metrics.cached("related", hit=kept is not None)
        if kept is None:
            kept = _kept(rev, snapshot, await self._related(key, wanted.reader))
            if wanted.reader is None:
                self.lists.put(key, kept)
        told: Pairs = (JSON, ASK_AGAIN, BY_ENCODING, (b"etag", kept.etag))
        held = headers.get(b"if-none-match")
        if held and (held == "*" or kept.etag[2:].decode() in held):
            return Answer(304, b"", told[1:])
        if _takes_gzip(headers) and kept.zipped:
            return Answer(200, kept.zipped, (*told, ZIPPED))
        return Answer(200, kept.body, told)

    async def _related(self, key: tuple[str, int, str | None], reader: str | None) -> RelatedList:
        article, limit, language = key
        ask = partial(self.site.service.related, article, limit=limit, reader=reader, language=language)
        try:
            return ask(wait=False)
        except Behind:
            return await run_in_threadpool(ask)

    async def events(self, scope: Scope, headers: Given, receive: Receive, name: str) -> Answer:  # noqa: ARG002
        """Events in; answered after the commit that they share with what came at the same time."""
        self.site.keys.check(headers.get(b"authorization"), "app")
        lines = read_events(await body_of(receive))
        if not lines.good:
            return _answer(202, {"accepted": 0, "duplicate": 0, "rejected": lines.all_rejected(())})
        result = await self.site.service.writer.add(lines.good)
        rejected = lines.all_rejected(result.rejected)
        return _answer(202, {"accepted": result.accepted, "duplicate": result.duplicate, "rejected": rejected})

    def _check_reading(self, scope: Scope, headers: Given) -> None:
        if b"authorization" in headers or not open_to(self.site.settings, scope.get("client")):
            self.site.keys.check(headers.get(b"authorization"), "app")


Call = Callable[[Scope, Given, Receive, str], Awaitable[Answer]]


def read_events(body: bytes) -> EventLines:
    """The events of a body, each checked alone; 400, 413 or 422 where it is no list of them."""
    lines = read_quickly(body)
    if lines is None:
        lines = read_each(as_list(decoded(body)))
    elif (count := len(lines.positions) + len(lines.rejected)) > LONGEST_LIST:
        raise TooLarge(f"The list holds {count:,} items; send at most {LONGEST_LIST:,} at a time.")
    return lines


def _answer(status: int, value: Any) -> Answer:
    return Answer(status, _encode(value), (JSON, PRIVATE))


def _kept(rev: int, snapshot: Snapshot, served: RelatedList) -> Kept:
    body = _encode(served)
    # The same list under another served_id is the same to a reader: the tag is of what is shown.
    tag = blake2b(_encode((served.fallback, served.items)), digest_size=12).hexdigest()
    zipped = _zipped(body) if len(body) >= ZIP_FROM else b""
    return Kept(rev, snapshot, monotonic(), f'W/"{tag}"'.encode(), body, zipped)


@lru_cache(maxsize=16_384)
def _identifier(name: str, where: str) -> str:
    return identifier(segment(name), where)


def _query(shape: Any, query_string: bytes) -> Any:
    """The query as a shape; most callers send the same few."""
    return _usual(shape, query_string) if len(query_string) <= 64 else _read(shape, query_string)


@lru_cache(maxsize=4_096)
def _usual(shape: type[BaseModel], query_string: bytes) -> BaseModel:
    return _read(shape, query_string)


def _read(shape: type[BaseModel], query_string: bytes) -> BaseModel:
    return query_of(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True), shape)


def _takes_gzip(headers: Given) -> bool:
    return "gzip" in headers.get(b"accept-encoding")


def _zipped(body: bytes) -> bytes:
    """The quickest gzip: an answer is read once."""
    packer = compressobj(1, wbits=31, strategy=Z_DEFAULT_STRATEGY)
    return packer.compress(body) + packer.flush()
