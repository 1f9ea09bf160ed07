"""Metrics of five-track music: the objective metrics of MuseGAN, and three more.

After Dong, Hsiao, Yang and Yang, "MuseGAN: Multi-track Sequential Generative Adversarial Networks for Symbolic Music
Generation and Accompaniment" (AAAI 2018), section "Objective Metrics for Evaluation", as its text defines them:

- **EB**, empty bars: share of bars in which a track does not sound, in %.
- **UPC**, used pitch classes: how many of the twelve a track uses in a bar, the mean over bars in which it sounds.
- **QN**, qualified notes: share of notes that last a 32nd note or longer, in %: three steps of 96 to a bar. At 48
  steps and fewer, where a 32nd is less than two steps, two steps. Repeated keys without a gap are one note unless
  onsets are given; notes may cross the bar lines within a phrase.
- **DP**, drum pattern: share of drum strokes that lie in an 8- or 16-beat pattern, in %: on the sixteenths of the bar.
  At 16 steps, where everything lies on sixteenths, strokes on eighths count 1 and those between 0.1, as in the code
  that its authors published; there, too, every step of a drum is a stroke.
- **TD**, tonal distance between two tracks: the Euclidean distance of their tonal centroids (Harte, Sandler and Gasser,
  "Detecting Harmonic Change in Musical Audio", 2006), beat by beat, the mean over beats in which both sound.

Besides: **polyphony**, the share of a track's sounding steps in which it plays several keys, and how many on average;
**in scale**, the share of what sounds that lies in the best fitting major (or its minor) scale of the phrase, or in a
given one, in % (MusPy's scale consistency); the **range** of keys, and notes in a bar. And two of later work (Wu and
Yang, "The Jazz Transformer on the Front Line", ISMIR 2020; Dong et al., "MusPy", ISMIR 2020):

- **pitch-class entropy**: entropy of the pitch classes of a track's notes in a phrase, in bits: 0 for one, 3.58 for all
  twelve alike.
- **groove consistency**: likeness of the onsets of neighbouring bars of a track, 1 less the share of steps at which one
  of them has an onset and the other none, in %. Neighbours that are both empty do not count, since they are alike.

Two mistakes of others are not repeated: pitch classes count keys from C (``pitch % 12``), whereas the published code
and pypianoroll fold neighbouring keys together; and beats in which one track rests are left out of TD, not made NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.pianoroll import PITCHES, PianoRoll
from d2m.symbolic.pianoroll_tensor import Resolution, in_fours, to_tensor
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS

#: Pairs of pitched tracks that TD compares, as indices into :data:`d2m.types.TRACKS`.
PAIRS: tuple[tuple[int, int], ...] = tuple(combinations(range(DRUMS + 1, len(TRACKS)), 2))
_RADII = (1.0, 1.0, 0.5)
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def pitch_class_profile(held: np.ndarray, lowest: int) -> np.ndarray:
    """Count sounding keys by pitch class.

    Args:
        held: bool (..., pitches).
        lowest: MIDI note of the first pitch.

    Returns:
        float64 (..., 12), C first.
    """
    classes = (lowest + np.arange(held.shape[-1])) % 12
    return held @ np.eye(12)[classes]


def tonal_centroid(profile: np.ndarray) -> np.ndarray:
    """Project a pitch class profile on the circles of fifths, minor and major thirds.

    Harte et al. 2006, equation 3: radii 1, 1 and 0.5, the profile scaled to a sum of one. Silence is at the origin.

    Args:
        profile: (..., 12).

    Returns:
        float64 (..., 6).
    """
    classes = np.arange(12)
    angles = np.pi * np.array([7 / 6, 3 / 2, 2 / 3])[:, None] * classes
    circles = np.stack([np.sin(angles), np.cos(angles)], axis=1) * np.array(_RADII)[:, None, None]
    total = profile.sum(axis=-1, keepdims=True)
    return (profile / np.maximum(total, 1e-12)) @ circles.reshape(6, 12).T


def tonal_distance(first: np.ndarray, second: np.ndarray, lowest: int = 0) -> float:
    """Compute TD between two stretches of music.

    Args:
        first, second: bool (steps, pitches).
        lowest: MIDI note of the first pitch.

    Returns:
        The distance; NaN if one is silent.
    """
    profiles = [pitch_class_profile(np.asarray(roll, float).sum(axis=0), lowest) for roll in (first, second)]
    if not all(p.any() for p in profiles):
        return float("nan")
    return float(np.linalg.norm(tonal_centroid(profiles[0]) - tonal_centroid(profiles[1])))


def qualified_steps(steps: int) -> int:
    """Return the minimum number of steps of a qualified note.

    Args:
        steps: per bar.
    """
    return max(2, int(np.ceil(steps / 32)))


def drum_pattern(steps: int) -> np.ndarray:
    """Return how much a drum stroke at each step of a bar counts as part of an 8- or 16-beat pattern.

    Args:
        steps: per bar.

    Returns:
        float64 (steps,).

    Raises:
        ValueError: if the bar cannot be divided by 8.
    """
    if steps % 8:
        raise ValueError(f"a bar of {steps} steps has no eighths")
    weights = np.full(steps, 0.1 if steps == 16 else 0.0)
    weights[:: steps // 16 if steps % 16 == 0 and steps > 16 else steps // 8] = 1.0
    return weights


def note_starts(held: np.ndarray) -> np.ndarray:
    """Find where keys start to sound.

    Args:
        held: bool (phrases, time, pitches, tracks).

    Returns:
        bool, of the same shape.
    """
    rising = held.copy()
    rising[:, 1:] &= ~held[:, :-1]
    return rising


@dataclass
class Tally:
    """Sums over any number of phrases, from which :meth:`metrics` makes the figures.

    Tallies of the same resolution may be added up, and go through JSON.

    Attributes:
        steps: in a bar.
        scale: pitch classes for the in-scale rate; None takes the best fitting major scale of each phrase.
        sums: name -> float64, one value a track or pair.
    """

    steps: int
    scale: tuple[int, ...] | None = None
    sums: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, held: np.ndarray, lowest: int, onsets: np.ndarray | None = None) -> None:
        """Count phrases.

        Args:
            held: bool, or numbers that sound above 0.5, (phrases, bars, steps, pitches, 5).
            lowest: MIDI key of the first pitch.
            onsets: bool, as ``held``; where notes begin, if known.
        """
        held = np.asarray(held)
        held = held if held.dtype == bool else held > 0.5
        if held.ndim != 5 or held.shape[2] != self.steps or held.shape[4] != len(TRACKS) or self.steps % 4:
            raise ValueError(f"phrases of shape {held.shape} instead of (phrases, bars, {self.steps}, pitches, 5)")
        if not len(held):
            return
        phrases, bars, steps, pitches, _ = held.shape
        flat = held.reshape(phrases, bars * steps, pitches, len(TRACKS))
        starts = note_starts(flat)
        if onsets is not None:
            starts |= np.asarray(onsets, bool).reshape(flat.shape) & flat
        if steps <= 16:
            starts[..., DRUMS] = flat[..., DRUMS]
        self._bars(held, lowest)
        self._notes(flat, starts)
        self._harmony(flat, lowest)
        self._entropy(starts, lowest)
        self._groove(starts.reshape(phrases, bars, steps, pitches, len(TRACKS)))
        self._put("phrases", np.array([phrases]))
        low, high = self._range(flat, lowest)
        self.sums["lowest"] = np.minimum(self.sums.get("lowest", np.full(len(TRACKS), np.inf)), low)
        self.sums["highest"] = np.maximum(self.sums.get("highest", np.full(len(TRACKS), -np.inf)), high)

    def _put(self, name: str, values: np.ndarray) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + np.asarray(values, np.float64)

    def _bars(self, held: np.ndarray, lowest: int) -> None:
        used = np.any(held, axis=2)
        sounding = np.any(used, axis=2)
        classes = pitch_class_profile(np.moveaxis(used, 2, -1), lowest) > 0
        self._put("bars", np.full(len(TRACKS), held.shape[0] * held.shape[1]))
        self._put("sounding bars", sounding.sum(axis=(0, 1)))
        self._put("pitch classes", classes.sum(axis=-1).sum(axis=(0, 1)))

    def _notes(self, flat: np.ndarray, starts: np.ndarray) -> None:
        long = starts.copy()
        for i in range(1, qualified_steps(self.steps)):
            goes_on = np.zeros_like(long)
            goes_on[:, :-i] = flat[:, i:] & ~starts[:, i:]
            long &= goes_on
        self._put("notes", starts.sum(axis=(0, 1, 2)))
        self._put("qualified", long.sum(axis=(0, 1, 2)))
        strokes = starts[..., DRUMS].sum(axis=(0, 2)).reshape(-1, self.steps).sum(axis=0)
        self._put("pattern", np.array([strokes @ drum_pattern(self.steps)]))
        keys = flat.sum(axis=2)
        self._put("sounding steps", (keys > 0).sum(axis=(0, 1)))
        self._put("several keys", (keys > 1).sum(axis=(0, 1)))
        self._put("keys", keys.sum(axis=(0, 1)))

    def _harmony(self, flat: np.ndarray, lowest: int) -> None:
        phrases, time, pitches, tracks = flat.shape
        beats = flat.reshape(phrases, time // (self.steps // 4), self.steps // 4, pitches, tracks).sum(axis=2)
        profile = pitch_class_profile(np.moveaxis(beats, 2, -1).astype(np.float64), lowest)
        centroid, sounds = tonal_centroid(profile), profile.sum(axis=-1) > 0
        pairs = [(a, b) for a, b in PAIRS]
        both = [sounds[:, :, a] & sounds[:, :, b] for a, b in pairs]
        gaps = [np.linalg.norm(centroid[:, :, a] - centroid[:, :, b], axis=-1) for a, b in pairs]
        self._put("distance", np.array([(g * m).sum() for g, m in zip(gaps, both, strict=True)]))
        self._put("distance beats", np.array([m.sum() for m in both]))
        weight = profile.sum(axis=1)
        fixed = [self.scale] if self.scale is not None else [[(t + s) % 12 for s in _MAJOR] for t in range(12)]
        masks = np.array([np.isin(np.arange(12), list(scale)) for scale in fixed], dtype=np.float64)
        best = (weight[:, DRUMS + 1 :].sum(axis=1) @ masks.T).argmax(axis=1)
        self._put("in scale", (weight * masks[best][:, None]).sum(axis=(0, 2)))
        self._put("sounding keys", weight.sum(axis=(0, 2)))

    def _entropy(self, starts: np.ndarray, lowest: int) -> None:
        notes = pitch_class_profile(np.moveaxis(starts.sum(axis=1), 1, -1).astype(np.float64), lowest)
        total = notes.sum(axis=-1, keepdims=True)
        share = notes / np.maximum(total, 1)
        bits = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=-1)
        self._put("entropy", bits.sum(axis=0))
        self._put("entropy phrases", (total[..., 0] > 0).sum(axis=0))

    def _groove(self, starts: np.ndarray) -> None:
        onsets = np.asarray(starts.any(axis=3))
        differ = (onsets[:, 1:] != onsets[:, :-1]).mean(axis=2)
        either = onsets[:, 1:].any(axis=2) | onsets[:, :-1].any(axis=2)
        self._put("groove", ((1 - differ) * either).sum(axis=(0, 1)))
        self._put("neighbours", either.sum(axis=(0, 1)))

    def _range(self, flat: np.ndarray, lowest: int) -> tuple[np.ndarray, np.ndarray]:
        used = np.any(flat, axis=(0, 1))
        low, high = np.full(len(TRACKS), np.inf), np.full(len(TRACKS), -np.inf)
        for track in np.flatnonzero(used.any(axis=0)):
            keys = np.flatnonzero(used[:, track])
            low[track], high[track] = lowest + keys[0], lowest + keys[-1]
        return low, high

    def merge(self, other: Tally) -> None:
        """Add the sums of another tally.

        Args:
            other: the other tally.
        """
        if other.steps != self.steps:
            raise ValueError(f"tallies of {other.steps} and {self.steps} steps a bar")
        for name, values in other.sums.items():
            if name in ("lowest", "highest"):
                best = np.minimum if name == "lowest" else np.maximum
                self.sums[name] = best(self.sums.get(name, values), values)
            else:
                self._put(name, values)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; ``Tally.from_json`` reads them."""
        sums = {n: [v if np.isfinite(v) else None for v in values.tolist()] for n, values in self.sums.items()}
        return {"steps": self.steps, "sums": sums}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Tally:
        """Restore a tally from JSON values.

        Args:
            content: as returned by ``to_json``.
        """
        missing = {"lowest": np.inf, "highest": -np.inf}
        sums = {
            name: np.array([missing.get(name, 0.0) if v is None else v for v in values], dtype=np.float64)
            for name, values in content["sums"].items()
        }
        return cls(int(content["steps"]), None, sums)

    def metrics(self) -> Metrics:
        """Return the figures; NaN where there is nothing to measure."""
        if not self.sums:
            raise ValueError("nothing has been counted")
        # A tally that an earlier version stored has no entropy and no groove.
        unknown = np.full(len(TRACKS), np.nan)
        s = dict.fromkeys(("entropy", "entropy phrases", "groove", "neighbours"), unknown) | self.sums
        with np.errstate(divide="ignore", invalid="ignore"):
            pitched = np.arange(len(TRACKS)) != DRUMS
            figures = {
                "empty_bars": 100.0 * (1.0 - s["sounding bars"] / s["bars"]),
                "used_pitch_classes": np.where(pitched, s["pitch classes"] / s["sounding bars"], np.nan),
                "qualified_notes": np.where(pitched, 100.0 * s["qualified"] / s["notes"], np.nan),
                "polyphony": 100.0 * s["several keys"] / s["sounding steps"],
                "keys_at_once": s["keys"] / s["sounding steps"],
                "in_scale": np.where(pitched, 100.0 * s["in scale"] / s["sounding keys"], np.nan),
                "lowest": np.where(np.isfinite(s["lowest"]), s["lowest"], np.nan),
                "highest": np.where(np.isfinite(s["highest"]), s["highest"], np.nan),
                "notes_per_bar": s["notes"] / s["bars"],
                "pitch_class_entropy": np.where(pitched, s["entropy"] / s["entropy phrases"], np.nan),
                "groove_consistency": 100.0 * s["groove"] / s["neighbours"],
            }
            distance = s["distance"] / s["distance beats"]
            pattern = float(100.0 * s["pattern"][0] / s["notes"][DRUMS])
        tracks = {name: dict(zip(TRACKS, values.tolist(), strict=True)) for name, values in figures.items()}
        pairs = {f"{TRACKS[a]}-{TRACKS[b]}": float(d) for (a, b), d in zip(PAIRS, distance, strict=True)}
        return Metrics(self.steps, int(s["phrases"][0]), int(s["bars"][0]), pattern, pairs, **tracks)


