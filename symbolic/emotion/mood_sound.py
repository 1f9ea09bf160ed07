"""Change the sound of a composed score: brighter or darker patches, filters, levels, and the character of the mix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np

from d2m.sounds.patches import patches
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
    parts = tuple(_repatched(part, cues.brightness) for part in score.parts)
    lanes = _filtered(score.lanes, cues.lowpass)
    if cues.treble:
        lanes += tuple(
            Lane(channel, "gain", np.zeros(1), np.array([share * cues.treble])) for channel, share in _LEVELS.items()
        )
    character = cues.character if cues.character and cues.strength >= 0.5 else score.character
    return replace(score, parts=parts, lanes=lanes, character=character)


def _repatched(part: Part, bright: float) -> Part:
    """A part with a darker or brighter patch of its family; the program is the one that stands for it in MIDI files."""
    family = next((family for family in families() if part.patch in family), ())
    known = [name for name in family if name in brightness() and name in patches()]
    if part.patch not in known:
        return part
    ranked = sorted(known, key=lambda name: brightness()[name])
    fitting = [name for name in ranked if name == part.patch or _fits(part, name)]
    now = fitting.index(part.patch)
    room = len(fitting) - 1 - now if bright > 0 else now
    # Half rounds away from the patch of now, so that there is a change at full strength wherever one is possible.
    name = fitting[now + int(np.sign(bright)) * int(abs(bright) * room + 0.5)]
    program = patches()[name].fallback
    return part if name == part.patch or program is None else replace(part, patch=name, program=program)


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
