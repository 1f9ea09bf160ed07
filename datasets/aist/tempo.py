"""Tempos of AIST's music.

Each genre has six pieces, numbered from 0: of 80 to 130 beats a minute in steps of 10, of house 110 to 135 in steps of
5 (Tsuchida et al., "AIST Dance Video Database", ISMIR 2019, section 3.2).
"""

from __future__ import annotations

import re

from d2m.errors import D2MError
from d2m.types import GENRES, BeatGrid

_MUSIC = re.compile(r"m(?P<genre>[A-Z]{2})(?P<number>[0-5])")


def tempo_of(music: str) -> float:
    """Return the tempo of a piece in beats a minute.

    Args:
        music: name such as ``"mBR0"``.

    Raises:
        D2MError: if AIST has no piece of this name.
    """
    found = _MUSIC.fullmatch(music)
    if found is None or f"g{found['genre']}" not in GENRES:
        raise D2MError(f"AIST has no music '{music}'; expected a name like mBR0")
    number = int(found["number"])
    return 110.0 + 5.0 * number if found["genre"] == "HO" else 80.0 + 10.0 * number


def grid_of(music: str, seconds: float) -> BeatGrid:
    """Return the beats of a piece, the first of which is the first of a bar at time 0.

    Args:
        music: name such as ``"mBR0"``.
        seconds: length in seconds.

    Raises:
        D2MError: if AIST has no piece of this name.
    """
    return BeatGrid.steady(tempo_of(music), seconds)
