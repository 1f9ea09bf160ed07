"""Chromium driven through its devtools protocol, over pipes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Seconds within which the browser answers.
_PATIENCE = 60.0


def chromium() -> str | None:
    """The browser's program, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """One page in a headless browser."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._count, self._rest = send, receive, 0, b""
        self.messages: list[dict[str, Any]] = []
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(t for t in targets if t["type"] == "page")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.call(f"{part}.enable")

    def call(self, method: str, **values: object) -> dict[str, Any]:
        """A method of the protocol on this page."""
        return self._call(method, self._session, **values)

    def _call(self, method: str, session: str | None = None, **values: object) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": values} | ({"sessionId": session} if session else {})
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._read()
            if reply.get("id") == self._count:
                if "error" in reply:
                    raise RuntimeError(reply["error"]["message"])
                return reply["result"]
            self.messages.append(reply)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            # A browser that no longer answers must not keep the tests for ever.
            if not select.select([self._receive], [], [], _PATIENCE)[0]:
                raise TimeoutError("the browser does not answer")
            got = os.read(self._receive, 1 << 16)
            if not got:
                raise RuntimeError("the browser has gone")
            self._rest += got
        line, self._rest = self._rest.split(b"\0", 1)
        return json.loads(line)

    def goto(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited; as if a person had just clicked, so that sound may begin."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", "a script failed"))
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > until:
                raise TimeoutError(script)
            time.sleep(0.05)

    def key(self, key: str, code: int = 0, text: str = "") -> None:
        """Presses and lets go of a key."""
        values = {"key": key, "code": key, "windowsVirtualKeyCode": code} | ({"text": text} if text else {})
        self.call("Input.dispatchKeyEvent", type="keyDown", **values)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def complaints(self) -> list[str]:
        """Errors that the page has logged."""
        self.run("0")
        found = []
        for message in self.messages:
            if message.get("method") == "Runtime.exceptionThrown":
                found.append(message["params"]["exceptionDetails"]["exception"].get("description", "an exception"))
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                found.append(message["params"]["entry"]["text"])
        return found


@contextlib.contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """A page of a headless Chromium whose profile is in ``folder``."""
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [chromium() or "", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--remote-debugging-pipe", f"--user-data-dir={folder}", "--mute-audio", "about:blank"]

    def keep() -> None:
        # The browser expects its end of the pipes as 3 and 4.
        high = [os.dup2(fd, 100 + n) for n, fd in enumerate((to_browser[0], from_browser[1]))]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    browser = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=keep,
        start_new_session=True,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Page(to_browser[1], from_browser[0])
    finally:
        # With its renderers, which would go on without it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        os.close(to_browser[1])
        os.close(from_browser[0])
