"""Choose phrases for a piece from many generated ones: clean, of the wanted density, each leading to the next.

The output of a MuseGAN is fast to generate and varies in quality. Therefore far more phrases are generated than a piece
needs, in families that share their time-independent vectors and are similar in style; all are measured in the scale
that fits each best, and the phrases come from the family that fits the piece best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from d2m.symbolic.metrics import note_starts, pitch_class_profile, tonal_centroid
from d2m.symbolic.tracks import BASS, DRUMS

if TYPE_CHECKING:
    from d2m.symbolic.musegan.sampler import MuseGan

#: Families that are drawn, and phrases in each.
_FAMILIES, _MEMBERS = 12, 12
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
#: What a level that is missed by its whole range costs, and a step as far as two chords can lie apart; and what bars of
#: different chords gain.
_FULLNESS, _STEP, _MOVING = 0.25, 0.15, 0.4
#: Usual distance of successive chords in songs; a larger one has no advantage.
_SONG_STEP = 0.6


@dataclass(frozen=True)
class Pool:
    """Generated phrases and their measurements; arrays have one row per phrase.

    Attributes:
        held: bool (N, bars, steps, pitches, 5).
        family: int (N,), which phrases belong together.
        tonic: int (N,), pitch class of the major scale that fits best.
        clean: float (N,), 0 to 1: how much lies in that scale, is held rather than splintered, and agrees with the
            other tracks.
        moving: float (N,), 0 to 1: how far the harmony goes from bar to bar, against a song's.
        fullness: float (N,), notes a bar, drums too.
        opening, closing: float (N, 6), tonal centroids of the first and the last bar as they are in C.
    """

    held: np.ndarray
    family: np.ndarray
    tonic: np.ndarray
    clean: np.ndarray
    moving: np.ndarray
    fullness: np.ndarray
    opening: np.ndarray
    closing: np.ndarray


@dataclass(frozen=True)
class Wanted:
    """A place for a phrase: its name, and how full the music is there, 0 to 1.

    Places of one name get one phrase, so that a piece comes back to what it began with.
    """

    name: str
    level: float


def draw_pool(muse: MuseGan, seed: int) -> Pool:
    """Generate many phrases with a model that needs no given track.

    Args:
        muse: the model.
        seed: random seed.
    """
    from d2m.symbolic.musegan.latents import draw

    rng = np.random.default_rng([seed, 3])
    latents = draw(muse.config, rng, _FAMILIES * _MEMBERS)
    heads = np.repeat(np.arange(_FAMILIES) * _MEMBERS, _MEMBERS)
    shared = {name: value[heads] for name in ("inter", "intra") if (value := getattr(latents, name)) is not None}
    return measure(muse.realise(latents._replace(**shared)), muse.config.lowest, heads // _MEMBERS)


def measure(held: np.ndarray, lowest: int, family: np.ndarray) -> Pool:
    """Return the figures of phrases.

    Args:
        held, family: as in :class:`Pool`.
        lowest: MIDI key of the first pitch.
    """
    count, bars, steps = held.shape[:3]
    pitched = held[..., DRUMS + 1 :]
    # (N, bars, tracks, 12); bass notes have a higher weight in the harmony than notes inside a chord.
    classes = pitch_class_profile(np.moveaxis(pitched.sum(2), -1, 2), lowest)
    weights = np.ones((pitched.shape[-1], 1))
    weights[BASS - DRUMS - 1] = 2.0
    profile = (classes * weights).sum(2)
    scales = np.array([np.isin(np.arange(12), [(t + s) % 12 for s in _MAJOR]) for t in range(12)], dtype=np.float64)
    inside = profile.sum(1) @ scales.T / np.maximum(profile.sum((1, 2)), 1.0)[:, None]
    tonic = inside.argmax(1)
    notes = note_starts(held.reshape(count, bars * steps, *held.shape[3:])).sum((1, 2))
    held_on = 1.0 - notes[:, DRUMS + 1 :].sum(1) / np.maximum(pitched.sum((1, 2, 3, 4)), 1)
    in_c = np.stack([np.roll(row, -t, axis=-1) for row, t in zip(profile, tonic, strict=True)])
    centroid = tonal_centroid(in_c)
    clean = inside.max(1) * np.sqrt(np.clip(held_on, 0.0, 1.0)) * np.clip(1.0 - 0.5 * _apart(classes), 0.0, 1.0)
    steps_apart = np.linalg.norm(np.diff(centroid, axis=1), axis=-1)
    moving = np.minimum(steps_apart / _SONG_STEP, 1.0).mean(1) if bars > 1 else np.zeros(count)
    return Pool(held, family, tonic, clean, moving, notes.sum(1) / bars, centroid[:, 0], centroid[:, -1])


def _apart(classes: np.ndarray) -> np.ndarray:
    """float (N,): mean tonal distance of a phrase's tracks from all of them together, bar by bar."""
    sounds = classes.sum(-1) > 0
    gaps = np.linalg.norm(tonal_centroid(classes) - tonal_centroid(classes.sum(2, keepdims=True)), axis=-1)
    return (gaps * sounds).sum((1, 2)) / np.maximum(sounds.sum((1, 2)), 1)


def choose(pool: Pool, places: list[Wanted]) -> list[int]:
    """Choose a phrase of one family for every place.

    What counts: clean phrases whose harmony moves; the fuller ones of the family where the music is fuller; and a first
    bar that follows from the last one before it. Two names get two phrases while there are enough.

    Args:
        pool: generated phrases.
        places: density and name of the section at each place.

    Returns:
        Rows of the pool.
    """
    found = [_course(pool, np.flatnonzero(pool.family == family), places) for family in np.unique(pool.family)]
    return max(found, key=lambda course: course[0])[1]


def _course(pool: Pool, members: np.ndarray, places: list[Wanted]) -> tuple[float, list[int]]:
    """What a family plays at the places, and how well that suits them."""
    fullness = pool.fullness[members].argsort().argsort() / max(len(members) - 1, 1)
    taken: dict[str, int] = {}
    chosen: list[int] = []
    total = 0.0
    for place in places:
        scores = pool.clean[members] + _MOVING * pool.moving[members]
        scores -= _FULLNESS * np.abs(fullness - place.level)
        if chosen:
            scores = scores - _STEP * np.linalg.norm(pool.opening[members] - pool.closing[members[chosen[-1]]], axis=1)
        if place.name not in taken:
            used = np.isin(np.arange(len(members)), list(taken.values()))
            taken[place.name] = int(np.where(used & ~used.all(), -np.inf, scores).argmax())
        chosen.append(taken[place.name])
        total += float(scores[chosen[-1]])
    return total, members[chosen].tolist()
