"""Names of the instruments of General MIDI (sound set of level 1), for tracks in files."""

from __future__ import annotations

#: By program.
INSTRUMENTS: tuple[str, ...] = (
    "grand piano", "bright piano", "electric grand piano", "honky-tonk piano", "electric piano", "electric piano 2",
    "harpsichord", "clavinet",
    "celesta", "glockenspiel", "music box", "vibraphone", "marimba", "xylophone", "tubular bells", "dulcimer",
    "drawbar organ", "percussive organ", "rock organ", "church organ", "reed organ", "accordion", "harmonica",
    "bandoneon",
    "nylon guitar", "steel guitar", "jazz guitar", "clean guitar", "muted guitar", "overdriven guitar",
    "distortion guitar", "guitar harmonics",
    "acoustic bass", "fingered bass", "picked bass", "fretless bass", "slap bass", "slap bass 2", "synth bass",
    "synth bass 2",
    "violin", "viola", "cello", "contrabass", "tremolo strings", "pizzicato strings", "harp", "timpani",
    "strings", "slow strings", "synth strings", "synth strings 2", "choir", "voice", "synth voice", "orchestra hit",
    "trumpet", "trombone", "tuba", "muted trumpet", "french horn", "brass", "synth brass", "synth brass 2",
    "soprano sax", "alto sax", "tenor sax", "baritone sax", "oboe", "english horn", "bassoon", "clarinet",
    "piccolo", "flute", "recorder", "pan flute", "blown bottle", "shakuhachi", "whistle", "ocarina",
    "square lead", "saw lead", "calliope lead", "chiff lead", "charang lead", "voice lead", "fifths lead",
    "bass and lead",
    "new age pad", "warm pad", "polysynth pad", "choir pad", "bowed pad", "metallic pad", "halo pad", "sweep pad",
    "rain", "soundtrack", "crystal", "atmosphere", "brightness", "goblins", "echoes", "sci-fi",
    "sitar", "banjo", "shamisen", "koto", "kalimba", "bagpipe", "fiddle", "shanai",
    "tinkle bell", "agogo", "steel drums", "woodblock", "taiko", "melodic tom", "synth drum", "reverse cymbal",
    "fret noise", "breath noise", "seashore", "bird tweet", "telephone", "helicopter", "applause", "gunshot",
)  # fmt: skip
#: What names of instruments that a track is called after contain.
_WORDS = {"piano": "piano", "guitar": "guitar", "bass": "bass", "strings": "strings"}


def instrument_name(track: str, program: int) -> str:
    """Return what plays a track: the track's name if it says so, otherwise the instrument.

    Args:
        track: one of :data:`d2m.types.TRACKS`.
        program: General MIDI program.

    Returns:
        Such as ``"bass"``, ``"flute"`` or ``"saw lead"``.
    """
    word = _WORDS.get(track)
    name = INSTRUMENTS[program] if 0 <= program < len(INSTRUMENTS) else track
    return track if word is None or word in name else name


def program_called(name: str) -> int | None:
    """Return the program of an instrument's name as :func:`instrument_name` gives it, or None.

    Args:
        name: name of a track in a file, perhaps numbered.
    """
    plain = name.strip().lower()
    shorter = plain.rsplit(" ", 1)[0] if plain.rsplit(" ", 1)[-1].isdecimal() else plain
    return next((INSTRUMENTS.index(each) for each in (plain, shorter) if each in INSTRUMENTS), None)
