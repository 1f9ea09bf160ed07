"""Chromium and Firefox of the system, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: Programs of a browser, by its name in Playwright.
PROGRAMS = {"chromium": ("chromium", "chromium-browser"), "firefox": ("firefox-esr", "firefox")}
#: Headless browsers play sound to nowhere, and need no click before.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
_ARGUMENTS += ["--autoplay-policy=no-user-gesture-required"]
#: The first Firefox with ``network.addDataCollector``.
_LEAST_FIREFOX = 143
_CAMERA = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
_PREFERENCES = {"media.autoplay.default": 0, "media.autoplay.blocking_policy": 0}


def _end_browsers() -> None:
    """Kill the browsers and Playwright's drivers that this process has started, and print what they used."""
    import psutil

    started = [
        each for each in psutil.Process().children(recursive=True) if re.search("chrom|firefox|node", each.name())
    ]
    for each in started:
        with contextlib.suppress(psutil.Error):
            kind = next((part for part in each.cmdline() if part.startswith("--type=")), "")
            used = f"{sum(each.cpu_times()[:2]):.0f} s of processor time, {each.num_threads()} threads"
            print(f"killed: {each.name()} {kind}: {used}", file=sys.__stderr__)
            each.kill()


@contextlib.contextmanager
def browsers_end_after(seconds: float) -> Iterator[None]:
    """Kill the browsers of this process when the block takes too long.

    A call of Playwright waits without a limit for a page that does not answer, and so does closing the browser. With
    the browser and the driver gone, both raise.
    """
    timer = threading.Timer(seconds, _end_browsers)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def program(name: str) -> str | None:
    """The path of a browser's program, or None."""
    return next((found for each in PROGRAMS[name] if (found := shutil.which(each))), None)


def _major(name: str) -> int:
    """The main version of a browser."""
    told = subprocess.run([str(program(name)), "--version"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"(\d+)\.", told)
    return int(found[1]) if found else 0


def missing(name: str) -> str:
    """Why a browser cannot be driven, or ""."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright (pip install playwright)"
    if name == "firefox" and "firefox" not in os.environ.get("D2M_TEST_BROWSERS", ""):
        return "runs with D2M_TEST_BROWSERS=firefox, since it doubles the time"
    if not program(name):
        return f"needs {' or '.join(PROGRAMS[name])}"
    if name == "firefox" and _major(name) < _LEAST_FIREFOX:
        return f"needs Firefox {_LEAST_FIREFOX} or newer, which Playwright can drive"
    # Its clock of sound stands still without a device.
    return "needs pulseaudio" if name == "firefox" and not shutil.which("pulseaudio") else ""


@contextlib.contextmanager
def _silent_device() -> Iterator[dict[str, str]]:
    """A sound device that plays to nowhere in real time, as environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "native"
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["-L", "module-null-sink", "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"]
        home = {"HOME": folder, "PULSE_RUNTIME_PATH": folder}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=os.environ | home, **quiet) as server:  # type: ignore[call-overload]
            try:
                until = time.monotonic() + 30
                while not socket.exists() and time.monotonic() < until:
                    time.sleep(0.05)
                yield {"PULSE_SERVER": f"unix:{socket}"}
            finally:
                server.terminate()


@contextlib.contextmanager
def open_browser(name: str, camera: Path | None = None) -> Iterator[Browser]:
    """A headless browser. The system's Firefox is driven by WebDriver BiDi, which Playwright calls a channel.

    Args:
        name: "chromium" or "firefox".
        camera: Motion JPEG that Chromium's camera shows again and again; without it there is no camera.
    """
    from playwright.sync_api import sync_playwright

    with contextlib.ExitStack() as stack:
        driver = stack.enter_context(sync_playwright())
        if name == "chromium":
            seen = [*_CAMERA, f"--use-file-for-fake-video-capture={camera}"] if camera else []
            browser = driver.chromium.launch(executable_path=program(name), args=[*_ARGUMENTS, *seen])
        else:
            device = stack.enter_context(_silent_device())
            browser = driver.firefox.launch(
                executable_path=program(name),
                channel="moz-firefox",
                firefox_user_prefs=_PREFERENCES,
                env=os.environ | device,
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


@contextlib.contextmanager
def open_visit(name: str) -> Iterator[Visit]:
    """A page of a browser of its own."""
    with open_browser(name) as browser:
        visit = Visit(browser)
        try:
            yield visit
        finally:
            visit.close()
