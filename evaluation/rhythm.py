"""Metrics of beats estimated from a dancer's movement against the beats of the music that was danced to.

Every clip is measured over its whole length (unlike in mir_eval, the first five seconds are not left out, since a clip
may be no longer than that):

* ``tempo_right``: the estimated tempo is within 4 % of the music's, which is the median of the times between its beats;
  ``octave_right``: or within 4 % of half or twice that.
* ``f``: F-measure of the beats at 70 ms; ``f_chance``: its mean over the same grid shifted by a part of a beat, spread
  evenly over one beat; ``excess``: the difference. A beat tracker that only knows the tempo has an excess of 0.
* ``cmlt``, ``amlt``: share of beats in continuous agreement at the music's tempo, or also off the beat and at twice
  or half the tempo (Davies et al. 2009; mir_eval).
* ``downbeat_f``: F-measure of the first beats of bars at 70 ms.
* the phase error, where the tempo is correct: circular mean of the distances from the music's beats to the grid, above
  0 where the grid is late, in seconds and in beats; and the length of the mean vector (``phase_concentration``), 1
  where all distances are the same and near 0 where they are spread over the whole beat.

References
----------
M. Davies et al., "Evaluation methods for musical audio beat tracking algorithms", QMUL C4DM-TR-09-06, 2009.
N. Fisher, "Statistical Analysis of Circular Data", 1993, chapter 2. G. Brier, "Verification of forecasts expressed in
terms of probability", Monthly Weather Review 78(1), 1950.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from d2m.datasets.npy import read_npz
from d2m.errors import D2MError
from d2m.types import BeatGrid, Motion

from .alignment import inside
from .beats import TOLERANCE, Continuity, beat_f_measure, continuity, tempo_agrees
from .metrics import compute

#: Places within one beat that the chance level is the mean of.
SHIFTS = 64
#: Fewest beats of the music that a clip is judged by.
FEWEST_BEATS = 4
#: Longest clip, seconds, and highest frame rate, hertz.
LONGEST, FASTEST = 1800.0, 1000.0
#: Largest size of one array of a clip, bytes.
MOST_BYTES = 50_000_000

_NEEDED = ("landmarks", "fps", "beats")
_READ = (
    *(*_NEEDED, "world", "confidence", "duration", "downbeats", "strength", "group"),
    *("cuts", "others", "others_world", "others_confidence", "others_cuts"),
)
_LANDMARKS = 33
#: Most dancers beside the first.
MOST_OTHERS = 15


@dataclass(frozen=True)
class DanceClip:
    """A dancer's landmarks and the beats of the music that was danced to.

    Attributes:
        name: name of the file without its ending.
        motion: MediaPipe's 33 landmarks of the dancer, or of the one who stands out most.
        world: float32 (T, 33, 3), the landmarks in metres, hips at the origin; or None.
        duration: seconds.
        beats, downbeats: float64 (K,), rising times in seconds within the clip.
        strength: how sure the tracker was that found ``beats``, 0..1; or None.
        group: clips of one source (dancer, place or song) have the same; unique where the file does not say.
        others: landmarks of the other dancers, of as many frames.
        other_worlds: the same in metres, of each; or None.
    """

    name: str
    motion: Motion
    world: np.ndarray | None
    duration: float
    beats: np.ndarray
    downbeats: np.ndarray
    strength: float | None
    group: str
    others: tuple[Motion, ...] = ()
    other_worlds: tuple[np.ndarray | None, ...] = ()

    @property
    def tempo(self) -> float:
        """Beats a minute of the music."""
        return tempo_of(self.beats)


def tempo_of(beats: np.ndarray) -> float:
    """Compute the tempo: 60 over the median time between two beats.

    Args:
        beats: times in seconds.

    Returns:
        Beats per minute.
    """
    return float(60.0 / np.median(np.diff(beats)))


def read_clip(path: str | Path) -> DanceClip:
    """Read a dance clip from an ``.npz`` file.

    Required arrays: ``landmarks`` (T, 33, 3) as in :class:`d2m.types.Motion`, ``fps``, ``beats`` (K,). Optional:
    ``world`` (T, 33, 3), ``confidence`` (T, 33), ``duration``, ``downbeats``, ``strength``, ``group`` (a whole number),
    and ``cuts`` (K,), frames at which another shot or dancer begins. Of D further dancers: ``others`` (D, T, 33, 3),
    ``others_world`` likewise, ``others_confidence`` (D, T, 33), 0 where one is not seen, ``others_cuts`` (D, T), not
    0 at those of the others.

    Args:
        path: the file.

    Raises:
        D2MError: if the file cannot be read or does not hold such a clip.
    """
    path = Path(path)
    held = read_npz(path, _READ, MOST_BYTES)
    missing = [name for name in _NEEDED if name not in held]
    if missing:
        raise D2MError(f"{path}: no '{missing[0]}' in it; a clip needs {', '.join(_NEEDED)}")
    motion = _motion(path, held)
    duration = _number(path, held, "duration", 0.0, LONGEST, motion.duration)
    if abs(duration - motion.duration) > 0.5 + 0.02 * duration:
        raise D2MError(f"{path}: {motion.duration:.2f} s of landmarks but a duration of {duration:.2f} s; get it again")
    beats = _times(path, held, "beats", duration)
    if len(beats) < FEWEST_BEATS:
        raise D2MError(f"{path}: {len(beats)} beats within the clip, too few to judge by; leave it out")
    group = held.get("group")
    return DanceClip(
        path.stem,
        motion,
        _like(path, held, "world", motion.joints.shape),
        duration,
        beats,
        _times(path, held, "downbeats", duration),
        None if "strength" not in held else _number(path, held, "strength", 0.0, 1.0),
        path.stem if group is None or group.size != 1 else str(int(group.ravel()[0])),
        *_others(path, held, motion),
    )


def _motion(path: Path, held: dict[str, np.ndarray]) -> Motion:
    joints = held["landmarks"]
    if joints.ndim != 3 or joints.shape[1:] != (_LANDMARKS, 3) or not len(joints):
        raise D2MError(f"{path}: landmarks of shape {joints.shape}; they must be (frames, {_LANDMARKS}, 3)")
    if np.abs(joints).max() > 1000.0:
        raise D2MError(f"{path}: landmarks far outside the picture; they must be in picture heights")
    fps = _number(path, held, "fps", 1.0, FASTEST)
    if len(joints) / fps > LONGEST:
        raise D2MError(f"{path}: {len(joints) / fps:.0f} s of landmarks; at most {LONGEST:.0f} s are judged")
    confidence = _like(path, held, "confidence", joints.shape[:2])
    if confidence is None:
        confidence = np.ones(joints.shape[:2], np.float32)
    cuts = held.get("cuts", np.zeros(0))
    if cuts.ndim != 1 or (np.diff(cuts) <= 0).any() or ((cuts < 0) | (cuts >= len(joints))).any():
        raise D2MError(f"{path}: 'cuts' must be rising numbers of frames; get it again")
    confidence = np.clip(confidence, 0.0, 1.0)
    return Motion(joints.astype(np.float32), fps, "mediapipe33", confidence, tuple(int(cut) for cut in cuts))


def _others(
    path: Path, held: dict[str, np.ndarray], motion: Motion
) -> tuple[tuple[Motion, ...], tuple[np.ndarray | None, ...]]:
    """Landmarks of further dancers, in the picture and in metres."""
    joints = held.get("others")
    if joints is None or not len(joints):
        return (), ()
    shape = (len(joints), *motion.joints.shape)
    if joints.shape != shape or len(joints) > MOST_OTHERS or np.abs(joints).max() > 1000.0:
        raise D2MError(
            f"{path}: 'others' of shape {joints.shape}; it must be (dancers, *landmarks), at most {MOST_OTHERS} dancers"
        )
    confidence = _like(path, held, "others_confidence", shape[:3])
    world = _like(path, held, "others_world", shape)
    cut = _like(path, held, "others_cuts", shape[:2])
    motions = tuple(
        Motion(
            joints[row].astype(np.float32),
            *(motion.fps, "mediapipe33"),
            np.ones(shape[1:3], np.float32) if confidence is None else np.clip(confidence[row], 0.0, 1.0),
            motion.cuts if cut is None else tuple(np.flatnonzero(cut[row]).tolist()),
        )
        for row in range(len(joints))
    )
    return motions, tuple(None if world is None else world[row] for row in range(len(joints)))


def _like(path: Path, held: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    values = held.get(name)
    if values is None:
        return None
    if values.shape != shape or np.abs(values).max() > 1e6:
        raise D2MError(f"{path}: '{name}' of shape {values.shape} does not fit the landmarks; get it again")
    return values.astype(np.float32)


def _number(path: Path, held: dict[str, np.ndarray], name: str, low: float, high: float, default: float = 0.0) -> float:
    if name not in held:
        return default
    if held[name].size != 1 or not low <= (value := float(held[name].ravel()[0])) <= high:
        raise D2MError(f"{path}: '{name}' must be one number from {low:g} to {high:g}; get it again")
    return value


def _times(path: Path, held: dict[str, np.ndarray], name: str, duration: float) -> np.ndarray:
    times = held.get(name, np.zeros(0)).astype(np.float64)
    if times.ndim != 1 or (np.diff(times) <= 0).any():
        raise D2MError(f"{path}: '{name}' must be rising times in seconds; get it again")
    return inside(times, duration)


@dataclass(frozen=True)
class ClipScore:
    """A clip and a grid of beats for it: what the metrics of the group "rhythm" are computed from.

    Attributes:
        clip: the clip.
        grid: estimated beats.
    """

    clip: DanceClip
    grid: BeatGrid

    @cached_property
    def beats(self) -> np.ndarray:
        """Beats within the clip in seconds."""
        return inside(self.grid.beats, self.clip.duration)

    @cached_property
    def downbeats(self) -> np.ndarray:
        """First beats of bars within the clip in seconds."""
        return inside(self.grid.beats[self.grid.downbeats], self.clip.duration)

    @property
    def tempo(self) -> float:
        """Estimated beats per minute."""
        return tempo_of(self.grid.beats)

    @property
    def tempo_right(self) -> bool:
        """Whether the tempo is within 4 % of the music's."""
        return tempo_agrees(self.tempo, self.clip.tempo)

    @property
    def octave_right(self) -> bool:
        """Whether the tempo is within 4 % of the music's, its half or its double."""
        return any(tempo_agrees(self.tempo, factor * self.clip.tempo) for factor in (0.5, 1.0, 2.0))

    @cached_property
    def f(self) -> float:
        """F-measure of the beats at 70 ms."""
        return beat_f_measure(self.clip.beats, self.beats)

    @cached_property
    def f_chance(self) -> float:
        """F-measure by chance."""
        return chance_f(self.clip, self.grid)

    @cached_property
    def runs(self) -> Continuity:
        """Continuity of the beats."""
        return continuity(self.clip.beats, self.beats)

    @property
    def downbeat_f(self) -> float | None:
        """F-measure of the downbeats at 70 ms; None where they are unknown."""
        return beat_f_measure(self.clip.downbeats, self.downbeats) if len(self.clip.downbeats) else None

    @cached_property
    def phase(self) -> dict[str, float | None]:
        """Phase error."""
        return phase_error(self.clip.beats, self.grid, self.tempo_right)


