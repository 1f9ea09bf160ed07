"""Options of the commands under ``d2m symbolic`` that say what the music is to be: one data class for each command.

A word that makes no sense for a command is declared with the reason, which users read (:func:`d2m.options.refused`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from d2m.errors import D2MError
from d2m.options import check_refused, names, option, refused
from d2m.symbolic.chords import read_chords
from d2m.symbolic.keys import key_number
from d2m.symbolic.shape import Shape, Words

SLOWEST, FASTEST = 20.0, 400.0
#: Range of ``--swing`` in per cent.
STRAIGHT, SHARPEST = 50.0, 75.0

_KEY = "Key, such as Am, F# or Bb:maj."
_CHORDS = "Chords, repeated to the length: one per bar ('Am F C/E G7') or with lengths in beats ('Am:2 F:2')."
_SWING = "Swing: place of the second of two eighths in its beat, from 50 (straight) to 75 %; 66.7 plays triplets."
_TEMPO = "Tempo in quarter notes per minute (20-400)."
_WITHOUT = "Tracks to leave out, separated by commas"
_STEMS = (
    "Folder for the stems: one .wav per track (drums, piano, guitar, bass, strings), which add up to the mix. Implies "
    "--wav."
)
_REGENERATE_HERE = "it replaces tracks of a file; use 'd2m symbolic accompany FILE --regenerate {}'."


@dataclass(frozen=True)
class Controls:
    """What the options of all commands have in common."""

    PANEL: ClassVar[str] = "Options of the music"

    def check(self) -> Words:
        """Check the options and return what they ask for.

        Raises:
            D2MError: if one of them is refused, cannot be read or is out of range.
        """
        check_refused(self)
        key, chords, swing, tempo = (getattr(self, name, None) for name in ("key", "chords", "swing", "tempo"))
        if tempo is not None and not SLOWEST <= float(tempo) <= FASTEST:
            raise D2MError(f"--tempo {float(tempo):g} is not usable; give {SLOWEST:g} to {FASTEST:g} beats per minute")
        bars = getattr(self, "bars", None)
        if bars is not None and not 1 <= int(bars) <= 2000:
            raise D2MError(f"--bars {bars} is not usable; give 1 to 2000 bars")
        shape = Shape(
            None if key is None else key_number(key), None if chords is None else read_chords(chords), _share(swing)
        )
        listed = (names(getattr(self, name, None) or "") for name in ("without", "regenerate"))
        without, regenerate = (tuple(dict.fromkeys(each)) for each in listed)
        return Words(shape, None if tempo is None else float(tempo), bars, without, regenerate)


def _share(swing: float | None) -> float:
    """Return the swing as a share of the beat."""
    if swing is None:
        return 0.5
    percent = 100 * swing if 0 < swing <= 1 else swing
    if not STRAIGHT - 1e-9 <= percent <= SHARPEST + 1e-9:
        raise D2MError(f"--swing {swing:g} is not usable; give 50 (straight) to 75 %, or 0.5 to 0.75")
    return percent / 100


@dataclass(frozen=True)
class GenerateControls(Controls):
    """Options of ``d2m symbolic generate``."""

    key: str | None = option(None, f"{_KEY} Default: as generated.", metavar="KEY")
    chords: str | None = option(None, _CHORDS, metavar="CHORDS")
    tempo: float = option(110.0, _TEMPO)
    swing: float | None = option(None, _SWING, metavar="PERCENT")
    bars: int | None = option(None, "Length in bars (1-2000). Default: that of --phrases.")
    without: str | None = option(None, f"{_WITHOUT}: drums, piano, guitar, bass, strings.", metavar="TRACKS")
    stems: str | None = option(None, _STEMS, metavar="DIR")
    regenerate: str | None = refused(_REGENERATE_HERE.format("drums"))


@dataclass(frozen=True)
class AccompanyControls(Controls):
    """Options of ``d2m symbolic accompany``."""

    key: str | None = option(None, "Key of the new tracks, such as Am, F# or Bb:maj.", metavar="KEY")
    chords: str | None = option(
        None,
        "Chords of the new tracks, repeated to the length: one per bar ('Am F C/E G7') or with lengths in beats "
        "('Am:2 F:2').",
        metavar="CHORDS",
    )
    swing: float | None = option(
        None,
        "Swing of the new tracks: place of the second of two eighths in its beat, from 50 (straight) to 75 %; 66.7 "
        "plays triplets.",
        metavar="PERCENT",
    )
    without: str | None = option(
        None, "New tracks to leave out, separated by commas: drums, piano, guitar, bass, strings.", metavar="TRACKS"
    )
    regenerate: str | None = option(
        None,
        "Tracks of the file to replace by new ones, separated by commas: drums, piano, guitar, bass, strings, or names "
        "of instruments in the file. All others are kept note for note.",
        metavar="TRACKS",
    )
    stems: str | None = option(None, _STEMS, metavar="DIR")
    tempo: str | None = refused("the tracks of the file keep their tempo; play another one with 'render --tempo'.")
    bars: str | None = refused("the whole file is accompanied; give a shorter file.")


@dataclass(frozen=True)
class BridgeControls(Controls):
    """Options of ``d2m symbolic bridge``."""

    key: str | None = option(
        None,
        "Key that both songs are transposed to, such as Am, F# or Bb:maj; they keep their mode, so a song in major "
        "goes to the major key with the same scale. Default: A keeps its key.",
        metavar="KEY",
    )
    chords: str | None = option(
        None,
        "Chords of the bridge, repeated to its length: one per bar ('Am F C/E G7') or with lengths in beats "
        "('Am:2 F:2').",
        metavar="CHORDS",
    )
    tempo: float | None = option(
        None, "Tempo of both songs in quarter notes per minute (20-400). Default: their own.", metavar="BPM"
    )
    swing: float | None = option(None, _SWING, metavar="PERCENT")
    without: str | None = option(
        None, f"{_WITHOUT}: drums, piano, guitar, bass, strings, or names of instruments.", metavar="TRACKS"
    )
    stems: str | None = option(None, _STEMS, metavar="DIR")
    regenerate: str | None = refused("a bridge is all new, and the songs around it are kept; leave it out.")


@dataclass(frozen=True)
class EmotionControls(Controls):
    """Options of ``d2m symbolic emotion``."""

    key: str | None = option(
        None, f"{_KEY} Its mode replaces that of the emotion. Default: as generated, or the song's.", metavar="KEY"
    )
    chords: str | None = option(None, _CHORDS, metavar="CHORDS")
    tempo: float | None = option(None, f"{_TEMPO} Default: that of the emotion.", metavar="BPM")
    swing: float | None = option(None, _SWING, metavar="PERCENT")
    bars: int | None = option(
        None, "Length of a new melody in bars (1-16). Default: 16; a melody of --from keeps its length."
    )
    without: str | None = option(
        None, "Tracks that --accompany leaves out, separated by commas: drums, piano, guitar, bass, strings.",
        metavar="TRACKS",
    )  # fmt: skip
    stems: str | None = option(None, _STEMS, metavar="DIR")
    regenerate: str | None = refused(_REGENERATE_HERE.format("strings"))


@dataclass(frozen=True)
class RenderControls(Controls):
    """Options of ``d2m symbolic render``."""

    key: str | None = option(
        None,
        "Key that the music is transposed to, such as Am, F# or Bb:maj; it keeps its mode, so music in major goes to "
        "the major key with the same scale.",
        metavar="KEY",
    )
    tempo: float | None = option(
        None, "Tempo in quarter notes per minute (20-400); changes of tempo stay in proportion. Default: its own.",
        metavar="BPM",
    )  # fmt: skip
    swing: float | None = option(None, _SWING, metavar="PERCENT")
    bars: int | None = option(None, "Number of bars to play from the beginning. Default: all.")
    without: str | None = option(
        None, f"{_WITHOUT}: drums, piano, guitar, bass, strings, or names of instruments.", metavar="TRACKS"
    )
    chords: str | None = refused("render plays the notes of the file; use 'd2m symbolic generate' or 'accompany'.")
    regenerate: str | None = refused("render plays the notes of the file; use 'd2m symbolic accompany' first.")


@dataclass(frozen=True)
class StreamControls(Controls):
    """Options of ``d2m symbolic stream``."""

    key: str | None = option(
        None,
        "Key that all songs are transposed to, such as Am, F# or Bb:maj; they keep their mode. Default: as --transpose "
        "allows.",
        metavar="KEY",
    )
    tempo: float | None = option(
        None, "Tempo of all songs in quarter notes per minute (20-400). Default: their own.", metavar="BPM"
    )
    swing: float | None = option(None, _SWING, metavar="PERCENT")
    without: str | None = option(None, f"{_WITHOUT}: drums, piano, guitar, bass, strings.", metavar="TRACKS")
    chords: str | None = refused("the songs of a stream keep their chords; leave it out.")
    stems: str | None = refused("a stream has no end and is played as one mix; use 'd2m symbolic render --stems'.")
    regenerate: str | None = refused("the songs of a stream are played as they are; leave it out.")
