"""The studio as an application: the API, the page, and what stands before them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from d2m.version import __version__
from d2m.web.answers import error_answer, file_answer, page_files
from d2m.web.app import routes_jobs
from d2m.web.app.problems import NOT_FOUND, Problem
from d2m.web.app.routes import api, opened, root
from d2m.web.app.settings import Settings
from d2m.web.app.studio import Studio
from d2m.web.guard import Guard, cookies_of, headers_of

#: What the page may load and run: its own files alone, sounds and pictures that it made itself besides.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'"
)
COOKIE = "d2m_visitor"
#: Largest body of a request that is no upload.
MOST_BODY = 2_000_000
_COOKIE = re.compile(r"[A-Za-z0-9_-]{32,64}")
_PAGE = Path(__file__).parent.parent / "page"
_NO_JSON = "the body cannot be read as JSON; correct it"
_CODES = {404: "not_found", 405: "bad_request", 413: "too_large", 415: "wrong_type"}


def build(settings: Settings, loopback: Callable[[], bool] = lambda: True) -> Application:
    """Return the ASGI application of the studio.

    Args:
        settings: settings of the studio.
        loopback: whether the server is on a loopback address; called for each request.
    """
    app = FastAPI(
        title="d2m studio",
        version=__version__,
        description="Music for dance videos. docs/app.md describes the records and their states.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lambda made: opened(made.state.studio),
    )
    app.state.studio = Studio(settings)
    app.include_router(api)
    app.include_router(routes_jobs.api)
    app.include_router(root)
    _add_page(app)
    _add_errors(app)
    headers = {"Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=()"}
    inner = VisitorCookie(BodyLimit(app))
    return Application(app, Guard(inner, loopback, lambda: POLICY, settings.token, headers, open_paths=("/health",)))


class Application:
    """ASGI application of the studio.

    Args:
        api: the API and the page.
        guard: what stands before them.

    Attributes:
        studio: the studio.
    """

    def __init__(self, api: FastAPI, guard: Guard) -> None:
        self.api, self.guard = api, guard
        self.studio: Studio = api.state.studio

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self.guard(scope, receive, send)


def _add_page(app: FastAPI) -> None:
    files = page_files(_PAGE)

    def serve(path: Path) -> Callable[[], Any]:
        async def answer() -> Response:
            return file_answer(path)

        return answer

    for address, path in files.items():
        app.add_api_route(address, serve(path), methods=["GET", "HEAD"], include_in_schema=False)


def _add_errors(app: FastAPI) -> None:
    def count(code: str) -> None:
        app.state.studio.metrics.refused.labels(code).inc()

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        count(error.code)
        return error_answer(error.status, error.code, error.message, **error.more)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        count("invalid")
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return error_answer(422, "invalid", _NO_JSON)
        place = ".".join(str(part) for part in first["loc"][1:] if not isinstance(part, int) or part < 1000)
        return error_answer(422, "invalid", f"{place or 'the request'}: {first['msg'].lower()}"[:500])

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "bad_request")
        count(code)
        messages = {400: _NO_JSON, 404: NOT_FOUND.message}
        message = messages.get(error.status_code, str(error.detail))
        return error_answer(error.status_code, code, message)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        count("fault")
        return error_answer(500, "fault", "this is a fault of d2m; please report it")


class VisitorCookie:
    """ASGI middleware that gives each visitor a cookie, the only thing that tells visitors apart.

    Args:
        application: the application behind it; ``scope["state"]["cookie"]`` is the cookie.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        cookie = cookies_of(headers_of(scope)).get(COOKIE, "")
        known = _COOKIE.fullmatch(cookie) is not None
        if not known:
            cookie = secrets.token_urlsafe(32)
        scope.setdefault("state", {})["cookie"] = cookie

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and not known:
                secure = "; Secure" if scope["scheme"] == "https" else ""
                value = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"
                message["headers"] = [*message["headers"], (b"set-cookie", value.encode())]
            await send(message)

        await self.application(scope, receive, sent)


class BodyLimit:
    """ASGI middleware that refuses bodies that are too large or of another type than JSON, but for uploads.

    Args:
        application: the application behind it.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on with its whole body."""
        if scope["type"] != "http" or (scope["method"] == "POST" and scope["path"] == "/api/clips"):
            await self.application(scope, receive, send)
            return
        headers = headers_of(scope)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY:
            await error_answer(413, "too_large", "the request is too large")(scope, receive, send)
            return
        body = bytearray()
        while length != "0" or "transfer-encoding" in headers:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > MOST_BODY:
                await error_answer(413, "too_large", "the request is too large")(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and kind != "application/json":
            await error_answer(415, "wrong_type", "send JSON, with Content-Type: application/json")(
                scope, receive, send
            )
            return
        given = False

        async def received() -> Any:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.application(scope, received, send)


def openapi(settings: Settings) -> str:
    """Return the OpenAPI description as JSON.

    Args:
        settings: settings of the studio.
    """
    return json.dumps(build(settings).api.openapi(), indent=2)
