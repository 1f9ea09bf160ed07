"""Metrics of a bridge compared with the music that it replaces, and baselines.

- **note F1**: harmonic mean of precision and recall over (track, step, key) that sound, over all bridges together.
- **onset F1**: the same over the places where a key starts to sound.
- **density**: cells that sound, beside those of the real bars; 1 is as busy.
- **in key**: share of what sounds in the pitched tracks that lies in the major scale (or its relative minor) which fits
  the two bars around the bridge best.
- **groove**: cosine similarity of the onsets on each step, drums and the rest apart, with those of the two bars around.
- **tonal distance** to the bar before and after (:func:`d2m.symbolic.metrics.tonal_centroid`), of the nearest bar of
  the bridge.
- **empty bars**: share of the tracks' bars without a note.

Arrays are bool (N, bars, steps, pitches, tracks), drums the first track; ``context`` has two bars.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.metrics import note_starts, pitch_class_profile, tonal_centroid
from d2m.symbolic.tracks import DRUMS

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_SCALES = np.array([np.isin(np.arange(12), [(tonic + step) % 12 for step in _MAJOR]) for tonic in range(12)], float)


def f1(made: np.ndarray, real: np.ndarray) -> float:
    """Compute the harmonic mean of precision and recall; 1 where both are empty.

    Args:
        made, real: bool arrays of the same shape.
    """
    both, total = int((made & real).sum()), int(made.sum()) + int(real.sum())
    return 2.0 * both / total if total else 1.0


def starts(context: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Find where keys start to sound; keys held from the bar before do not count.

    Args:
        context: the two bars around.
        made: bridges.

    Returns:
        bool, of the shape of ``made``.
    """
    batch, bars, steps = made.shape[:3]
    row = np.concatenate([context[:, :1], made], axis=1)
    flat = note_starts(row.reshape(batch, (bars + 1) * steps, *made.shape[3:]))
    return flat[:, steps:].reshape(made.shape)


def figures(made: np.ndarray, real: np.ndarray, context: np.ndarray, lowest: int = 24) -> dict[str, float]:
    """Compute all metrics of the module's list.

    Args:
        made: bool (N, bars, steps, pitches, tracks), bridges.
        real: the bars they replace.
        context: the two bars around.
        lowest: MIDI note of the first pitch.

    Returns:
        Metrics by name.

    Raises:
        ValueError: if the arrays do not belong together.
    """
    if made.shape != real.shape or context.shape[:1] + context.shape[2:] != made.shape[:1] + made.shape[2:]:
        raise ValueError(f"bridges {made.shape}, real bars {real.shape} and their context {context.shape} differ")
    begun, due = starts(context, made), starts(context, real)
    pitched = slice(DRUMS + 1, None)
    chroma, around = (pitch_class_profile(a[..., pitched].sum((2, 4)), lowest) for a in (made, context))
    fit = (around.sum(1) @ _SCALES.T).argmax(axis=1)
    weight = chroma.sum(1)
    return {
        "note F1": f1(made, real),
        "onset F1": f1(begun, due),
        "density": float(made.sum() / max(int(real.sum()), 1)),
        "in key": float((weight * _SCALES[fit]).sum() / max(float(weight.sum()), 1e-9)),
        "groove": groove_likeness(begun, starts(context, context)),
        "distance before": _distance(around[:, 0], chroma[:, 0]),
        "distance after": _distance(chroma[:, -1], around[:, 1]),
        "empty bars": float((~made.any(axis=(2, 3))).mean()),
    }


def groove_likeness(begun: np.ndarray, around: np.ndarray) -> float:
    """Compute the mean cosine similarity between the onsets by step of each bridge bar and the mean of the bars around
    it.

    Args:
        begun: onsets of the bridges.
        around: onsets of the bars around.

    Returns:
        The similarity; 0 for silence.
    """
    parts = []
    for tracks in (slice(DRUMS, DRUMS + 1), slice(DRUMS + 1, None)):
        one, two = (a[..., tracks].sum((3, 4)).astype(float) for a in (begun, around))
        two = two.mean(1, keepdims=True)
        lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
        heard = np.broadcast_to(np.linalg.norm(two, axis=-1) > 0, lengths.shape)
        parts.append(((one * two).sum(-1) / np.maximum(lengths, 1e-9))[heard])
    found = np.concatenate(parts)
    return float(found.mean()) if len(found) else float("nan")


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    heard = first.any(axis=-1) & second.any(axis=-1)
    gaps = np.linalg.norm(tonal_centroid(first[heard]) - tonal_centroid(second[heard]), axis=-1)
    return float(gaps.mean()) if len(gaps) else float("nan")


def baselines(context: np.ndarray, bars: int) -> dict[str, np.ndarray]:
    """Make bridges without a network.

    ``"halves"`` is the bar before for the first half and the bar after for the second: what a linear cross-fade of the
    two rolls leaves above one half. ``"cross-fade"`` lets both sound, as a mixing desk would.

    Args:
        context: bool (N, 2, steps, pitches, tracks), the bars before and after.
        bars: length of the bridges.

    Returns:
        Bridges bool (N, bars, steps, pitches, tracks) by name.
    """
    before, after = (np.repeat(context[:, side : side + 1], bars, axis=1) for side in (0, 1))
    later = (np.arange(bars) + 0.5 > bars / 2)[None, :, None, None, None]
    return {
        "silence": np.zeros_like(before),
        "repeat A": before,
        "repeat B": after,
        "halves": np.where(later, after, before),
        "cross-fade": before | after,
    }
