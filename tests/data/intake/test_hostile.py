"""Documents made to hurt: bombs, outside entities, depth, markup and SQL in every field; then what chance brings."""

import json
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import InvalidInput, NewsbellError
from data.intake.items import FeedReport, Item, Origin, Rejected
from data.intake.read import read_bytes
from data.wire import ArticleIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEM = "<item><title>{}</title><link>https://h.example/1</link></item>"
PAGE = "<url><loc>https://h.example/1</loc><news:news xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><news:title>{}</news:title></news:news></url>"
DOCUMENTS = {
    "rss": "<rss version='2.0'><channel>" + ITEM + "</channel></rss>",
    "sitemap": "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>" + PAGE + "</urlset>",
}


def read(data: str | bytes) -> tuple[list[Item], FeedReport]:
    raw = data.encode() if isinstance(data, str) else data
    reading = read_bytes(raw, Origin("feed", NOW, "https://h.example/rss"))
    return list(reading), reading.report


def everything(items: list[Item]) -> str:
    return "".join(item.model_dump_json() if isinstance(item, ArticleIn) else item.reason for item in items)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_billion_laughs_stays_a_small_document(kind: str) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{levels}]>' + DOCUMENTS[kind].format("&l11;")
    began = time.process_time()
    found, _ = read(bomb)
    assert time.process_time() - began < 5
    assert len(everything(found)) < 2_000


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_one_large_entity_used_often_stays_small(kind: str) -> None:
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>' + DOCUMENTS[kind].format("&a;" * 1_000)
    found, _ = read(bomb)
    assert len(everything(found)) < 200_000


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("form", ['<!ENTITY x SYSTEM "{}">', '<!ENTITY % p SYSTEM "{}"> %p;'])
def test_files_named_by_a_document_are_never_read(kind: str, form: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text('<!ENTITY x "TOPSECRET">' if "%" in form else "TOPSECRET")
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [{form.format(secret.as_uri())}]>' + DOCUMENTS[kind].format("[&x;]")
    found, _ = read(bomb)
    assert "TOPSECRET" not in everything(found)


def test_absurd_depth_is_refused_or_survived() -> None:
    with pytest.raises(InvalidInput, match="deep"):
        read("<rss><channel><item><title>t</title>" + "<a>" * 50_000)
    nested = "&lt;div&gt;" * 20_000
    read(DOCUMENTS["rss"].format("t").replace("</item>", f"<description>{nested}x</description></item>"))
    read(DOCUMENTS["sitemap"].format("t").replace("</url>", "<a>" * 5_000 + "</url>"))


BUSY = {
    "author": "<author>" + "a" * 300_000 + "@</author>",
    "author in references": "<author>" + "&#97;" * 300_000 + "@</author>",
    "author's host": "<author>a@" + "a." * 150_000 + "@</author>",
    "tags": "<tags>" + ",".join(map(str, range(60_000))) + "</tags>",
    "categories": "".join(f"<category>{n}</category>" for n in range(20_000)),
    "tag soup": "<description>" + "&lt;div " * 30_000 + "</description>",
    "date": "<pubDate>" + "Mon, " * 50_000 + "</pubDate>",
}


@pytest.mark.parametrize("field", BUSY)
def test_no_field_keeps_the_reader_busy(field: str) -> None:
    began = time.process_time()
    read(DOCUMENTS["rss"].format("t").replace("</item>", BUSY[field] + "</item>"))
    assert time.process_time() - began < 10  # a quadratic reading takes minutes to hours


@pytest.mark.parametrize(
    "prologue", ["\n" * 60_000, "\n<!ENTITY " * 6_000, "\n<!DOCTYPE " * 6_000, "<!-- " + "\n" * 60_000]
)
def test_no_prologue_keeps_the_reader_busy(prologue: str) -> None:
    began = time.process_time()
    with suppress(NewsbellError):
        read('<?xml version="1.0"?>' + prologue + DOCUMENTS["rss"].format("t"))
    assert time.process_time() - began < 10


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE article; --",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "\u202etxt.exe",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_markup_and_sql_in_every_field_come_out_as_inert_text(attack: str) -> None:
    safe = attack.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    names = ("title", "link", "guid", "description", "author", "category", "pubDate", "comments")
    fields = "".join(f"<{name}>{safe}</{name}>" for name in names)
    link = "<link>https://h.example/1</link>"
    enclosure = f'<enclosure url="{safe}" type="image/png"/><source url="{safe}">{safe}</source>'
    found, _ = read(f"<rss><channel><title>{safe}</title><item>Good {fields}{link}{enclosure}</item></channel></rss>")
    for item in found:
        if isinstance(item, ArticleIn):
            assert item.url.startswith("https://")
            assert item.image_url is None or item.image_url.startswith("https://")
            assert "<script" not in item.title + item.summary + item.body + (item.author or "")
            assert "<img" not in item.title + item.summary + item.body


SEEDS = [
    DOCUMENTS["rss"].format("Bread &amp; roses").encode(),
    DOCUMENTS["sitemap"].format("Bread &amp; roses").encode(),
    b"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://x.example/">
    <title type="html">A &lt;b&gt;blog&lt;/b&gt;</title><entry><id>tag:x,1</id><title>T</title><link href="a"/>
    <updated>2026-03-01T00:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">x</div></content>
    </entry></feed>""",
    json.dumps(
        {
            "version": "https://jsonfeed.org/version/1",
            "items": [{"id": "1", "url": "https://h.example/1", "title": "T"}],
        }
    ).encode(),
    b'{"id":"a","url":"https://h.example/a","title":"T","published_at":"2026-03-01T08:00:00Z"}\n{"id":',
]
MARKS = rb"""< > & ]]> <![CDATA[ <!-- &#x0; &#xD800; http://[ { \ud800 " xml:base='http://[' <item> </entry> NaN
<!DOCTYPE encoding='utf-16' """
PIECES = [*MARKS.split(), b"\x00", b"\xff"]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        data[at : at + length] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(spoiled())
def test_no_spoiled_document_crashes_the_reader(data: bytes) -> None:
    try:
        found, _ = read(data)
    except NewsbellError:
        return
    assert all(isinstance(item, ArticleIn | Rejected) for item in found)


def test_no_spoiled_real_feed_crashes_the_reader(shared_data: Path) -> None:
    folder = shared_data / "feeds"
    if not folder.is_dir():
        pytest.skip("needs the feed suites of ../shared/data/feeds, which are not here")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 20_000)
    chance = random.Random(1)
    for file in chance.sample(files, 300):
        data = bytearray(file.read_bytes())
        for _ in range(chance.randint(1, 10)):
            at = chance.randint(0, len(data))
            data[at : at + chance.randint(0, 20)] = chance.choice(PIECES)
        try:
            read(bytes(data))
        except NewsbellError:
            continue
