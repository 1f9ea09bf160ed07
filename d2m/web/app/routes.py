"""JSON API and page of the studio."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from d2m.errors import D2MError
from d2m.plans.files import plan_text
from d2m.version import __version__
from d2m.web.answers import file_answer
from d2m.web.app import examples, plans
from d2m.web.app.clips import ClipState, Visitor, new_id
from d2m.web.app.events import listen
from d2m.web.app.problems import NOT_FOUND, Problem, invalid
from d2m.web.app.records import OVER, Clip, ComposeWish, ExportWish, Job, Piece, PlayWish, Wish
from d2m.web.app.studio import Studio
from d2m.web.app.upload import name_for, receive

api = APIRouter(prefix="/api")
_PIECE_FILES = ("sound.wav", "notes.mid", "plan.toml")


async def _studio(request: Request) -> Studio:
    return request.app.state.studio


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _visitor(request: Request) -> Visitor:
    return request.app.state.studio.visitor(request.scope["state"]["cookie"], _address(request))


TheStudio = Annotated[Studio, Depends(_studio)]
TheVisitor = Annotated[Visitor, Depends(_visitor)]


async def _clip(clip: str, visitor: TheVisitor) -> ClipState:
    found = visitor.clips.get(clip)
    if found is None or found.gone:
        raise NOT_FOUND
    return found


TheClip = Annotated[ClipState, Depends(_clip)]


async def _job(job: str, clip: TheClip) -> Job:
    found = clip.jobs.get(job)
    if found is None:
        raise NOT_FOUND
    return found


async def _piece(piece: str, clip: TheClip) -> Piece:
    found = clip.pieces.get(piece)
    if found is None:
        raise NOT_FOUND
    return found


TheJob = Annotated[Job, Depends(_job)]
ThePiece = Annotated[Piece, Depends(_piece)]


@api.get("/options")
async def options(studio: TheStudio) -> dict[str, Any]:
    """Return the lists for the controls, and the limits."""
    return plans.choices(studio.limits)


@api.get("/session")
async def session(studio: TheStudio, visitor: TheVisitor) -> dict[str, Any]:
    """Return the visitor's clips."""
    expires = studio.expires(visitor)
    return {
        "clips": [clip.shown(expires) for clip in reversed(visitor.clips.values())],
        "limits": studio.limits.shown(),
        "expires": expires,
        "queue": {"waiting": len(studio.queue), "running": len(studio.pool.busy())},
    }


@api.delete("/session", status_code=204)
async def leave(studio: TheStudio, visitor: TheVisitor) -> None:
    """Remove everything of the visitor."""
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
    make: str | None = Query(None, max_length=8192),
) -> Clip:
    """Use an example as a clip."""
    path = examples.path_of(example)
    if path is None:
        raise NOT_FOUND
    wish = _first_wish(make, studio)
    visitor = studio.welcome(visitor)
    _may_add(request, studio, visitor)
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
    make: str | None = Query(None, max_length=8192),
) -> Clip:
    """Upload a clip: the body is the file. ``make`` is the JSON of a wish of kind ``compose`` to be met at once."""
    kept = name_for(request, name)
    wish = _first_wish(make, studio)
    visitor = studio.welcome(visitor)
    _may_add(request, studio, visitor)
    clip = new_id("c")
    folder = studio.folder_of(visitor, clip)
    most = min(studio.limits.bytes, studio.free_bytes(visitor))
    with visitor.adding():
        size = await receive(request, folder, kept, most)
    return _added(studio, visitor, ClipState(visitor.name, clip, kept, folder, size, 0.0), wish)


def _first_wish(make: str | None, studio: Studio) -> dict[str, Any] | None:
    if make is None:
        return None
    try:
        return _checked_wish(ComposeWish.model_validate_json(make), studio, None)
    except ValueError as error:
        raise Problem(422, "invalid", "make: give the JSON of a wish of kind compose") from error


def _may_add(request: Request, studio: Studio, visitor: Visitor) -> None:
    """Refuse one clip too many."""
    limits = studio.limits
    if len(visitor.clips) + visitor.arriving >= limits.clips:
        raise Problem(429, "too_many", f"{limits.clips} clips are enough; remove one of them first", retry_after=60)
    _may_work(request, studio, visitor)
    if not studio.arrivals.another(_address(request)):
        raise Problem(429, "too_many", "too many clips came from this address; come back later", retry_after=600)


