"""Fit the confidence of the beat tracker for sound: logistic regression on features of its result.

    d2m data beats calibration --songs 300 --empty 0.35 --seed 9 ...
    python scripts/fit_sound_confidence.py calibration/train

Every mix is cut to an excerpt of 4 to 32 s. The outcome is an F-measure of the beats of 0.8 or more; sound without a
beat is always wrong. Prints the coefficients for d2m.features.sound_beats.CALIBRATION, and how well they do on the
fifth of the songs that they were not fitted to.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.evaluation.beats import beat_f_measure
from d2m.features.bar_pointer import decode
from d2m.features.sound_beats import evidence, for_music, load_weights
from d2m.features.sound_forward import activations
from d2m.features.sound_spectrum import FRAMES
from d2m.training.beats import STEPS_PER_UNIT, read_mixes

PENALTY = 0.02


def figures(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return figures (N, K), outcomes (N,) and song numbers (N,)."""
    rng = np.random.default_rng(seed)
    rows, right, songs = [], [], []
    for number, path in enumerate(sorted(folder.glob("*.npz"))):
        for mix in read_mixes(path):
            length = int(rng.uniform(4, 32) * FRAMES)
            start = int(rng.integers(0, max(len(mix.frames) - length, 1)))
            frames = mix.frames[start : start + length] / np.float32(STEPS_PER_UNIT)
            bars = decode(activations(frames, load_weights()), FRAMES, for_music())
            if len(bars.beats) < 2:
                continue
            beats = mix.beats - start / FRAMES
            beats = beats[(beats >= 0) & (beats < len(frames) / FRAMES)]
            rows.append(evidence(bars))
            right.append(len(beats) > 0 and beat_f_measure(beats, bars.beats) >= 0.8)
            songs.append(number)
    return np.array(rows), np.array(right, float), np.array(songs)


def fit(rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return constant and weights, with a penalty on standardised weights."""
    from scipy.optimize import minimize

    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    units = np.column_stack([np.ones(len(rows)), (rows - middle) / spread])

    def loss(weights: np.ndarray) -> float:
        odds = units @ weights
        return float(np.mean(np.logaddexp(0.0, odds) - right * odds) + PENALTY * (weights[1:] ** 2).sum())

    found = minimize(loss, np.zeros(units.shape[1])).x
    weights = found[1:] / spread
    return np.concatenate([[found[0] - weights @ middle], weights])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows, right, songs = figures(options.folder, options.seed)
    apart = songs % 5 == 4
    weights = fit(rows[~apart], right[~apart])
    print("CALIBRATION = (" + ", ".join(f"{w:.3f}" for w in weights) + ")")
    odds = weights[0] + rows[apart] @ weights[1:]
    chance = 1.0 / (1.0 + np.exp(-odds))
    print(f"{len(rows)} excerpts, {right.mean():.3f} right; on {apart.sum()} others:")
    print(f"Brier score {np.mean((chance - right[apart]) ** 2):.3f} (constant {np.var(right[apart]):.3f})")
    for low in np.arange(0, 1, 0.2):
        inside = (chance >= low) & (chance < low + 0.2)
        if inside.any():
            print(f"said {low:.1f} to {low + 0.2:.1f}: {right[apart][inside].mean():.2f} right of {inside.sum()}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
