"""A real browser without a window, asked by the DevTools protocol; it reaches no network.

Tests that use it are skipped where there is none: `apt-get install chromium`, or CHROMIUM=PATH.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60


def chromium() -> str:
    """Return the browser's path, or skip the test that asks for it."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no browser: install chromium, or set CHROMIUM to its path")
    return found


@contextmanager
def open_browser(profile):
    """Yield a `Tab` of a browser whose files are in the folder `profile`."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_tab_address(profile), max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()


def _tab_address(profile) -> str:
    """Wait until the browser has written which port it took; return the address of its tab."""
    told, deadline = profile / "DevToolsActivePort", time.monotonic() + _SECONDS
    while not (told.exists() and told.read_text().strip()):
        assert time.monotonic() < deadline, "the browser did not start"
        time.sleep(0.05)
    port = told.read_text().split()[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = json.load(answer)
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")


class Tab:
    """A page that is open: what it asked for, what went wrong, and what it looks like."""

    def __init__(self, socket):
        self._socket, self._ids = socket, itertools.count(1)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def visit(self, address, *, width=1280, height=900, dark=False):
        """Open an address in a window of this size, and wait until all of it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=width < 600, **metrics)
        self.requested, self.complaints, self._loaded = [], [], False
        self.call("Page.navigate", url=address)
        while not self._loaded:
            self._note(json.loads(self._socket.recv(timeout=_SECONDS)))

    def evaluate(self, expression):
        """Return what a line of JavaScript gives, past the page's own rules."""
        options = {"returnByValue": True, "awaitPromise": True}
        told = self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self, path):
        """Write the whole page, not only what fits the window, as a PNG."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {params['message']}")
            self._socket.send(
                json.dumps({"id": next(self._ids), "method": "Page.handleJavaScriptDialog",
                            "params": {"accept": True}})
            )  # fmt: skip
