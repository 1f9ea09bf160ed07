"""Server-sent events: a clip after each of its changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.web.app.clips import ClipState, Visitor
    from d2m.web.app.studio import Studio

#: Least seconds between two events, and seconds after which a comment keeps the connection open.
_STEP, _QUIET = 0.2, 15.0


async def listen(studio: Studio, visitor: Visitor, clip: ClipState) -> AsyncIterator[str]:
    """Yield the events of a clip until it is gone or nobody listens.

    Args:
        studio: the studio.
        visitor: who listens.
        clip: the clip.
    """
    changed = asyncio.Event()
    changed.set()
    clip.listeners.add(changed)
    visitor.streams += 1
    last = ""
    try:
        yield "retry: 1000\n\n"
        while not clip.gone:
            try:
                await asyncio.wait_for(changed.wait(), _QUIET)
            except (TimeoutError, asyncio.TimeoutError):
                yield ": still here\n\n"
                continue
            changed.clear()
            if clip.gone:
                break
            shown = clip.shown(studio.expires(visitor)).model_dump_json()
            if shown != last:
                last = shown
                yield f"event: clip\ndata: {shown}\n\n"
            await asyncio.sleep(_STEP)
        yield "event: gone\ndata: {}\n\n"
    finally:
        clip.listeners.discard(changed)
        visitor.streams -= 1
