"""Routes of the JSON API for visitors and their clips, and those for operators."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from d2m.version import __version__
from d2m.web.app import examples, plans
from d2m.web.app.clips import ClipState, Visitor, new_id
from d2m.web.app.events import listen
from d2m.web.app.problems import NOT_FOUND, Problem
from d2m.web.app.records import Clip
from d2m.web.app.routing import FirstWish, Route, TheClip, TheStudio, TheVisitor, address_of, stored_file
from d2m.web.app.studio import Studio
from d2m.web.app.upload import discard, name_for, receive
from d2m.web.app.wishes import check_may_add, first_wish

api = APIRouter(prefix="/api", route_class=Route)


@api.get("/options")
async def options(studio: TheStudio) -> dict[str, Any]:
    """Return the lists for the controls, and the limits.

    Args:
        studio: the studio that is served.

    Returns:
        JSON object: genres, moods, keys, instruments and the other values of options, and ``limits``.
    """
    return plans.choices(studio.limits)


@api.get("/session")
async def session(studio: TheStudio, visitor: TheVisitor) -> dict[str, Any]:
    """Return the visitor's clips.

    Args:
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.

    Returns:
        JSON object: ``clips``, the latest first; ``limits``; ``expires``, when they are removed, in seconds since
        1970; and ``queue``, the number of jobs that wait and of those that run.
    """
    expires = studio.expires(visitor)
    return {
        "clips": [clip.shown(expires) for clip in reversed(visitor.clips.values())],
        "limits": studio.limits.shown(),
        "expires": expires,
        "queue": {"waiting": len(studio.queue), "running": len(studio.pool.busy())},
    }


@api.delete("/session", status_code=204)
async def leave(studio: TheStudio, visitor: TheVisitor) -> None:
    """Remove everything of the visitor.

    Args:
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.
    """
    await studio.remove_visitor(visitor)


@api.get("/examples")
async def list_examples() -> list[dict[str, Any]]:
    """Return the examples."""
    return examples.listed()


@api.post("/examples/{example}", status_code=201)
async def use_example(
    request: Request,
    example: str,
    studio: TheStudio,
    visitor: TheVisitor,
    make: FirstWish = None,
) -> Clip:
    """Use an example as a clip.

    Args:
        request: the request, whose address of origin is counted against the limits.
        example: name of the example, as ``GET /api/examples`` lists it.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.
        make: JSON of a wish of kind ``compose`` to be met once the clip is analysed; None for the analysis alone.

    Returns:
        The clip, whose analysis has been queued.

    Raises:
        Problem: if there is no such example (404), ``make`` is not a wish that can be met (422), or a limit is reached
            (413, 429).
    """
    path = examples.path_of(example)
    if path is None:
        raise NOT_FOUND
    wish = first_wish(make, studio)
    visitor = studio.welcome(visitor)
    check_may_add(request, studio, visitor)
    clip = new_id("c")
    folder = studio.folder_of(visitor, clip)
    with visitor.adding():
        size = await examples.copy(path, folder)
    return _added(studio, visitor, ClipState(visitor.name, clip, path.name, folder, size, 0.0), wish)


@api.post("/clips", status_code=201)
async def upload(
    request: Request,
    studio: TheStudio,
    visitor: TheVisitor,
    name: str = Query(max_length=300),
    make: FirstWish = None,
) -> Clip:
    """Upload a clip: the body is the file.

    Args:
        request: the request, whose body is written to disk as it arrives.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.
        name: name of the file on the visitor's machine.
        make: JSON of a wish of kind ``compose`` to be met once the clip is analysed; None for the analysis alone.

    Returns:
        The clip, whose analysis has been queued.

    Raises:
        Problem: if the file is empty or the upload breaks off (400), is too slow (408), is too large (413) or is not a
            video (415); if ``make`` is not a wish that can be met (422); or if a limit is reached (413, 429).
    """
    try:
        kept = name_for(request, name)
        wish = first_wish(make, studio)
        visitor = studio.welcome(visitor)
        check_may_add(request, studio, visitor)
        clip = new_id("c")
        folder = studio.folder_of(visitor, clip)
        most = min(studio.limits.bytes, studio.free_bytes(visitor))
        with visitor.adding():
            size = await receive(request, folder, kept, most)
    except Problem as problem:
        if problem.code != "too_slow":
            await discard(request)
        raise
    return _added(studio, visitor, ClipState(visitor.name, clip, kept, folder, size, 0.0), wish)


def _added(studio: Studio, visitor: Visitor, clip: ClipState, wish: dict[str, Any] | None) -> Clip:
    clip.created = visitor.seen = time.time()
    studio.add_clip(visitor, clip)
    if wish is not None:
        studio.add_job(clip, "compose", wish)
    return clip.shown(studio.expires(visitor))


@api.get("/clips/{clip}")
async def show_clip(clip: TheClip, studio: TheStudio, visitor: TheVisitor) -> Clip:
    """Return a clip.

    Args:
        clip: the clip that the address names, one of the visitor's.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.

    Returns:
        The clip with its jobs and pieces.
    """
    return clip.shown(studio.expires(visitor))


@api.delete("/clips/{clip}", status_code=204)
async def remove_clip(clip: TheClip, studio: TheStudio) -> None:
    """Remove a clip with all that was made for it.

    Args:
        clip: the clip that the address names, one of the visitor's.
        studio: the studio that is served.
    """
    await studio.remove_clip(clip)


@api.get("/clips/{clip}/events", response_class=StreamingResponse)
async def events(request: Request, clip: TheClip, studio: TheStudio, visitor: TheVisitor) -> Response:
    """Send the clip after each change, as server-sent events.

    Args:
        request: the request, whose address of origin is counted against the limits.
        clip: the clip that the address names, one of the visitor's.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.

    Returns:
        Stream of events ``clip``, each with the whole clip as JSON, and ``gone`` when it is removed.

    Raises:
        Problem: if the visitor or the address has too many streams open (429).
    """
    address = address_of(request)
    streams = sum(other.streams for other in studio.visitors.values() if address in other.addresses)
    if visitor.streams >= 6 or streams >= studio.limits.address_connections:
        raise Problem(429, "too_many", "too many pages are open; close one of them", retry_after=10)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(listen(studio, visitor, clip), media_type="text/event-stream", headers=headers)


@api.get("/clips/{clip}/analysis")
async def analysis(clip: TheClip) -> Response:
    """Return beats, sections, cuts and hits of a clip.

    Args:
        clip: the clip that the address names, one of the visitor's.

    Returns:
        JSON object; all times are seconds from the first frame.

    Raises:
        Problem: if the clip is not analysed yet (409).
    """
    return _made(clip, "analysis.json")


@api.get("/clips/{clip}/landmarks")
async def landmarks(clip: TheClip) -> Response:
    """Return the landmarks of the dancers: little-endian float32 (people, frames, joints, 3).

    Args:
        clip: the clip that the address names, one of the visitor's.

    Returns:
        The array as bytes; the analysis describes it under ``landmarks``.

    Raises:
        Problem: if the clip is not analysed yet (409).
    """
    return _made(clip, "landmarks.bin")


@api.get("/clips/{clip}/click.wav")
async def click(clip: TheClip) -> Response:
    """Return a click on each beat.

    Args:
        clip: the clip that the address names, one of the visitor's.

    Returns:
        WAV file at 22,050 Hz, as long as the clip.

    Raises:
        Problem: if the clip is not analysed yet (409).
    """
    return _made(clip, "click.wav")


@api.get("/clips/{clip}/video")
async def video(clip: TheClip) -> Response:
    """Return the clip as it was uploaded.

    Args:
        clip: the clip that the address names, one of the visitor's.

    Returns:
        The uploaded file, or the range of it that is asked for.

    Raises:
        Problem: if the file is gone (404).
    """
    return stored_file(clip.source)


@api.get("/clips/{clip}/proxy")
async def proxy(clip: TheClip) -> Response:
    """Return the H.264 copy of a clip.

    Args:
        clip: the clip that the address names, one of the visitor's.

    Returns:
        MP4 file, or the range of it that is asked for.

    Raises:
        Problem: if no job of kind ``proxy`` has made the copy (409).
    """
    if not (clip.folder / "proxy.mp4").is_file():
        raise Problem(409, "not_ready", "there is no copy of this clip yet; start a job of kind proxy")
    return stored_file(clip.folder / "proxy.mp4")


def _made(clip: ClipState, name: str) -> Response:
    if not clip.ready:
        raise Problem(409, "not_ready", "this clip is not analysed yet; wait for its job watch")
    return stored_file(clip.folder / name)


root = APIRouter(route_class=Route)


@root.get("/health")
async def health(studio: TheStudio) -> Response:
    """Tell whether the workers live.

    Args:
        studio: the studio that is served.

    Returns:
        JSON object: ``status`` ("ok", "starting" or what prevents the start), ``workers`` that live, jobs in ``queue``
        and ``version``. The status is 503 while there is no worker.
    """
    pool = studio.pool
    status = "ok" if pool.alive else pool.trouble or "starting"
    content = {"status": status, "workers": pool.alive, "queue": len(studio.queue), "version": __version__}
    return Response(json.dumps(content), 200 if pool.alive else 503, media_type="application/json")


@root.get("/metrics")
async def metrics(studio: TheStudio) -> Response:
    """Return figures for Prometheus.

    Args:
        studio: the studio that is served.

    Returns:
        Text in the exposition format 0.0.4 of Prometheus.
    """
    return Response(studio.metrics.text(studio), media_type="text/plain; version=0.0.4; charset=utf-8")


@contextlib.asynccontextmanager
async def opened(studio: Studio) -> AsyncIterator[None]:
    """Open a studio while a server runs.

    Args:
        studio: the studio.
    """
    await studio.open()
    try:
        yield
    finally:
        await studio.close()
