"""State of a station, as its page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from d2m.symbolic.stream.pace import AHEAD

if TYPE_CHECKING:
    from d2m.symbolic.stream.station import Station

#: Maximum number of broken files that are shown to listeners.
_MOST_SKIPPED = 200


def state_of(station: Station) -> dict[str, Any]:
    """Return all that the page shows.

    Args:
        station: the station.

    Returns:
        JSON object.
    """
    with station.changed:
        used = {s.queued for s in station.programme.sections}
        following = station.programme.following(station.safe())
        return {
            "programme": station.identity,
            "head": station.head,
            "live": max(station.head - AHEAD, min(station.segments, default=station.rendered)),
            "revisions": {str(k): r for k, (r, _) in station.segments.items() if k > station.head - AHEAD - 2},
            "revision": station.revision,
            "stretches": [s.to_json() for s in station.programme.sections],
            "next": following[0].name if following else None,
            "queue": [{"number": w.number, "name": w.name, "decided": w.number in used} for w in station.wishes.queue],
            "skipping": station.skipping,
            "skipped": [
                {"name": n, "reason": why} for n, why in [*station.programme.library.left_out().items()][:_MOST_SKIPPED]
            ],
            "songs": len(station.songs),
            "unread": len(station.checks.unread),
            "listeners": len(station.listeners),
        }
