"""Table of moods (``moods.toml``): how each cue of a composed score changes towards an emotion."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from d2m.symbolic.emotion.emotions import Emotion, load_emotions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("moods.toml")
#: Diatonic modes from the brightest to the darkest; each lowers one degree of the scale of the one before.
MODES: tuple[str, ...] = ("lydian", "ionian", "mixolydian", "dorian", "aeolian", "phrygian")
#: The first mode with a minor third.
FIRST_MINOR = MODES.index("dorian")


@dataclass(frozen=True)
class Cues:
    """Changes of a score, at one strength.

    Attributes:
        emotion: entry of the table of emotions.
        strength: 0 to 1.
        mode: index into :data:`MODES` that the piece is led to at strength 1.
        register: semitones by which parts move.
        density: at most 0: share of strokes to remove; above: strokes to add, as a share of their number.
        velocity: velocity to add.
        loudness: how much louder the finished music is, in LU.
        length: share of its written length that a note sounds; at 2 notes are held until the next one.
        brightness: -1 to 1.
        feel: ``"half"``, ``"double"`` or ``""``.
        character: character of the mix, or ``""`` for the piece's own.
        lowpass: corner in hertz of the filter.
        treble: gain of the hi-hats in dB.
    """

    emotion: Emotion
    strength: float
    mode: int
    register: float
    density: float
    velocity: float
    loudness: float
    length: float
    brightness: float
    feel: str
    character: str
    lowpass: float
    treble: float


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def names() -> dict[str, str]:
    """Return the English name of every mood by each of its names: English, Korean and aliases, in lower case."""
    found = {
        normalize("NFC", title).casefold(): emotion.name
        for emotion in load_emotions().emotions
        for title in (emotion.name, emotion.korean)
    }
    return aliases() | found


@cache
def aliases() -> dict[str, str]:
    """Return the English name of a mood by each of its aliases, in lower case."""
    moods = _table()["mood"]
    return {normalize("NFC", word).casefold(): name for name in moods for word in moods[name]["aliases"]}


@cache
def families() -> tuple[tuple[str, ...], ...]:
    """Return the names of patches that may stand for each other."""
    return tuple(tuple(family) for family in _table()["families"].values())


def aims() -> dict[str, dict[str, float]]:
    """Return what each mood asks for, as numbers to compare measurements with.

    Returns:
        Name of a mood -> ``pitch`` (quantile), ``density`` (quantile), ``mode`` (0 phrygian to 5 lydian), ``velocity``
        (arousal), ``brightness`` (-1 to 1) and ``length`` (share of the written length).
    """
    table = _table()
    return {
        emotion.name: {
            "pitch": emotion.pitch_quantile,
            "density": emotion.density_quantile,
            "mode": float(len(MODES) - 1 - MODES.index(table["mood"][emotion.name]["mode"])),
            "velocity": emotion.arousal,
            "brightness": table["mood"][emotion.name]["brightness"],
            "length": table["articulation"][emotion.articulation],
        }
        for emotion in load_emotions().emotions
    }


def cues(name: str, strength: float) -> Cues:
    """Compute the changes that a mood makes.

    Args:
        name: English name of an emotion.
        strength: 0 to 1.
    """
    table, emotion = _table(), load_emotions().find(name)
    row, cue = table["mood"][emotion.name], table["cue"]
    denser = 2.0 * emotion.density_quantile - 1.0
    brightness = strength * row["brightness"]
    return Cues(
        emotion=emotion,
        strength=strength,
        mode=MODES.index(row["mode"]),
        register=strength * cue["register"] * (2.0 * emotion.pitch_quantile - 1.0),
        density=strength * denser * (cue["add"] if denser > 0 else cue["thin"]),
        velocity=strength * cue["velocity"] * emotion.arousal,
        loudness=strength * cue["loudness"] * emotion.arousal,
        length=1.0 + strength * (table["articulation"][emotion.articulation] - 1.0),
        brightness=brightness,
        feel=row["feel"],
        character=row["character"],
        lowpass=20000.0 * (cue["lowpass"] / 20000.0) ** max(-brightness, 0.0),
        treble=cue["treble"] * brightness,
    )
