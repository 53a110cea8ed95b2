"""The reader's pages as they are served, without a browser."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from recommender.web.pages.render import ICONS, initial

HTML = {"accept": "text/html"}
NASTY = '<script>alert(1)</script> & "quotes"'


@pytest.fixture
def pages(demo_room: Any, item: Callable[..., dict[str, Any]]) -> httpx.Client:
    """A demo of a few articles and a reader."""
    batch = [
        item("a1", summary="Trams cross again.", body="First paragraph.\n\nSecond paragraph.", topics=["trams"]),
        item("a2", title=NASTY, body="Trams cross the bridge again after repairs, says the ferry company."),
        item("a/3", title="Řeka stoupá", body="Voda v řece stoupá.", language="cs", category="world"),
        item("later", embargo_until="2190-01-01T00:00:00Z"),
    ]
    assert demo_room.client("ingest").put("/v1/articles", json=batch).json()["new"] == 4
    choices = {"zone": "Europe/Prague", "followed_topics": ["trams"]}
    assert demo_room.client("app").put("/v1/readers/reader-1", json=choices).status_code == 200
    client: httpx.Client = demo_room.client(None)
    return client


def test_home_lists_articles_for_the_chosen_reader_and_says_why(pages: httpx.Client) -> None:
    page = shown(pages, "/?reader=reader-1", "a%2F3")
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    assert 'lang="cs"' in page
    assert "reader-1, Prague: trams" in page
    assert 'class="why"' in page
    assert "<details" in page
    assert "later" not in page


def test_html_in_a_title_is_text(pages: httpx.Client) -> None:
    for path in ("/?reader=reader-1", "/a/a2?reader=reader-1"):
        page = shown(pages, path, "&lt;script&gt;alert(1)")
        assert "<script>" not in page
        assert " style=" not in page
        assert " onerror=" not in page


def test_the_article_page_has_its_text_and_what_to_read_next(pages: httpx.Client) -> None:
    page = shown(pages, "/a/a1?reader=reader-1", 'id="related"')
    assert "<p>First paragraph.</p>" in page
    assert "<p>Second paragraph.</p>" in page
    assert "1 hour ago" in page
    assert "<time datetime=" in page


@pytest.mark.parametrize("path", ["/a/later", "/a/never", "/?colour=red", "/?reader=" + "x" * 300])
def test_what_cannot_be_shown_is_a_page_that_says_so(pages: httpx.Client, path: str) -> None:
    answer = pages.get(path, headers=HTML)
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"].startswith("text/html")


def test_marking_as_read_works_without_a_script_and_only_once(pages: httpx.Client) -> None:
    form = {"reader": "reader-1", "article": "a1"}
    for _ in range(2):
        answer = pages.post("/read", data=form, headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/a/a1?reader=reader-1"
    assert "has read this" in pages.get("/a/a1?reader=reader-1").text
    home = pages.get("/?reader=reader-1").text
    assert "Read last" in home
    assert home.count("/a/a1?") == 1  # among what was read, not in the list


def test_a_form_of_another_site_is_refused(pages: httpx.Client) -> None:
    form = {"reader": "reader-1", "article": "a1"}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}):
        assert pages.post("/read", data=form, headers=headers).status_code == 403
    for body in (b"reader=reader-1", b"\xff\xff", b"a=1&" * 50):
        assert pages.post("/read", content=body).status_code == 422
    assert pages.post("/read", data=form | {"article": "never"}).status_code == 422


def test_somebody_new_becomes_a_reader_of_their_own(pages: httpx.Client) -> None:
    answer = pages.get("/?reader=new&language=")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/?reader=newcomer-")
    assert "nothing yet" in pages.get(answer.headers["location"]).text


def test_without_public_reads_there_are_no_pages(newsroom: Any) -> None:
    client = newsroom.client(None)
    assert client.get("/").headers["location"] == "/docs"
    assert client.get("/a/a1").status_code == 404
    assert client.post("/read", data={"reader": "r", "article": "a"}).status_code == 404


@pytest.mark.parametrize(("name", "letter"), [("The Courier", "C"), ("東京新聞", "東"), ("the", "T"), ("élan", "É")])
def test_a_monogram_is_the_letter_people_would_look_for(name: str, letter: str) -> None:
    assert initial(name) == letter


def shown(pages: httpx.Client, path: str, text: str) -> str:
    """The page at `path`, which must hold `text`."""
    answer = pages.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    assert text in answer.text
    return answer.text


def test_where_little_is_related_the_section_follows_under_its_own_heading(pages: httpx.Client) -> None:
    page = shown(pages, "/a/a1?reader=reader-1", 'id="related"')
    headings = re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert headings[0] in {"Related Articles", "More from city", "Latest"}
    assert headings[1:] in ([], ["More from City"])


def test_the_stylesheet_stays_small() -> None:
    assert (ICONS.parent / "page.css").stat().st_size < 12_000
