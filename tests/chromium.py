"""Find a Chromium for the browser tests, or install one. Run by `make test`; prints nothing when one is there."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium: NEWSBELL_TEST_CHROMIUM, one on PATH, or the one Playwright installed."""
    named = os.environ.get("NEWSBELL_TEST_CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None  # noqa: PTH110


def install() -> None:
    """By the system's packages where we may, else by Playwright's own download."""
    apt = shutil.which("apt-get")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if apt and (not as_root or shutil.which("sudo")):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run([*as_root, apt, *arguments], check=False, env=environment, capture_output=True)
    if find() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__" and find() is None:
    sys.stdout.write("Installing Chromium for the browser tests (once) ...\n")
    install()
    if find() is None:
        sys.exit("No Chromium could be installed; install one and name it in NEWSBELL_TEST_CHROMIUM")
