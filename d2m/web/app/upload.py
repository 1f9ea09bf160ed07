"""Uploads: the body of a request is written to a file while it arrives, within limits of size and time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.web.app.problems import Problem
from d2m.web.app.store import looks_like_video, safe_name

if TYPE_CHECKING:
    from starlette.requests import Request

#: Seconds without a byte after which an upload is given up.
_SILENCE = 30.0
#: Least bytes a second over the whole upload, and seconds that any upload may take.
_SLOWEST, _GRACE = 100_000, 60.0
#: Most bytes of a refused body that are read, and most seconds that this takes.
_MOST_DISCARDED, _DISCARDING = 100_000_000, 20.0
#: Bytes that are looked at to tell a video from something else, and bytes that are written at a time.
_HEAD, _BLOCK = 512, 1 << 20


def name_for(request: Request, name: str) -> str:
    """Return the name under which an upload is kept.

    Args:
        request: the request.
        name: name that the visitor gave.

    Raises:
        Problem: if neither is that of a video.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not kind.startswith("video/") and kind not in ("application/octet-stream", "image/gif"):
        raise Problem(415, "wrong_type", "this is not a video; send the file itself with its type, such as video/mp4")
    kept = safe_name(name)
    if kept is None:
        raise Problem(415, "wrong_type", "the name does not end like that of a video; send a file such as dance.mp4")
    return kept


async def discard(request: Request) -> None:
    """Read the rest of a refused body, so that a client that is still sending sees the answer.

    At most :data:`_MOST_DISCARDED` bytes are read, for at most :data:`_DISCARDING` seconds.

    Args:
        request: the request.
    """

    async def read() -> None:
        size = 0
        async for part in _parts(request):
            size += len(part)
            if size > _MOST_DISCARDED:
                return

    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > _MOST_DISCARDED:
        return
    # RuntimeError: the body has been read already.
    with contextlib.suppress(Problem, TimeoutError, asyncio.TimeoutError, RuntimeError):
        await asyncio.wait_for(read(), _DISCARDING)


async def receive(request: Request, folder: Path, name: str, most: int) -> int:
    """Write the body of a request to a file in a folder, which is removed if anything goes wrong.

    Args:
        request: the request.
        folder: folder of the clip, which is made.
        name: of the file.
        most: bytes that it may have.

    Returns:
        The bytes of the file.

    Raises:
        Problem: if the body is too large, too slow, incomplete or no video.
    """
    said = request.headers.get("content-length")
    if said is not None and (not said.isdecimal() or int(said) > most):
        raise _too_large(most)
    source = folder / "source"
    await asyncio.to_thread(source.mkdir, parents=True, mode=0o700)
    try:
        size = await _write(request, source / name, most)
        if said is not None and size != int(said):
            raise Problem(400, "bad_request", "the upload broke off; send the file again")
        return size
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, True)
        raise


async def _write(request: Request, path: Path, most: int) -> int:
    size, block, began = 0, bytearray(), time.monotonic()
    checked = False
    with path.open("xb") as file:
        async for part in _parts(request):
            size += len(part)
            if size > most:
                raise _too_large(most)
            if time.monotonic() - began > _GRACE + size / _SLOWEST:
                raise Problem(408, "too_slow", "the upload is too slow; use a smaller file or a faster connection")
            block += part
            if not checked and len(block) >= _HEAD:
                _check_head(bytes(block[:_HEAD]))
                checked = True
            if len(block) >= _BLOCK:
                await asyncio.to_thread(file.write, bytes(block))
                block.clear()
        if not checked:
            _check_head(bytes(block[:_HEAD]))
        await asyncio.to_thread(file.write, bytes(block))
    path.chmod(0o600)
    return size


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """Yield the parts of the body as they arrive."""
    from starlette.requests import ClientDisconnect

    stream = request.stream()
    while True:
        try:
            part = await asyncio.wait_for(anext(stream), _SILENCE)
        except StopAsyncIteration:
            return
        except (TimeoutError, asyncio.TimeoutError):
            raise Problem(408, "too_slow", "no more of the file came; send it again") from None
        except ClientDisconnect:
            raise Problem(400, "bad_request", "the upload broke off; send the file again") from None
        if part:
            yield part


def _check_head(begin: bytes) -> None:
    if not begin:
        raise Problem(400, "bad_request", "the file is empty; choose another one")
    if not looks_like_video(begin):
        raise Problem(415, "wrong_type", "this file does not begin like a video; choose another one")


def _too_large(most: int) -> Problem:
    if most <= 0:
        return Problem(413, "too_large", "there is no room for more files; remove a clip, or come back later")
    return Problem(413, "too_large", f"the file is larger than the {most / 1e6:.0f} MB that are allowed; cut the clip")
