"""The shortcut for kept lists: what comes by it is what the long way says, and what is not plain goes the long way."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.store import Store
from recommender.web import joined, shortcut

Make = Callable[..., dict[str, Any]]
RELATED, FOR_YOU = "/v1/articles/a0/related", "/v1/readers/r1/for-you"
TOLD = re.compile(rb"date: [^\r]+\r\n|x-request-id: [^\r]+\r\n|content-length: \d+\r\n")


class Line:
    """A connection that speaks bytes."""

    def __init__(self, line: socket.socket) -> None:
        self.line, self.held = line, b""

    def send(self, *parts: bytes, pause_s: float = 0.0) -> None:
        for part in parts:
            self.line.sendall(part)
            time.sleep(pause_s)

    def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer; 0 where the other end closed."""
        while b"\r\n\r\n" not in self.held:
            if not (more := self.line.recv(65_536)):
                return 0, b"", b""
            self.held += more
        head, _, rest = self.held.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        while len(rest) < size:
            rest += self.line.recv(65_536)
        self.held = rest[size:]
        return int(head.split(b" ")[1]), head + b"\r\n", rest[:size]


class Room:
    """A newsroom of ten articles, and how many requests its shortcut answered."""

    def __init__(self, served: Any, answered: list[int]) -> None:
        self.served, self.answered = served, answered
        self.key = served.keys["app"]

    @contextmanager
    def line(self) -> Iterator[Line]:
        where = urlsplit(self.served.url)
        with socket.create_connection((where.hostname, where.port), timeout=30) as line:
            yield Line(line)

    def get(self, path: str, *headers: str, key: str | None = None) -> bytes:
        head = [f"GET {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {key or self.key}", *headers]
        return "\r\n".join([*head, "", ""]).encode()

    def ask(self, path: str, *headers: str, key: str | None = None) -> tuple[int, bytes, bytes, bool]:
        """Status, head, body, and whether it came by the shortcut."""
        before = len(self.answered)
        with self.line() as line:
            line.send(self.get(path, *headers, key=key))
            found = line.answer()
        return *found, len(self.answered) > before


