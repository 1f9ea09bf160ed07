"""Piano-roll of a score on the frames of a codec: onsets and held notes of each part.

An onset between two frames distributes its velocity over both, so that its timing is preserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from d2m.types import Part, Score

#: MIDI notes of the pitched rows (A0..C8).
LOWEST_KEY, KEYS = 21, 88
#: General MIDI percussion keys of the drum rows.
LOWEST_DRUM, DRUM_ROWS = 35, 48
#: Rows of a part: struck and held for the pitched keys; drums use the first DRUM_ROWS of them.
ROWS = 2 * KEYS
#: Program number that stands for the drum kits: kit p is DRUM_PROGRAM + p.
DRUM_PROGRAM = 128
PROGRAM_COUNT = 256
#: Program number of the first patch of the sound library (:func:`d2m.sounds.patches.patches`, in their order), and how
#: many numbers there are with room for more patches.
PATCH_PROGRAM, PATCHED_COUNT = 256, 512


@dataclass(frozen=True)
class Sketch:
    """Parts of a score on frames.

    Attributes:
        rows: float32 (P, F, ROWS): columns 0..87 onsets, 88..175 held, both as velocity / 127; of a drum part columns
            0..47 are the onsets of keys 35..82.
        programs: int64 (P,): General MIDI program, for drums 128 + kit; of a part with a patch, where patches are
            asked for, 256 + the patch's number.
    """

    rows: np.ndarray
    programs: np.ndarray


def sketch(score: Score, frame_rate: float, start: float, frames: int, *, patches: bool = False) -> Sketch:
    """Convert a score to piano-rolls on the frames of a codec.

    Frame i stands for the samples from i to i + 1 hops, its middle being at (i + 0.5) / frame_rate. With ``patches``,
    effects are parts, too, and instruments are patches where the score names them.

    Args:
        score: the score.
        frame_rate: frames per second.
        start: time of the first frame in seconds.
        frames: number of frames.
        patches: include effects, and number instruments by their patches.
    """
    parts = score.parts if patches else score.instruments().parts
    rows = np.zeros((max(1, len(parts)), frames, ROWS), np.float32)
    programs = np.zeros(max(1, len(parts)), np.int64)
    for row, (index, part) in zip(rows, enumerate(parts), strict=False):
        programs[index] = _program(part, patches)
        begin = (score.grid.time_of(part.starts) - start) * frame_rate
        end = (np.minimum(score.grid.time_of(part.ends), score.duration) - start) * frame_rate
        _draw(row, part, begin, end, frames)
    return Sketch(rows, programs)


def _program(part: Part, patches: bool) -> int:
    if patches and part.patch:
        return PATCH_PROGRAM + patch_numbers()[part.patch]
    return part.program + DRUM_PROGRAM if part.is_drum else part.program


@lru_cache(maxsize=1)
def patch_numbers() -> dict[str, int]:
    """Return the number of each patch of the sound library: its place in the list, which only grows."""
    from d2m.sounds.patches import patches

    return {name: number for number, name in enumerate(patches())}


@lru_cache(maxsize=1)
def drum_programs() -> np.ndarray:
    """Return whether each program number of a sketch is a drum kit: bool (PATCHED_COUNT,)."""
    from d2m.sounds.patches import patches

    found = np.zeros(PATCHED_COUNT, bool)
    found[DRUM_PROGRAM:PATCH_PROGRAM] = True
    for name, number in patch_numbers().items():
        found[PATCH_PROGRAM + number] = patches()[name].is_drum
    return found


def _draw(row: np.ndarray, part: Part, begin: np.ndarray, end: np.ndarray, frames: int) -> None:
    low, count = (LOWEST_DRUM, DRUM_ROWS) if part.is_drum else (LOWEST_KEY, KEYS)
    key = part.pitches - low
    loudness = part.velocities.astype(np.float32) / 127
    keep = (key >= 0) & (key < count) & (end > -1) & (begin < frames)
    begin, end, key, loudness = begin[keep], end[keep], key[keep], loudness[keep]
    position = begin - 0.5
    first = np.floor(position).astype(np.int64)
    share = (position - first).astype(np.float32)
    for frame, weight in ((first, 1 - share), (first + 1, share)):
        inside = (frame >= 0) & (frame < frames)
        np.maximum.at(row, (frame[inside], key[inside]), (weight * loudness)[inside])
    if not part.is_drum:
        for b, e, k, v in zip(begin, end, key, loudness, strict=True):
            held = slice(max(0, int(round(b))), max(0, int(round(max(e, b + 1)))))
            row[held, KEYS + k] = np.maximum(row[held, KEYS + k], v)
