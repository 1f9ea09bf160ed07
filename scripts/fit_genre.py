"""Fit the genre recogniser of d2m.features.genre to studio dances, and measure it on unseen songs and dancers.

    python scripts/fit_genre.py --train 400 --test 200 --write d2m/features/genre_model.py

Every dance is looked at as an unseen video would be: beats from its landmarks, with the errors of a pose estimator.
Each counts twice, as a clip of 12 s and one of 5 s. Multinomial logistic regression on standardised, clipped figures
with a quadratic penalty, whose strength is chosen by five-fold cross-validation on the training dances.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.datasets.studio.example import sample
from d2m.features.beat_source import dance_rhythm
from d2m.features.genre import MOST, manner
from d2m.types import GENRES, Motion

#: Start and length (s) of the clips cut from each dance.
CLIPS = ((1.0, 12.0), (5.0, 5.0))
PENALTIES = (0.003, 0.01, 0.03, 0.1)


def figures(count: int, seed: int, held_out: bool) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, values float64 (2 count, F) and genres int64 (2 count,)."""
    rows, genres, names = [], [], []
    for index in range(count):
        example = sample(seed=seed, index=index, held_out=held_out, seconds=14.0, audio=False)
        for start, length in CLIPS:
            motion = _cut(example.motion, start, length)
            rhythm = dance_rhythm(motion, length)
            found = manner(rhythm.grid, rhythm.energy, motion)
            names = list(found)
            rows.append(list(found.values()))
            genres.append(list(GENRES).index(example.genre))
    return names, np.array(rows), np.array(genres)


def fit(units: np.ndarray, genres: np.ndarray, penalty: float) -> np.ndarray:
    """Return weights float64 (F + 1, 10) of standardised figures (N, F) and a constant."""
    from scipy.optimize import minimize

    inputs = np.column_stack([units, np.ones(len(units))])
    wanted = np.eye(len(GENRES))[genres]
    shape = (inputs.shape[1], len(GENRES))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logits = inputs @ weights
        logits -= np.logaddexp.reduce(logits, axis=1)[:, None]
        shrunk = weights * (np.arange(shape[0]) < shape[0] - 1)[:, None]
        value = -(wanted * logits).sum() / len(inputs) + 0.5 * penalty * (shrunk**2).sum()
        return value, (inputs.T @ (np.exp(logits) - wanted) / len(inputs) + penalty * shrunk).ravel()

    return minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B").x.reshape(shape)


def predict(units: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return genres int64 (N,)."""
    return np.argmax(np.column_stack([units, np.ones(len(units))]) @ weights, axis=1)


def cross_validated(units: np.ndarray, genres: np.ndarray, penalty: float, folds: int = 5) -> float:
    """Return the accuracy on dances left out; both clips of a dance are left out together."""
    fold = np.arange(len(units)) // (len(CLIPS) * len(GENRES)) % folds
    right = [
        predict(units[fold == k], fit(units[fold != k], genres[fold != k], penalty)) == genres[fold == k]
        for k in range(folds)
    ]
    return float(np.concatenate(right).mean())


def module(names: list[str], middle: np.ndarray, spread: np.ndarray, weights: np.ndarray, command: str) -> str:
    """Return the source of the module that keeps the model."""

    def row(values: np.ndarray) -> str:
        return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"

    lines = [
        '"""Coefficients of the genre chooser, written by a script; do not edit them by hand.',
        "",
        f"Made by ``{command}``.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "# fmt: off",
        "#: Figures of d2m.features.genre.manner: median, deviation, and log odds of each genre per deviation.",
        "FIGURES: dict[str, tuple[float, float, tuple[float, ...]]] = {",
        *(
            f'    "{name}": ({centre:.4g}, {unit:.4g}, {row(values)}),'
            for name, centre, unit, values in zip(names, middle, spread, weights[:-1], strict=True)
        ),
        "}",
        "#: Log odds of the genres of a dance that is usual in every figure.",
        f"CONSTANT = {row(weights[-1])}",
    ]
    return "\n".join(lines) + "\n"


def _cut(motion: Motion, start: float, length: float) -> Motion:
    part = slice(round(start * motion.fps), round((start + length) * motion.fps))
    return Motion(motion.joints[part], motion.fps, motion.skeleton, motion.confidence[part])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=400, help="dances to fit to")
    parser.add_argument("--test", type=int, default=200, help="dances of the test split to measure on")
    parser.add_argument("--seed", type=int, default=401)
    parser.add_argument("--test-seed", type=int, default=402)
    parser.add_argument("--write", type=Path, help="module to write")
    options = parser.parse_args()
    names, values, genres = figures(options.train, options.seed, False)
    middle, spread = np.median(values, axis=0), values.std(axis=0) + 1e-9
    units = np.clip((values - middle) / spread, -MOST, MOST)
    known = {penalty: cross_validated(units, genres, penalty) for penalty in PENALTIES}
    penalty = max(known, key=lambda p: known[p])
    weights = fit(units, genres, penalty)
    print("cross-validated:", ", ".join(f"{p:g}: {share:.3f}" for p, share in known.items()))
    if options.test:
        _, values, genres = figures(options.test, options.test_seed, True)
        found = predict(np.clip((values - middle) / spread, -MOST, MOST), weights)
        for clip, (_, length) in enumerate(CLIPS):
            every = slice(clip, None, len(CLIPS))
            print(f"clips of {length:g} s: {np.mean(found[every] == genres[every]):.3f} right")
        table = np.zeros((len(GENRES), len(GENRES)), int)
        np.add.at(table, (genres[:: len(CLIPS)], found[:: len(CLIPS)]), 1)
        print("rows danced, columns chosen:", *GENRES)
        print(table)
    if options.write:
        command = f"python scripts/fit_genre.py --train {options.train} --seed {options.seed} --write FILE"
        options.write.write_text(module(names, middle, spread, weights, command), encoding="utf-8")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
