"""Data classes of a style, which the tables in ``funk``, ``hiphop`` and ``club`` fill in.

Rhythms are strings with one character per sixteenth, of at most four bars; blanks and bar lines are ignored:
``X`` accented, ``x`` normal, ``o`` soft, ``g`` ghost or muted, ``-`` continued, ``.`` rest. Hats also use ``O`` (open)
and ``p`` (pedal); bass lines name chord tones and arpeggios number them (see ``bass`` and ``comping``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from d2m.genres import added_genre

#: General MIDI programs that the composer may use, per track; for drums the kit's program.
PROGRAMS: dict[str, tuple[int, ...]] = {
    "drums": (0, 8, 16, 24, 25, 40),
    "piano": (0, 4, 5, 7, 11, 16, 17, 18),
    "guitar": (24, 25, 26, 27, 28, 29),
    "bass": (32, 33, 34, 35, 36, 38, 39),
    "strings": (48, 49, 50, 56, 61, 62, 65, 66, 73, 80, 81, 89),
}

#: General MIDI percussion keys that the composer may use.
DRUM_KEYS: tuple[int, ...] = (
    35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 53, 54, 56, 57, 59, 62, 63, 64, 70, 82,
)  # fmt: skip

#: Lowest and highest tempo of each genre in beats a minute, as in the AIST database (Tsuchida et al. 2019).
TEMPOS: dict[str, tuple[int, int]] = dict.fromkeys(
    ("gBR", "gPO", "gLO", "gMH", "gLH", "gWA", "gKR", "gJS", "gJB"), (80, 130)
) | {"gHO": (110, 135)}

#: Lowest and highest key that an instrument of each track may be given.
RANGES: dict[str, tuple[int, int]] = {
    "piano": (36, 96),
    "guitar": (40, 84),
    "bass": (26, 55),
    "strings": (43, 93),
}


def typical_tempo(genre: str) -> tuple[int, int]:
    """Return the usual range of tempo of a genre.

    Args:
        genre: AIST code, or name of a genre that another package adds.

    Returns:
        Lowest and highest tempo in beats per minute.
    """
    added = added_genre(genre)
    if added is None:
        return TEMPOS[genre]
    low, high = added.tempos or TEMPOS[added.like]
    return round(low), round(high)


@dataclass(frozen=True)
class Groove:
    """A drum pattern and the bass lines that lock to it.

    Attributes:
        kick, snare, hats: rhythms; ``hats`` may open and close.
        bass: rhythms of chord tones, one to be chosen.
        extras: General MIDI key -> rhythm; they come in one after the other as the music gets fuller.
        timekeeper: key that plays the plain notes of ``hats`` when the music is fullest (ride, tambourine).
        snare_key: 38 acoustic, 40 electric, 37 side stick, 39 clap.
    """

    kick: str
    snare: str
    hats: str
    bass: tuple[str, ...]
    extras: dict[int, str] = field(default_factory=dict)
    timekeeper: int | None = None
    snare_key: int = 38


@dataclass(frozen=True)
class Layer:
    """One instrument's job.

    Attributes:
        track: one of the five.
        programs: one is chosen for the piece.
        manner: ``chords``, ``strum``, ``arpeggio``, ``pad``, ``runs``, ``lead`` or ``answer``.
        rhythms: patterns to choose from; leads take them as the rhythm of their motifs.
        low, high: range of keys.
        enters: how full (0..1) the music must be before it plays.
        size: notes in a chord.
        gate: share of its written length that a note sounds.
        loudness: velocity of a plain note.
        roles: sections that it plays in; empty for all but breaks.
    """

    track: str
    programs: tuple[int, ...]
    manner: str
    rhythms: tuple[str, ...] = ()
    low: int = 52
    high: int = 76
    enters: float = 0.0
    size: int = 4
    gate: float = 0.9
    loudness: int = 80
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Song:
    """A harmonic plan: the scale, and one progression per kind of section (see ``harmony.read``).

    Attributes:
        scale: a name in ``harmony.SCALES``, that melodies use.
        verse, chorus, bridge: progressions of 1, 2, 4 or 8 bars.
        home: the chord that ends the piece.
        cadence: the chord that leads there.
    """

    scale: str
    verse: str
    chorus: str
    bridge: str
    home: str
    cadence: str


@dataclass(frozen=True)
class Style:
    """Everything that makes a genre.

    Attributes:
        kits: drum kits (programs), one is chosen.
        bass_programs: one is chosen.
        tonics: pitch classes of keys that suit the instruments.
        songs, grooves, layers: the material.
        swing: where the second of two sixteenths falls in its eighth: 0.5 straight, 0.67 triplet.
        shuffle: where the second of two eighths falls in its beat, for jazz swing.
        lag: milliseconds by which tunes lean behind the beat, and bass and chords between the beats.
        looseness: standard deviation of human timing in milliseconds.
        fills: kinds of fill (see ``grooves``).
        bass_gate: share of its written length that a bass note sounds.
        bass_loudness: velocity of a plain bass note.
    """

    kits: tuple[int, ...]
    bass_programs: tuple[int, ...]
    tonics: tuple[int, ...]
    songs: tuple[Song, ...]
    grooves: tuple[Groove, ...]
    layers: tuple[Layer, ...]
    swing: tuple[float, float] = (0.5, 0.5)
    shuffle: tuple[float, float] = (0.5, 0.5)
    lag: tuple[float, float] = (0.0, 0.0)
    looseness: float = 5.0
    fills: tuple[str, ...] = ("snare", "toms", "mixed")
    bass_gate: float = 0.85
    bass_loudness: int = 100
