"""What the routes of the API share: the objects that an address names, and answers with stored files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute

from d2m.web.answers import file_answer
from d2m.web.app.clips import ClipState, Visitor
from d2m.web.app.problems import NOT_FOUND
from d2m.web.app.records import Job, Piece
from d2m.web.app.studio import Studio

#: Wish that comes with a new clip.
FirstWish = Annotated[
    str | None,
    Query(max_length=8192, description="JSON of a wish of kind `compose`, which is met once the clip is analysed."),
]


class Route(APIRoute):
    """Route whose description is the first line of the docstring: the sections after it are about Python objects."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.description = self.description.partition("\n")[0]


def address_of(request: Request) -> str:
    """Return the network address that a request comes from.

    Args:
        request: the request.

    Returns:
        The address; "" if it is not known.
    """
    return request.client.host if request.client else ""


def stored_file(path: Path, name: str | None = None) -> Response:
    """Return a file of a visitor, or the range of it that is asked for.

    Args:
        path: the file.
        name: name under which the browser saves it; None to show it.

    Returns:
        The answer; only the visitor's browser may keep it, for an hour.

    Raises:
        Problem: if there is no such file (404).
    """
    if not path.is_file():
        raise NOT_FOUND
    return file_answer(path, name, "private, max-age=3600")


async def _studio(request: Request) -> Studio:
    return request.app.state.studio


async def _visitor(request: Request) -> Visitor:
    return request.app.state.studio.visitor(request.scope["state"]["cookie"], address_of(request))


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
