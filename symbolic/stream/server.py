"""Web server of a station: the page, the sound in segments, and the actions of the page's buttons."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from d2m.errors import D2MError
from d2m.symbolic.sound.player import RATE
from d2m.symbolic.stream.recording import header
from d2m.symbolic.stream.station import Station

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MOST_BYTES, _LONGEST_ID = 4096, 64


class StreamServer(ThreadingHTTPServer):
    """Serves a station. Of the disk only the page's own files can be read.

    Args:
        station: started and stopped by whoever made it.
        host, port: to listen on; loopback by default. Port 0 takes a free one.
        locked: only this machine may skip and change the queue.

    Raises:
        D2MError: if the port is taken, or the address is none of this machine's.
    """

    daemon_threads = True
    #: Connections at a time. Each is a thread and an open file, of which the songs need some, too; more are closed.
    most_connections = 400
    #: Listeners may come all at once.
    request_queue_size = 64

    def __init__(self, station: Station, host: str = "127.0.0.1", port: int = 8090, locked: bool = False) -> None:
        self.station, self.locked, self.closed = station, locked, False
        self.files = {f"/{path.name}": path for path in _PAGE.iterdir() if path.suffix in _TYPES}
        self.files["/"] = self.files["/index.html"]
        self._room = threading.BoundedSemaphore(min(self.most_connections, _files() // 2))
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            wrong = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
            raise D2MError(f"cannot listen on {host}:{port} ({error.strerror}); choose another {wrong}") from error
        self.bound: tuple[str, int] = self.socket.getsockname()[:2]
        self.loopback = _is_loopback(self.bound[0])

    @property
    def url(self) -> str:
        """Address for browsers."""
        host, port = self.bound
        name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request in a separate thread, or close it if there are too many connections."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def service_actions(self) -> None:
        """End :meth:`serve_forever` when the station has failed, so that a service manager notices.

        Raises:
            D2MError: with what went wrong.
        """
        error = self.station.failure
        if error is not None:
            raise D2MError(f"the stream has stopped: {type(error).__name__}: {error}") from error

    def server_close(self) -> None:
        """Listen no more, and answers no more on connections that are still open."""
        self.closed = True
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore closed connections of listeners."""


class _Handler(BaseHTTPRequestHandler):
    server: StreamServer
    protocol_version = "HTTP/1.1"
    server_version = "d2m"
    sys_version = ""
    timeout = 60
    # Headers and body go out together: without this, each waits for the other to be acknowledged.
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            # A body that is not read would be taken for the next request.
            self.close_connection = True
        if not self._meant():
            return
        try:
            asked = urlsplit(self.path)
        except ValueError:
            self._json(404, {"error": "not found"})
            return
        station = self.server.station
        if asked.path in self.server.files:
            path = self.server.files[asked.path]
            self._send(200, path.read_bytes(), _TYPES[path.suffix])
        elif asked.path == "/state":
            station.greet(parse_qs(asked.query).get("listener", [""])[0][:_LONGEST_ID])
            self._json(200, station.state() | {"may_change": self._may_change()})
        elif asked.path == "/songs":
            self._json(200, {"songs": station.names()})
        elif asked.path.startswith("/segment/"):
            self._segment(asked.path.removeprefix("/segment/").removesuffix(".wav"))
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        # What follows a request that is not read would be taken for the next one.
        self.close_connection = True
        if not self._meant():
            return
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self._json(413, {"error": "too long"})
            return
        body = self.rfile.read(int(length))
        self.close_connection = False
        # A page of another site cannot send this type without a preflight request, which is not answered.
        if self.headers.get_content_type() != "application/json" or not self._may_change():
            self._json(403, {"error": "not allowed"})
            return
        try:
            self._change(json.loads(body))
        except D2MError as error:
            self._json(400, {"error": str(error)})
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self._json(400, {"error": "not understood"})
        else:
            self._json(200, self.server.station.state() | {"may_change": True})

    def _change(self, wanted: object) -> None:
        station = self.server.station
        if not isinstance(wanted, dict):
            raise TypeError(wanted)
        if self.path == "/skip":
            start = wanted.get("start")
            station.skip(None if start is None else float(start))
        elif self.path == "/queue" and "add" in wanted:
            station.wish(str(wanted["add"]))
        elif self.path == "/queue" and "remove" in wanted:
            station.unwish(int(wanted["remove"]))
        elif self.path == "/queue":
            station.move(int(wanted["move"]), int(wanted["to"]))
        else:
            raise ValueError(self.path)

    def _segment(self, number: str) -> None:
        if not (number.isdecimal() and len(number) < 12):
            self._json(404, {"error": "not found"})
            return
        try:
            found = self.server.station.segment(int(number))
        except TimeoutError:
            self._json(503, {"error": "not yet"})
            return
        if found is None:
            self._json(410, {"error": "gone"})
            return
        revision, frames = found
        self._send(200, header(RATE) + frames, "audio/wav", {"D2M-Revision": str(revision)})

    def _meant(self) -> bool:
        """Whether it was this server that was meant: another's name may lead here, too (DNS rebinding)."""
        if self.server.closed:
            self.close_connection = True
            return False
        if self.server.loopback and not _is_loopback(self._host()):
            self._json(403, {"error": "not allowed"})
            return False
        return True

    def _host(self) -> str:
        """The name under which the server was asked."""
        try:
            return urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            return ""

    def _may_change(self) -> bool:
        """Whether this machine asks, where others may not; a proxy on it asks for somebody else."""
        if not self.server.locked:
            return True
        passed_on = any(name in self.headers for name in ("Forwarded", "X-Forwarded-For", "Via"))
        return _is_loopback(self.client_address[0]) and _is_loopback(self._host()) and not passed_on

    def _json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        # A listener who moves on closes the connection: nothing to be done.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Silence: who listens is nobody's business."""


def _files() -> int:
    """Files that this process may have open."""
    try:
        import resource
    except ImportError:
        # Windows counts no sockets among them.
        return 2048
    least = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if least == resource.RLIM_INFINITY else max(least, 2)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
