"""Options of the engines. The command line and :func:`d2m.engines.load` take their fields by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from d2m.options import option

#: Values of ``--codec`` and ``--level``; the first is the default.
CODECS, LEVELS = ("spectral", "jukebox"), ("high", "low")

ARRANGER = (
    "Arranger, which writes the notes: composer (rules of the genre), musegan (network), or musegan:FILE (your own "
    "weights). Default: composer."
)
SKETCH = (
    "Your own music in place of an arranger's, fitted to the beats of the dancer: a MIDI file (.mid), or a recording "
    "(.wav, .mp3 …), which is stretched."
)
#: Endings of recordings.
SOUNDS = frozenset((".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma"))
SOUNDFONT = "SoundFont (.sf2 or .sf3) that plays the notes. Default: d2m's sound library."
LEVEL = "Level of the JukeBox VQ-VAE: high (hop 128) or low (hop 32)."


@dataclass(frozen=True)
class ScoreOptions:
    """Options of engines that play a score."""

    PANEL: ClassVar[str] = "Options of the score"

    arranger: str | None = option(None, ARRANGER, metavar="NAME")
    sketch: str | None = option(None, SKETCH, metavar="FILE")


@dataclass(frozen=True)
class VqOptions(ScoreOptions):
    """Options of the vq engine, and of the D2M-GAN whose files are given as weights."""

    PANEL: ClassVar[str] = "Options of --engine vq"

    codec: str = option("spectral", "Codec of the vq engine: spectral or jukebox.", metavar="NAME")
    level: str = option("high", LEVEL, metavar="NAME")
    weights: str | Sequence[str] | None = option(
        None,
        "Weights of the generator (name or file). Default: the shipped ones. Repeat the option for the files of a "
        "D2M-GAN, in any order: mencoder.pt, netG.pt, vqvae_high.pt and the I3D weights.",
        metavar="NAME|FILE",
    )
    motion: str | None = option(None, "Motion for a D2M-GAN: AIST++ motion (.pkl) or keypoints (.npz).", metavar="FILE")
    visual: str | None = option(
        None, "Visual features for a D2M-GAN: .npy or .npz of shape (segments, 2048).", metavar="FILE"
    )
    denoise: bool = option(False, "Reduce stationary noise in the music of a D2M-GAN, as its authors do.")


@dataclass(frozen=True)
class SymbolicOptions(ScoreOptions):
    """Options of the symbolic engine."""

    PANEL: ClassVar[str] = "Options of --engine symbolic"

    soundfont: str | None = option(None, SOUNDFONT, metavar="NAME|FILE")
