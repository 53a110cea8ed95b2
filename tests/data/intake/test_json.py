"""JSON Feed, article JSON and article JSONL."""

import gzip
import io
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data.errors import InvalidInput, NotFound, TooLarge
from data.intake.items import ARRIVAL, FeedReport, Item, Origin, Rejected
from data.intake.jsonl import MAX_LINE_BYTES, read_jsonl
from data.intake.read import read_bytes, read_file
from data.wire import ArticleIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARTICLE = {"id": "a", "url": "https://h.example/a", "title": "T", "published_at": "2026-03-01T08:00:00Z"}


def read(value: object) -> tuple[list[Item], FeedReport]:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    reading = read_bytes(raw, Origin("feed", NOW, "https://j.example/feed.json"))
    return list(reading), reading.report


def feed(*items: Any, **fields: Any) -> dict[str, Any]:
    head = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "home_page_url": "https://www.j.example/"}
    return {**head, **fields, "items": list(items)}


def refusals(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejected)]


def test_a_json_feed_item_becomes_an_article() -> None:
    found, report = read(
        feed(
            {
                "id": 12,
                "url": "posts/12",
                "title": "A < B",
                "content_html": "<p>Hello</p><script>x</script>",
                "summary": "Short",
                "date_published": "2026-03-01T08:00:00+01:00",
                "date_modified": "2026-03-01T10:00:00+01:00",
                "authors": [{"name": "Ada"}, {"name": "Bob"}],
                "tags": ["Food", "Food", "Paris"],
                "image": "/p.jpg",
            },
            language="en",
        )
    )
    article = found[0]
    assert isinstance(article, ArticleIn)
    assert article.id.startswith("j.example~")
    assert article.id.endswith(":12")
    assert (article.url, article.title) == ("https://j.example/posts/12", "A < B")
    assert (article.summary, article.body) == ("Short", "Hello")
    assert article.published_at == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert article.updated_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (article.author, article.topics, article.language) == ("Ada, Bob", ["Food", "Paris"], "en")
    assert article.image_url == "https://j.example/p.jpg"
    assert article.source is not None
    assert (article.source.id, article.source.name) == ("j.example", "J")
    assert report.kind == "JSON Feed 1.1"


def test_broken_items_are_told_and_the_rest_goes_in() -> None:
    good = {"id": "https://j.example/1", "title": "Good", "date_published": "2026-03-01T08:00:00Z"}
    found, report = read(feed(7, None, {"id": "x"}, {"id": "x", "title": "T"}, {"title": {"a": 1}, "url": []}, good))
    assert isinstance(found[-1], ArticleIn)
    assert refusals(found) == [
        "is no JSON object",
        "is no JSON object",
        "no title and no text",
        "no link: neither url, external_url nor an id that is an address",
        "no title and no text",
    ]
    assert report.accepted == 1


def test_a_json_feed_that_breaks_off_gives_its_whole_items() -> None:
    items = [{"id": f"https://j.example/{n}", "title": "T", "date_published": "2026-03-01T08:00:00Z"} for n in range(3)]
    found, report = read(json.dumps(feed(*items)).encode()[:-40])
    assert [type(item).__name__ for item in found] == ["ArticleIn", "ArticleIn", "Rejected"]
    assert any("broken JSON" in warning for warning in report.warnings)


def test_nan_and_endless_numbers_cost_one_item_of_a_feed_at_most() -> None:
    items = '[{"id": NaN}, {"id": %s}, {"url": "https://h.example/1", "title": "T"}]' % ("9" * 5_000)
    found, _ = read(('{"version": "https://jsonfeed.org/version/1", "items": ' + items + "}").encode())
    assert [type(item).__name__ for item in found] == ["Rejected", "Rejected", "ArticleIn"]


def test_an_undated_item_is_dated_by_arrival() -> None:
    found, report = read(feed({"url": "https://h.example/1", "title": "T"}))
    assert isinstance(found[0], ArticleIn)
    assert found[0].published_at == NOW
    assert report.warnings[ARRIVAL] == 1


def test_an_array_of_articles_and_a_single_one_are_read_too() -> None:
    assert len(read([ARTICLE, {**ARTICLE, "id": "b", "url": "https://h.example/b"}])[0]) == 2
    assert len(read(json.dumps(ARTICLE, indent=2).encode())[0]) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_json_feeds_in_any_unicode_form_are_read(encoding: str) -> None:
    text = json.dumps(feed({"url": "https://h.example/1", "title": "Kůň"}), ensure_ascii=False)
    found, _ = read(text.encode(encoding))
    assert isinstance(found[0], ArticleIn)
    assert found[0].title == "Kůň"


