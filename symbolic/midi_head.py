"""Encode what the first track of a MIDI file tells of the whole: key signature and markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

#: Meta events of standard MIDI files.
MARKER, KEY_SIGNATURE = 0x06, 0x59

_KEY = re.compile(r"([A-G])(#|b|♯|♭)?:(maj|min)")
_NATURAL = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MOST_SHARPS = 7


class Named(Protocol):
    """Something with a time in seconds and a name (:class:`d2m.markers.Marker`)."""

    @property
    def time(self) -> float: ...

    @property
    def name(self) -> str: ...


def key_signature(key: str | None) -> bytes | None:
    """Encode the content of a key signature event.

    Args:
        key: name of a key such as ``"A:min"`` or ``"Bb:maj"``.

    Returns:
        Number of sharps (negative: flats) as a signed byte, then 0 for major or 1 for minor; None without a key. A key
        of more than seven sharps or flats is written as the one that sounds the same.
    """
    match = _KEY.fullmatch(key or "")
    if match is None:
        return None
    letter, accidental, mode = match.groups()
    sharps = _NATURAL[letter] + 7 * ((accidental in ("#", "♯")) - (accidental in ("b", "♭")))
    sharps -= 3 * (mode == "min")
    sharps += 12 * (sharps < -_MOST_SHARPS) - 12 * (sharps > _MOST_SHARPS)
    return bytes([sharps & 0xFF, mode == "min"])


def marker_texts(markers: Sequence[Named], duration: float) -> list[tuple[float, bytes]]:
    """Return time in seconds and encoded name of each marker within the duration, in the order of time.

    Args:
        markers: markers.
        duration: seconds.
    """
    inside = sorted((marker for marker in markers if 0 <= marker.time <= duration), key=lambda marker: marker.time)
    return [(float(marker.time), " ".join(marker.name.split()).encode()) for marker in inside]
