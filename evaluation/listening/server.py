"""Web server of a listening test: serves the page and stores the answers."""

from __future__ import annotations

import contextlib
import re
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from d2m.errors import D2MError
from d2m.evaluation.listening.answers import MAX_BYTES, parse, read_key
from d2m.files.atomic import atomic_write

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".wav": "audio/wav",
}
#: Listeners kept at most: a flood of made-up answers must not fill the disk.
MAX_LISTENERS = 10_000
_BLOCK = 1 << 16


class ListeningServer(ThreadingHTTPServer):
    """Serves ``folder/page`` and keeps answers in ``folder/answers``.

    Nothing else of the disk can be read: only the files that are in the page's folder when the server starts.

    Args:
        folder: folder of a listening test.
        host, port: to listen on; loopback by default. Port 0 takes a free one.

    Raises:
        D2MError: if there is no test in the folder, or the port is taken.
    """

    daemon_threads = True
    #: What the page may load and run: its own files alone.
    policy = "default-src 'self'"

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 8080) -> None:
        self.key = read_key(folder)
        self.answers = folder / "answers"
        page = folder / "page"
        self.files = {f"/{p.relative_to(page).as_posix()}": p for p in page.rglob("*") if p.is_file()}
        if "/index.html" not in self.files:
            raise D2MError(f"{page} is incomplete; make the listening test again")
        self.files["/"] = self.files["/index.html"]
        try:
            super().__init__((host, port), partial(_Handler))
        except OSError as error:
            raise D2MError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from error
        self.bound: tuple[str, int] = self.socket.getsockname()[:2]

    @property
    def url(self) -> str:
        """Address for browsers."""
        host, port = self.bound
        return f"http://{host}:{port}/"


class _Handler(BaseHTTPRequestHandler):
    server: ListeningServer
    protocol_version = "HTTP/1.1"
    server_version = "d2m"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        path = self.server.files.get(self.path.split("?")[0])
        if path is None:
            self._say(404, "not found")
            return
        size = path.stat().st_size
        part = _part(self.headers.get("Range", ""), size)
        if part and part[0] > part[1]:
            self._say(416, "no such range")
            return
        first, last = part or (0, size - 1)
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self._guard()
        self.end_headers()
        # A listener who moves on closes the connection: nothing to be done.
        with contextlib.suppress(ConnectionError, TimeoutError), open(path, "rb") as file:
            file.seek(first)
            left = last - first + 1
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                self.wfile.write(block)
                left -= len(block)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/answers" or not length.isdigit() or int(length) > MAX_BYTES:
            self.close_connection = True
            self._say(404 if self.path != "/answers" else 413, "not accepted")
            return
        data = self.rfile.read(int(length))
        try:
            listener = parse(data, self.server.key)
            file = self.server.answers / f"{listener.name}.json"
            if not file.exists() and _count(self.server.answers) >= MAX_LISTENERS:
                raise D2MError("the limit of answers is reached")
            with atomic_write(file) as temporary:
                temporary.write_bytes(data)
        except D2MError as error:
            self._say(400, str(error))
            return
        self._say(200, "thank you")

    def _say(self, status: int, text: str) -> None:
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self._guard()
        self.end_headers()
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.wfile.write(body)

    def _guard(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", self.server.policy)

    def log_message(self, *_: object) -> None:
        """Silence: who listens is nobody's business."""


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range that a browser asks for when it seeks in media; None for the whole file."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if not found or not any(found.groups()):
        return None
    start, end = found.groups()
    first = int(start) if start else max(0, size - int(end))
    return first, min(int(end), size - 1) if start and end else size - 1
