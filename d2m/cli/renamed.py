"""Options that were renamed."""

from __future__ import annotations

#: Options that were renamed, without their dashes: old name -> new name. The old names stay for one release.
RENAMED = {
    "unheard": "input-dropout",
    "turned": "rotate-prob",
    "spare": "min-play",
    "guided": "imitation-weight",
    "lessons": "replay-steps",
    "judged": "critic-weight",
}


def current_name(name: str) -> str:
    """Return the current name of an option that was renamed, and any other name as it is."""
    return RENAMED.get(name, name)
