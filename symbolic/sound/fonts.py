"""Find SoundFont files, and set the levels and stereo positions of their instruments."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.sounds import LIBRARY, TITLE
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.types import Part

#: Where Debian's packages put General MIDI soundfonts.
_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
_ENDINGS = ("", ".sf3", ".sf2")
# Faders in dB, measured on FluidR3: equally loud at equal velocity, with drums and bass in front.
_KIT_FADER = {0: 7.5, 8: 6.0, 16: 4.5, 24: 2.5, 25: -2.0, 40: 6.0}
_FADER = {
    0: 3.0, 4: -5.0, 5: -1.0, 7: -3.0, 11: 6.0, 16: 0.0, 17: -6.0, 18: -4.0,
    24: -1.0, 25: -0.5, 26: -1.5, 27: -1.0, 28: 3.0, 29: -5.0,
    32: 2.0, 33: 1.5, 34: 2.0, 35: -3.0, 36: 2.0, 38: 4.0, 39: -3.5,
    48: 2.0, 49: -2.0, 50: -5.5, 56: 0.0, 61: -3.0, 62: -1.5, 65: -2.0, 66: -1.0, 73: -1.0, 80: 0.0, 81: 0.0, 89: -3.0,
}  # fmt: skip
#: Level of the sound library against FluidR3 with faders.
_LIBRARY_GAIN = np.float32(2.0)
#: Stereo place of each track, -1 left to 1 right; a track's second and third parts move outwards and across.
_PAN = {"drums": 0.0, "piano": -0.3, "guitar": 0.38, "bass": 0.0, "strings": -0.1}


def find_soundfont(name: str | Path | None = None) -> Path:
    """Find the soundfont file to play with.

    Args:
        name: a path, or a file name (``.sf2`` or ``.sf3`` may be left out) to look for where d2m and Debian keep
            soundfonts. None takes the sound library of d2m.

    Raises:
        D2MError: if there is none.
    """
    if name is None:
        return LIBRARY
    wanted = Path(name).expanduser()
    for folder in (Path(), LIBRARY.parent, *_packaged(), *_FOLDERS):
        for end in _ENDINGS:
            candidate = folder / wanted.parent / (wanted.name + end)
            if candidate.is_file():
                return candidate
    raise D2MError(f"no soundfont '{name}'; give the path of a .sf2 or .sf3 file")


def _packaged() -> tuple[Path, ...]:
    """Return the folder of pretty_midi, which comes with TimGM6mb, if it is installed."""
    from importlib.util import find_spec

    found = find_spec("pretty_midi")
    return (Path(found.origin).parent,) if found and found.origin else ()


@lru_cache(maxsize=2)
def open_soundfont(path: Path) -> SoundFont:
    """Open a SoundFont file; the last two stay open.

    Args:
        path: the file.
    """
    return SoundFont(path)


def pans(parts: tuple[Part, ...]) -> list[float]:
    """Return the stereo position of each part.

    Args:
        parts: parts of a score.

    Returns:
        -1 (left) to 1 (right) for each.
    """
    seen: dict[str, int] = {}
    found = []
    for part in parts:
        turn = seen.get(part.track, 0)
        seen[part.track] = turn + 1
        pan = _PAN.get(part.track, 0.0)
        found.append(float(np.clip((pan or 0.25) * (-1) ** turn * (1 + 0.5 * turn), -0.8, 0.8)) if turn else pan)
    return found


def is_library(font: SoundFont) -> bool:
    """Tell whether a SoundFont is the sound library of d2m, whose patches have names.

    Args:
        font: the SoundFont.
    """
    return font.title == TITLE


def fader_of(font: SoundFont) -> Callable[[int, bool], np.float32]:
    """Return a function of gains that make the instruments of a SoundFont equally loud.

    The sound library is levelled by itself; the faders for other fonts were measured on FluidR3.

    Args:
        font: the SoundFont.

    Returns:
        Function of (program, is drum kit).
    """
    if is_library(font):
        return lambda program, drums: _LIBRARY_GAIN

    def fader(program: int, drums: bool) -> np.float32:
        return np.float32(10.0 ** ((_KIT_FADER if drums else _FADER).get(program, 0.0) / 20.0))

    return fader


def balance(pan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the gains of the left and right channel of a stereo tone.

    The centre keeps its level, the far side falls: a balance control, since tones are stereo already.

    Args:
        pan: -1 (left) to 1 (right).

    Returns:
        Gains of both channels.
    """
    return np.minimum(1.0, 1.0 - pan), np.minimum(1.0, 1.0 + pan)