@dataclass(frozen=True)
class Metrics:
    """The figures of :mod:`d2m.symbolic.metrics`; dictionaries have one value a track, by name.

    Attributes:
        steps: in a bar, which QN and DP depend on.
        phrases, bars: how many were measured.
        drum_pattern: DP, %.
        tonal_distance: TD of pairs, such as ``"piano-guitar"``.
        empty_bars: EB, %.
        used_pitch_classes: UPC, 0 to 12; NaN for drums.
        qualified_notes: QN, %; NaN for drums.
        polyphony: steps with several keys, % of those that sound.
        keys_at_once: mean over steps that sound.
        in_scale: %; NaN for drums.
        lowest, highest: MIDI keys.
        notes_per_bar: mean over all bars.
        pitch_class_entropy: bits, mean over phrases; NaN for drums.
        groove_consistency: %, mean over neighbouring bars.
    """

    steps: int
    phrases: int
    bars: int
    drum_pattern: float
    tonal_distance: dict[str, float]
    empty_bars: dict[str, float]
    used_pitch_classes: dict[str, float]
    qualified_notes: dict[str, float]
    polyphony: dict[str, float]
    keys_at_once: dict[str, float]
    in_scale: dict[str, float]
    lowest: dict[str, float]
    highest: dict[str, float]
    notes_per_bar: dict[str, float]
    pitch_class_entropy: dict[str, float]
    groove_consistency: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; None for undefined metrics."""
        return {name: _plain(value) for name, value in vars(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return value


def count_roll(roll: PianoRoll, tally: Tally) -> tuple[int, int]:
    """Add the 4/4 bars of a roll to a tally. Consecutive 4/4 bars count as one phrase; bars of 1/4 and 2/4 are joined
    to four quarters.

    Args:
        roll: piano-roll.
        tally: which is changed.

    Returns:
        bars that were added, and all bars.

    Raises:
        D2MError: if there are none.
    """
    whole = Resolution("whole", tally.steps, PITCHES, 0)
    roll, fours = in_fours(roll.resampled(whole.steps_per_beat))
    fits = np.concatenate([[False], fours, [False]]).astype(int)
    first, stop = np.flatnonzero(np.diff(fits) == 1), np.flatnonzero(np.diff(fits) == -1)
    if not len(first):
        raise D2MError("it has no bars in 4/4; the metrics are defined for 4/4 only")
    for start, end in zip(first.tolist(), stop.tolist(), strict=True):
        held, onsets = to_tensor(roll, whole, start, end - start)
        tally.add(held[None], 0, onsets[None])
    return int(fits.sum()), len(fits) - 2
