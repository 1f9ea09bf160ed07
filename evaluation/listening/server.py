"""Web server of a listening test: serves the page and stores the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.evaluation.listening.answers import MAX_BYTES, parse, read_key
from d2m.files.atomic import atomic_write
from d2m.web.answers import TooLarge, file_answer, limited_body, page_files
from d2m.web.guard import Guard
from d2m.web.serving import Server

#: Listeners kept at most: a flood of made-up answers must not fill the disk.
MAX_LISTENERS = 10_000


class ListeningServer(Server):
    """Serves ``folder/page`` and keeps answers in ``folder/answers``.

    Nothing else of the disk can be read: only the files that are in the page's folder when the server starts.

    Args:
        folder: folder of a listening test.
        host, port: to listen on; loopback by default. Port 0 takes a free one.

    Raises:
        D2MError: if there is no test in the folder, or the port is taken.
    """

    #: What the page may load and run: its own files alone.
    policy = "default-src 'self'"

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 8080) -> None:
        self.key = read_key(folder)
        self.answers = folder / "answers"
        page = folder / "page"
        self.files = page_files(page)
        if "/index.html" not in self.files:
            raise D2MError(f"{page} is incomplete; make the listening test again")
        super().__init__(self._guarded, host, port)
        self._guard = Guard(self._answer, lambda: self.loopback, lambda: self.policy, answer=_say)

    async def _guarded(self, scope: Any, receive: Any, send: Any) -> None:
        await self._guard(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import Request

        request = Request(scope, receive)
        if request.method in ("GET", "HEAD"):
            path = self.files.get(scope["path"])
            answer = _say(404, "", "not found") if path is None else file_answer(path)
        elif request.method == "POST":
            answer = await self._take(request)
        else:
            answer = _say(405, "", "not accepted")
        await answer(scope, receive, send)

    async def _take(self, request: Any) -> Any:
        """Store the answers of a listener."""
        from starlette.concurrency import run_in_threadpool

        if request.url.path != "/answers":
            return _say(404, "", "not accepted")
        try:
            data = await limited_body(request, MAX_BYTES)
            await run_in_threadpool(self._store, data)
        except TooLarge:
            return _say(413, "", "not accepted")
        except D2MError as error:
            return _say(400, "", str(error))
        return _say(200, "", "thank you")

    def _store(self, data: bytes) -> None:
        listener = parse(data, self.key)
        file = self.answers / f"{listener.name}.json"
        if not file.exists() and _count(self.answers) >= MAX_LISTENERS:
            raise D2MError("the limit of answers is reached")
        with atomic_write(file) as temporary:
            temporary.write_bytes(data)


def _say(status: int, code: str, text: str) -> Any:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"{text}\n", status)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0
