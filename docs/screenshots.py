"""Take the pictures of the README from a running demo.

newsbell demo --port 8000        # in one terminal
python docs/screenshots.py       # in another; an address may follow
"""

import importlib.util
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
READER = "reader-003"


def main(base: str) -> None:
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
        browser.close()


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
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
