"""Features of bars: harmony by beats, melody, bass, groove, register and playing instruments.

Arrays of ``B`` bars; silence is zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.symbolic.metrics import note_starts, pitch_class_profile
from d2m.symbolic.pianoroll_tensor import COMPACT
from d2m.symbolic.tracks import BASS, DRUMS

BEATS = 4
#: Families of drum keys that carry a groove: kicks, snares and claps, hats and cymbals.
_FAMILIES = ((35, 36), (37, 38, 39, 40), (42, 44, 46, 51, 53, 54, 59, 69, 70, 82))


@dataclass(frozen=True)
class Bars:
    """Features of bars.

    Attributes:
        chroma: float64 (B, 4, 12), how long each pitch class sounds in each beat, over the pitched tracks.
        bass: float64 (B, 4, 12), the same of the lowest sounding key alone.
        melody: float64 (B, 12), the same of the highest key of piano, guitar and strings, over the bar.
        steps: bool (B, 16, 72), keys that any pitched track holds.
        strokes: float64 (B, 16, 4), drums struck by family: kicks, snares, metal, the rest.
        onsets: float64 (B, 16, 5), notes struck by each track.
        playing: float64 (B, 5), share of the steps in which each track sounds.
        register: float64 (B, 5), mean key of each track; NaN where it rests.
        edges: float64 (B, 2, 2), the lowest and the highest key in the first beat and in the last; NaN in silence.
    """

    chroma: np.ndarray
    bass: np.ndarray
    melody: np.ndarray
    steps: np.ndarray
    strokes: np.ndarray
    onsets: np.ndarray
    playing: np.ndarray
    register: np.ndarray
    edges: np.ndarray

    @property
    def rhythm(self) -> np.ndarray:
        """float64 (B, 16): pitched notes struck."""
        return self.onsets[..., DRUMS + 1 :].sum(axis=2)

    @property
    def empty(self) -> np.ndarray:
        """bool (B,): bars in which no pitched track sounds."""
        return ~np.any(self.steps, axis=(1, 2))

    def density(self) -> np.ndarray:
        """Return float64 (B,): notes and strokes in each bar."""
        return self.rhythm.sum(axis=1) + self.strokes.sum(axis=(1, 2))


def look_at(held: np.ndarray) -> Bars:
    """Compute the features of bars.

    Args:
        held: bool (B, 16, 72, 5), which keys sound.
    """
    lowest, bars = COMPACT.lowest, len(held)
    pitched = held[..., DRUMS + 1 :]
    counts = pitched.sum(axis=-1)
    by_beat = counts.reshape(bars, BEATS, -1, COMPACT.pitches).sum(axis=2)
    sounding = counts > 0
    first = sounding & (np.cumsum(sounding, axis=2) == 1)
    upper = np.any(np.delete(held, (DRUMS, BASS), axis=-1), axis=-1)[:, :, ::-1]
    top = (upper & (np.cumsum(upper, axis=2) == 1))[:, :, ::-1]
    low = first.reshape(bars, BEATS, -1, COMPACT.pitches).sum(axis=2)
    begun = note_starts(held)
    drums = held[..., DRUMS]
    named = [drums[:, :, [key - lowest for key in family]].sum(axis=2) for family in _FAMILIES]
    keys = lowest + np.arange(COMPACT.pitches)
    per_key = held.sum(axis=1).astype(np.float64)
    total = per_key.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        register = np.einsum("bpt,p->bt", per_key, keys) / total
    return Bars(
        chroma=pitch_class_profile(by_beat.astype(np.float64), lowest),
        bass=pitch_class_profile(low.astype(np.float64), lowest),
        melody=pitch_class_profile(top.sum(axis=1).astype(np.float64), lowest),
        steps=sounding,
        strokes=np.stack([*named, drums.sum(axis=2) - sum(named)], axis=-1).astype(np.float64),
        onsets=begun.sum(axis=2).astype(np.float64),
        playing=held.any(axis=2).mean(axis=1),
        register=register,
        edges=_edges(sounding),
    )


def _edges(sounding: np.ndarray) -> np.ndarray:
    """float64 (B, 2, 2) of bool (B, 16, 72), as :attr:`Bars.edges`."""
    per_beat = sounding.shape[1] // BEATS
    found = np.full((len(sounding), 2, 2), np.nan)
    for side, steps in enumerate((slice(0, per_beat), slice(-per_beat, None))):
        used = np.any(sounding[:, steps], axis=1)
        heard = np.any(used, axis=1)
        found[heard, side, 0] = COMPACT.lowest + used[heard].argmax(axis=1)
        found[heard, side, 1] = COMPACT.lowest + COMPACT.pitches - 1 - used[heard, ::-1].argmax(axis=1)
    return found
