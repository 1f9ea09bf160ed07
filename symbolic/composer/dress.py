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


def dress(score: Score, rng: np.random.Generator, roster: tuple[tuple[str, int], ...] | None = None) -> Score:
    """Choose a patch of the genre for every part; two parts of one kind get different ones where there are several.

    A part whose notes lie outside the range of its patch is moved by octaves as a whole; what still does not fit keeps
    its General MIDI program. The program becomes the one that stands for the patch in MIDI files.

    Args:
        score: a composed score.
        rng: random generator.
        roster: (track, program) of all instruments of the piece, of which the score is a section: each gets the same
            patch in all sections. None to choose for the parts of the score alone.
    """
    if score.genre is None:
        return score
    chosen = None if roster is None else _cast(roster, score.genre, rng)
    taken: set[str] = set()
    parts = []
    for part in score.parts:
        if chosen is None:
            patch = _choose(part.track, part.program, score.genre, taken, rng)
        else:
            patch = next(iter(names := chosen.get((part.track, part.program), [])), None)
            del names[:1]
        fitted = _fitted(part, patch) if patch is not None else None
        if patch is None or fitted is None or patch.fallback is None:
            parts.append(part)
            continue
        taken.add(patch.name)
        parts.append(replace(fitted, patch=patch.name, program=patch.fallback))
    return replace(score, parts=tuple(parts))


def _cast(
    roster: tuple[tuple[str, int], ...], genre: str, rng: np.random.Generator
) -> dict[tuple[str, int], list[Patch]]:
    """Choose patches for all instruments of a piece."""
    taken: set[str] = set()
    cast: dict[tuple[str, int], list[Patch]] = {}
    for track, program in roster:
        patch = _choose(track, program, genre, taken, rng)
        if patch is not None:
            taken.add(patch.name)
            cast.setdefault((track, program), []).append(patch)
    return cast


def _choose(track: str, program: int, genre: str, taken: set[str], rng: np.random.Generator) -> Patch | None:
    sounds = genre_sound(genre)
    slot = _SLOTS.get(track) or ("lead" if program in _LEADS else "pads")
    names = {name: weight for name, weight in sounds.weights[slot].items() if name not in taken}
    if program in _BRASS and track == "strings":
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
