"""Take the pictures of the README from a running demo.

newsbell demo --port 8000        # in one terminal
python docs/screenshots.py       # in another; an address may follow
"""

import importlib.util
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
READER = "reader-002"


def main(base: str) -> None:
    """Write images/home.png (light) and images/article.png (dark)."""
    images = HERE / "images"
    images.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=ARGUMENTS)
        light = browser.new_page(base_url=base, viewport={"width": 1200, "height": 860}, color_scheme="light")
        light.goto(f"/?reader={READER}")
        light.locator("summary").first.click()
        light.screenshot(path=images / "home.png")
        dark = browser.new_page(base_url=base, viewport={"width": 1200, "height": 860}, color_scheme="dark")
        dark.goto(light.locator(".cards h2 a").first.get_attribute("href") or "/")
        dark.locator(".related").evaluate("block => scrollTo(0, block.offsetTop - 400)")
        dark.screenshot(path=images / "article.png")
        browser.close()


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
