"""Distances between pieces: in their notes, and in the sound as the genre network hears it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError
from d2m.music_genre_forward import genre_ear
from d2m.types import GENRES, Score, Soundtrack

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Distances:
    """Distances between all pairs of several pieces.

    Attributes:
        notes: float64 (N, N), see :func:`distance`, 0 to 1.
        sound: float64 (N, N), Euclidean distance of the embeddings of the genre network, as a multiple of the mean
            distance of two songs of the genre.
    """

    notes: np.ndarray
    sound: np.ndarray

    @property
    def both(self) -> np.ndarray:
        """Mean of both, 0 to 1; sounds further apart than two songs of the genre count as far as these."""
        return 0.5 * (self.notes + np.minimum(self.sound, 1.0))


def distances(
    sounds: Sequence[Soundtrack], genre: str | None = None, heard: Sequence[np.ndarray | None] | None = None
) -> Distances:
    """Measure the distances between pieces.

    Args:
        sounds: the pieces.
        genre: AIST code of the genre with whose songs they are compared; None, or a genre that the network does not
            know, for all songs.
        heard: the embedding of each piece (:func:`embedding_of`), if they are known; the waveforms are then not needed.
    """
    notes = np.array([[distance(one.score, other.score) for other in sounds] for one in sounds])
    heard = [embedding_of(sound) for sound in sounds] if heard is None else heard
    apart = np.array([[0.0 if a is None or b is None else float(np.linalg.norm(a - b)) for b in heard] for a in heard])
    return Distances(notes, apart / song_distance(genre))


def embedding_of(sound: Soundtrack) -> np.ndarray | None:
    """Return the embedding of a piece by the genre network; None for silence.

    Args:
        sound: the piece.
    """
    try:
        return genre_ear().embedding(sound.waveform, sound.sample_rate)
    except D2MError:
        return None


@functools.lru_cache(maxsize=32)
def song_distance(genre: str | None = None) -> float:
    """Return the mean distance between the embeddings of two songs that the genre network was trained on.

    Args:
        genre: AIST code; None, or a genre that the network does not know, for the mean over the genres.
    """
    songs, genres = genre_ear().songs.astype(np.float64), genre_ear().song_genres
    numbers = [list(GENRES).index(genre)] if genre in GENRES else range(len(GENRES))
    means = []
    for number in numbers:
        own = songs[genres == number]
        if len(own) > 1:
            apart = np.linalg.norm(own[:, None] - own[None], axis=-1)
            means.append(apart.sum() / (len(own) * (len(own) - 1)))
    return float(np.mean(means)) if means else 1.0


def distance(one: Score | None, other: Score | None) -> float:
    """Return how different two scores are, 0 to 1: the mean difference of their profiles.

    The profiles are the shares of the 12 pitch classes of the melodic parts, of the 16 positions in the bar of all
    onsets, and the sets of instruments.

    Args:
        one, other: two scores, or None for a piece without one.
    """
    if one is None or other is None:
        return 0.0
    (pitches, places, names), (other_pitches, other_places, other_names) = _profile(one), _profile(other)
    parts = [0.5 * float(np.abs(pitches - other_pitches).sum()), 0.5 * float(np.abs(places - other_places).sum())]
    union = names | other_names
    parts.append(1.0 - len(names & other_names) / len(union) if union else 0.0)
    return float(np.mean(parts))


def _profile(score: Score) -> tuple[np.ndarray, np.ndarray, set[str]]:
    melodic = [part for part in score.parts if not part.is_drum and not part.is_effect]
    pitches = np.concatenate([part.pitches for part in melodic]) if melodic else np.zeros(0, np.int64)
    starts = np.concatenate([part.starts for part in score.parts]) if score.parts else np.zeros(0)
    line = float(score.grid.downbeats[0]) if len(score.grid.downbeats) else 0.0
    places = np.round(4 * (starts - line)).astype(int) % (4 * score.grid.beats_per_bar)
    names = {part.patch or f"{part.track} {part.program}" for part in score.parts if not part.is_effect}
    return _shares(pitches % 12, 12), _shares(places, 4 * score.grid.beats_per_bar), names


def _shares(values: np.ndarray, count: int) -> np.ndarray:
    counts = np.bincount(values, minlength=count).astype(np.float64)
    return counts / max(counts.sum(), 1.0)
