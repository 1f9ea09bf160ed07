"""Plans and options that visitors send, and the fixed lists for the controls of the page."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.plans.files import LARGEST, plan_of
from d2m.plans.types import PARTS, TRANSITIONS, Plan, PlanError
from d2m.types import ROLES, TRACKS
from d2m.version import __version__
from d2m.web.app.records import ComposeOptions
from d2m.web.app.settings import Limits

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

#: Most sections and hits of a plan.
_MOST_SECTIONS, _MOST_HITS = 200, 2000


def plan_json(path: Path) -> dict[str, Any]:
    """Return a stored plan with the structure of its file.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise D2MError("this plan is gone; choose another piece") from error


def checked_plan(given: dict[str, Any] | str, limits: Limits) -> Plan:
    """Check a plan of a visitor.

    Args:
        given: the plan with the structure of its file, or the text of the file.
        limits: limits of the studio.

    Raises:
        PlanError: if it cannot be played here.
        D2MError: if the text is no TOML.
    """
    if isinstance(given, str):
        if len(given) > LARGEST:
            raise D2MError("the plan is too large; give one that was downloaded here")
        try:
            given = tomllib.loads(given)
        except (ValueError, RecursionError) as error:
            raise D2MError(f"the plan is no TOML file ({error}); correct that line") from error
    plan = plan_of(given)
    if len(plan.sections) > _MOST_SECTIONS or len(plan.hits) > _MOST_HITS:
        raise D2MError(f"a plan may have {_MOST_SECTIONS} sections and {_MOST_HITS} hits here; leave some out")
    for index, section in enumerate(plan.sections):
        # Anything else is the path of a file.
        if section.arranger not in arrangers():
            raise PlanError("section", index, "arranger", f"choose {', '.join(arrangers())}")
    plan.check()
    if plan.duration > limits.seconds:
        raise PlanError("", None, "duration", f"music may last {limits.seconds:g} s here; give a shorter duration")
    return plan


def checked_options(asked: ComposeOptions, limits: Limits) -> dict[str, Any]:
    """Check options of the music.

    Args:
        asked: the options.
        limits: limits of the studio.

    Returns:
        Those that were given, as arguments of :class:`~d2m.generate_options.GenerateOptions` and ``arranger``.

    Raises:
        D2MError: if a value cannot be used.
    """
    from d2m.generate_options import GenerateOptions

    given = asked.model_dump(exclude_unset=True)
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("arranger", arrangers()[0]) not in arrangers():
        raise D2MError(f"there is no such arranger; choose {', '.join(arrangers())}")
    if (given.get("length") or 0.0) > limits.seconds:
        raise D2MError(f"music may last {limits.seconds:g} s here; give a shorter length")
    GenerateOptions(**{name: value for name, value in given.items() if name != "arranger"}).check()
    return given


def arrangers() -> tuple[str, ...]:
    """Return the names of the arrangers."""
    from d2m.engines.arrangers import ARRANGERS

    return tuple(ARRANGERS)


@lru_cache(maxsize=1)
def _lists() -> dict[str, Any]:
    from d2m.genres import genre_names
    from d2m.plans.edit import CHANNELS_OF
    from d2m.sounds.patches import patches
    from d2m.symbolic.emotion.mood_table import names as moods
    from d2m.symbolic.keys import KEYS, key_name

    instruments: dict[str, list[dict[str, str]]] = {track: [] for track in TRACKS}
    for patch in patches().values():
        if not patch.is_effect:
            instruments[patch.track].append({"name": patch.name, "title": patch.name})
    return {
        "version": __version__,
        "genres": [{"name": name, "title": name.replace("-", " ").capitalize()} for name in genre_names()],
        "moods": list(dict.fromkeys(moods().values())),
        "roles": list(ROLES),
        "transitions": list(TRANSITIONS),
        "arrangers": list(arrangers()),
        "keys": [key_name(key) for key in range(KEYS)],
        "tracks": list(PARTS),
        "channels": {channel: track for track, channels in CHANNELS_OF.items() for channel in channels},
        "instruments": instruments,
    }


def choices(limits: Limits) -> dict[str, Any]:
    """Return the lists for the controls of the page.

    Args:
        limits: limits of the studio.
    """
    return _lists() | {"limits": limits.shown()}
