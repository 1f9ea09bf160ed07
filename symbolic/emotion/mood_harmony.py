"""Change the mode and the register of a composed score, chord by chord.

From lydian to phrygian, each diatonic mode lowers one degree of the scale of the one before
(:data:`~d2m.symbolic.emotion.mood_table.MODES`). A piece goes along this line from its own mode to that of the mood, by
as many steps as the strength asks for: half of the way from major to minor is mixolydian or dorian. Only notes on the
degrees that change are moved, by a semitone; the tonic and chromatic notes stay.

Every mode has one degree whose triad is diminished. A chord that would land there, and had a perfect fifth before,
takes the tones of the neighbouring mode instead (modal interchange): a piece that becomes major keeps its major chord
on the lowered seventh degree. A note that would lie a semitone above the root of its chord becomes the root.

Register is changed along the tones that sound: a chord tone becomes the next chord tones above or below, which keeps
voicings and contours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.sounds.patches import patches
from d2m.symbolic.emotion.mood_notes import Pulse, pitched, strokes, tidy
from d2m.symbolic.emotion.mood_table import FIRST_MINOR
from d2m.symbolic.keys import find_keys, key_name
from d2m.types import Part, Score

#: Degree of the scale of each pitch class above the tonic, and its brighter and darker variant.
_DEGREE = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])
_BRIGHT, _DARK = (0, 2, 4, 6, 7, 9, 11), (0, 1, 3, 5, 7, 8, 10)
#: Degree that is lowered from each mode to the next; degree with the diminished triad of each mode; mode whose tones a
#: chord takes that would land there (the half-diminished chord on the second degree of minor is a usual chord).
_LOWERED = (3, 6, 2, 5, 1)
_DIMINISHED = (3, 6, 2, 5, 1, 4)
_BORROWED = (1, 2, 3, 4, 4, 4)
#: Modes in which a key is looked for, the usual one first.
_MAJOR_MODES, _MINOR_MODES = (1, 2, 0), (4, 3, 5)
#: Triads that roots are found by, each with what it scores less for being rare.
_TRIADS = (((0, 4, 7), 0.0), ((0, 3, 7), 0.0), ((0, 3, 6), 0.08), ((0, 5, 7), 0.08))
#: What a sounding bass note adds to the evidence for a root, against 1 for all notes; share of a segment's sound from
#: which a pitch class belongs to its chord.
_BASS, _TONE = 0.7, 0.08
#: A note belongs to the chord that sounds this many beats after its start, or halfway through it.
_AHEAD = 0.5
_NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Keys between which parts move; close chords below sound muddy.
_LOWEST, _HIGHEST = 48, 98


@dataclass(frozen=True)
class Harmony:
    """Chords of a score in segments of half a bar.

    Attributes:
        tonic: pitch class.
        mode: index into :data:`~d2m.symbolic.emotion.mood_table.MODES`.
        edges: float64 (S + 1,), ends of the segments in beats.
        roots: int64 (S,), pitch classes.
        tones: bool (S, 12), pitch classes that sound; all of the scale where nothing does.
    """

    tonic: int
    mode: int
    edges: np.ndarray
    roots: np.ndarray
    tones: np.ndarray

    def segments(self, part: Part) -> np.ndarray:
        """Return the segment that each note of a part belongs to.

        Args:
            part: the part.
        """
        at = part.starts + np.minimum(0.5 * (part.ends - part.starts), _AHEAD)
        return np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, len(self.roots) - 1)

    @property
    def scale(self) -> np.ndarray:
        """Pitch classes of the mode: bool (12,)."""
        return np.isin(np.arange(12), (np.array(scale_of(self.mode)) + self.tonic) % 12)


def scale_of(mode: int) -> tuple[int, ...]:
    """Return the seven degrees of a mode in semitones above the tonic.

    Args:
        mode: index into :data:`~d2m.symbolic.emotion.mood_table.MODES`.
    """
    lowered = _LOWERED[:mode]
    return tuple(_DARK[degree] if degree in lowered else _BRIGHT[degree] for degree in range(7))


def harmony_of(score: Score, pulse: Pulse) -> Harmony | None:
    """Find key, mode and chords of a score.

    Args:
        score: the score; its key is used where it has one.
        pulse: its bars.

    Returns:
        None without notes that have a pitch.
    """
    parts = pitched(score)
    if not parts:
        return None
    lines = pulse.lines
    middles = 0.5 * (lines[:-1] + lines[1:])
    edges = np.sort(np.concatenate([lines, middles]))
    weights, basses = np.zeros((2, len(edges) - 1, 12))
    for part in parts:
        heard = _heard(part, edges)
        weights += heard
        if part.track == "bass":
            basses += heard
    tonic, minor = _key(score.key, weights)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    mode = _mode(np.roll(weights.sum(axis=0), -tonic), minor)
    share = weights / total
    evidence = share + _BASS * basses / np.maximum(basses.sum(axis=1, keepdims=True), 1e-9) * (weights > 0)
    roots = _roots(share, evidence)
    tones = share >= _TONE
    found = Harmony(tonic, mode, edges, roots, tones)
    tones[~tones.any(axis=1)] = found.scale
    return found


def _heard(part: Part, edges: np.ndarray) -> np.ndarray:
    """How long each pitch class sounds in each segment, in beats times loudness: (S, 12)."""
    heard = np.zeros((len(edges) - 1, 12))
    notes = np.arange(len(part.starts))
    segments = np.maximum(np.searchsorted(edges, part.starts, side="right") - 1, 0)
    while len(notes):
        at = segments[notes]
        notes, at = notes[at < len(heard)], at[at < len(heard)]
        within = np.minimum(part.ends[notes], edges[at + 1]) - np.maximum(part.starts[notes], edges[at])
        loud = part.velocities[notes] / 127.0
        np.add.at(heard, (at, part.pitches[notes] % 12), np.maximum(within, 0.0) * loud)
        segments[notes] += 1
        notes = notes[part.ends[notes] > edges[at + 1]]
    return heard


def _key(name: str | None, weights: np.ndarray) -> tuple[int, bool]:
    """Tonic and whether it is minor: of the score's key if it has one, else estimated."""
    if name and ":" in name and name[0] in _NAMES:
        note, kind = name.split(":", 1)
        return (_NAMES[note[0]] + note.count("#") - note[1:].count("b")) % 12, kind.startswith("min")
    key = int(find_keys(weights.sum(axis=0, keepdims=True))[0])
    return key % 12, key >= 12


