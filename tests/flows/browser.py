"""A headless Chromium that this machine has; Playwright drives it and fetches none by itself."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def open_browser():
    """Yield a browser, one at a time in a process; skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser):
    """Yield an empty page and the list of what goes wrong in it, errors and warnings."""
    page, wrong = browser.new_page(viewport={"width": 1100, "height": 800}), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None,
    )
    try:
        yield page, wrong
    finally:
        page.close()
