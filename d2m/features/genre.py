"""Recognise the dance genre from the movement, for music without a genre given by the user.

Tempo and energy have little information; with a dancer, a linear model (multinomial logistic regression) on features of
the movement adds more. It was fitted by ``scripts/fit_genre.py`` to studio dances, and real dancers may move
differently: features are clipped to :data:`MOST` deviations, and the less a dance is like those of the studio, the
more weight tempo and energy get.
"""

from __future__ import annotations

import numpy as np

from d2m.features.envelope import PARTS, body_height, body_speeds, bounce_lows
from d2m.features.genre_model import CONSTANT, FIGURES
from d2m.types import BeatGrid, Motion

#: Tempo (beats a minute) and mean energy (0..1) usual for each genre, and how far from these a dance usually is.
TYPICAL: dict[str, tuple[float, float]] = {
    "gBR": (110.0, 0.70),
    "gPO": (100.0, 0.45),
    "gLO": (108.0, 0.60),
    "gMH": (98.0, 0.60),
    "gLH": (94.0, 0.55),
    "gHO": (123.0, 0.65),
    "gWA": (118.0, 0.65),
    "gKR": (88.0, 0.75),
    "gJS": (106.0, 0.55),
    "gJB": (90.0, 0.45),
}
SPREADS = (8.0, 0.15)
#: Deviations beyond which a figure counts no more.
MOST = 2.0
#: Mean squared deviation of the figures (1 is usual) up to which the model is believed, and from which not at all.
FAMILIAR, STRANGE = 2.0, 4.0
#: Smoothing (s) of landmarks before their acceleration is looked at.
CALM = 0.05


def choose_genre(grid: BeatGrid, energy: np.ndarray, motion: Motion | None) -> str:
    """Return the AIST genre that the dance resembles most; always the same for the same dance.

    Args:
        grid: the dance's beats.
        energy: float (N,), per beat interval.
        motion: the dancer; without one (or with another skeleton than ``"mediapipe33"``, or fewer than five frames)
            only tempo and energy decide.
    """
    seen = np.array([grid.tempo, float(np.mean(energy))])
    score = np.array([-0.5 * float((((seen - style) / SPREADS) ** 2).sum()) for style in TYPICAL.values()])
    if motion is not None and motion.skeleton == "mediapipe33" and len(motion.joints) >= 5:
        learnt, trust = scores(manner(grid, energy, motion))
        score = trust * learnt + (1.0 - trust) * score
    return list(TYPICAL)[int(np.argmax(score))]


def scores(figures: dict[str, float]) -> tuple[np.ndarray, float]:
    """Compute genre scores with the fitted model.

    Args:
        figures: features of :func:`manner`.

    Returns:
        Log odds float64 (10,), in the order of :data:`d2m.types.GENRES`, and 0..1, how familiar the dance looks.
    """
    units = np.array([(figures[name] - middle) / spread for name, (middle, spread, _) in FIGURES.items()])
    weights = np.array([row for _, _, row in FIGURES.values()])
    trust = float(np.clip((STRANGE - np.mean(units**2)) / (STRANGE - FAMILIAR), 0.0, 1.0))
    return np.clip(units, -MOST, MOST) @ weights + np.array(CONSTANT), trust


def manner(grid: BeatGrid, energy: np.ndarray, motion: Motion) -> dict[str, float]:
    """Compute features of a dancer's movement that do not depend on size or place in the picture.

    Args:
        grid: the dance's beats.
        energy: float (N,), per beat interval.
        motion: skeleton ``"mediapipe33"``, at least five frames.
    """
    speeds = body_speeds(motion)
    if speeds.lowering is None:
        raise ValueError(f"a dance of skeleton 'mediapipe33' is needed, not '{motion.skeleton}'")
    joints = motion.joints[..., :2].astype(np.float64) / body_height(motion)
    mean = dict(zip(PARTS, speeds.parts.mean(axis=1), strict=True))
    total = max(sum(mean.values()), 1e-9)
    low, high = np.percentile(speeds.whole, [20, 80])
    shoulders, hips = joints[:, [11, 12]].mean(axis=1), joints[:, [23, 24]].mean(axis=1)
    return {
        "tempo": float(grid.tempo),
        "energy": float(np.mean(energy)),
        "speed": float(np.log(speeds.whole.mean() + 0.02)),
        "head share": mean["head"] / total,
        "arm share": (mean["left arm"] + mean["right arm"]) / total,
        "leg share": (mean["left leg"] + mean["right leg"]) / total,
        "pulse": float((high - low) / max(high + low, 1e-9)),
        "lean": float(np.std(shoulders[:, 0] - hips[:, 0])),
        "knee lift": float(np.std(joints[:, [25, 26], 1] - hips[:, None, 1])),
        "hip level": float(np.mean(joints[:, [27, 28], 1].max(axis=1) - hips[:, 1])),
        "stance": float(np.mean(np.abs(joints[:, 27, 0] - joints[:, 28, 0]))),
        **_arms(joints, shoulders, motion.fps),
        **_bounce(speeds.lowering, speeds.rate, grid),
    }


def _arms(joints: np.ndarray, shoulders: np.ndarray, fps: float) -> dict[str, float]:
    """Where the arms are, in body heights, and how suddenly the hands move."""
    from scipy.ndimage import gaussian_filter1d

    wrists, elbows = joints[:, [15, 16]], joints[:, [13, 14]]
    step = np.gradient(gaussian_filter1d(wrists - shoulders[:, None], CALM * fps, axis=0, mode="nearest"), axis=0)
    change = np.linalg.norm(np.gradient(step, axis=0), axis=-1).mean() * fps
    return {
        "hand height": float(np.mean(shoulders[:, None, 1] - wrists[..., 1])),
        "hands above shoulders": float(np.mean(wrists[..., 1] < shoulders[:, None, 1])),
        "hands above head": float(np.mean(wrists[..., 1] < joints[:, :1, 1])),
        "hand reach": float(np.mean(np.abs(wrists[..., 0] - shoulders[:, None, 0]))),
        "elbow height": float(np.mean(shoulders[:, None, 1] - elbows[..., 1])),
        "sharpness": float(np.log((change + 1e-3) / (np.linalg.norm(step, axis=-1).mean() + 1e-3 / fps))),
    }


def _bounce(lowering: np.ndarray, rate: float, grid: BeatGrid) -> dict[str, float]:
    """How deep the body bounces, and how much of it goes with the beat, in body heights (logarithm)."""
    from scipy.ndimage import uniform_filter1d

    _, salience = bounce_lows(lowering, rate)
    swing = lowering - uniform_filter1d(lowering, max(int(rate), 1), mode="nearest")
    turn = np.exp(-2j * np.pi * grid.position_of(np.arange(len(lowering)) / rate))
    return {
        "bounce": float(salience.mean()) if len(salience) else 0.0,
        "bounce on the beat": float(np.log(abs((swing * turn).mean()) + 1e-3)),
    }
