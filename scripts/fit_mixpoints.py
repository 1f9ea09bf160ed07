"""Fit the weights of the harmonic search for mix points.

    python scripts/fit_mixpoints.py POP909 [--songs 60] [--rounds 3] [--seed 0]

prints TERMS for symbolic/bridge/expectation.py. Cases are made as in scripts/measure_mixpoints.py, of songs of the
training split, but the second song is moved by some semitones in half of them, which the search has to undo. The
weights make the right mix points as likely as they can be among all of a case under a softmax of the cost; none may
fall below zero.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from measure_mixpoints import Case, make_case, songs_of_split

from d2m.symbolic.bridge.expectation import TERMS, terms

_OTHERS, _DECAY = 3000, 0.02


def samples(case: Case, moved: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """Return terms of the right pairs (R, T) and of some others (N, T), or None if no pair within the songs is
    right.
    """
    bars_a, bars_b = np.arange(1, len(case.a) - 1), np.arange(1, len(case.b) - 1)
    shifts = np.arange(-5, 6)
    found = terms(case.a, case.b, bars_a, bars_b, shifts)
    right = case.right[np.ix_(bars_a, bars_b)][None] & (shifts == -moved)[:, None, None]
    each = np.stack([np.broadcast_to(found[name], right.shape)[:] for name in TERMS], axis=-1)
    others = each[~right]
    # Those that are not moved wrongly are the harder ones.
    there = each[shifts == -moved][~right[shifts == -moved]]
    drawn = [group[rng.choice(len(group), _OTHERS)] for group in (others, there)]
    return (each[right], np.concatenate(drawn)) if right.any() else None


def fit(cases: list[tuple[np.ndarray, np.ndarray]], start: np.ndarray) -> np.ndarray:
    """Return float64 (T,), at least 0."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = _DECAY * float(weights @ weights), 2 * _DECAY * weights
        for right, others in cases:
            both = np.concatenate([right, others])
            scores = -both @ weights
            good, every = logsumexp(scores[: len(right)]), logsumexp(scores)
            total += (every - good) / len(cases)
            slope += (np.exp(scores[: len(right)] - good) @ right - np.exp(scores - every) @ both) / len(cases)
        return total, slope

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    print(f"# mean surprise {found.fun:.3f} nats, {loss(start)[0]:.3f} before", file=sys.stderr)
    return found.x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pop909", type=Path, help="folder with 001 ... 909")
    parser.add_argument("--songs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3, help="cases of each song")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng([args.seed, 2])
    songs = songs_of_split(args.pop909, False, args.songs, args.seed)
    found = []
    for number in np.repeat(np.arange(len(songs)), args.rounds).tolist():
        moved = int(rng.integers(-5, 6)) if rng.random() < 0.5 else 0
        case = samples(make_case(songs, number, rng, moved), moved, rng)
        if case is not None:
            found.append(case)
    weights = fit(found, np.array(list(TERMS.values())))
    print("TERMS: dict[str, float] = {")
    for name, weight in zip(TERMS, weights.tolist(), strict=True):
        print(f'    "{name}": {weight:.2f},')
    print("}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