def lines(*rows: bytes) -> list[Item]:
    return list(read_jsonl(io.BytesIO(b"\n".join(rows)), FeedReport("x")))


def row(**fields: Any) -> bytes:
    return json.dumps({**ARTICLE, **fields}).encode()


def test_jsonl_keeps_the_publishers_ids_and_passes_blank_lines() -> None:
    found = lines(b"\xef\xbb\xbf" + row(id="1"), b"", b"  ", row(id="2"))
    assert [item.id for item in found if isinstance(item, ArticleIn)] == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row(published_at="2026-03-01T08:00:00"), "no offset"),
        (row(published_at="yesterday"), "not a time"),
        (row(published_at=1_700_000_000), "RFC 3339"),
        (row(title=""), "title"),
        (row(title=" \n "), "title"),
        (row(title="x" * 100_000), "1000 characters"),
        (row(body="x" * 1_000_001), "1000000 characters"),
        (row(url="javascript:alert(1)"), "url"),
        (row(url="https://h.example/a\x00b"), "control characters"),
        (row(url="https://h.example/\ud800"), "control characters"),
        (row(id=""), "id"),
        (row(id="x" * 201), "id"),
        (row(headline="x"), "headline"),
        (row(news_value=9), "news_value"),
        (b'{"id": "a", "title": "ha', "broken JSON"),
        (b'{"id": NaN}', "NaN is no JSON number"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "a number too long"),
        (b'{"id": ' + b"[" * 100_000 + b"}", "nested too deeply"),
        (b'{"title": "caf\xe9"}', "not UTF-8 at byte 14"),
        (b"[]", "no JSON object"),
        (b'"x"', "no JSON object"),
        (b"\x00\x01", "broken JSON"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason_and_the_next_goes_in(line: bytes, reason: str) -> None:
    found = lines(row(id="before"), line, row(id="after"))
    assert [item.id for item in found if isinstance(item, ArticleIn)] == ["before", "after"]
    refused = found[1]
    assert isinstance(refused, Rejected)
    assert refused.where.startswith("line 2")
    assert reason in refused.reason
    assert len(refused.reason) <= 500


def test_nul_bytes_and_lone_surrogates_are_dropped_from_texts() -> None:
    found = lines(row(title="a\x00b\ud800c", body="x\x00\udfffy"))
    assert isinstance(found[0], ArticleIn)
    assert (found[0].title, found[0].body) == ("abc", "xy")


def test_an_endless_line_is_skipped_without_holding_it() -> None:
    class Endless:
        def __init__(self) -> None:
            self.pieces = [b"x" * (MAX_LINE_BYTES + 1)] * 20 + [b"end\n", row()]

        def readline(self, limit: int = -1) -> bytes:
            if not self.pieces:
                return b""
            piece, self.pieces[0] = self.pieces[0][:limit], self.pieces[0][limit:]
            if not self.pieces[0]:
                self.pieces.pop(0)
            return piece

    found = list(read_jsonl(Endless(), FeedReport("x")))
    assert isinstance(found[0], Rejected)
    assert "longer than 10,000,000 bytes" in found[0].reason
    assert isinstance(found[1], ArticleIn)


def test_a_large_jsonl_file_is_streamed(tmp_path: Path) -> None:
    file = tmp_path / "articles.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as stream:
        for number in range(400):
            stream.write(row(id=str(number), body="word " * 20_000) + b"\n")  # 40 MB in all
    tracemalloc.start()
    try:
        count = sum(isinstance(item, ArticleIn) for item in read_file(file, NOW, max_bytes=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 400
    assert peak < 5_000_000


def test_a_gzip_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "articles.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(row(id=str(n), body=str(n) * 500) for n in range(2_000)))[:-2_000])
    found = list(read_file(file, NOW))
    assert sum(isinstance(item, ArticleIn) for item in found) > 100
    assert isinstance(found[-1], Rejected)
    assert "damaged" in found[-1].reason


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        read_file(tmp_path / "none.xml", NOW)
    with pytest.raises(InvalidInput, match="regular file"):
        read_file(tmp_path, NOW)
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8bnot really")
    with pytest.raises(InvalidInput, match="damaged"):
        read_file(broken, NOW)


def test_a_50_mb_feed_file_and_a_gzip_bomb_are_too_large(tmp_path: Path) -> None:
    big, bomb = tmp_path / "big.xml", tmp_path / "bomb.xml.gz"
    with big.open("wb") as stream:
        stream.write(b"<rss>")
        stream.truncate(50_000_000)
    bomb.write_bytes(gzip.compress(b"<rss>" + bytes(50_000_000), 9))
    for file in (big, bomb):
        with pytest.raises(TooLarge, match="20,000,000 bytes"):
            read_file(file, NOW)
