"""Change the sound of a composed score: brighter or darker patches, filters, levels, and the character of the mix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np

from d2m.sounds.patches import genre_sounds, patches
from d2m.symbolic.emotion.mood_table import Cues, families
from d2m.types import Lane, Part, Score

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Channels that the filter closes: drums and bass, which carry the beat, stay open.
_FILTERED = ("keys", "guitar", "pad", "lead")
#: Channels whose level follows the brightness, and their share of the gain.
_LEVELS = {"hats": 1.0, "percussion": 0.6, "bass": -0.33}


@cache
def brightness() -> dict[str, float]:
    """Return the spectral centroid of each patch of the sound library in hertz, by name."""
    text = files("d2m.sounds").joinpath("brightness.toml").read_text("utf-8")
    return dict(tomllib.loads(text)["centroid"])


def change_sound(score: Score, cues: Cues) -> Score:
    """Choose patches, automation and character of the mix.

    Args:
        score: the score.
        cues: changes.
    """
    parts = tuple(_repatched(part, score.genre, cues.brightness) for part in score.parts)
    lanes = _filtered(score.lanes, cues.lowpass)
    if cues.treble:
        lanes += tuple(
            Lane(channel, "gain", np.zeros(1), np.array([share * cues.treble])) for channel, share in _LEVELS.items()
        )
    character = cues.character if cues.character and cues.strength >= 0.5 else score.character
    return replace(score, parts=parts, lanes=lanes, character=character)


def _repatched(part: Part, genre: str | None, bright: float) -> Part:
    """A part with a darker or brighter patch of its family; the program is the one that stands for it in MIDI files.

    The wanted centroid lies between that of the patch and that of the darkest or brightest of the family, on a scale of
    logarithms; the patch nearest to it is taken.
    """
    family = [name for name in _family(part, genre) if name in brightness() and name in patches() and _fits(part, name)]
    if part.patch not in brightness() or not family:
        return part
    now = float(np.log(brightness()[part.patch]))
    levels = np.log([brightness()[name] for name in family])
    end = max(levels.max(), now) if bright > 0 else min(levels.min(), now)
    name = family[int(np.abs(levels - now - abs(bright) * (end - now)).argmin())]
    program = patches()[name].fallback
    return part if name == part.patch or program is None else replace(part, patch=name, program=program)


def _family(part: Part, genre: str | None) -> tuple[str, ...]:
    """The patches that may stand for that of a part: for drums the kits of the genre, since a kit makes a genre."""
    if part.is_drum:
        return (part.patch, *(genre_sounds()[genre].weights["drums"] if genre in genre_sounds() else ()))
    return next((family for family in families() if part.patch in family), ())


def _fits(part: Part, name: str) -> bool:
    """Whether a patch can play all notes of a part."""
    patch = patches()[name]
    if patch.track != part.track or patch.fallback is None:
        return False
    inside = (part.pitches >= patch.low) & (part.pitches <= patch.high)
    return part.is_drum or bool(inside.all())


def _filtered(lanes: Sequence[Lane], corner: float) -> tuple[Lane, ...]:
    """Lanes with the filters closed to a corner at most; a channel has one filter, so lanes of it are merged."""
    if corner >= 20000.0:
        return tuple(lanes)
    kept = [lane for lane in lanes if lane.parameter != "lowpass" or lane.target not in _FILTERED]
    for channel in _FILTERED:
        own = [lane for lane in lanes if lane.parameter == "lowpass" and lane.target == channel]
        kept += [replace(lane, values=np.minimum(lane.values, corner)) for lane in own]
        if not own:
            kept.append(Lane(channel, "lowpass", np.zeros(1), np.array([corner])))
    return tuple(kept)