@pytest.fixture
def room(sqlite_store: Store, newsroom_over: Any, item: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    answered: list[int] = []
    tell = joined.Protocol.tell

    def counted(self: joined.Protocol, answer: Any, request_id: bytes) -> None:
        answered.append(answer.status)
        tell(self, answer, request_id)

    monkeypatch.setattr(joined.Protocol, "tell", counted)
    with newsroom_over(sqlite_store, rate_per_s=0) as served:
        words = ["harbour", "bridge", "trams", "cables", "engineers", "signal", "depot", "volcano", "ash", "island"]
        some = [
            item(f"a{n}", title=word.title(), body=f"The {word} and the bridge. " + " ".join(words[n:]) * 3)
            for n, word in enumerate(words)
        ]
        assert served.client("operator").put("/v1/articles", json=some).status_code == 200
        yield Room(served, answered)


@pytest.mark.parametrize("path", [RELATED, RELATED + "?limit=3", FOR_YOU, FOR_YOU + "?limit=4&language=en"])
@pytest.mark.parametrize("extra", [(), ("Accept-Encoding: gzip",), ("X-Request-Id: app-1", "Accept-Language: cs")])
def test_a_kept_list_comes_by_the_lane_as_the_long_way_says_it(room: Room, path: str, extra: tuple[str, ...]) -> None:
    first = room.ask(path, *extra)
    again = room.ask(path, *extra)
    assert (first[0], first[3]) == (200, False)
    assert (again[0], again[3]) == (200, True)
    assert TOLD.sub(b"", first[1]) == TOLD.sub(b"", again[1])
    assert len(TOLD.findall(again[1])) == 3
    if "X-Request-Id: app-1" in extra:
        assert b"x-request-id: app-1\r\n" in again[1]
    if not extra:
        one, other = json.loads(first[2]), json.loads(again[2])
        assert one["items"] == other["items"]
        assert (one["served_id"] == other["served_id"]) == path.startswith(RELATED)


def test_a_list_the_caller_holds_is_not_sent_again(room: Room) -> None:
    head = room.ask(RELATED)[1]
    tag = re.search(rb"etag: ([^\r]+)", head)
    assert tag
    status, head, body, is_short = room.ask(RELATED, f"If-None-Match: {tag[1].decode()}")
    assert (status, body, is_short) == (304, b"", True)
    assert b"content-length" not in head


def test_who_may_not_read_is_told_so_by_the_long_way(room: Room) -> None:
    room.ask(RELATED)
    assert room.ask(RELATED, key="nobody's")[::3] == (401, False)
    assert room.ask(RELATED, key=room.served.keys["ingest"])[::3] == (403, False)
    assert room.ask(RELATED)[::3] == (200, True)


def test_a_call_by_the_lane_counts_against_the_rate_and_another_way_is_not_counted_twice(
    sqlite_store: Store, newsroom_over: Any, item: Make
) -> None:
    with newsroom_over(sqlite_store, rate_per_s=20) as served:
        served.client("operator").put("/v1/articles", json=[item("a0"), item("a1")])
        client, start = served.client("app"), time.monotonic()
        found = [client.get(RELATED).status_code for _ in range(60)]
        assert set(found) <= {200, 429}
        assert 20 <= found.count(200) <= 21 + 20 * (time.monotonic() - start)  # a second's worth, and what time brought


def test_what_was_taken_back_is_gone_at_once_and_a_read_is_felt(room: Room) -> None:
    for path in (RELATED, FOR_YOU):
        room.ask(path)
        shown = [card["article_id"] for card in json.loads(room.ask(path)[2])["items"]]
        assert room.served.client("operator").delete(f"/v1/articles/{shown[0]}").status_code == 204
        *_, body, is_short = room.ask(path)
        assert not is_short
        assert shown[0] not in [card["article_id"] for card in json.loads(body)["items"]]
    room.ask(FOR_YOU)
    top = json.loads(room.ask(FOR_YOU)[2])["items"][0]["article_id"]
    event = {"id": "e1", "reader": "r1", "article": top, "kind": "read", "at": "2026-01-01T00:00:00Z"}
    assert room.served.client("app").post("/v1/events", json=[event]).status_code == 202
    *_, body, is_short = room.ask(FOR_YOU)
    assert not is_short
    assert top not in [card["article_id"] for card in json.loads(body)["items"]]


def test_answers_keep_the_order_of_requests_however_they_arrive(room: Room) -> None:
    kept, other = room.get(RELATED, "X-Request-Id: kept"), room.get("/v1/articles/a5/related", "X-Request-Id: ranked")
    gone = room.get("/v1/nothing", "X-Request-Id: gone")
    room.ask(RELATED)
    for parts in (
        (kept + other + kept,),
        (kept, other, kept),
        (other + kept, gone, kept + gone),
        (kept[:30], kept[30:], other, kept[:-2], kept[-2:]),
        (gone + kept[:-1], kept[-1:] + other),
    ):
        sent = b"".join(parts)
        names = re.findall(rb"X-Request-Id: (\w+)", sent)
        for pause_s in (0.0, 0.01):
            with room.line() as line:
                line.send(*parts, pause_s=pause_s)
                found = [line.answer() for _ in names]
            assert [re.search(rb"x-request-id: (\w+)", head)[1] for _, head, _ in found] == names  # type: ignore[index]
            assert [status for status, _, _ in found] == [404 if name == b"gone" else 200 for name in names]


def test_a_post_s_body_that_looks_like_a_request_is_a_body(room: Room) -> None:
    room.ask(RELATED)
    body = room.get(RELATED)
    head = room.get("/v1/events", f"Content-Length: {len(body)}").replace(b"GET", b"POST", 1)
    with room.line() as line:
        line.send(head, body, room.get(RELATED), pause_s=0.05)
        assert [line.answer()[0], line.answer()[0]] == [400, 200]


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(
    sqlite_store: Store, serving: Any, newsroom_over: Any, item: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = joined.Protocol.connection_made

    def hurried(self: joined.Protocol, transport: Any) -> None:
        self.timeout_keep_alive = 3  # type: ignore[assignment]
        began(self, transport)

    monkeypatch.setattr(joined.Protocol, "connection_made", hurried)
    with newsroom_over(sqlite_store) as served:
        served.client("operator").put("/v1/articles", json=[item("a0"), item("a1")])
        room = Room(served, [])
        with room.line() as line:
            for _ in range(8):  # longer than a connection may be idle
                line.send(room.get(RELATED))
                assert line.answer()[0] == 200
                time.sleep(0.5)
            assert line.line.recv(1) == b""  # closed by the other end


@pytest.mark.parametrize("options", [{"access_log": True}, {"cors_origins": "https://app.example"}])
def test_where_each_request_is_told_of_or_changed_elsewhere_there_is_no_lane(
    sqlite_store: Store, newsroom_over: Any, item: Make, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(joined.Protocol, "tell", lambda *_: pytest.fail("came by the shortcut"))
    with newsroom_over(sqlite_store, **options) as served:
        served.client("operator").put("/v1/articles", json=[item("a0"), item("a1")])
        for _ in range(3):
            assert served.client("app").get(RELATED).status_code == 200


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/articles/a0/related HTTP/1.0",
        b"POST /v1/articles/a0/related HTTP/1.1",
        b"GET  /v1/articles/a0/related HTTP/1.1",
        b"GET /v1/articles/a0/for-you HTTP/1.1",
        b"GET /v1/readers/a0/related HTTP/1.1",
        b"GET /v1/articles/a%30/related HTTP/1.1",
        b"GET /v1/articles/a0/related?reader=r1 HTTP/1.1",
        b"GET /v1/articles/a0/related?limit=0 HTTP/1.1",
        b"GET /v1/articles/a0/related?limit=3&limit=4 HTTP/1.1",
        b"GET /v1/articles/a0/related?limit=3#x HTTP/1.1",
        b"GET /v1/readers/r1/for-you?since=last_visit HTTP/1.1",
        b"GET /v1/readers/r1/for-you?cursor=abc HTTP/1.1",
        b"GET /v1/readers/r1/for-you?exclude=a1 HTTP/1.1",
        b"GET /v1/readers/r1/for-you?explain=true HTTP/1.1",
        b"GET /v1/readers/r1/for-you?nonsense=1 HTTP/1.1",
        b"GET /v1/articles//related HTTP/1.1",
        b"GET /v1/articles/%b/related HTTP/1.1" % (b"x" * 201),
        b"",
    ],
)
def test_other_request_lines_are_not_for_the_lane(line: bytes) -> None:
    assert shortcut.asked_of(line) is None


@pytest.mark.parametrize(
    "headers",
    [
        b"Host: a",
        b"Authorization: Bearer k\r\nContent-Length: 0",
        b"Authorization: Bearer k\r\nTransfer-Encoding: chunked",
        b"Authorization: Bearer k\r\nConnection: close",
        b"Authorization: Bearer k\r\nConnection: Upgrade\r\nUpgrade: h2c",
        b"Authorization: Bearer k\r\nExpect: 100-continue",
        b"Authorization: Bearer k\r\n folded: line",
        b"Authorization: Bearer k\r\nbad name: x",
        b"Authorization : Bearer k",
        b"Authorization: Bearer k\r\nx: a\x00b",
        b"Authorization: Bearer k\r\nx: a\nb",
        b"Authorization: Bearer k\r\nnothing",
        b"",
    ],
)
def test_other_headers_are_not_for_the_lane(headers: bytes) -> None:
    assert shortcut.given(headers + b"\r\n\r\n") is None


@given(st.lists(st.tuples(st.from_regex(rb"[a-zA-Z-]{1,12}", fullmatch=True), st.binary(max_size=20)), max_size=5))
def test_headers_that_pass_are_those_that_were_sent(pairs: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(b"%b: %b\r\n" % pair for pair in [*pairs, (b"Authorization", b"Bearer k")]) + b"\r\n"
    found = shortcut.given(block)
    if found is None:
        return
    assert b"\n" not in b"".join(value for _, value in pairs)
    wanted = {name.lower(): value for name, value in pairs} | {b"authorization": b"Bearer k"}
    assert {name.encode(): value.encode("latin-1") for name, value in found.as_dict().items()} == {
        name: value.strip(b" \t") for name, value in wanted.items()
    }
