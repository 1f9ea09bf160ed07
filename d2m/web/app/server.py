"""Server of the studio."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

from d2m.web.app.application import build
from d2m.web.app.routes import opened
from d2m.web.app.settings import Settings
from d2m.web.serving import Server


class AppServer(Server):
    """Server of the studio.

    Args:
        settings: settings of the studio; where other machines can connect, a token is made if there is none.
        host, port: to listen on. Port 0 takes a free one.
        trusted: addresses of proxies, separated by commas.

    Attributes:
        settings: the settings, with the token.

    Raises:
        D2MError: if the port is taken, or the address is none of this machine's.
    """

    def __init__(self, settings: Settings, host: str = "127.0.0.1", port: int = 8070, trusted: str = "") -> None:
        super().__init__(self._answer, host, port, trusted)
        if not self.loopback and not settings.token:
            settings = replace(settings, token=secrets.token_urlsafe(24))
        self.settings = settings
        self._inner = build(settings, lambda: self.loopback)

    async def _answer(self, scope: object, receive: object, send: object) -> None:
        await self._inner(scope, receive, send)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the studio while requests are answered."""
        async with opened(self._inner.studio):
            yield

    @property
    def entrance(self) -> str:
        """Address of the page with its token."""
        return f"{self.url}?token={self.settings.token}" if self.settings.token else self.url
