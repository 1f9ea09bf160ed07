"""Fit the phase model of d2m.features.phase_model to dances whose music has known beats; used by fit_tempo.py.

The model is a softmax over the phases at the middle of a clip, given its tempo. Its features are the Fourier
coefficients of the movement and the likelihood of its low points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from d2m.evaluation.rhythm import DanceClip
from d2m.features.envelope import body_speeds, motion_events
from d2m.features.event_fit import PHASES, likelihood
from d2m.features.phase_model import HARMONICS, PhaseEvidence
from d2m.features.rhythm import POSE_LAG
from d2m.features.tempo_curves import curves_of
from d2m.types import BeatGrid, Motion

#: Penalty on the square of a weight; those of the low points' likelihood have a weight of 1 before the fit.
PENALTY = 0.001
#: Weight of a clip from the web, beside one of motion capture, and share of the weight that studio dances have.
WEB_WEIGHT, STUDIO_SHARE = 0.3, 0.2
#: How far (s) sound and picture of a clip may be apart: of clips in step, and of clips from the web.
IN_STEP, FROM_WEB = 0.025, 0.08


@dataclass(frozen=True)
class Dances:
    """Dances to fit to.

    Attributes:
        rows: float32 (N, PHASES, features), of :func:`phase_features`.
        targets: float64 (N, PHASES), of :func:`wanted_phase`.
    """

    rows: np.ndarray
    targets: np.ndarray

    @classmethod
    def of_clips(cls, clips: Sequence[DanceClip], in_step: np.ndarray) -> Dances:
        """Look at real dances; ``in_step`` (N,) tells whose beats and movement are exactly in step."""
        rows = [phase_features(clip.motion, clip.world, clip.tempo) for clip in clips]
        apart = np.where(in_step, IN_STEP, FROM_WEB)
        return cls(
            np.stack(rows), np.stack([wanted_phase(c.motion, c.beats, a) for c, a in zip(clips, apart, strict=True)])
        )

    @classmethod
    def of_studio(cls, made: Sequence[tuple[Motion, BeatGrid]]) -> Dances:
        """Look at dances of the studio."""
        rows = [phase_features(motion, None, grid.tempo) for motion, grid in made]
        return cls(np.stack(rows), np.stack([wanted_phase(motion, grid.beats, IN_STEP) for motion, grid in made]))


def joined_phase(
    real: Dances, shares: np.ndarray, in_step: np.ndarray, studio: Dances, chosen: np.ndarray
) -> np.ndarray:
    """Return weights fitted to the chosen real clips, with the given shares (N,), and all studio dances."""
    weight = np.where(in_step, 1.0, WEB_WEIGHT)[chosen] * shares
    weight *= (1.0 - STUDIO_SHARE) / weight.sum()
    made = np.full(len(studio.rows), STUDIO_SHARE / len(studio.rows))
    return fit_phase(
        np.concatenate([real.rows[chosen], studio.rows]),
        np.concatenate([real.targets[chosen], studio.targets]),
        np.concatenate([weight, made]),
    )


def phase_features(motion: Motion, world: np.ndarray | None, true_tempo: float) -> np.ndarray:
    """Return the features of all phases at the middle of a clip at its music's tempo, float32 (PHASES, features)."""
    end = len(motion.joints) / motion.fps
    tempo, middle = np.array([true_tempo]), 0.5 * end
    found = PhaseEvidence.of(curves_of(motion, world)).figures(tempo, middle, None, 0.0, end)[0]
    phases = np.arange(PHASES) / PHASES
    turned = found[None] * np.exp(-2j * np.pi * phases[:, None, None] * HARMONICS)
    events = likelihood(motion_events(body_speeds(motion, world)), tempo, middle, False)[0]
    shape = np.concatenate([turned.real.reshape(PHASES, -1), turned.imag.reshape(PHASES, -1)], axis=1)
    return np.concatenate([shape, events[:, None]], axis=1).astype(np.float32)


def wanted_phase(motion: Motion, music: np.ndarray, apart: float) -> np.ndarray:
    """Return the probabilities (PHASES,) that the model should give to the phases at the middle of a clip.

    Args:
        motion: the dance.
        music: beats of the music in seconds.
        apart: deviation of the beats from the movement in seconds.
    """
    middle = 0.5 * len(motion.joints) / motion.fps
    beats = np.asarray(music, np.float64) + POSE_LAG
    # A tracked grid wanders: the beats near the middle count.
    near = beats[np.argsort(np.abs(beats - middle))[:8]]
    period = float(np.median(np.diff(beats)))
    mean = np.angle(np.exp(2j * np.pi * (middle - near) / period).mean()) / (2 * np.pi)
    away = (np.arange(PHASES) / PHASES - mean + 0.5) % 1.0 - 0.5
    row = np.exp(-0.5 * (away * period / apart) ** 2)
    return row / row.sum()


def fit_phase(rows: np.ndarray, targets: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the weights (features,) with the highest penalised likelihood, that of the low points last.

    Args:
        rows: (N, PHASES, features).
        targets: (N, PHASES), what the model should say.
        shares: (N,) weight of each clip.
    """
    shares = shares / shares.sum()
    start = np.zeros(rows.shape[2])
    start[-1] = 0.3

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = rows @ weights
        score -= score.max(axis=1, keepdims=True)
        log_probability = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
        value = -(shares[:, None] * targets * log_probability).sum() + PENALTY * (weights**2).sum()
        wrong = shares[:, None] * (np.exp(log_probability) - targets)
        return float(value), np.einsum("np,npf->f", wrong, rows, optimize=True) + 2.0 * PENALTY * weights

    return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x


def write_phase(path: Path, weights: np.ndarray, about: str) -> None:
    """Write the weights as a module; ``about`` says what they were fitted to and how well they do."""
    rows = "".join(f"    {value:.5f},\n" for value in weights[:-1])
    path.write_text(
        f'"""Weights of :mod:`d2m.features.phase_model`, written by ``scripts/fit_tempo.py``.\n\n{about}\n"""\n\n'
        "#: Real and imaginary parts of the weights of rows and harmonics.\n"
        f"WEIGHTS: tuple[float, ...] = (\n{rows})\n"
        "#: Weight of the likelihood of the low points of the movement.\n"
        f"EVENTS_WEIGHT = {weights[-1]:.5f}\n"
    )