def score_grid(clip: DanceClip, grid: BeatGrid) -> dict[str, object]:
    """Compute the metrics of the group "rhythm" of a grid of beats against the music of a clip.

    Args:
        clip: the clip.
        grid: estimated beats.

    Returns:
        Plain JSON values; None where something cannot be worked out.
    """
    score = ClipScore(clip, grid)
    return {
        "tempo": round(score.tempo, 3),
        "true_tempo": round(clip.tempo, 3),
        **compute("rhythm", score),
        **score.phase,
        "beats": [round(float(beat), 4) for beat in score.beats],
        "downbeats": [round(float(bar), 4) for bar in score.downbeats],
    }


def chance_f(clip: DanceClip, grid: BeatGrid, shifts: int = SHIFTS) -> float:
    """Compute the F-measure at 70 ms by chance: the mean over shifts spread evenly over one beat.

    Args:
        clip: the clip.
        grid: estimated beats.
        shifts: number of shifts.
    """
    whole = np.arange(len(grid.beats) + 1) - 1.0
    places = (np.arange(shifts) + 0.5) / shifts
    moved = (inside(grid.time_of(whole + place), clip.duration) for place in places)
    return float(np.mean([beat_f_measure(clip.beats, beats, TOLERANCE) for beats in moved]))


def phase_error(beats: np.ndarray, grid: BeatGrid, tempo_right: bool) -> dict[str, float | None]:
    """Compute the phase error of a grid; see the module's docstring.

    Args:
        beats: beats of the music, in seconds.
        grid: estimated beats.
        tempo_right: whether the tempo is correct.

    Returns:
        Values by name; None if the tempo is wrong.
    """
    if not tempo_right:
        names = ("phase_error", "phase_error_abs_ms", "phase_error_beats", "phase_concentration")
        return dict.fromkeys(names)
    # A music beat at position 3.9 comes a tenth of a beat before the grid's: the grid is late.
    error, concentration = circular_mean(-grid.position_of(beats))
    seconds = error * 60.0 / tempo_of(beats)
    return {
        "phase_error": seconds,
        "phase_error_abs_ms": 1000.0 * abs(seconds),
        "phase_error_beats": error,
        "phase_concentration": concentration,
    }


