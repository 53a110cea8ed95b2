"""Take the pictures of the README from a running demo.

newsbell demo --port 8000                            # in one terminal
python docs/screenshots.py                           # in another; an address may follow,
python docs/screenshots.py ADDRESS EMAIL PASSWORD    # and a sign-in, for the pictures of the console
"""

import importlib.util
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
READER = "reader-003"


def main(base: str, *sign_in: str) -> None:
    """Write images/home.png (light) and images/article.png (dark)."""
    images = HERE / "images"
    images.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=ARGUMENTS)
        light = browser.new_page(base_url=base, viewport={"width": 1120, "height": 780}, color_scheme="light")
        light.goto(f"/?reader={READER}")
        light.locator("summary").first.click()
        light.screenshot(path=images / "home.png")
        dark = browser.new_page(base_url=base, viewport={"width": 1120, "height": 780}, color_scheme="dark")
        dark.goto(_richest(browser, base))
        dark.locator(".related").first.evaluate("block => scrollTo(0, block.offsetTop - 330)")
        dark.screenshot(path=images / "article.png")
        if sign_in:
            _console(browser, base, images, *sign_in)
        browser.close()


def _console(browser: Browser, base: str, images: Path, email: str, password: str) -> None:
    """Write images/ranking.png (light): freshness lowered, and what moves."""
    page = browser.new_page(base_url=base, viewport={"width": 1280, "height": 860}, color_scheme="light")
    page.goto("/console/ranking/for_you?freshness=0.12")
    page.fill("#email", email)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.locator("#preview summary").nth(2).click()
    page.screenshot(path=images / "ranking.png")


def _richest(browser: Browser, base: str) -> str:
    """The article of the list with the most related ones; looked for without scripts, so that nothing is read."""
    page = browser.new_page(base_url=base, java_script_enabled=False)
    page.goto(f"/?reader={READER}")
    found = [str(link.get_attribute("href")) for link in page.locator(".cards h2 a").all()]
    related = {}
    for path in found:
        page.goto(path)
        related[path] = page.locator("#related ~ .cards > li").count()
    return max(found, key=lambda path: related[path])


def _chromium() -> str | None:
    """The browser of the tests; None lets Playwright use its own."""
    spec = importlib.util.spec_from_file_location("chromium", HERE.parent / "tests" / "chromium.py")
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: str | None = module.find()
    return found


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http://127.0.0.1:8000"]))
