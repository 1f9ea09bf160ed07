"""Measure how bright each patch of the sound library is: the spectral centroid of a phrase in the middle of its range.

    python scripts/fit_brightness.py [-o d2m/sounds/brightness.toml]

Patches with a pitch play an arpeggio of four notes around the middle of the usual range of their track, drum kits a
bar of a groove, all at velocity 90, dry. The centroid is the mean of the frequencies weighted with the magnitudes,
averaged over frames by their energy. Perceived brightness grows with it (Schubert and Wolfe 2006, "Does timbral
brightness scale with frequency and spectral centroid?", Acta Acustica united with Acustica 92:820).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.sounds.patches import Patch, patches
from d2m.symbolic.sound import render_parts
from d2m.types import BeatGrid, Part, Score

_RATE, _FRAME = 44100, 4096
_TEMPO, _BEATS = 100.0, 4.0
_VELOCITY = 90
#: Middle of the range in which the composer uses a track.
_MIDDLE = {"piano": 65, "guitar": 62, "bass": 38, "strings": 67}
#: Semitones of the arpeggio from the middle; beats and keys of the groove.
_ARPEGGIO = (-5, 0, 4, 7)
_GROOVE = ((0.0, 36), (1.0, 38), (2.0, 36), (2.5, 36), (3.0, 38), *((i / 2, 42) for i in range(7)), (3.5, 46))


def phrase(patch: Patch) -> Part:
    """Return the phrase that a patch is measured by.

    Args:
        patch: patch of the sound library.
    """
    if patch.is_drum:
        starts, keys = (np.array(column) for column in zip(*sorted(_GROOVE), strict=True))
        lengths = 0.25
    else:
        middle = int(np.clip(_MIDDLE[patch.track], patch.low + 5, patch.high - 7))
        starts, keys, lengths = np.arange(4.0), middle + np.array(_ARPEGGIO), 0.9
    velocities = np.full(len(starts), _VELOCITY)
    fallback = patch.fallback or 0
    return Part(patch.track, fallback, starts, starts + lengths, keys, velocities, patch=patch.name)


def centroid(sound: np.ndarray, rate: int) -> float:
    """Compute the spectral centroid of a sound, averaged over frames by their energy.

    Args:
        sound: float32 (samples,).
        rate: sample rate in hertz.

    Returns:
        Hertz; 0 for silence.
    """
    count = len(sound) // _FRAME
    frames = sound[: count * _FRAME].reshape(count, _FRAME) * np.hanning(_FRAME)
    size = np.abs(np.fft.rfft(frames, axis=1))
    each = size @ np.fft.rfftfreq(_FRAME, 1 / rate) / np.maximum(size.sum(axis=1), 1e-12)
    energy = np.square(frames).sum(axis=1)
    return float(each @ energy / max(float(energy.sum()), 1e-12))


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent.parent / "d2m" / "sounds" / "brightness.toml"
    parser.add_argument("-o", "--output", type=Path, default=default, help="Output TOML file.")
    arguments = parser.parse_args()
    seconds = _BEATS * 60.0 / _TEMPO
    lines = ["# Spectral centroid of each patch in hertz, as written by scripts/fit_brightness.py.", "", "[centroid]"]
    for patch in patches().values():
        if not patch.is_effect:
            score = Score((phrase(patch),), BeatGrid.steady(_TEMPO, seconds), seconds)
            lines.append(f'"{patch.name}" = {centroid(render_parts(score, _RATE)[0][0], _RATE):.0f}')
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
