"""The reader's pages in a real Chromium: how they look is for people, everything else is checked here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
HOME = "/?reader=reader-002"
Open = Callable[..., Any]


@pytest.fixture
def look(browser: Browser, sample_url: str) -> Open:
    """Opens pages; at the end no page may have complained or asked anybody but this server."""

    @contextmanager
    def opened(**options: Any) -> Iterator[Page]:
        context = browser.new_context(base_url=sample_url, **options)
        page, complaints, asked = context.new_page(), [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        context.close()
        assert complaints == []
        assert [url for url in asked if not url.startswith(sample_url)] == []

    return opened


@pytest.mark.parametrize(("scheme", "width", "other"), [("light", 1280, 320), ("dark", 320, 1280)])
def test_pages_are_accessible_and_fit(look: Open, scheme: str, width: int, other: int) -> None:
    """Each scheme and each width is judged once, for neither depends on the other; every page fits both widths."""
    with look(color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        for path in (HOME, first_article(page), "/docs", "/?reader=new"):
            page.goto(path)
            for summary in page.locator("summary").all()[:2]:
                summary.click()
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            for fitting in (width, other, width):
                page.set_viewport_size({"width": fitting, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= fitting
            assert page.locator("h1").count() == 1


def first_article(page: Page) -> str:
    page.goto(HOME)
    return str(page.locator(".cards h2 a").first.get_attribute("href"))


def test_home_has_titles_sources_icons_ages_and_reasons(look: Open) -> None:
    with look() as page:
        page.goto(HOME)
        cards = page.locator(".cards > li")
        assert cards.count() >= 10
        for card in cards.all():
            assert card.locator("h2 a").inner_text()
            assert card.locator(".source").inner_text()
            assert card.locator(".icon").count() == 1
            assert "ago" in card.locator("time").inner_text()
            assert card.locator(".why").inner_text()
        for icon in page.locator("img.icon").all():
            icon.scroll_into_view_if_needed()
            assert icon.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0


def test_the_keyboard_leads_from_home_to_an_article_to_a_related_one(look: Open) -> None:
    with look() as page:
        page.goto(HOME)
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, ".cards h2 a")
        page.keyboard.press("Enter")
        page.wait_for_url("**/a/**")
        first = page.url
        tab_to(page, ".related h3 a")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/a/" in url and url != first)
        assert "reader=reader-002" in page.url


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element of `selector` has the focus, which must be visible."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none"
            return
    pytest.fail(f"{selector} cannot be reached by the keyboard")


def test_opening_an_article_takes_it_out_of_the_list(look: Open) -> None:
    with look() as page:
        page.goto("/?reader=reader-011")
        link = page.locator(".cards h2 a").first
        title = link.inner_text()
        link.click()
        expect(page.locator("#read-status")).to_contain_text("has read this")
        page.goto("/?reader=reader-011")
        assert title not in page.locator(".cards h2 a").all_inner_texts()
        assert page.locator(".about li a").first.inner_text() == title


def test_everything_works_without_scripts(look: Open) -> None:
    with look(java_script_enabled=False) as page:
        page.goto("/?reader=reader-012")
        title = page.locator(".cards h2 a").first.inner_text()
        page.locator(".cards h2 a").first.click()
        page.get_by_role("button", name="Mark as read").click()
        assert "has read this" in page.locator("#read-status").inner_text()
        page.get_by_role("link", name="For you, reader-012").click()
        assert title not in page.locator(".cards h2 a").all_inner_texts()
        page.get_by_label("Read as").select_option("reader-001")
        page.get_by_role("button", name="Show").click()
        assert "reader=reader-001" in page.url


def test_a_section_and_a_language_narrow_the_list(look: Open) -> None:
    with look() as page:
        page.goto(HOME)
        page.locator(".sections a").nth(1).click()
        wanted = page.locator(".sections [aria-current]").inner_text()
        assert set(page.locator(".category").all_inner_texts()) == {wanted}
        page.get_by_label("Language").select_option(index=1)
        page.get_by_role("button", name="Show").click()
        assert "language=" in page.url


def test_somebody_new_sees_the_list_change_after_one_read(look: Open) -> None:
    with look() as page:
        page.goto("/?reader=new")
        page.wait_for_url("**reader=newcomer-**")
        home = page.url
        before = page.locator(".cards h2 a").all_inner_texts()
        page.locator(".cards h2 a").nth(3).click()
        expect(page.locator("#read-status")).to_contain_text("has read this")
        page.goto(home)
        after = page.locator(".cards h2 a").all_inner_texts()
        assert before[3] not in after
        assert after != [title for title in before if title != before[3]]


def test_little_related_is_filled_up_visibly_from_the_section(look: Open) -> None:
    with look(java_script_enabled=False) as page:
        page.goto(HOME)
        for path in [str(link.get_attribute("href")) for link in page.locator(".cards h2 a").all()]:
            page.goto(path)
            related = page.locator("[aria-labelledby=related] .cards > li").count()
            more = page.locator("[aria-labelledby=more]")
            assert related >= 1
            assert more.count() == 0 or related < 3
            if more.count():
                assert more.get_by_role("heading", level=2).inner_text().startswith("More from ")
                links = page.locator(".related h3 a")
                addresses = [link.get_attribute("href") for link in links.all()]
                assert len(addresses) == len(set(addresses))