def _may_work(request: Request, studio: Studio, visitor: Visitor) -> None:
    """Refuse one job too many."""
    limits, address = studio.limits, _address(request)
    if len(visitor.open_jobs()) >= limits.jobs:
        raise Problem(429, "too_many", f"{limits.jobs} jobs are under way; wait for one of them", retry_after=15)
    same = [other for other in studio.visitors.values() if address in other.addresses]
    if sum(len(other.open_jobs()) for other in same) >= limits.address_jobs:
        raise Problem(429, "too_many", "too many jobs of this address are under way; wait for them", retry_after=30)
    if studio.free_bytes(visitor) <= 0:
        raise Problem(413, "too_large", "there is no room for more files; remove a clip, or come back later")


def _added(studio: Studio, visitor: Visitor, clip: ClipState, wish: dict[str, Any] | None) -> Clip:
    clip.created = visitor.seen = time.time()
    studio.add_clip(visitor, clip)
    if wish is not None:
        studio.add_job(clip, "compose", wish)
    return clip.shown(studio.expires(visitor))


@api.get("/clips/{clip}")
async def show_clip(clip: TheClip, studio: TheStudio, visitor: TheVisitor) -> Clip:
    """Return a clip."""
    return clip.shown(studio.expires(visitor))


@api.delete("/clips/{clip}", status_code=204)
async def remove_clip(clip: TheClip, studio: TheStudio) -> None:
    """Remove a clip with all that was made for it."""
    await studio.remove_clip(clip)


@api.get("/clips/{clip}/events", response_class=StreamingResponse)
async def events(request: Request, clip: TheClip, studio: TheStudio, visitor: TheVisitor) -> Response:
    """Send the clip after each change, as server-sent events."""
    address = _address(request)
    streams = sum(other.streams for other in studio.visitors.values() if address in other.addresses)
    if visitor.streams >= 6 or streams >= studio.limits.address_connections:
        raise Problem(429, "too_many", "too many pages are open; close one of them", retry_after=10)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(listen(studio, visitor, clip), media_type="text/event-stream", headers=headers)


@api.get("/clips/{clip}/analysis")
async def analysis(clip: TheClip) -> Response:
    """Return beats, sections, cuts and hits of a clip."""
    return _made(clip, "analysis.json")


@api.get("/clips/{clip}/landmarks")
async def landmarks(clip: TheClip) -> Response:
    """Return the landmarks of the dancers: little-endian float32 (people, frames, joints, 3)."""
    return _made(clip, "landmarks.bin")


@api.get("/clips/{clip}/click.wav")
async def click(clip: TheClip) -> Response:
    """Return a click on each beat."""
    return _made(clip, "click.wav")


@api.get("/clips/{clip}/video")
async def video(clip: TheClip) -> Response:
    """Return the clip as it was uploaded."""
    return _file(clip.source)


@api.get("/clips/{clip}/proxy")
async def proxy(clip: TheClip) -> Response:
    """Return the H.264 copy of a clip."""
    if not (clip.folder / "proxy.mp4").is_file():
        raise Problem(409, "not_ready", "there is no copy of this clip yet; start a job of kind proxy")
    return _file(clip.folder / "proxy.mp4")


def _made(clip: ClipState, name: str) -> Response:
    if not clip.ready:
        raise Problem(409, "not_ready", "this clip is not analysed yet; wait for its job watch")
    return _file(clip.folder / name)


def _file(path: Path, name: str | None = None) -> Response:
    if not path.is_file():
        raise NOT_FOUND
    return file_answer(path, name, "private, max-age=3600")


@api.post("/clips/{clip}/jobs", status_code=202)
async def start(
    request: Request,
    clip: TheClip,
    studio: TheStudio,
    visitor: TheVisitor,
    wish: Annotated[Wish, Body(discriminator="kind")],
) -> Job:
    """Start a job."""
    _may_work(request, studio, visitor)
    if clip.state == "failed":
        raise Problem(409, "not_possible", f"this clip cannot be used: {clip.message}")
    checked = _checked_wish(wish, studio, clip)
    name = new_id("j")
    if isinstance(wish, PlayWish):
        folder = clip.folder / "jobs"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(checked.pop("text"), "utf-8")
    return _shown(clip, studio.add_job(clip, wish.kind, checked, name))


