"""A headless Chromium that this machine has; Playwright drives it, and fetches none by itself.

It reaches this machine alone. Tests that use it are skipped where there is none: `apt-get install
chromium`, or CHROMIUM=PATH.
"""

import os
import shutil
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


@contextmanager
def open_browser():
    """Yield a browser, one at a time in a process; skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no browser: install chromium, or set CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", _ALONE])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(browser):
    """Yield a `Tab` of a browser."""
    tab = Tab(browser.new_page())
    try:
        yield tab
    finally:
        tab.page.close()


class Tab:
    """A page that is open: what it asked for, what went wrong, and what it looks like.

    Attributes:
        page: Playwright's.
        requested: addresses, since the last visit.
        complaints: errors, warnings and dialogs, since the last visit.
    """

    def __init__(self, page):
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(f"Uncaught {error}"))
        page.on("console", self._take_line)
        page.on("dialog", self._take_dialog)

    def visit(self, address, *, width=1280, height=900, dark=False):
        """Open an address in a window of this size, and wait until all of it is there."""
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.set_viewport_size({"width": width, "height": height})
        self.requested.clear()
        self.complaints.clear()
        self.page.goto(address, wait_until="load")

    def evaluate(self, expression):
        """Return what a line of JavaScript gives, past the page's own rules."""
        return self.page.evaluate(expression)

    def _take_line(self, line):
        if line.type in ("error", "warning"):
            self.complaints.append(line.text)

    def _take_dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.accept()
