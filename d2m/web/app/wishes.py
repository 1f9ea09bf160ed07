"""Checks of what a visitor asks for: the limits of the studio, and the wish of a job."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from d2m.errors import D2MError
from d2m.plans.files import plan_text
from d2m.web.app import plans
from d2m.web.app.clips import ClipState, Visitor
from d2m.web.app.problems import NOT_FOUND, Problem, invalid
from d2m.web.app.records import ComposeWish, ExportWish, PlayWish, Wish
from d2m.web.app.routing import address_of
from d2m.web.app.studio import Studio


def first_wish(make: str | None, studio: Studio) -> dict[str, Any] | None:
    """Return the wish that comes with a new clip, as a job keeps it.

    Args:
        make: JSON of a wish of kind ``compose``; None for no wish.
        studio: the studio.

    Returns:
        The wish as of :func:`checked_wish`, or None.

    Raises:
        Problem: if it is no such wish, or cannot be met (422).
    """
    if make is None:
        return None
    try:
        return checked_wish(ComposeWish.model_validate_json(make), studio, None)
    except ValueError as error:
        raise Problem(422, "invalid", "make: give the JSON of a wish of kind compose") from error


def check_may_add(request: Request, studio: Studio, visitor: Visitor) -> None:
    """Refuse one clip too many.

    Args:
        request: the request, whose address of origin is counted against the limits.
        studio: the studio.
        visitor: the visitor.

    Raises:
        Problem: if a limit is reached (413, 429).
    """
    limits = studio.limits
    if len(visitor.clips) + visitor.arriving >= limits.clips:
        raise Problem(429, "too_many", f"{limits.clips} clips are enough; remove one of them first", retry_after=60)
    check_may_work(request, studio, visitor)
    if not studio.arrivals.another(address_of(request)):
        raise Problem(429, "too_many", "too many clips came from this address; come back later", retry_after=600)


def check_may_work(request: Request, studio: Studio, visitor: Visitor) -> None:
    """Refuse one job too many.

    Args:
        request: the request, whose address of origin is counted against the limits.
        studio: the studio.
        visitor: the visitor.

    Raises:
        Problem: if a limit is reached (413, 429).
    """
    limits, address = studio.limits, address_of(request)
    if len(visitor.open_jobs()) >= limits.jobs:
        raise Problem(429, "too_many", f"{limits.jobs} jobs are under way; wait for one of them", retry_after=15)
    same = [other for other in studio.visitors.values() if address in other.addresses]
    if sum(len(other.open_jobs()) for other in same) >= limits.address_jobs:
        raise Problem(429, "too_many", "too many jobs of this address are under way; wait for them", retry_after=30)
    if studio.free_bytes(visitor) <= 0:
        raise Problem(413, "too_large", "there is no room for more files; remove a clip, or come back later")


def checked_wish(wish: Wish, studio: Studio, clip: ClipState | None) -> dict[str, Any]:
    """Return a wish as a job keeps it.

    Args:
        wish: what is asked for.
        studio: the studio.
        clip: the clip; None if it is not known yet.

    Returns:
        JSON object with ``kind`` and what the kind needs; ``text`` of a wish of kind ``play`` is the plan as TOML.

    Raises:
        Problem: if the wish cannot be met (422), or names a piece that does not exist (404).
    """
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