def _checked_wish(wish: Wish, studio: Studio, clip: ClipState | None) -> dict[str, Any]:
    """Return a wish as a job keeps it."""
    try:
        if isinstance(wish, ComposeWish):
            if wish.count > studio.limits.candidates:
                raise D2MError(f"{wish.count} candidates are too many; {studio.limits.candidates} are allowed")
            given = plans.checked_options(wish.options, studio.limits)
            return {"kind": wish.kind, "count": wish.count, "options": given}
        if isinstance(wish, PlayWish):
            plan = plans.checked_plan(wish.plan, studio.limits)
            if clip is not None and wish.base is not None and wish.base not in clip.pieces:
                raise NOT_FOUND
            return {"kind": wish.kind, "base": wish.base, "text": plan_text(plan)}
    except D2MError as error:
        raise invalid(error) from None
    except UnicodeEncodeError:
        raise Problem(422, "invalid", "the plan has a text that is not valid Unicode; correct it") from None
    if isinstance(wish, ExportWish) and clip is not None and wish.piece not in clip.pieces:
        raise NOT_FOUND
    return wish.model_dump()


@api.get("/clips/{clip}/jobs/{job}")
async def show_job(clip: TheClip, job: TheJob) -> Job:
    """Return a job."""
    return _shown(clip, job)


@api.delete("/clips/{clip}/jobs/{job}")
async def cancel(clip: TheClip, job: TheJob, studio: TheStudio) -> Job:
    """Cancel a job."""
    if job.state in OVER:
        raise Problem(409, "not_possible", f"this job is {job.state} already")
    studio.cancel(clip, job)
    return _shown(clip, job)


@api.post("/clips/{clip}/jobs/{job}/retry", status_code=202)
async def retry(request: Request, clip: TheClip, job: TheJob, studio: TheStudio, visitor: TheVisitor) -> Job:
    """Run a job again that was cancelled, interrupted or failed."""
    if not job.retry:
        raise Problem(409, "not_possible", "this job cannot be run again; start another one")
    _may_work(request, studio, visitor)
    studio.retry(clip, job)
    return _shown(clip, job)


def _shown(clip: ClipState, job: Job) -> Job:
    return job.model_copy(update={"url": f"{clip.base}/jobs/{job.id}"})


@api.get("/clips/{clip}/pieces/{piece}")
async def show_piece(piece: ThePiece) -> Piece:
    """Return a piece."""
    return piece


@api.delete("/clips/{clip}/pieces/{piece}", status_code=204)
async def remove_piece(clip: TheClip, piece: ThePiece, studio: TheStudio) -> None:
    """Remove a piece."""
    await studio.remove_piece(clip, piece)


@api.get("/clips/{clip}/pieces/{piece}/plan")
async def show_plan(clip: TheClip, piece: ThePiece) -> dict[str, Any]:
    """Return the plan of a piece with the structure of its file."""
    try:
        return plans.plan_json(clip.folder / "pieces" / piece.id / "plan.toml")
    except D2MError:
        raise NOT_FOUND from None


@api.get("/clips/{clip}/pieces/{piece}/files/{name}")
async def exported(clip: TheClip, piece: ThePiece, name: str, download: Literal["0", "1"] = "0") -> Response:
    """Return a file of an export."""
    if name not in {each.name for each in piece.files.values()}:
        raise NOT_FOUND
    path = clip.folder / "pieces" / piece.id / "files" / name
    return _file(path, name if download == "1" else None)


@api.get("/clips/{clip}/pieces/{piece}/{name}")
async def piece_file(clip: TheClip, piece: ThePiece, name: str, download: Literal["0", "1"] = "0") -> Response:
    """Return the sound, a stem, the notes or the plan of a piece."""
    known = {*_PIECE_FILES, *(f"stem.{channel}.wav" for channel in piece.stems or {})}
    if name not in known:
        raise NOT_FOUND
    stem = f"{Path(clip.name).stem}.d2m.{piece.number}"
    shown = {"sound.wav": f"{stem}.wav", "notes.mid": f"{stem}.mid", "plan.toml": f"{stem}.toml"}
    saved = shown.get(name, f"{stem}.{name.removeprefix('stem.')}")
    return _file(clip.folder / "pieces" / piece.id / name, saved if download == "1" else None)


root = APIRouter()


@root.get("/health")
async def health(studio: TheStudio) -> Response:
    """Tell whether the workers live."""
    pool = studio.pool
    status = "ok" if pool.alive else pool.trouble or "starting"
    content = {"status": status, "workers": pool.alive, "queue": len(studio.queue), "version": __version__}
    return Response(json.dumps(content), 200 if pool.alive else 503, media_type="application/json")


@root.get("/metrics")
async def metrics(studio: TheStudio) -> Response:
    """Return figures for Prometheus."""
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
