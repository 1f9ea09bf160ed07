"""Choose the patches of the sound library that play a composed score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.sounds.patches import Patch, drawn, genre_sound, patches
from d2m.types import Part, Score

#: General MIDI programs of the strings track that are brass playing chords, and that lead.
_BRASS = (61, 62, 63)
_LEADS = (*range(56, 61), *range(64, 88))
_SLOTS = {"drums": "drums", "bass": "bass", "piano": "piano", "guitar": "guitar"}


def dress(score: Score, rng: np.random.Generator) -> Score:
    """Choose a patch of the genre for every part; two parts of one kind get different ones where there are several.

    A part whose notes lie outside the range of its patch is moved by octaves as a whole; what still does not fit keeps
    its General MIDI program. The program becomes the one that stands for the patch in MIDI files.

    Args:
        score: a composed score.
        rng: random generator.
    """
    if score.genre is None:
        return score
    taken: set[str] = set()
    parts = []
    for part in score.parts:
        patch = _choose(part, score.genre, taken, rng)
        fitted = _fitted(part, patch) if patch is not None else None
        if patch is None or fitted is None or patch.fallback is None:
            parts.append(part)
            continue
        taken.add(patch.name)
        parts.append(replace(fitted, patch=patch.name, program=patch.fallback))
    return replace(score, parts=tuple(parts))


def _choose(part: Part, genre: str, taken: set[str], rng: np.random.Generator) -> Patch | None:
    sounds = genre_sound(genre)
    slot = _SLOTS.get(part.track) or ("lead" if part.program in _LEADS else "pads")
    names = {name: weight for name, weight in sounds.weights[slot].items() if name not in taken}
    if part.program in _BRASS and part.track == "strings":
        names = {name: weight for name, weight in names.items() if "brass" in name} or names
    return patches()[drawn(names, rng)] if names else None


def _fitted(part: Part, patch: Patch) -> Part | None:
    """The part within the range of a patch, moved by octaves; None where it is wider than that."""
    if part.is_drum or not len(part.pitches):
        return part
    low, high = int(part.pitches.min()), int(part.pitches.max())
    if high - low > patch.high - patch.low:
        return None
    octaves = 0
    while low + 12 * octaves < patch.low:
        octaves += 1
    while high + 12 * octaves > patch.high:
        octaves -= 1
    if low + 12 * octaves < patch.low:
        return None
    return replace(part, pitches=part.pitches + 12 * octaves)
