"""A headless browser, spoken to in the protocol of WebDriver, which takes no package."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = shutil.which("chromedriver")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
MISSING = "" if DRIVER and BROWSER else "no chromium with its chromedriver is installed"

_PATIENCE = 60.0  # s
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
              "--hide-scrollbars", "--no-first-run", "--disable-background-networking")  # fmt: skip


class Browser:
    """A session of the browser.

    Parameters
    ----------
    address : str
        Of its driver.
    """

    def __init__(self, address: str) -> None:
        chrome = {"binary": BROWSER, "args": list(_ARGUMENTS)}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": logs}
        self._at = f"{address}/session"
        begun = self._ask("", capabilities={"alwaysMatch": wanted})
        self._at += f"/{begun['sessionId']}"

    def _ask(self, path: str, method: str = "POST", **told: Any) -> Any:
        body = json.dumps(told).encode() if method == "POST" else None
        request = Request(
            self._at + path, body, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urlopen(request, timeout=_PATIENCE) as answer:
                return json.load(answer)["value"]
        except HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._ask("/url", url=page.resolve().as_uri())

    def run(self, script: str, *given: Any) -> Any:
        """Run a script in the page; return what it returns."""
        return self._ask("/execute/sync", script=script, args=list(given))

    def devtools(self, command: str, **told: Any) -> Any:
        """Give a command of the browser's developer tools."""
        return self._ask("/goog/cdp/execute", cmd=command, params=told)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """Show the page on a screen of so many pixels, in the light or dark scheme."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def point(self, x: float, y: float, press: bool = False) -> None:
        """Move the mouse to a place of the window, and click there."""
        steps: list[dict[str, Any]] = [{"type": "pointerMove", "x": round(x), "y": round(y)}]
        if press:
            steps += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._ask("/actions", actions=[{"type": "pointer", "id": "mouse", "actions": steps}])

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("/actions", actions=[{"type": "key", "id": "keys", "actions": steps}])

    def complaints(self) -> list[str]:
        """Return what the browser has complained of since it was asked last."""
        return [entry["message"] for entry in self._ask("/se/log", type="browser")]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call, without what the browser refused."""
        told = [
            json.loads(entry["message"])["message"]
            for entry in self._ask("/se/log", type="performance")
        ]
        refused = {
            one["params"]["requestId"]
            for one in told
            if one["method"] == "Network.loadingFailed" and one["params"].get("blockedReason")
        }
        asked = [one["params"] for one in told if one["method"] == "Network.requestWillBeSent"]
        urls = [one["request"]["url"] for one in asked if one["requestId"] not in refused]
        return [url for url in urls if not url.startswith("data:")]

    def close(self) -> None:
        """End the session."""
        self._ask("", method="DELETE")


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Give a browser with its driver, both ended afterwards."""
    assert DRIVER is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=quiet, stderr=quiet)
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        browser = Browser(f"http://127.0.0.1:{port}")
        try:
            yield browser
        finally:
            with suppress(AssertionError):
                browser.close()
    finally:
        driver.terminate()
        driver.wait(_PATIENCE)


def _wait_for(address: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with urlopen(f"{address}/status", timeout=_PATIENCE) as answer:
                if json.load(answer)["value"]["ready"]:
                    return
        except (URLError, ConnectionError):
            pass
        assert time.monotonic() < end, "the driver of the browser does not answer"
        time.sleep(0.05)
