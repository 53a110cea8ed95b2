"""The three calls that make nearly all of the load, by the shortest way: bytes in, bytes out, no framework between."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope

from data.clock import instant, micros
from data.errors import TooLarge
from data.event_lines import EventLines, read_each, read_quickly
from data.store.reader_state import Revision
from recommender.answers import RelatedList
from recommender.cards import aged
from recommender.served_pages import Beneath
from recommender.service import Behind
from recommender.slates import whose
from recommender.web.auth import open_to
from recommender.web.bodies import LONGEST_LIST, as_list, decoded, query_of
from recommender.web.for_you_lists import ForYouLists, KeptForYou
from recommender.web.gate import SAFE_LINES, Given, body_of, lines, segment
from recommender.web.memory import MINUTE_US
from recommender.web.related_lists import Body, KeptRelated, Key, RelatedLists
from recommender.web.shapes import ForYouQuery, RelatedQuery, identifier
from recommender.web.site import Site
from recommender.web.together import Together
from recommender.web.zipped import around, deflated, zipped

JSON = (b"content-type", b"application/json")
PRIVATE = (b"cache-control", b"private, no-store")
# Asking again is nearly free, and a retraction must hold at once: so a copy may be kept, but not shown unasked.
ASK_AGAIN = (b"cache-control", b"private, no-cache")
BY_ENCODING = (b"vary", b"Accept-Encoding, Authorization")
ZIPPED = (b"content-encoding", b"gzip")
ZIP_FROM = 1_000  # bytes
_FIRST_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3})\b")
_encode = msgspec.json.Encoder().encode
Pairs = tuple[tuple[bytes, bytes], ...]
LIST: Pairs = (JSON, PRIVATE, BY_ENCODING)
LIST_LINES = lines(LIST)


FOR_YOU, RELATED = "/v1/readers/{reader}/for-you", "/v1/articles/{article}/related"  # routes


class Answer(NamedTuple):
    """A finished answer."""

    status: int
    body: bytes
    headers: Pairs
    lines: bytes = b""  # the same headers as they stand in an answer, where they are at hand

    def head(self, request_id: bytes) -> bytes:
        """The lines of the head, with what every answer carries."""
        size = b"" if self.status == 304 else b"content-length: %d\r\n" % len(self.body)
        return b"%b%bx-request-id: %b\r\n%b" % (self.lines or lines(self.headers), SAFE_LINES, request_id, size)


class Hot:
    """Finds and answers the hot calls of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.related_lists, self.for_you_lists = RelatedLists(site.service.shelf), ForYouLists(site.service.shelf)
        self._revision = Together(site.store.reader_revisions)
        self._rev = Together(lambda _: {None: site.store.article_rev()})

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
            return FOR_YOU, self.for_you, parts[3]
        if parts[2] == "articles" and parts[4] == "related":
            return RELATED, self.related, parts[3]
        return None

    async def for_you(self, scope: Scope, headers: Given, receive: Receive, name: str) -> Answer:  # noqa: ARG002
        """A reader's list."""
        self._check_reading(scope, headers)
        wanted, reader = _query(ForYouQuery, scope["query_string"]), _identifier(name, "reader id")
        if wanted.is_kept:
            return await self._for_you(reader, wanted, headers)
        ask = partial(
            self.site.service.for_you,
            reader,
            limit=wanted.limit,
            category=wanted.category,
            language=wanted.language,
            exclude=wanted.exclude,
            explain=wanted.explain,
            cursor=wanted.cursor,
            since=wanted.since,
            locale=_locale(headers),
        )
        try:
            slate = ask(wait=False)
        except Behind:
            slate = await run_in_threadpool(ask)
        body = _encode(slate)
        if _takes_gzip(headers) and len(body) >= ZIP_FROM:
            return Answer(200, zipped(body), (*LIST, ZIPPED))
        return Answer(200, body, LIST, LIST_LINES)

    async def _for_you(self, reader: str, wanted: ForYouQuery, headers: Given) -> Answer:
        """A first page, from memory where nothing that decides it has changed."""
        revision, rev = await self._revision(reader)  # before anything else: what is kept is never newer
        held = self.for_you_kept(reader, wanted, headers, revision, rev)
        if held is not None:
            return self.serve_again(held, reader, wanted, headers)
        service = self.site.service
        snapshot, now_us = service.snapshot, micros(self.site.clock.now())
        self.site.metrics.cached("for_you", hit=False)
        key, locale = self._key(reader, wanted, headers, revision)
        page = service.for_you_page(
            reader, limit=wanted.limit, category=wanted.category, language=wanted.language, locale=locale
        )
        kept = KeptForYou(page.again, _encode(page.slate.items), revision, rev)
        if service.snapshot is snapshot and not page.is_drafted:
            self.for_you_lists.put(key, kept, snapshot, now_us)
        return _page(kept, page.slate.served_id, page.slate.next, headers)

    def for_you_kept(
        self, reader: str, wanted: ForYouQuery, headers: Given, revision: Revision, rev: int
    ) -> KeptForYou | None:
        """The first page that was kept, with the ages of this minute, if it holds by what the store says now."""
        key, _ = self._key(reader, wanted, headers, revision)
        now_us = micros(self.site.clock.now())
        kept = self.for_you_lists.get(key, revision, rev, self.site.service.snapshot, now_us)
        if kept is not None and kept.minute != now_us // MINUTE_US:
            kept.tell(aged(kept.items, instant(now_us), kept.again.language), now_us)
        return kept

    def serve_again(self, kept: KeptForYou, reader: str, wanted: ForYouQuery, headers: Given) -> Answer:
        """A page that was kept, as a list of its own."""
        self.site.metrics.cached("for_you", hit=True)
        owner = whose(reader, wanted.category, wanted.language)
        return _page(kept, *self.site.service.serve_again(kept.again, owner), headers)

    def _key(self, reader: str, wanted: ForYouQuery, headers: Given, revision: Revision) -> tuple[Any, str]:
        """What a first page is kept by, and the language that counts where nothing is known of the reader."""
        locale = "" if revision.is_known else _locale(headers)
        who = reader if revision.is_known else f"{reader if self.site.service.snapshot.trials.running else ''} {locale}"
        return (who, wanted.limit, wanted.category, wanted.language), locale

    async def related(self, scope: Scope, headers: Given, receive: Receive, name: str) -> Answer:  # noqa: ARG002
        """What to read after an article; 304 where the caller holds the same list."""
        self._check_reading(scope, headers)
        wanted = _query(RelatedQuery, scope["query_string"])
        key = (_identifier(name, "article id"), wanted.limit, wanted.language)
        return beside(await (self._of_reader(key, wanted.reader) if wanted.reader else self._beside(key)), headers)

    async def _beside(self, key: Key) -> "KeptRelated | Body":
        """The list that everybody gets, from memory where nothing that decides it has changed."""
        service, lists = self.site.service, self.related_lists
        rev = await self._rev(None)  # before anything else: what is kept is never newer
        kept = self.related_kept(key, rev)
        self.site.metrics.cached("related", hit=kept is not None)
        if kept is not None:
            return kept
        snapshot, now_us = service.snapshot, micros(self.site.clock.now())
        listed, made = await self._related(key, None)
        body = Body.of(listed)
        return lists.put(key, made, body, rev, snapshot, now_us) if service.snapshot is snapshot else body

    def related_kept(self, key: Key, rev: int) -> KeptRelated | None:
        """The list that was kept, with the ages of this minute, if it holds by what the store says now: `rev`."""
        service, now_us = self.site.service, micros(self.site.clock.now())
        kept = self.related_lists.get(key, rev, service.snapshot, now_us)
        if kept is not None and kept.minute != now_us // MINUTE_US:
            kept.tell(Body.of(service.related_again(kept.made, now_us)), now_us)
        return kept

    async def _of_reader(self, key: Key, reader: str) -> "Body":
        listed, _ = await self._related(key, reader)
        return Body.of(listed)

    async def _related(self, key: Key, reader: str | None) -> tuple[RelatedList, Beneath]:
        article, limit, language = key
        ask = partial(self.site.service.related_page, article, limit=limit, reader=reader, language=language)
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


