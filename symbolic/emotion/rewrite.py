"""Rewrite a melody by rule to a mean pitch and a density with minimal changes.

Notes are removed, those off the beat and short ones first, or long notes are repeated in their middle; then all are
transposed. This preserves the tune; the actor learns from it where changed melodies are in latent space.
"""

from __future__ import annotations

import heapq

import numpy as np

from d2m.symbolic.melody import STEPS_PER_BAR, from_notes, room, to_notes, transpose


def rewrite(melody: np.ndarray, pitch: float, density: float) -> np.ndarray:
    """Return a melody near a mean pitch and a density.

    Args:
        melody: uint8 (bars * 16,).
        pitch: mean of the onsets' pitches, MIDI; missed by half a semitone, or where a note would leave the piano.
        density: notes a bar; missed where all notes are a step long.
    """
    notes = to_notes(melody)
    if not len(notes):
        return melody
    wanted = max(round(density * len(melody) / STEPS_PER_BAR), 1)
    notes = fewer(notes, wanted) if len(notes) > wanted else more(notes, wanted)
    written = from_notes(notes, len(melody))
    down, up = room(written)
    return transpose(written, int(np.clip(round(pitch - float(notes[:, 2].mean())), down, up)))


def place_strength(steps: np.ndarray) -> np.ndarray:
    """Return the metrical strength of steps: 4 on the bar line, 3 in the middle of the bar, 2, 1 and 0 on and between
    the eighths.

    Args:
        steps: numbers of steps.
    """
    places = np.asarray(steps) % STEPS_PER_BAR
    return sum((places % every == 0).astype(np.int64) for every in (2, 4, 8, 16))


def fewer(notes: np.ndarray, wanted: int, favour: np.ndarray | None = None) -> np.ndarray:
    """Remove notes of a melody; the note before a removed one is prolonged.

    Args:
        notes: (N, 3) of start step, end step and pitch.
        wanted: how many to keep.
        favour: which to keep first, (N,); among equals, and by default, those on strong places, and long ones.
    """
    favour = np.zeros(len(notes)) if favour is None else favour
    kept = np.zeros(len(notes), bool)
    order = (notes[:, 0], notes[:, 0] - notes[:, 1], -place_strength(notes[:, 0]), -favour)
    kept[np.lexsort(order)[:wanted]] = True
    rows: list[list[int]] = []
    for (start, end, key), keep in zip(notes.tolist(), kept, strict=True):
        if keep:
            rows.append([start, end, key])
        elif rows and rows[-1][1] == start:
            rows[-1][1] = end
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def more(notes: np.ndarray, wanted: int) -> np.ndarray:
    """Add notes by repeating the longest in their middle.

    Args:
        notes: int64 (N, 3).
        wanted: number of notes.

    Returns:
        int64 (wanted, 3).
    """
    heap = [(start - end, start, end, key) for start, end, key in notes.tolist()]
    heapq.heapify(heap)
    while heap and len(heap) < wanted and heap[0][0] <= -2:
        _, start, end, key = heapq.heappop(heap)
        middle = start + max((end - start) // 4 * 2, 1)
        for row in ((start, middle), (middle, end)):
            heapq.heappush(heap, (row[0] - row[1], *row, key))
    return np.array(sorted(row[1:] for row in heap), dtype=np.int64).reshape(-1, 3)
