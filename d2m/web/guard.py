"""Guard in front of an application: refuses requests that were not meant for it and sets the security headers.

- On a loopback address the ``Host`` header must name this machine: the name of another site may lead here, too (DNS
  rebinding).
- Elsewhere a token is asked for, if there is one: in the address once (``/?token=…``), in a cookie, or as
  ``Authorization: Bearer …``.
- A request that changes something must come from a page of this server, if a browser sends it (``Sec-Fetch-Site``,
  ``Origin``), and is refused before its body is read.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from d2m.web.serving import is_loopback

#: What a page may load and run: its own files alone.
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
TOKEN_COOKIE = "d2m_token"
_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware; see the module's docstring.

    Args:
        application: the application behind it.
        loopback: whether the server is on a loopback address; called for each request.
        policy: content security policy; called for each answer.
        token: token that is asked for, or "" for none.
        headers: further headers of each answer.
        open_paths: paths that need no token.
        same_origin: whether requests that change something must come from a page of this server.
        answer: returns an application that answers an error, from its status, code and message.
    """

    def __init__(
        self,
        application: Any,
        loopback: Callable[[], bool],
        policy: Callable[[], str] = lambda: POLICY,
        token: str = "",
        headers: dict[str, str] | None = None,
        open_paths: tuple[str, ...] = (),
        same_origin: bool = True,
        answer: Callable[[int, str, str], Any] | None = None,
    ) -> None:
        from d2m.web.answers import error_answer

        self.application, self.loopback, self.policy, self.token = application, loopback, policy, token
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        } | (headers or {})
        self.open_paths, self.same_origin, self.answer = open_paths, same_origin, answer or error_answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request or pass it on."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = headers_of(scope)
        body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        # What follows a body that was not read would be taken for the next request.
        least = 200 if scope["method"] in _SAFE else 400
        answer = self._refusal(scope, headers) or self.application
        await answer(scope, receive, self._with_headers(send, least if body else 1000))

    def _with_headers(self, send: Any, closes_from: int) -> Any:
        """Return a function that adds the headers; answers from a status on end the connection."""

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                closes = message["status"] >= closes_from
                given = {name.lower() for name, _ in message["headers"]}
                added = self.headers | {"Content-Security-Policy": self.policy()}
                added |= {"Connection": "close"} if closes else {}
                message["headers"] = [
                    *message["headers"],
                    *((k.lower().encode(), v.encode()) for k, v in added.items() if k.lower().encode() not in given),
                ]
            await send(message)

        return sent

    def _refusal(self, scope: Any, headers: dict[str, str]) -> Any | None:
        if self.loopback() and not is_loopback(host_of(headers)):
            return self.answer(403, "forbidden", "this server answers to the name of this machine alone")
        if self.token and scope["path"] not in self.open_paths and not self._known(scope, headers):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if scope["path"] == "/" and same(given, self.token):
                return _welcome(self.token, scope)
            return self.answer(401, "token", "open the address with its token, as the server shows it when it starts")
        if self.same_origin and scope["method"] not in _SAFE and not from_here(headers):
            return self.answer(403, "forbidden", "this request comes from a page of another site")
        return None

    def _known(self, scope: Any, headers: dict[str, str]) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same(bearer.strip(), self.token):
            return True
        return same(cookies_of(headers).get(TOKEN_COOKIE, ""), self.token)


def same(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that does not depend on where they differ.

    Args:
        given, wanted: the secrets.
    """
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def headers_of(scope: Any) -> dict[str, str]:
    """Return the headers of a request by their names in lower case.

    Args:
        scope: of an ASGI request.
    """
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def cookies_of(headers: dict[str, str]) -> dict[str, str]:
    """Return the cookies of a request.

    Args:
        headers: as of :func:`headers_of`.
    """
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")[:8192]).items()}
    except CookieError:
        return {}


def host_of(headers: dict[str, str]) -> str:
    """Return the name under which a server was asked, or "".

    Args:
        headers: as of :func:`headers_of`.
    """
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def from_here(headers: dict[str, str]) -> bool:
    """Tell whether a request comes from a page of this server, or from no browser.

    Args:
        headers: as of :func:`headers_of`.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def _welcome(token: str, scope: Any) -> Any:
    """Return an answer that keeps the token in a cookie and leads to the page without it."""
    from starlette.responses import RedirectResponse

    answer = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    answer.set_cookie(TOKEN_COOKIE, token, httponly=True, samesite="strict", secure=scope["scheme"] == "https")
    return answer