def _page(kept: KeptForYou, served_id: str, after: str | None, headers: Given) -> Answer:
    """A first page under an id and a cursor."""
    head = b'{"served_id":"%b","items":' % served_id.encode()
    tail = b',"next":"%b"}' % after.encode() if after else b',"next":null}'
    if _takes_gzip(headers) and len(kept.items) >= ZIP_FROM:
        kept.blocks = kept.blocks or deflated(kept.items)
        return Answer(200, around(head, kept.items, kept.blocks, tail), (*LIST, ZIPPED))
    return Answer(200, b"".join((head, kept.items, tail)), LIST, LIST_LINES)


def beside(kept: KeptRelated | Body, headers: Given) -> Answer:
    """A related list; 304 where the caller holds the same."""
    told: Pairs = (JSON, ASK_AGAIN, BY_ENCODING, (b"etag", kept.etag))
    held = headers.get(b"if-none-match")
    if held and (held == "*" or kept.etag[2:].decode() in held):
        return Answer(304, b"", told[1:])
    if _takes_gzip(headers) and len(kept.body) >= ZIP_FROM:
        kept.zipped = kept.zipped or zipped(kept.body)
        return Answer(200, kept.zipped, (*told, ZIPPED))
    kept.lines = kept.lines or lines(told)
    return Answer(200, kept.body, told, kept.lines)


def _answer(status: int, value: Any) -> Answer:
    return Answer(status, _encode(value), (JSON, PRIVATE))


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


def _locale(headers: Given) -> str:
    """The base language a caller asks for first, "" where none is named."""
    found = _FIRST_LANGUAGE.match(headers.get(b"accept-language"))
    return found[1].lower() if found else ""


def _takes_gzip(headers: Given) -> bool:
    return "gzip" in headers.get(b"accept-encoding")
