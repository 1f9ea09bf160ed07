"""Assign the notes of a part to the channels of the mixer."""

from __future__ import annotations

import numpy as np

from d2m.audio.presets import CHANNELS
from d2m.types import Part

KICK = CHANNELS.index("kick")
#: General MIDI percussion keys of the channels that are not percussion.
_KICKS, _SNARES = (35, 36), (37, 38, 39, 40)
_HATS = (42, 44, 46, 49, 51, 52, 53, 55, 57, 59)
#: General MIDI programs of the strings track that play chords in the background: ensembles, choirs, pads.
_PADS = (*range(40, 56), *range(88, 96))
_EFFECTS = (*range(96, 104), *range(119, 128))
_BY_TRACK = {"piano": "keys", "guitar": "guitar", "bass": "bass", "strings": "lead"}


def channels_of(part: Part) -> np.ndarray:
    """Assign the notes of a part to channels.

    Args:
        part: the part with N notes.

    Returns:
        int64 (N,), indices into :data:`~d2m.audio.presets.CHANNELS`.
    """
    if part.is_drum:
        by_key = np.full(128, CHANNELS.index("percussion"))
        for keys, name in ((_KICKS, "kick"), (_SNARES, "snare"), (_HATS, "hats")):
            by_key[list(keys)] = CHANNELS.index(name)
        return by_key[np.clip(part.pitches, 0, 127)]
    return np.full(len(part.pitches), CHANNELS.index(_pitched(part)))


def _pitched(part: Part) -> str:
    if part.patch.startswith("fx."):
        return "effects"
    if part.program in _EFFECTS:
        return "effects"
    if part.track == "strings" and part.program in _PADS:
        return "pad"
    return _BY_TRACK[part.track]
