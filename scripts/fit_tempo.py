"""Fit the tempo and phase models of d2m.features to dances whose music has known beats, and cross-validate them.

    python scripts/fit_tempo.py FOLDER... --in-step FOLDER --write d2m/features
    python scripts/fit_tempo.py FOLDER... --in-step FOLDER --report rhythm.json --picture docs/rhythm-reliability.png

FOLDER holds .npz files as 'd2m evaluate rhythm' reads them; those of --in-step are motion capture, whose beats are
exactly in step with the movement. Dances of the studio, with the errors of a pose estimator, are added with a small
share of the weight: of clear dancers, and with --free of free ones filmed as on the web. Cross-validation leaves whole
sources out (the files' group; files of one group in several folders count as one source). Its predictions also
calibrate the confidence. --report also runs the whole beat finder on every clip with weights that did not see its
source, and prints what 'd2m evaluate rhythm' prints.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fit_phase import Dances, joined_phase, write_phase
from scipy.optimize import minimize

from d2m.cli.rhythm_report import tell_rhythm
from d2m.datasets.studio.example import sample
from d2m.datasets.studio.web_clip import web_clip
from d2m.evaluation.rhythm import DanceClip, read_clip
from d2m.evaluation.rhythm_report import draw_reliability, score_clip, summarise
from d2m.features import phase_weights, tempo_weights
from d2m.features.envelope import body_speeds, motion_events
from d2m.features.rhythm import find_rhythm
from d2m.features.tempo_curves import curves_of, curves_of_speeds
from d2m.features.tempo_model import TEMPOS, USUAL, figures, most_probable, weigh
from d2m.types import BeatGrid, Motion

#: Penalty on the square of a weight: of figures of the movement, and of the preferences for tempos.
PENALTY, PREFERENCE_PENALTY = 0.03, 0.001
#: Width (log) of the tempo that is asked for, and share of the weight that studio dances have.
WIDTH, STUDIO_SHARE = 0.02, 0.15
#: Random seed and lengths (s) of studio dances.
STUDIO_SEED = 91
LENGTHS = (6.0, 12.0, 20.0)


def look(motion: Motion, world: np.ndarray | None) -> np.ndarray:
    """Return the figures of a dance, float64 (tempos, figures)."""
    return figures(curves_of(motion, world), motion_events(body_speeds(motion, world)))


def look_at_speeds(motion: Motion) -> np.ndarray:
    """Return the figures of a dance of which only the speed of the whole is known, as in pictures without a dancer."""
    speeds = body_speeds(motion)
    return figures(curves_of_speeds(speeds), motion_events(speeds))


def wanted(tempos: np.ndarray) -> np.ndarray:
    """Return probabilities (N, tempos) that the model should give."""
    rows = np.exp(-0.5 * ((np.log(TEMPOS) - np.log(tempos)[:, None]) / WIDTH) ** 2)
    return rows / rows.sum(axis=1, keepdims=True)


def fit(rows: np.ndarray, tempos: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return weights (figures,) with the highest penalised likelihood; ``rows`` (N, tempos, figures)."""
    target = wanted(tempos)
    penalty = np.full(rows.shape[2], PENALTY)
    penalty[-1 - len(USUAL) :] = PREFERENCE_PENALTY

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = rows @ weights
        score -= score.max(axis=1, keepdims=True)
        log_probability = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
        value = -(shares[:, None] * target * log_probability).sum() + (penalty * weights**2).sum()
        wrong = shares[:, None] * (np.exp(log_probability) - target)
        return value, np.einsum("nt,ntf->f", wrong, rows, optimize=True) + 2.0 * penalty * weights

    return minimize(loss, np.zeros(rows.shape[2]), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x


def shares_of(groups: np.ndarray) -> np.ndarray:
    """Return the weight of each clip: sources with many clips count for the root of their number."""
    counts = np.array([np.sum(groups == group) for group in groups])
    return 1.0 / np.sqrt(counts) / np.sum(1.0 / np.sqrt(counts))


def joined(
    real: tuple[np.ndarray, np.ndarray, np.ndarray], studio: tuple[np.ndarray, np.ndarray], chosen: np.ndarray
) -> np.ndarray:
    """Return weights fitted to the chosen real clips and all studio dances."""
    rows, tempos, groups = real
    shares = shares_of(groups[chosen]) * (1.0 - STUDIO_SHARE)
    made = np.full(len(studio[1]), STUDIO_SHARE / len(studio[1]))
    return fit(
        np.concatenate([rows[chosen], studio[0]]),
        np.concatenate([tempos[chosen], studio[1]]),
        np.concatenate([shares, made]),
    )


def cross_validate(
    real: tuple[np.ndarray, np.ndarray, np.ndarray], studio: tuple[np.ndarray, np.ndarray], folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tempo and its probability (N,) of each real clip, from weights that did not see its source."""
    rows, _, groups = real
    sources = np.random.default_rng(seed).permutation(np.unique(groups))
    found = np.zeros((len(rows), 2))
    for fold in range(folds):
        held = np.isin(groups, sources[fold::folds])
        weights = joined(real, studio, ~held)
        for i in np.flatnonzero(held):
            found[i] = most_probable(weigh(rows[i], weights))
    return found[:, 0], found[:, 1]


def cross_validated_report(
    clips: list[DanceClip],
    real: tuple[np.ndarray, np.ndarray, np.ndarray],
    studio: tuple[np.ndarray, np.ndarray],
    fit_phases: Callable[[np.ndarray], np.ndarray],
    folds: int,
    seed: int,
    line: np.ndarray,
) -> list[dict[str, Any]]:
    """Return what 'd2m evaluate rhythm' says of each clip, with weights that did not see its source.

    The two figures of the calibration are the same for all clips. ``fit_phases`` returns the weights of the phase model
    for the chosen clips.
    """
    groups = real[2]
    sources = np.random.default_rng(seed).permutation(np.unique(groups))
    rows: dict[int, dict[str, Any]] = {}
    tempo_weights.CALIBRATION = (float(line[0]), float(line[1]))
    for fold in range(folds):
        held = np.isin(groups, sources[fold::folds])
        # The finder reads its weights from this module each time.
        tempo_weights.WEIGHTS = tuple(joined(real, studio, ~held).tolist())
        set_phase_weights(fit_phases(~held))
        rows |= {int(i): score_clip(clips[i]) for i in np.flatnonzero(held)}
    return [rows[i] for i in range(len(clips))]


def calibrate(mass: np.ndarray, right: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return constant and slope of the logistic function from log odds of ``mass`` to the probability of being
    right.
    """
    mass = np.clip(mass, 0.001, 0.999)
    odds = np.log(mass / (1.0 - mass))

    def loss(line: np.ndarray) -> float:
        value = line[0] + line[1] * odds
        return float((shares * (np.logaddexp(0.0, value) - right * value)).sum() + 0.001 * (line[1] - 1.0) ** 2)

    return minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B").x


def report(tempos: np.ndarray, found: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Print how many tempos are right; returns bool (N,)."""
    apart = np.abs(found / tempos - 1.0) < 0.04
    octave = apart | (np.abs(2.0 * found / tempos - 1.0) < 0.04) | (np.abs(0.5 * found / tempos - 1.0) < 0.04)
    sources = np.unique(groups)
    by_source = [np.mean([values[groups == source].mean() for source in sources]) for values in (apart, octave)]
    print(f"tempo within 4 %: {apart.mean():.3f} of {len(tempos)} clips, {by_source[0]:.3f} by {len(sources)} sources")
    print(f"with half and double: {octave.mean():.3f}, {by_source[1]:.3f} by source")
    return apart


def write(path: Path, weights: np.ndarray, line: np.ndarray, about: str) -> None:
    """Write the weights as a module; ``about`` says what they were fitted to and how well they do."""
    rows = "".join(f"    {value:.5f},\n" for value in weights)
    path.write_text(
        f'"""Weights of :mod:`d2m.features.tempo_model`, written by ``scripts/fit_tempo.py``.\n\n{about}\n"""\n\n'
        "#: One for each of the model's figures, in their order.\n"
        f"WEIGHTS: tuple[float, ...] = (\n{rows})\n"
        "#: Constant and slope of the calibration.\n"
        f"CALIBRATION: tuple[float, float] = ({line[0]:.4f}, {line[1]:.4f})\n"
    )


def set_phase_weights(weights: np.ndarray) -> None:
    """Let the beat finder use these weights of the phase model."""
    phase_weights.WEIGHTS, phase_weights.EVENTS_WEIGHT = tuple(weights[:-1].tolist()), float(weights[-1])


def clear_dances(count: int) -> list[tuple[Motion, BeatGrid]]:
    """Return so many studio dances of clear dancers, with the beats."""
    made = []
    for index in range(count):
        seconds = LENGTHS[index % len(LENGTHS)]
        example = sample(seed=STUDIO_SEED, index=index, seconds=seconds, audio=False, noise=1.0)
        made.append((example.motion, example.score.grid))
    return made


def free_dances(count: int) -> list[tuple[Motion, BeatGrid]]:
    """Return so many studio dances of free dancers, filmed as on the web, with the beats."""
    clips = [web_clip(seed=STUDIO_SEED, index=i, seconds=LENGTHS[i % len(LENGTHS)]) for i in range(count)]
    return [(clip.motion, clip.grid) for clip in clips]


def studio_f(made: Sequence[tuple[Motion, BeatGrid]]) -> float:
    """Return the mean F-measure at 70 ms of the beats found in studio dances."""
    import mir_eval

    scores = []
    for motion, grid in made:
        found = find_rhythm(motion, motion.duration).grid.beats
        inside = [beats[(beats >= 0) & (beats <= motion.duration)] for beats in (grid.beats, found)]
        scores.append(mir_eval.beat.f_measure(*inside))
    return float(np.mean(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--in-step", nargs="*", type=Path, default=[], help="folders of motion capture")
    parser.add_argument("--studio", type=int, default=120, help="studio dances of clear dancers")
    parser.add_argument("--free", type=int, default=0, help="studio dances of free dancers")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="write the modules of weights into this folder")
    parser.add_argument(
        "--report", type=Path, help="write a cross-validated report of the whole beat finder here (JSON)"
    )
    parser.add_argument("--picture", type=Path, help="with --report: draw its reliability diagram")
    options = parser.parse_args()
    folders = [(folder, False) for folder in options.folders] + [(folder, True) for folder in options.in_step]
    read = [(read_clip(path), is_in_step) for folder, is_in_step in folders for path in sorted(folder.glob("*.npz"))]
    clips, in_step = [clip for clip, _ in read], np.array([step for _, step in read])
    groups = np.array([clip.group for clip in clips])
    tempos = np.array([clip.tempo for clip in clips])
    real = (np.stack([look(clip.motion, clip.world) for clip in clips]), tempos, groups)
    clear, free = clear_dances(options.studio), free_dances(options.free)
    made = clear + free
    looked = [look(motion, None) for motion, _ in made] + [look_at_speeds(motion) for motion, _ in made]
    studio = (np.stack(looked), np.tile([grid.tempo for _, grid in made], 2))
    phases, studio_phases = Dances.of_clips(clips, in_step), Dances.of_studio(made)

    def fit_phases(chosen: np.ndarray) -> np.ndarray:
        return joined_phase(phases, shares_of(groups[chosen]), in_step, studio_phases, chosen)

    alone = fit(*studio, np.full(len(studio[1]), 1.0 / len(studio[1])))
    from_studio = np.array([most_probable(weigh(one, alone))[0] for one in real[0]])
    kinds = {"clips": ~in_step, "motion capture": in_step}
    print("fitted to dances of the studio alone:")
    for name, chosen in kinds.items():
        if chosen.any():
            print(name)
            report(tempos[chosen], from_studio[chosen], groups[chosen])
    print("cross-validated over sources, tempos within 3.5 % taken as one:")
    found, mass = cross_validate(real, studio, options.folds, options.seed)
    right = np.abs(found / tempos - 1.0) < 0.04
    for name, chosen in kinds.items():
        if chosen.any():
            usual = float(np.median(tempos[chosen]))
            share = float(np.mean(np.abs(usual / tempos[chosen] - 1.0) < 0.04))
            print(f"{name} (always {usual:.0f}: {share:.3f})")
            report(tempos[chosen], found[chosen], groups[chosen])
    line = calibrate(mass, right, shares_of(groups))
    everything = np.ones(len(tempos), dtype=bool)
    weights, phase = joined(real, studio, everything), fit_phases(everything)
    print(f"calibration {line}")
    if options.report:
        rows = cross_validated_report(clips, real, studio, fit_phases, options.folds, options.seed, line)
        told = {}
        for name, chosen in kinds.items():
            if chosen.any():
                print(name)
                own = [row for row, is_one in zip(rows, chosen, strict=True) if is_one]
                told[name] = summarise(own) | {"failed": {}}
                tell_rhythm(told[name])
        options.report.write_text(json.dumps(told, indent=1) + "\n")
        if options.picture:
            draw_reliability(summarise(rows), options.picture)
    tempo_weights.WEIGHTS, tempo_weights.CALIBRATION = tuple(weights.tolist()), (float(line[0]), float(line[1]))
    set_phase_weights(phase)
    for name, some in (("clear", clear), ("free", free)):
        if some:
            print(f"studio dances of {name} dancers (seen in fitting): F-measure {studio_f(some[:40]):.3f}")
    if options.write:
        sources, dancers = (len(np.unique(groups[chosen])) for chosen in (~in_step, in_step))
        about = (
            f"Fitted to {(~in_step).sum()} real dance clips of {sources} sources (landmarks and beats of music;\n"
            f"not part of the project), {in_step.sum()} clips of motion capture of {dancers} dancers (AIST++,\n"
            f"CC BY 4.0), and {len(made)} dances of the studio. "
        )
        scores = (
            "Tempo within 4 % of the music's, cross-validated over sources:\n"
            f"{right[~in_step].mean():.3f} of the real clips, {right[in_step].mean():.3f} of the motion capture. "
        )
        write(options.write / "tempo_weights.py", weights, line, about + scores + "Licence: MIT.")
        write_phase(options.write / "phase_weights.py", phase, about + "Licence: MIT.")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
