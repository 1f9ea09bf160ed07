"""Routes of the JSON API for the jobs of a clip, and for the pieces that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request, Response

from d2m.errors import D2MError
from d2m.web.app import plans
from d2m.web.app.clips import ClipState, new_id
from d2m.web.app.problems import NOT_FOUND, Problem
from d2m.web.app.records import OVER, Job, Piece, PlayWish, Wish
from d2m.web.app.routing import Route, TheClip, TheJob, ThePiece, TheStudio, TheVisitor, stored_file
from d2m.web.app.wishes import check_may_work, checked_wish

api = APIRouter(prefix="/api/clips/{clip}", route_class=Route)
_PIECE_FILES = ("sound.wav", "notes.mid", "plan.toml")


@api.post("/jobs", status_code=202)
async def start(
    request: Request,
    clip: TheClip,
    studio: TheStudio,
    visitor: TheVisitor,
    wish: Annotated[Wish, Body(discriminator="kind")],
) -> Job:
    """Start a job.

    Args:
        request: the request, whose address of origin is counted against the limits.
        clip: the clip that the address names, one of the visitor's.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.
        wish: kind of the job and what it is to make.

    Returns:
        The job, queued or running.

    Raises:
        Problem: if the clip cannot be used (409), the wish cannot be met (422), it names a piece that does not exist
            (404), or a limit is reached (413, 429).
    """
    check_may_work(request, studio, visitor)
    if clip.state == "failed":
        raise Problem(409, "not_possible", f"this clip cannot be used: {clip.message}")
    checked = checked_wish(wish, studio, clip)
    name = new_id("j")
    if isinstance(wish, PlayWish):
        folder = clip.folder / "jobs"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(checked.pop("text"), "utf-8")
    return _shown(clip, studio.add_job(clip, wish.kind, checked, name))


@api.get("/jobs/{job}")
async def show_job(clip: TheClip, job: TheJob) -> Job:
    """Return a job.

    Args:
        clip: the clip that the address names, one of the visitor's.
        job: the job of the clip that the address names.

    Returns:
        The job, with its state, share done (0-1) and place in the queue.
    """
    return _shown(clip, job)


@api.delete("/jobs/{job}")
async def cancel(clip: TheClip, job: TheJob, studio: TheStudio) -> Job:
    """Cancel a job.

    Args:
        clip: the clip that the address names, one of the visitor's.
        job: the job of the clip that the address names.
        studio: the studio that is served.

    Returns:
        The job, cancelled.

    Raises:
        Problem: if it is over already (409).
    """
    if job.state in OVER:
        raise Problem(409, "not_possible", f"this job is {job.state} already")
    studio.cancel(clip, job)
    return _shown(clip, job)


@api.post("/jobs/{job}/retry", status_code=202)
async def retry(request: Request, clip: TheClip, job: TheJob, studio: TheStudio, visitor: TheVisitor) -> Job:
    """Run a job again that was cancelled, interrupted or failed.

    Args:
        request: the request, whose address of origin is counted against the limits.
        clip: the clip that the address names, one of the visitor's.
        job: the job of the clip that the address names.
        studio: the studio that is served.
        visitor: the visitor who asks, by the cookie of the request.

    Returns:
        The job, queued or running.

    Raises:
        Problem: if it cannot be run again (409), or a limit is reached (413, 429).
    """
    if not job.retry:
        raise Problem(409, "not_possible", "this job cannot be run again; start another one")
    check_may_work(request, studio, visitor)
    studio.retry(clip, job)
    return _shown(clip, job)


def _shown(clip: ClipState, job: Job) -> Job:
    return job.model_copy(update={"url": f"{clip.base}/jobs/{job.id}"})


@api.get("/pieces/{piece}")
async def show_piece(piece: ThePiece) -> Piece:
    """Return a piece.

    Args:
        piece: the piece of the clip that the address names.

    Returns:
        The piece.
    """
    return piece


@api.delete("/pieces/{piece}", status_code=204)
async def remove_piece(clip: TheClip, piece: ThePiece, studio: TheStudio) -> None:
    """Remove a piece.

    Args:
        clip: the clip that the address names, one of the visitor's.
        piece: the piece of the clip that the address names.
        studio: the studio that is served.
    """
    await studio.remove_piece(clip, piece)


@api.get("/pieces/{piece}/plan")
async def show_plan(clip: TheClip, piece: ThePiece) -> dict[str, Any]:
    """Return the plan of a piece with the structure of its file.

    Args:
        clip: the clip that the address names, one of the visitor's.
        piece: the piece of the clip that the address names.

    Returns:
        JSON object with the tables and keys of the TOML file.

    Raises:
        Problem: if the file is gone (404).
    """
    try:
        return plans.plan_json(clip.folder / "pieces" / piece.id / "plan.toml")
    except D2MError:
        raise NOT_FOUND from None


@api.get("/pieces/{piece}/files/{name}")
async def exported(clip: TheClip, piece: ThePiece, name: str, download: Literal["0", "1"] = "0") -> Response:
    """Return a file of an export.

    Args:
        clip: the clip that the address names, one of the visitor's.
        piece: the piece of the clip that the address names.
        name: name of the file, one of those listed in ``files`` of the piece.
        download: "1" to have the browser save the file, "0" to have it show the file.

    Returns:
        The file, or the range of it that is asked for.

    Raises:
        Problem: if the piece has no such file (404).
    """
    if name not in {each.name for each in piece.files.values()}:
        raise NOT_FOUND
    path = clip.folder / "pieces" / piece.id / "files" / name
    return stored_file(path, name if download == "1" else None)


@api.get("/pieces/{piece}/{name}")
async def piece_file(clip: TheClip, piece: ThePiece, name: str, download: Literal["0", "1"] = "0") -> Response:
    """Return the sound, a stem, the notes or the plan of a piece.

    Args:
        clip: the clip that the address names, one of the visitor's.
        piece: the piece of the clip that the address names.
        name: "sound.wav", "notes.mid", "plan.toml", or "stem.CHANNEL.wav" with a channel of the piece.
        download: "1" to have the browser save the file, "0" to have it show the file.

    Returns:
        The file, or the range of it that is asked for.

    Raises:
        Problem: if the piece has no such file (404).
    """
    known = {*_PIECE_FILES, *(f"stem.{channel}.wav" for channel in piece.stems or {})}
    if name not in known:
        raise NOT_FOUND
    stem = f"{Path(clip.name).stem}.d2m.{piece.number}"
    shown = {"sound.wav": f"{stem}.wav", "notes.mid": f"{stem}.mid", "plan.toml": f"{stem}.toml"}
    saved = shown.get(name, f"{stem}.{name.removeprefix('stem.')}")
    return stored_file(clip.folder / "pieces" / piece.id / name, saved if download == "1" else None)
