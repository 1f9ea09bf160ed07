"""What an actor does to a melody, done to the song's own notes.

MusicVAE does not give a melody back note for note, so a melody decoded from a moved vector has lost the tune before
any feeling is added. But the vector as it was and as it is moved are decoded alike, and what differs between the two is
the actor's doing. That difference is carried over: where both agree, the song's notes stay.

* Notes are left out where the model struck one before and strikes none any more, and struck anew where it now strikes
  one; those first that change early on the way from one vector to the other.
* The song is transposed as a whole, and so keeps its key; bars that the model moved further up or down than the others
  are moved by steps of the scale.

How much of it is done follows from where the melody then stands: at strength ``s`` it has gone ``s`` of the way to its
targets. The order of the changes is the same for all strengths, so that a weaker one is part of a stronger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from d2m.symbolic.emotion.actor_critic import EmotionModel
from d2m.symbolic.emotion.emotions import attributes
from d2m.symbolic.emotion.rewrite import fewer, more, place_strength
from d2m.symbolic.emotion.statistics import sounding
from d2m.symbolic.melody import (
    BARS,
    FIRST_KEY,
    HIGHEST,
    LOWEST,
    STEPS,
    STEPS_PER_BAR,
    diatonic,
    from_notes,
    to_notes,
)

#: Shares of the way from a vector to the moved one at which it is decoded.
_SHARES = np.array([0.25, 0.5, 0.75, 1.0])
#: A pitch or density is moved at most so many times as far as the model moved that of its own rendering, and by what
#: the rendering was off.
_FURTHER = 2.0
#: What is taken of a bar's own shift beyond that of the others, and how many steps of the scale it is at most.
_OWN_SHARE, _MOST_DEGREES = 0.3, 2
_DEGREES_PER_SEMITONE = 7 / 12


@dataclass(frozen=True)
class Edit:
    """Decodings of windows of 16 bars on the way to their targets.

    Attributes:
        start: mean pitch (MIDI) and notes a bar of the windows, float64 (N, 2).
        goal: the same at strength 1.
        favour: share of the way on which a note is struck at a step, less 1 where one was before: float64 (N, 256).
        struck: pitch of a note struck at a step of the moved window, less what its bar was moved by; else 0: (N, 256).
        bars: semitones by which a bar is moved further than the middle one of its window, float64 (N, 16).
    """

    start: np.ndarray
    goal: np.ndarray
    favour: np.ndarray
    struck: np.ndarray
    bars: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> Edit:
        """Return some of the windows."""
        return Edit(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class MelodySegment:
    """Part of a song's melody that is covered by one window.

    Attributes:
        section: section of the song.
        window: row of the edit, which begins at step ``begin`` of the section.
        first, end: steps of the section.
    """

    section: int
    window: int
    begin: int
    first: int
    end: int

    @property
    def inside(self) -> slice:
        """Steps of the window."""
        return slice(self.first - self.begin, self.end - self.begin)


#: All of a melody of 16 bars.
WHOLE = MelodySegment(0, 0, 0, 0, STEPS)


def find_edit(
    model: EmotionModel,
    windows: np.ndarray,
    targets: np.ndarray,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Edit:
    """Compute the actor's changes of windows.

    Args:
        model: actor and MusicVAE.
        windows: uint8 (N, 256), each with a note.
        targets: mean pitches (MIDI) and notes a bar, (N, 2).
        temperature, rng: see :meth:`~d2m.symbolic.emotion.musicvae.MusicVae.decode`.
    """
    z = model.vae.encode(windows)[0]
    way = model.aim(z, targets, 1.0) - z
    every = np.concatenate([z, *(z + np.float32(share) * way for share in _SHARES)])
    old, *new = model.vae.decode(every, temperature, rng).reshape(1 + len(_SHARES), len(z), STEPS)
    start, rendered, moved = attributes(windows), attributes(old), attributes(new[-1])
    moves = np.nan_to_num(np.abs(moved - rendered))
    most = _FURTHER * moves + np.nan_to_num(np.abs(rendered - start)) * moves.any(axis=1, keepdims=True)
    favour = np.mean([row >= FIRST_KEY for row in new], axis=0) - (old >= FIRST_KEY)
    shifts = _shifts(old, new)
    pitches = np.where(new[-1] >= FIRST_KEY, new[-1].astype(np.int64) - FIRST_KEY + LOWEST, 0)
    struck = np.where(pitches > 0, pitches - np.repeat(shifts, STEPS_PER_BAR, axis=1), 0)
    own = shifts - np.median(shifts, axis=1, keepdims=True)
    return Edit(start, start + (targets - start).clip(-most, most), favour, struck, own)


def edited(
    melodies: Sequence[np.ndarray], stretches: Sequence[MelodySegment], edit: Edit, strength: float
) -> list[np.ndarray]:
    """Return the sections of a song, edited.

    Args:
        melodies: melodies of each section, uint8 (bars * 16,).
        stretches: stretches of all sections, in order; a section's steps that are in none stay silent.
        edit: edit of the windows that the stretches name.
        strength: 0 to 1.

    Returns:
        As ``melodies``.
    """
    higher, denser = strength * (edit.goal - edit.start).T
    songs = [to_notes(melody) for melody in melodies]
    parts, wanted = [], []
    for stretch in stretches:
        notes = songs[stretch.section]
        notes = notes[(notes[:, 0] >= stretch.first) & (notes[:, 0] < stretch.end)]
        if len(notes):
            grown = denser[stretch.window] * (stretch.end - stretch.first) / STEPS_PER_BAR
            wanted.append(notes[:, 2].mean() + higher[stretch.window])
            parts.append((stretch, _recounted(notes, max(round(len(notes) + grown), 1), stretch, edit)))
    semitones = _transposition([notes for _, notes in parts], wanted)
    rows: list[list[np.ndarray]] = [[np.zeros((0, 3), np.int64)] for _ in melodies]
    for (stretch, notes), pitch in zip(parts, wanted, strict=True):
        own = strength * edit.bars[stretch.window][(notes[:, 0] - stretch.begin) // STEPS_PER_BAR]
        rows[stretch.section].append(_moved(notes + [0, 0, semitones], own, pitch))
    return [from_notes(np.concatenate(part), len(old)) for part, old in zip(rows, melodies, strict=True)]


def _shifts(old: np.ndarray, new: Sequence[np.ndarray]) -> np.ndarray:
    """By how many semitones the bars of windows (N, 256) move on the way to the last of ``new``: (N, 16)."""
    before = sounding(old).reshape(len(old), BARS, STEPS_PER_BAR)
    total = np.zeros(before.shape[:2])
    for share, row in zip(_SHARES, new, strict=True):
        after = sounding(row).reshape(before.shape)
        apart = np.ma.masked_where((before == 0) | (after == 0), after - before)
        total += share * np.ma.median(apart, axis=2).filled(0.0)
    return total / np.square(_SHARES).sum()


def _recounted(notes: np.ndarray, count: int, stretch: MelodySegment, edit: Edit) -> np.ndarray:
    """Notes (N, 3) of a stretch, so many of them: those that the edit has least for go, those it has most for come."""
    favour = edit.favour[stretch.window, stretch.inside]
    if count <= len(notes):
        return fewer(notes, count, favour[notes[:, 0] - stretch.first])
    free = favour > 0
    free[notes[:, 0] - stretch.first] = False
    steps = np.flatnonzero(free)
    best = steps[np.lexsort((-place_strength(steps), -favour[steps]))][: count - len(notes)]
    struck = edit.struck[stretch.window, stretch.inside]
    for step in best[struck[best] > 0]:
        notes = _with_note(notes, int(step) + stretch.first, float(struck[step]), stretch.end)
    # A note held beyond the stretch is changed within it only, since the edit does not cover what follows.
    held = int(notes[-1, 1])
    notes = more(np.column_stack([notes[:, 0], np.minimum(notes[:, 1], stretch.end), notes[:, 2]]), count)
    notes[-1, 1] = max(held, int(notes[-1, 1]))
    return notes


def _with_note(notes: np.ndarray, start: int, pitch: float, end: int) -> np.ndarray:
    """Notes (N, 3) with one more, which ends with the note that it cuts short, or before the next."""
    at = int(np.searchsorted(notes[:, 0], start))
    near = notes[max(at - 1, 0)]
    scale = np.unique(notes[:, 2] % 12)
    # The octave in which the tune is, and of its own tones the nearest.
    keys = np.arange(near[2] - 6, near[2] + 7)
    keys = keys[np.isin(keys % 12, scale) & (keys >= LOWEST) & (keys <= HIGHEST)]
    apart = np.abs((keys - pitch + 6) % 12 - 6)
    key = keys[np.lexsort((np.abs(keys - near[2]), apart))[0]]
    following = notes[at, 0] if at < len(notes) else end
    cuts = at > 0 and notes[at - 1, 1] > start
    last = notes[at - 1, 1] if cuts else min(following, start + STEPS_PER_BAR // 4)
    notes = notes.copy()
    if cuts:
        notes[at - 1, 1] = start
    return np.insert(notes, at, (start, last, key), axis=0)


def _transposition(parts: Sequence[np.ndarray], wanted: Sequence[float]) -> int:
    """Semitones for the notes (N, 3) of a whole song, with the mean pitches wanted of its parts, as far as there is
    room."""
    if not parts:
        return 0
    keys = np.concatenate([notes[:, 2] for notes in parts])
    missing = sum((pitch - notes[:, 2].mean()) * len(notes) for notes, pitch in zip(parts, wanted, strict=True))
    return int(np.clip(round(missing / len(keys)), LOWEST - keys.min(), HIGHEST - keys.max()))


def _moved(notes: np.ndarray, own: np.ndarray, wanted: float) -> np.ndarray:
    """Notes (N, 3) moved along the scale, so that their mean comes near the wanted pitch.

    Args:
        notes: of one stretch.
        own: by how many semitones each is moved further by the model than others, (N,).
        wanted: mean pitch, MIDI.
    """
    own = _OWN_SHARE * (own - own.mean()) * _DEGREES_PER_SEMITONE
    rest = (wanted - notes[:, 2].mean()) * _DEGREES_PER_SEMITONE
    # Less than half a step of the scale for all is not worth a note out of place.
    rest = rest if abs(rest) > 0.5 else 0.0
    degrees = np.round(own.clip(-_MOST_DEGREES, _MOST_DEGREES) + rest).astype(np.int64)
    return np.column_stack([notes[:, :2], _along_scale(notes[:, 2], degrees)])


def _along_scale(keys: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Pitches (N,) moved by steps of their scale (N,)."""
    choices, which = np.unique(degrees, return_inverse=True)
    line = np.tile((keys - LOWEST + FIRST_KEY).astype(np.uint8), (len(choices), 1))
    return diatonic(line, choices)[which, np.arange(len(keys))].astype(np.int64) - FIRST_KEY + LOWEST
