import gzip
from datetime import UTC, datetime

import pytest

from data.intake.items import FeedReport, Item, Origin, Rejected
from data.intake.read import read_bytes
from data.wire import ArticleIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPACES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
)
PAGE = """<url><loc>https://h.example/a?utm_source=x</loc><lastmod>2020-01-01</lastmod>
<news:news><news:publication><news:name>The Herald</news:name><news:language>zh-cn</news:language></news:publication>
<news:publication_date>2026-03-01T08:00:00+01:00</news:publication_date>
<news:title>Bread &amp; <![CDATA[<b>roses</b>]]></news:title>
<news:keywords>food, paris</news:keywords></news:news>
<image:image><image:loc>/p.jpg</image:loc><image:title>Loaf</image:title></image:image></url>"""


def read(text: str | bytes) -> tuple[list[Item], FeedReport]:
    raw = text.encode() if isinstance(text, str) else text
    reading = read_bytes(raw, Origin("map", NOW, "https://h.example/sitemap.xml"))
    return list(reading), reading.report


def urlset(*pages: str) -> str:
    return f'<?xml version="1.0"?><urlset {SPACES}>{"".join(pages)}</urlset>'


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_news_sitemap_gives_articles(pack: type[bytes]) -> None:
    found, report = read(pack(urlset(PAGE).encode()))
    article = found[0]
    assert isinstance(article, ArticleIn)
    assert (article.id, article.title) == ("https://h.example/a", "Bread & roses")
    assert article.published_at == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert (article.language, article.topics) == ("zh-cn", ["food", "paris"])
    assert article.image_url == "https://h.example/p.jpg"
    assert article.source is not None
    assert (article.source.id, article.source.name) == ("h.example", "The Herald")
    assert (report.kind, report.title) == ("news sitemap", "The Herald")


def test_pages_of_a_plain_sitemap_are_counted_not_taken() -> None:
    found, report = read(urlset("<url><loc>https://h.example/1</loc></url>" * 3, "<url><loc>nowhere</loc></url>"))
    assert all(isinstance(item, Rejected) for item in found)
    assert report.kind == "sitemap"
    assert report.rejected["no title: a plain sitemap lists pages, not articles"] == 4


def test_a_page_without_an_address_is_rejected() -> None:
    found, _ = read(urlset("<url><loc>mailto:x</loc></url>", PAGE))
    assert isinstance(found[0], Rejected)
    assert found[0].reason.startswith("no link")
    assert isinstance(found[1], ArticleIn)


def test_a_date_only_page_is_dated_at_midnight_utc_and_flagged() -> None:
    found, report = read(urlset(PAGE.replace("2026-03-01T08:00:00+01:00", "2026-03-01")))
    assert isinstance(found[0], ArticleIn)
    assert found[0].published_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert report.warnings["a date without a zone was read as UTC"] == 1


def test_an_index_lists_its_sitemaps_newest_first() -> None:
    old, new = "<loc>https://h.example/1.xml</loc>", "<loc><![CDATA[https://h.example/2.xml]]></loc>"
    found, report = read(
        f"<sitemapindex {SPACES}><sitemap>{old}<lastmod>2020-01-01</lastmod></sitemap>"
        f"<sitemap>{new}<lastmod>2026-01-01</lastmod></sitemap></sitemapindex>"
    )
    assert found == []
    assert report.kind == "sitemap index"
    assert report.children == ["https://h.example/2.xml", "https://h.example/1.xml"]


def test_a_sitemap_that_breaks_off_gives_what_it_has() -> None:
    found, _ = read(urlset(PAGE)[:-12] + "<url><loc>https://h.exa")
    assert isinstance(found[0], ArticleIn)
