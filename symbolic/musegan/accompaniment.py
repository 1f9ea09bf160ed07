"""Whole pieces by a MuseGAN: consecutive phrases, and accompaniments for a track of an existing piece."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.musegan.config import BEATS
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.pianoroll import PianoRoll, plays, struck
from d2m.symbolic.pianoroll_tensor import Resolution, articulate, from_tensor, in_fours, to_tensor
from d2m.symbolic.tracks import DRUMS, PROGRAMS
from d2m.types import TRACKS

#: Bars after which a held note is struck again.
_LONGEST_HELD = 2


def resolution_of(muse: MuseGan) -> Resolution:
    """Return the resolution of a model's phrases.

    Args:
        muse: the model.
    """
    config = muse.config
    return Resolution("own", config.steps, config.pitches, config.lowest)


def generate_roll(
    muse: MuseGan,
    phrases: int = 4,
    seed: int = 0,
    binarise: str = "threshold",
    tempo: float = 110.0,
    related: bool = True,
) -> PianoRoll:
    """Generate consecutive phrases as a piano-roll.

    Args:
        muse: the model.
        phrases: number of phrases.
        seed: random seed.
        binarise: as for :meth:`~d2m.symbolic.musegan.sampler.MuseGan.generate`.
        tempo: quarter notes per minute.
        related: share the time-independent vectors.
    """
    made = muse.generate(phrases, seed, binarise, related)
    return from_tensor(made, resolution_of(muse), tempo, name=muse.name)


def way_roll(
    muse: MuseGan, first: int, second: int, phrases: int, binarise: str = "threshold", tempo: float = 110.0
) -> PianoRoll:
    """Interpolate between the phrases of two seeds, as a piano-roll.

    Args:
        muse: the model.
        first, second: random seeds.
        phrases: number of phrases.
        binarise: as for :meth:`~d2m.symbolic.musegan.sampler.MuseGan.way`.
        tempo: quarter notes per minute.
    """
    return from_tensor(muse.way(first, second, phrases, binarise), resolution_of(muse), tempo, name=muse.name)


def played(roll: PianoRoll) -> list[int]:
    """Return the numbers of the tracks that have notes.

    Args:
        roll: piano-roll.
    """
    return [track for track in range(len(TRACKS)) if roll.held[track].any()]


def accompany_roll(
    muse: MuseGan, roll: PianoRoll, seed: int = 0, binarise: str = "threshold", anew: bool = False
) -> PianoRoll:
    """Return a piece with the tracks that it plays as they were, and the others made to the given one.

    Bars of 1/4 and 2/4, which many files claim for lack of a better metre, are taken together by four quarters. Bars
    that then are not in 4/4, such as a pickup, keep the given track alone.

    Args:
        muse: a model with a given track.
        roll: the piece, at any resolution.
        seed, binarise: as of :meth:`~d2m.symbolic.musegan.sampler.MuseGan.accompany`.
        anew: make all tracks but the given one, also those that the piece plays.

    Raises:
        D2MError: if the piece does not play the track, plays all five, has no bar in 4/4, or is too long; or if the
            model takes no track.
    """
    config = muse.config
    if not config.conditional:
        raise D2MError(
            f"{muse.name or 'this model'} generates music from scratch; choose a model conditioned on a track"
        )
    name = TRACKS[config.condition]
    if not roll.held[config.condition].any():
        found = ", ".join(plays(roll)) or "nothing"
        raise D2MError(f"the music has no {name} track to accompany, it plays {found}")
    kept = {config.condition} if anew else set(played(roll))
    if len(kept) == len(TRACKS):
        raise D2MError(f"the music plays all five tracks already; give --anew to replace all but the {name}")
    resolution = resolution_of(muse)
    coarse, whole = in_fours(roll.resampled(config.steps // BEATS))
    if not whole.any():
        raise D2MError("the music has no bar in 4/4, the only metre that MuseGAN supports")
    given = np.zeros((len(whole), config.steps, config.pitches), dtype=bool)
    for bar in np.flatnonzero(whole).tolist():
        held, onsets = to_tensor(coarse, resolution, bar, 1)
        flat = articulate(held[0], onsets[0], not resolution.strikes_only)
        given[bar] = flat[..., config.condition]
    made = muse.accompany(given, seed, binarise)
    return _around(roll, coarse, made, whole, muse, kept)


def _around(
    roll: PianoRoll, coarse: PianoRoll, made: np.ndarray, whole: np.ndarray, muse: MuseGan, kept: set[int]
) -> PianoRoll:
    """The generated bars laid into the piece, at its own resolution, the tracks ``kept`` as they were."""
    config = muse.config
    held = np.zeros((len(TRACKS), coarse.steps, coarse.held.shape[2]), dtype=bool)
    keys = slice(config.lowest, config.lowest + config.pitches)
    for bar in np.flatnonzero(whole).tolist():
        start = int(coarse.downbeats[bar])
        length = min(config.steps, coarse.steps - start)
        held[:, start : start + length, keys] = made[bar, :length].transpose(2, 0, 1)
    marks = np.zeros_like(held)
    if resolution_of(muse).strikes_only:
        marks[0] = held[0]
    programs = tuple(
        program if number in kept else usual
        for number, (program, usual) in enumerate(zip(roll.programs, PROGRAMS, strict=True))
    )
    _let_go(held, marks, coarse, kept)
    fine = replace(coarse, held=held, onsets=struck(held, marks)).resampled(roll.steps_per_beat)
    steps = min(fine.steps, roll.steps)
    new_held, new_onsets = np.zeros_like(roll.held), np.zeros_like(roll.onsets)
    new_held[:, :steps], new_onsets[:, :steps] = fine.held[:, :steps], fine.onsets[:, :steps]
    for track in kept:
        new_held[track], new_onsets[track] = roll.held[track], roll.onsets[track]
    return replace(roll, held=new_held, onsets=struck(new_held, new_onsets), programs=programs)


def _let_go(held: np.ndarray, marks: np.ndarray, coarse: PianoRoll, kept: set[int]) -> None:
    """Strike notes again that are held for two bars, and end them where the piece itself rests for two bars.

    A model that is given silence goes on with what it has.
    """
    lines = coarse.downbeats.tolist()
    edges = [*lines, coarse.steps]
    rests = [not coarse.held[sorted(kept), first:stop].any() for first, stop in pairwise(edges)]
    pitched = slice(DRUMS + 1, None)
    bars_held = np.zeros(held.shape[::2], dtype=np.int64)
    for bar, (first, stop) in enumerate(pairwise(edges)):
        if rests[bar] and ((bar and rests[bar - 1]) or (bar + 1 < len(rests) and rests[bar + 1])):
            held[pitched, first:stop] = False
        begun = bars_held >= _LONGEST_HELD
        marks[pitched, first] |= begun[pitched] & held[pitched, first]
        bars_held = np.where(held[:, first:stop].all(axis=1), np.where(begun, 1, bars_held + 1), 0)


def solo_roll(muse: MuseGan, roll: PianoRoll, track: int, seed: int = 0, binarise: str = "threshold") -> PianoRoll:
    """Return a piece in which one track is that of new phrases; they do not follow the others.

    Args:
        muse: a model that needs no given track.
        roll: the piece, at any resolution.
        track: number of the track.
        seed, binarise: as of :meth:`~d2m.symbolic.musegan.sampler.MuseGan.generate`.

    Raises:
        D2MError: if the piece has no bar in 4/4, or the model needs a given track.
    """
    config = muse.config
    coarse, whole = in_fours(roll.resampled(config.steps // BEATS))
    if not whole.any():
        raise D2MError("the music has no bar in 4/4, the only metre that MuseGAN supports")
    phrases = -(-int(whole.sum()) // config.bars)
    made = muse.generate(phrases, seed, binarise, related=True).reshape(-1, config.steps, config.pitches, len(TRACKS))
    placed = np.zeros((len(whole), *made.shape[1:]), dtype=bool)
    placed[np.flatnonzero(whole)] = made[: int(whole.sum())]
    return _around(roll, coarse, placed, whole, muse, set(range(len(TRACKS))) - {track})
