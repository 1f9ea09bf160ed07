"""The least that a melody must change to have a mean pitch and a density, done by hand.

Notes are left out, those off the beat and short ones first, or long ones are struck once more in their middle; then all
are transposed. That keeps a tune, but knows of nothing else; an actor learns from it where a changed tune lies.
"""

from __future__ import annotations

import heapq

import numpy as np

from d2m.symbolic.emotion.melody import STEPS_PER_BAR, from_notes, room, to_notes, transpose


def rewrite(melody: np.ndarray, pitch: float, density: float) -> np.ndarray:
    """A melody near a mean pitch and a density.

    Args:
        melody: uint8 (bars * 16,).
        pitch: mean of the onsets' pitches, MIDI; missed by half a semitone, or where a note would leave the piano.
        density: notes a bar; missed where all notes are a step long.
    """
    notes = to_notes(melody)
    if not len(notes):
        return melody
    wanted = max(round(density * len(melody) / STEPS_PER_BAR), 1)
    notes = _fewer(notes, wanted) if len(notes) > wanted else _more(notes, wanted)
    written = from_notes(notes, len(melody))
    down, up = room(written)
    return transpose(written, int(np.clip(round(pitch - float(notes[:, 2].mean())), down, up)))


def _fewer(notes: np.ndarray, wanted: int) -> np.ndarray:
    """The notes (N, 3) that carry a melody; what is left out is held by the note before."""
    places = notes[:, 0] % STEPS_PER_BAR
    strength = sum((places % every == 0).astype(np.int64) for every in (2, 4, 8, 16))
    kept = np.zeros(len(notes), bool)
    kept[np.lexsort((notes[:, 0], notes[:, 0] - notes[:, 1], -strength))[:wanted]] = True
    rows: list[list[int]] = []
    for (start, end, key), keep in zip(notes.tolist(), kept, strict=True):
        if keep:
            rows.append([start, end, key])
        elif rows and rows[-1][1] == start:
            rows[-1][1] = end
    return np.array(rows)


def _more(notes: np.ndarray, wanted: int) -> np.ndarray:
    """The notes (N, 3), the longest struck again half way."""
    heap = [(start - end, start, end, key) for start, end, key in notes.tolist()]
    heapq.heapify(heap)
    while len(heap) < wanted and heap[0][0] <= -2:
        _, start, end, key = heapq.heappop(heap)
        middle = start + max((end - start) // 4 * 2, 1)
        for row in ((start, middle), (middle, end)):
            heapq.heappush(heap, (row[0] - row[1], *row, key))
    return np.array(sorted(row[1:] for row in heap))
