"""A dance genre guessed from how someone moves, for music when the user names none."""

from __future__ import annotations

import numpy as np

from d2m.features.envelope import PARTS, body_height, body_speeds
from d2m.types import GENRES, BeatGrid, Motion

#: What each genre looks like, from descriptions of the styles, not learnt: tempo (beats a minute), mean energy
#: (0..1), share of the arms in all movement (0..1), pulse (how much speed rises and falls, 0..1), and level of the
#: hips (share of standing height: low for floor work).
STYLES: dict[str, tuple[float, float, float, float, float]] = {
    "gBR": (110.0, 0.70, 0.45, 0.50, 0.35),
    "gPO": (100.0, 0.45, 0.60, 0.70, 0.50),
    "gLO": (108.0, 0.60, 0.62, 0.60, 0.50),
    "gMH": (98.0, 0.60, 0.50, 0.50, 0.48),
    "gLH": (94.0, 0.55, 0.58, 0.55, 0.48),
    "gHO": (123.0, 0.65, 0.38, 0.45, 0.48),
    "gWA": (118.0, 0.65, 0.75, 0.50, 0.50),
    "gKR": (88.0, 0.75, 0.60, 0.65, 0.45),
    "gJS": (106.0, 0.55, 0.55, 0.40, 0.49),
    "gJB": (90.0, 0.45, 0.50, 0.30, 0.50),
}
#: How far from its style's value a dance usually is, in the same order.
SPREADS = (8.0, 0.15, 0.12, 0.18, 0.08)


def choose_genre(grid: BeatGrid, energy: np.ndarray, motion: Motion | None) -> str:
    """The AIST genre whose style is nearest; always the same for the same dance.

    Args:
        grid: the dance's beats.
        energy: float (N,), per beat interval.
        motion: the dancer; without one only tempo and energy decide.
    """
    seen = [grid.tempo, float(np.mean(energy))]
    if motion is not None and motion.skeleton == "mediapipe33":
        seen += _manner(motion)
    distance = {
        code: sum(
            ((value - typical) / spread) ** 2 for value, typical, spread in zip(seen, style, SPREADS, strict=False)
        )
        for code, style in STYLES.items()
    }
    return min(GENRES, key=lambda code: distance[code])


def _manner(motion: Motion) -> list[float]:
    speeds = body_speeds(motion)
    names = list(PARTS)
    arms = sum(float(speeds.parts[names.index(name)].mean()) for name in ("left arm", "right arm"))
    total = float(speeds.parts.mean(axis=1).sum())
    low, high = np.percentile(speeds.whole, [20, 80])
    hips = motion.joints[:, [23, 24], 1].mean(axis=1)
    feet = motion.joints[:, [27, 28], 1].max(axis=1)
    level = float(np.mean(feet - hips)) / body_height(motion)
    return [arms / max(total, 1e-9), float((high - low) / max(high + low, 1e-9)), level]