def circular_mean(turns: np.ndarray) -> tuple[float, float]:
    """Compute the circular mean of angles.

    Args:
        turns: angles in turns.

    Returns:
        Mean within -0.5..0.5, and length of the mean vector, 0..1.
    """
    mean = np.exp(2j * np.pi * np.asarray(turns, dtype=np.float64)).mean()
    return float(np.angle(mean) / (2 * np.pi)), float(np.abs(mean))


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 5) -> list[dict[str, float | int | None]]:
    """Return the reliability table: clips by their confidence, with the share of them that is right.

    Args:
        confidence: (N,), 0..1.
        right: (N,), True or False.
        bins: how many, of equal width.

    Returns:
        One row a bin: its bounds ``low`` and ``high``, ``clips``, their mean ``confidence`` and the share ``right``
        (both None for an empty bin).
    """
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows: list[dict[str, float | int | None]] = []
    for index in range(bins):
        chosen = place == index
        clips = int(chosen.sum())
        rows.append(
            {
                "low": index / bins,
                "high": (index + 1) / bins,
                "clips": clips,
                "confidence": float(confidence[chosen].mean()) if clips else None,
                "right": float(right[chosen].mean()) if clips else None,
            }
        )
    return rows


def brier(confidence: np.ndarray, right: np.ndarray) -> float:
    """Compute the Brier score: mean squared distance of the confidence from 1 (correct) or 0 (wrong); 0 is best.

    Args:
        confidence: 0..1.
        right: bool.
    """
    return float(np.mean((np.asarray(confidence, dtype=np.float64) - np.asarray(right, dtype=np.float64)) ** 2))
