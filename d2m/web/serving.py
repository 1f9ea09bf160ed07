"""Server of an ASGI application: uvicorn on a socket of its own, with limits on connections and slow requests.

The interface is that of :mod:`socketserver`: the port is taken when the object is made, :meth:`Server.serve_forever`
answers until :meth:`Server.shutdown` is called from another thread, and ``with`` closes the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError
from d2m.extras import require

if TYPE_CHECKING:
    import uvicorn

    #: An ASGI application.
    Application = Callable[[Any, Any, Any], Any]

#: Seconds within which the head of a request has to arrive.
HEAD_SECONDS = 20.0
#: Seconds after which a connection without a request is closed.
IDLE_SECONDS = 60
#: Most bytes of the head of a request.
MOST_HEAD = 32_768
#: Seconds that answers are given to end when the server stops.
_PATIENCE = 2


class Server:
    """Server of an application on a port.

    Args:
        application: the ASGI application.
        host, port: to listen on. Port 0 takes a free one.
        trusted: addresses of proxies whose ``X-Forwarded-For`` says who asks, separated by commas; "" for none.

    Attributes:
        bound: address and port.
        server_address: the same, as :mod:`socketserver` calls it.
        loopback: whether only this machine can connect.
        closed: whether the port is closed.

    Raises:
        D2MError: if the port is taken, or the address is none of this machine's.
    """

    #: Connections at a time; more are closed.
    most_connections = 400
    #: Connections that wait to be accepted.
    request_queue_size = 64

    def __init__(self, application: Application, host: str, port: int, trusted: str = "") -> None:
        require("starlette", "web", "serving a web page")
        require("uvicorn", "web", "serving a web page")
        self.application, self.trusted, self.closed = application, trusted, False
        self._socket = _listening(host, port, self.request_queue_size)
        self.bound: tuple[str, int] = self._socket.getsockname()[:2]
        self.server_address = self.bound
        self.loopback = is_loopback(self.bound[0])
        self._uvicorn: uvicorn.Server | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._ended.set()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.server_close()

    @property
    def url(self) -> str:
        """Address for browsers."""
        host, port = self.bound
        name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/"

    def serve_forever(self, interval: float = 0.5) -> None:
        """Answer requests until :meth:`shutdown`.

        Args:
            interval: seconds between two calls of :meth:`service_actions`.

        Raises:
            Exception: what :meth:`service_actions` raises.
        """
        import uvicorn

        self._ended.clear()
        config = uvicorn.Config(
            self.application,
            interface="asgi3",
            http=_protocol(self.most_connections),
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=bool(self.trusted),
            forwarded_allow_ips=self.trusted or None,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=_PATIENCE,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        self._uvicorn = uvicorn.Server(config)
        failures: list[Exception] = []
        try:
            asyncio.run(self._run(self._uvicorn, interval, failures))
        finally:
            self._uvicorn = None
            self._ended.set()
        if failures:
            raise failures[0]

    async def _run(self, server: uvicorn.Server, interval: float, failures: list[Exception]) -> None:
        async def watch() -> None:
            while not self._stop.is_set():
                try:
                    self.service_actions()
                except Exception as error:
                    failures.append(error)
                    break
                await asyncio.sleep(min(interval, 0.1))
            server.should_exit = True

        async with self.running():
            watching = asyncio.create_task(watch())
            try:
                await server.serve(sockets=[self._socket.dup()])
            finally:
                watching.cancel()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Surround the time in which requests are answered; what it raises ends :meth:`serve_forever`."""
        yield

    def service_actions(self) -> None:
        """Do what has to be done between requests; an exception ends :meth:`serve_forever`."""

    def shutdown(self) -> None:
        """End :meth:`serve_forever`, which runs in another thread, and wait for it."""
        self._stop.set()
        self._ended.wait()

    def server_close(self) -> None:
        """Listen no more."""
        self.closed = True
        self._socket.close()


def is_loopback(host: str) -> bool:
    """Tell whether a name or address is this machine's own.

    Args:
        host: name or address.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int, waiting: int) -> socket.socket:
    """Return a socket that listens."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(waiting)
        return made
    except OSError as error:
        made.close()
        wrong = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        raise D2MError(f"cannot listen on {host}:{port} ({error.strerror}); choose another {wrong}") from error


def most_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:
        # Windows counts no sockets among them.
        return 2048
    least = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if least == resource.RLIM_INFINITY else max(least, 2)


def _protocol(most: int) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol with a limit on connections and on the time that the head of a request takes."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    # Each connection is an open file, of which the application needs some, too.
    room = min(most, most_files() // 2)

    class Protocol(H11Protocol):
        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > room:
                transport.abort()
                return
            self._head = self.loop.call_later(HEAD_SECONDS, self._late)

        def data_received(self, data: bytes) -> None:
            if self._waiting() and self._head is None:
                self._head = self.loop.call_later(HEAD_SECONDS, self._late)
            super().data_received(data)
            if not self._waiting() and self._head is not None:
                self._head.cancel()
                self._head = None

        def connection_lost(self, exc: Exception | None) -> None:
            if self._head is not None:
                self._head.cancel()
            super().connection_lost(exc)

        def _waiting(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _late(self) -> None:
            if self._waiting():
                self.transport.abort()

    return Protocol
