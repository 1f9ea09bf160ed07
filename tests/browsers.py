"""Chromium and Firefox of the system, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: Programs of a browser, by its name in Playwright.
PROGRAMS = {"chromium": ("chromium", "chromium-browser"), "firefox": ("firefox-esr", "firefox")}
#: Headless browsers play sound to nowhere, and need no click before.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
_ARGUMENTS += ["--autoplay-policy=no-user-gesture-required"]
_PREFERENCES = {"media.autoplay.default": 0, "media.autoplay.blocking_policy": 0}


def program(name: str) -> str | None:
    """The path of a browser's program, or None."""
    return next((found for each in PROGRAMS[name] if (found := shutil.which(each))), None)


def missing(name: str) -> str:
    """Why a browser cannot be driven, or ""."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright (pip install playwright)"
    return "" if program(name) else f"needs {' or '.join(PROGRAMS[name])}"


@contextlib.contextmanager
def open_browser(name: str) -> Iterator[Browser]:
    """A headless browser. The system's Firefox is driven by WebDriver BiDi, which Playwright calls a channel."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        if name == "chromium":
            browser = driver.chromium.launch(executable_path=program(name), args=_ARGUMENTS)
        else:
            browser = driver.firefox.launch(
                executable_path=program(name), channel="moz-firefox", firefox_user_prefs=_PREFERENCES
            )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One page of a browser, and what it complained about."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(**({"locale": "en-GB"} | options))
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.addresses: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))
        self.page.on("request", lambda request: self.addresses.append(request.url))

    def run(self, script: str) -> Any:
        """The value of an expression."""
        return self.page.evaluate(f"async () => ({script})")

    def until(self, script: str, seconds: float = 20.0) -> None:
        """Wait until an expression is true. The page's policy forbids what Playwright's own waiting does."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}; the page complains: {self.complaints}")
            time.sleep(0.04)

    def close(self) -> None:
        self.context.close()
