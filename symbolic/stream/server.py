"""Web server of a station: the page, the sound in segments, and the actions of the page's buttons."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from d2m.errors import D2MError
from d2m.symbolic.sound.player import RATE
from d2m.symbolic.stream.recording import header
from d2m.symbolic.stream.station import Station
from d2m.web.answers import TooLarge, file_answer, limited_body, page_files
from d2m.web.guard import Guard, headers_of, host_of
from d2m.web.serving import Server, is_loopback

_PAGE = Path(__file__).parent / "page"
_MOST_BYTES, _LONGEST_ID = 4096, 64


class StreamServer(Server):
    """Serves a station. Of the disk only the page's own files can be read.

    Args:
        station: started and stopped by whoever made it.
        host, port: to listen on; loopback by default. Port 0 takes a free one.
        locked: only this machine may skip and change the queue.

    Raises:
        D2MError: if the port is taken, or the address is none of this machine's.
    """

    def __init__(self, station: Station, host: str = "127.0.0.1", port: int = 8090, locked: bool = False) -> None:
        super().__init__(self._guarded, host, port)
        self.station, self.locked = station, locked
        self.files = page_files(_PAGE)
        self._guard = Guard(self._answer, lambda: self.loopback, answer=lambda status, _, text: _error(status, text))

    def service_actions(self) -> None:
        """End :meth:`serve_forever` when the station has failed, so that a service manager notices.

        Raises:
            D2MError: with what went wrong.
        """
        error = self.station.failure
        if error is not None:
            raise D2MError(f"the stream has stopped: {type(error).__name__}: {error}") from error

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Give every connection a thread: requests of segments wait for the sound."""
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = self.most_connections
        yield

    async def _guarded(self, scope: Any, receive: Any, send: Any) -> None:
        await self._guard(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request

        request = Request(scope, receive)
        if request.method in ("GET", "HEAD"):
            answer = await run_in_threadpool(self._shown, scope)
        elif request.method == "POST":
            answer = await self._changed(request)
        else:
            answer = _error(405, "not allowed")
        await answer(scope, receive, send)

    def _shown(self, scope: Any) -> Any:
        """Answer a request that changes nothing."""
        path, station = scope["path"], self.station
        if path in self.files:
            return file_answer(self.files[path], cache="no-store")
        if path == "/state":
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("listener", [""])
            station.greet(asked[0][:_LONGEST_ID])
            return _json(200, station.state() | {"may_change": self._may_change(scope)})
        if path == "/songs":
            return _json(200, {"songs": station.names()})
        if path.startswith("/segment/"):
            return self._segment(path.removeprefix("/segment/").removesuffix(".wav"))
        return _error(404, "not found")

    async def _changed(self, request: Any) -> Any:
        """Answer a request that changes something."""
        from starlette.concurrency import run_in_threadpool

        try:
            body = await limited_body(request, _MOST_BYTES)
        except TooLarge:
            return _error(413, "too long")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A page of another site cannot send this type without a preflight request, which is not answered.
        if kind != "application/json" or not self._may_change(request.scope):
            return _error(403, "not allowed")
        try:
            change = self._wanted(request.scope["path"], json.loads(body))
            await run_in_threadpool(change)
        except D2MError as error:
            return _error(400, str(error))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return _error(400, "not understood")
        return _json(200, await run_in_threadpool(self.station.state) | {"may_change": True})

    def _wanted(self, path: str, wanted: object) -> Callable[[], None]:
        """Return the change that is asked for."""
        station = self.station
        if not isinstance(wanted, dict):
            raise TypeError(wanted)
        if path == "/skip":
            start = wanted.get("start")
            place = None if start is None else float(start)
            return lambda: station.skip(place)
        if path == "/queue" and "add" in wanted:
            return lambda: station.wish(str(wanted["add"]))
        if path == "/queue" and "remove" in wanted:
            return lambda: station.unwish(int(wanted["remove"]))
        if path == "/queue":
            return lambda: station.move(int(wanted["move"]), int(wanted["to"]))
        raise ValueError(path)

    def _segment(self, number: str) -> Any:
        from starlette.responses import Response

        # Digits of other scripts are no numbers of segments.
        if not (number.isascii() and number.isdecimal() and len(number) < 12):
            return _error(404, "not found")
        try:
            found = self.station.segment(int(number))
        except TimeoutError:
            return _error(503, "not yet")
        if found is None:
            return _error(410, "gone")
        revision, frames = found
        headers = {"Cache-Control": "no-store", "D2M-Revision": str(revision)}
        return Response(header(RATE) + frames, 200, headers, "audio/wav")

    def _may_change(self, scope: Any) -> bool:
        """Whether this machine asks, where others may not; a proxy on it asks for somebody else."""
        if not self.locked:
            return True
        headers = headers_of(scope)
        passed_on = any(name in headers for name in ("forwarded", "x-forwarded-for", "via"))
        client = scope["client"][0] if scope.get("client") else ""
        return is_loopback(client) and is_loopback(host_of(headers)) and not passed_on


def _json(status: int, content: dict[str, Any]) -> Any:
    from starlette.responses import Response

    return Response(json.dumps(content).encode(), status, {"Cache-Control": "no-store"}, "application/json")


def _error(status: int, text: str) -> Any:
    return _json(status, {"error": text})