def _mode(chroma: np.ndarray, minor: bool) -> int:
    """The mode with that third that holds most of what sounds, counted from the tonic."""
    choices = _MINOR_MODES if minor else _MAJOR_MODES
    return max(choices, key=lambda mode: (chroma[list(scale_of(mode))].sum(), -choices.index(mode)))


def _roots(share: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Root of each segment (S, 12) by its best triad; silent segments go on with the one before."""
    scores = np.stack(
        [
            np.max([share[:, [(root + step) % 12 for step in triad]].sum(axis=1) - rare for triad, rare in _TRIADS], 0)
            + evidence[:, root]
            for root in range(12)
        ],
        axis=1,
    )
    roots = scores.argmax(axis=1)
    sounding = share.any(axis=1)
    latest = np.maximum.accumulate(np.where(sounding, np.arange(len(roots)), 0))
    return roots[latest]


def mode_at(now: int, aim: int, strength: float) -> int:
    """Return the mode on the way from a piece's own to a mood's.

    Args:
        now: mode of the piece, index into :data:`~d2m.symbolic.emotion.mood_table.MODES`.
        aim: mode of the mood.
        strength: share of the way, 0 to 1.
    """
    reached = now <= aim if aim < FIRST_MINOR else now >= aim
    if reached:
        return now
    return now + int(np.sign(aim - now)) * int(strength * abs(aim - now) + 0.5)


def reharmonise(score: Score, harmony: Harmony, mode: int) -> Score:
    """Move the notes of a score to another mode on the same tonic, and rename its key.

    Args:
        score: the score.
        harmony: its harmony.
        mode: index into :data:`~d2m.symbolic.emotion.mood_table.MODES`.
    """
    if mode == harmony.mode:
        return score
    shifts = np.stack([_shifts(int(root - harmony.tonic) % 12, harmony.mode, mode) for root in harmony.roots])
    parts = []
    for part in score.parts:
        if part.is_drum or part.is_effect or not len(part.starts):
            parts.append(part)
            continue
        moved = part.pitches + shifts[harmony.segments(part), (part.pitches - harmony.tonic) % 12]
        parts.append(tidy(replace(part, pitches=moved)))
    key = key_name(harmony.tonic + 12 * (mode >= FIRST_MINOR))
    return replace(score, parts=tuple(parts), key=key)


def _shifts(root: int, now: int, then: int) -> np.ndarray:
    """Semitones by which each pitch class above the tonic moves where a chord on ``root`` sounds: (12,)."""
    perfect = (root + 7) % 12 in scale_of(now) and root in scale_of(now)
    mode = _BORROWED[then] if perfect and _DEGREE[root] == _DIMINISHED[then] else then
    old, new = np.array(scale_of(now))[_DEGREE], np.array(scale_of(mode))[_DEGREE]
    own = np.arange(12) == old
    shifts = np.where(own, new - old, 0)
    # The raised tones of a secondary dominant move with its root.
    thirds = ~own & (np.arange(12) == (root + 4) % 12)
    shifts = np.where(thirds & (shifts[root] != 0), shifts[root], shifts)
    above = (np.arange(12) + shifts - root - shifts[root]) % 12
    clash = (above == 1) & ((np.arange(12) - root) % 12 != 1)
    return shifts - clash


def move_register(score: Score, harmony: Harmony, semitones: float, rng: np.random.Generator) -> Score:
    """Move all parts but drums and bass up or down along the harmony.

    Parts reach the number of steps next below or above the wanted one, in shares that give the wanted mean.

    Args:
        score: the score.
        harmony: its harmony, as it sounds now.
        semitones: mean distance.
        rng: chooses which parts go further.
    """
    moving = [part for part in pitched(score) if part.track != "bass"]
    if not moving or semitones == 0:
        return score
    offsets = (rng.permutation(len(moving)) + 0.5) / len(moving)
    moved = {id(part): _shifted(part, harmony, semitones, offset) for part, offset in zip(moving, offsets, strict=True)}
    return replace(score, parts=tuple(moved.get(id(part), part) for part in score.parts))


def _shifted(part: Part, harmony: Harmony, semitones: float, offset: float) -> Part:
    """A part moved along the chord tones as far as its range has room; ``offset`` of 0 to 1 decides the rounding."""
    low, high = key_range(part)
    sign, distance = float(np.sign(semitones)), abs(semitones)
    keys = part.pitches
    while distance > 0:
        keys = _climbed(part, harmony, sign * distance, offset)
        if keys.min() >= low and keys.max() <= high:
            break
        keys, distance = part.pitches, distance - 1.0
    return tidy(replace(part, pitches=_apart(part, keys, high)))


def _climbed(part: Part, harmony: Harmony, semitones: float, offset: float) -> np.ndarray:
    """Keys of a part moved along the chord tones, or along the scale where they are none."""
    # The same keys are struck again and again in one segment.
    pairs, which = np.unique(np.stack([harmony.segments(part), part.pitches]), axis=1, return_inverse=True)
    moved = np.empty(pairs.shape[1], np.int64)
    for i, (segment, key) in enumerate(pairs.T.tolist()):
        tones = harmony.tones[segment]
        ladder = tones if tones[key % 12] else harmony.scale
        moved[i] = climb(key, ladder, int(np.floor(semitones / 12.0 * ladder.sum() + offset)))
    return moved[which.ravel()]


def _apart(part: Part, keys: np.ndarray, high: int) -> np.ndarray:
    """Keys of which no two of a stroke, different before, are the same: the later one goes up an octave."""
    numbers = strokes(part)
    taken: set[tuple[int, int]] = set()
    keys = keys.copy()
    for i, (number, key) in enumerate(zip(numbers.tolist(), keys.tolist(), strict=True)):
        if (number, key) in taken and key + 12 <= high:
            keys[i] = key + 12
        taken.add((number, int(keys[i])))
    return keys


def climb(key: int, ladder: np.ndarray, steps: int) -> int:
    """Return the key that is some steps of a ladder of pitch classes above another, or below.

    Args:
        key: MIDI note number; if it is not on the ladder, the nearest tone below is where the steps begin.
        ladder: bool (12,), pitch classes.
        steps: number of tones upwards, or downwards if negative.
    """
    classes = np.flatnonzero(ladder)
    if steps == 0 or not len(classes):
        return key
    octave, place = divmod(key, 12)
    index = int(np.searchsorted(classes, place, side="right")) - 1 + steps
    up, at = divmod(index, len(classes))
    return 12 * (octave + up) + int(classes[at])


def key_range(part: Part) -> tuple[int, int]:
    """Return the lowest and highest key that a part may be moved to.

    Args:
        part: a part with notes, which lie in the range in any case; the range of its patch counts if it has one.
    """
    patch = patches().get(part.patch)
    low, high = (patch.low, patch.high) if patch else (0, 127)
    return min(max(low, _LOWEST), int(part.pitches.min())), max(min(high, _HIGHEST), int(part.pitches.max()))
