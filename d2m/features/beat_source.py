"""Choose the source of the beats: the clip's own sound, the movement, or a tempo given by the user.

Energy and accents are always those of the movement on these beats. A genre never moves beats; it may halve or double
their tempo (:mod:`d2m.features.octave`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from d2m.beat_options import BeatOptions
from d2m.errors import D2MError
from d2m.features.envelope import MotionEvents, Speeds, envelope
from d2m.features.group import Group, Moving, speeds_and_events
from d2m.features.octave import in_octave
from d2m.features.rhythm import (
    Rhythm,
    accents_per_beat,
    downbeats,
    energy_per_beat,
    find_rhythm,
    lag_of,
    low_per_beat,
    salient_beats,
)
from d2m.types import BeatGrid, Motion

if TYPE_CHECKING:
    from d2m.media import Video

#: Confidence from which on ``auto`` takes the beats of the clip's own sound.
CLEAR_SOUND = 0.5
#: Confidence below which the user is warned, and ``auto`` makes music in which wrong beats are less audible.
UNSURE = 0.3
#: Sample rate at which the sound is read, hertz.
SOUND_RATE = 22050
#: Two beats closer than this (seconds) count as the same place when the confidence of a phase is worked out.
SAME_PLACE = 0.07
#: Sources of beats whose tempo no genre halves or doubles.
CHOSEN_TEMPO = ("given", "cuts", "steady")

_GUESS = "the dance shows no clear beat: the tempo is a guess"
_FORGIVING = "; the music begins softly and leaves out hits (if you know the tempo, give it with --beats)"


def dance_rhythm(moving: Moving, duration: float, genre: str | None = None, world: np.ndarray | None = None) -> Rhythm:
    """Estimate the rhythm of a dance from its movement alone, ignoring the clip's sound.

    Args:
        moving: a dancer, a group, or speeds from elsewhere.
        duration: seconds that the grid must cover.
        genre: AIST code; may halve or double the tempo, but moves no beat.
        world: float (T, 33, 3), the landmarks in metres, if known.

    Raises:
        ValueError: if ``genre`` is not one of :data:`d2m.types.GENRES`.
    """
    rhythm = find_rhythm(moving, duration, world)
    source = "picture" if isinstance(moving, Speeds) else "dance"
    rhythm = replace(rhythm, grid=replace(rhythm.grid, source=source))
    return with_genre(rhythm, genre, moving, duration, world)


def with_genre(
    rhythm: Rhythm, genre: str | None, moving: Moving, duration: float, world: np.ndarray | None = None
) -> Rhythm:
    """Change a rhythm to the tempo octave of a genre, unless the tempo was given.

    Args:
        rhythm: beats, energy and accents.
        genre: AIST code, or None.
        moving: landmarks of the dancer or dancers.
        duration: length of the clip in seconds.
        world: landmarks in metres, or None.
    """
    if rhythm.grid.source in CHOSEN_TEMPO:
        return rhythm
    grid = in_octave(rhythm.grid, genre, duration)
    return rhythm if grid is rhythm.grid else rhythm_on(grid, moving, duration, world)


def rhythm_on(
    grid: BeatGrid, moving: Moving, duration: float, world: np.ndarray | None = None, find_bars: bool = False
) -> Rhythm:
    """Measure energy and accents of the movement on beats that are known.

    Args:
        grid: the beats; they must cover the clip.
        moving, duration, world: as of :func:`dance_rhythm`.
        find_bars: whether to find the bar lines in the movement; they are found where the grid has none, too.
    """
    speeds, events = speeds_and_events(moving, world)
    seen = grid.beats + lag_of(moving)
    energy, accents = energy_per_beat(speeds, seen, duration), accents_per_beat(events, seen)
    if find_bars or not len(grid.downbeats):
        grid = replace(grid, downbeats=downbeats(accents, energy, low_per_beat(speeds, seen), grid.beats_per_bar))
    onset = envelope(events, len(speeds.whole), speeds.rate)
    return Rhythm(grid, energy, accents, onset, speeds.rate, salient_beats(speeds))


def at_tempo(tempo: float, moving: Moving, duration: float, world: np.ndarray | None = None) -> Rhythm:
    """Place beats and bar lines of a given tempo according to the movement.

    The confidence is that of the place: 0 where the movement says nothing, 1 where it allows no other.

    Args:
        tempo: beats per minute.
        moving: landmarks of the dancer or dancers.
        duration: length of the clip in seconds.
        world: landmarks in metres, or None.
    """
    position, confidence = _phase(speeds_and_events(moving, world)[1], tempo, duration)
    first = duration / 2 - position * 60.0 / tempo - lag_of(moving)
    grid = replace(BeatGrid.steady(tempo, duration, first % (60.0 / tempo), confidence), source="given")
    return rhythm_on(grid.covering(duration), moving, duration, world, find_bars=True)


def _phase(events: MotionEvents, tempo: float, duration: float) -> tuple[float, float]:
    """The most probable beat position (0..1) in the middle of the clip, and how sure it is."""
    from d2m.features.event_fit import PHASES, likelihood

    log_ratio = likelihood(events, np.array([tempo]), duration / 2, False)[0]
    best = int(np.argmax(log_ratio))
    mass = np.exp(log_ratio - log_ratio[best])
    away = np.abs((np.arange(PHASES) - best + PHASES / 2) % PHASES - PHASES / 2) / PHASES * 60.0 / tempo
    near = away <= SAME_PLACE
    share, chance = float(mass[near].sum() / mass.sum()), float(near.mean())
    return best / PHASES, max((share - chance) / (1.0 - chance), 0.0) if chance < 1.0 else 0.0


def sound_grid(waveform: np.ndarray, duration: float) -> BeatGrid | None:
    """Track the beats of a clip's own sound.

    Args:
        waveform: float32 (channels, samples) at :data:`SOUND_RATE`; sample 0 is the instant of the first picture.
        duration: seconds of picture that the grid must cover.

    Returns:
        Beats over the whole clip, or None if there are fewer than two in its sound.
    """
    from d2m.features.sound_beats import track_sound

    heard = track_sound(waveform[:, : math.ceil(duration * SOUND_RATE)], SOUND_RATE)
    beats = np.asarray(heard.beats, dtype=np.float64)
    if len(beats) < 2:
        return None
    bars = np.asarray(heard.downbeats, dtype=np.int64)
    confidence = float(np.clip(heard.confidence, 0.0, 1.0))
    return BeatGrid(beats, bars, float(heard.tempo), confidence, source="sound").covering(duration)


@dataclass(frozen=True)
class Followed:
    """Beats that the music follows.

    Attributes:
        rhythm: beats, energy and accents.
        genre: AIST code: the one that was asked for, or the one chosen from the dance.
        forgiving: as in :class:`d2m.types.Dance`.
        notes: what the user should know, one line each.
    """

    rhythm: Rhythm
    genre: str
    forgiving: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Film:
    """What a clip shows, for beats without a dancer.

    Attributes:
        subject: one of :data:`d2m.types.SUBJECTS`.
        cuts: times of the cuts in seconds.
    """

    subject: str
    cuts: tuple[float, ...] = ()


def follow_beats(
    video: Video,
    moving: Moving,
    options: BeatOptions,
    genre: str | None = None,
    world: np.ndarray | None = None,
    film: Film | None = None,
) -> Followed:
    """Find the beats of a clip as the options wish.

    Args:
        video: the clip.
        moving: its dancer, several, or the motion of the picture.
        options: where the beats are to come from, and their correction by hand.
        genre: AIST code; None to choose one from the dance.
        world: one dancer's landmarks in metres, if known; a group has its own.
        film: what the clip shows, if that is not a dance.

    Raises:
        D2MError: if the beats are to come from the sound and there are none in it, or the downbeat is not in the clip.
    """
    from d2m.features.genre import choose_genre
    from d2m.features.subject import GENRES_WITHOUT_DANCE, calmed, rhythm_without_dance

    subject = "dance" if film is None else film.subject
    genre = genre or GENRES_WITHOUT_DANCE.get(subject)

    duration, notes = video.duration, list[str]()
    if options.tempo is not None:
        rhythm = at_tempo(options.tempo, moving, duration, world)
    else:
        grid = _heard(video, options.mode, notes)
        placed = None
        if grid is None and film is not None and options.mode == "auto":
            placed = rhythm_without_dance(subject, moving, film.cuts, duration)
        if grid is not None:
            placed = rhythm_on(grid, moving, duration, world)
        rhythm = placed or dance_rhythm(moving, duration, None, world)
    first = moving.motions[0] if isinstance(moving, Group) else moving
    chosen = genre or choose_genre(rhythm.grid, rhythm.energy, first if isinstance(first, Motion) else None)
    rhythm = corrected(with_genre(rhythm, chosen, moving, duration, world), options, moving, duration, world)
    rhythm = calmed(rhythm, subject)
    unsure = rhythm.grid.confidence < UNSURE and rhythm.grid.source not in ("cuts", "steady")
    # A source or tempo given by the user is trusted.
    forgiving = unsure and options.mode == "auto"
    if unsure and rhythm.grid.source in ("dance", "picture"):
        notes.append(_GUESS + (_FORGIVING if forgiving else ""))
    return Followed(rhythm, chosen, forgiving, tuple(notes))


def _heard(video: Video, mode: str, notes: list[str]) -> BeatGrid | None:
    """The beats of the clip's sound where the mode wants them; for ``auto`` only if they are clear."""
    from d2m.media import read_audio

    if mode not in ("sound", "auto") or (mode == "auto" and not video.has_audio):
        return None
    insist = mode == "sound"
    try:
        # Sample 0 is the instant of the first picture, wherever the sound itself starts.
        waveform = read_audio(video.path, SOUND_RATE)
    except D2MError as error:
        if insist:
            raise D2MError(f"{error}; choose --beats dance to follow the movement") from None
        notes.append("the clip's sound cannot be read: following the movement")
        return None
    grid = sound_grid(waveform, video.duration)
    if grid is None and insist:
        raise D2MError(f"{video.path}: no beats in its sound; choose --beats dance to follow the movement")
    if grid is None or (grid.confidence < CLEAR_SOUND and not insist):
        return None
    if grid.confidence < CLEAR_SOUND:
        notes.append(f"the clip's sound has no clear beat (confidence {grid.confidence:.2f}): its tempo is a guess")
    return grid


def corrected(
    rhythm: Rhythm,
    options: BeatOptions,
    moving: Moving,
    duration: float,
    world: np.ndarray | None = None,
) -> Rhythm:
    """Shift the beats and set the bar lines according to the user's options.

    Args:
        rhythm: beats, energy and accents.
        options: options of the user.
        moving: landmarks of the dancer or dancers.
        duration: length of the clip in seconds.
        world: landmarks in metres, or None.

    Raises:
        D2MError: if the downbeat is beyond the end of the clip.
    """
    if options.offset == 0.0 and options.downbeat is None:
        return rhythm
    grid = replace(rhythm.grid, beats=rhythm.grid.beats + options.offset / 1000.0).covering(duration)
    if options.downbeat is not None:
        if options.downbeat > duration:
            raise D2MError(f"--downbeat {options.downbeat:g}: the clip has only {duration:.2f} s; give a beat in it")
        first = int(np.argmin(np.abs(grid.beats - options.downbeat)))
        lines = np.arange(first % grid.beats_per_bar, len(grid.beats), grid.beats_per_bar, dtype=np.int64)
        grid = replace(grid, downbeats=lines)
    return rhythm_on(grid, moving, duration, world)
