"""Compare how movement varies with the beat in dances of the studio and in real dances.

    python scripts/measure_choreographer.py [FOLDER...] [--count 100]

FOLDER holds .npz files as 'd2m evaluate rhythm' reads them. The logarithm of the body's speed, less its mean over four
seconds and divided by its standard deviation, is compared with periods from half a beat to eight beats. Columns: mean
absolute Fourier coefficient (0 without a relation, 1.41 for a sine wave); share of 160 periods from a quarter of a beat
to eight beats with less power; length of the mean unit vector of the phases (1 where all dances have the same phase);
phase of the highest speed (share of the period after the beat).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

from d2m.datasets.studio.example import sample
from d2m.datasets.studio.web_clip import web_clip
from d2m.evaluation.rhythm import read_clip
from d2m.features.envelope import Speeds, body_speeds

#: Periods in beats.
PERIODS = (0.5, 1.0, 2.0, 4.0, 8.0)
#: Seconds over which the mean speed is removed, length (s) of studio dances, and shortest dance (s).
MEAN, SECONDS, SHORTEST = 4.0, 12.0, 3.0


@dataclass(frozen=True)
class Relation:
    """Relation of one dance to the beat.

    Attributes:
        coefficients: complex (len(PERIODS),).
        ranks: (len(PERIODS),), share of other periods with less power.
        spread: standard deviation of the logarithm of the speed.
        still: share of frames slower than a quarter of the median speed.
    """

    coefficients: np.ndarray
    ranks: np.ndarray
    spread: float
    still: float


def relate(speeds: Speeds, beats: np.ndarray) -> Relation | None:
    """Compare the speed of a body with beats (s); None for less than three seconds."""
    times = np.arange(len(speeds.whole)) / speeds.rate
    inside = (times >= beats[0]) & (times <= beats[-1])
    if inside.sum() < SHORTEST * speeds.rate:
        return None
    level = np.log(speeds.whole + 0.05 * np.median(speeds.whole) + 1e-6)
    level = (level - uniform_filter1d(level, int(MEAN * speeds.rate) | 1, mode="nearest"))[inside]
    spread = float(level.std())
    position = np.interp(times[inside], beats, np.arange(len(beats)))
    weights = np.hanning(len(level)) * level / max(spread, 1e-9)
    weights *= 2.0 / np.hanning(len(level)).sum()

    def at(periods: np.ndarray) -> np.ndarray:
        return np.exp(-2j * np.pi * position / periods[:, None]) @ weights

    found, others = at(np.array(PERIODS)), np.abs(at(np.geomspace(0.25, 8.0, 160)))
    speed = speeds.whole[inside]
    return Relation(
        found,
        (others[None] < np.abs(found)[:, None]).mean(axis=1),
        spread,
        float(np.mean(speed < 0.25 * np.median(speed))),
    )


def tell(name: str, relations: list[Relation]) -> None:
    """Print the table of a set of dances."""
    found = np.stack([one.coefficients for one in relations])
    ranks = np.mean([one.ranks for one in relations], axis=0)
    spread, still = (np.mean([getattr(one, field) for one in relations]) for field in ("spread", "still"))
    print(f"{name}: {len(relations)} dances; log speed SD {spread:.2f}; still {still:.3f} of the time")
    print("  period  coefficient  rank  agreement  phase")
    for column, period in enumerate(PERIODS):
        one = found[:, column]
        unit = np.abs((one / np.abs(one)).mean())
        phase = (-np.angle(one.mean()) / (2 * np.pi)) % 1.0
        print(f"  {period:6.1f}  {np.abs(one).mean():11.2f}  {ranks[column]:4.2f}  {unit:9.2f}  {phase:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=100, help="studio dances of each kind")
    parser.add_argument("--seed", type=int, default=91)
    options = parser.parse_args()
    for folder in options.folders:
        clips = [read_clip(path) for path in sorted(folder.glob("*.npz"))]
        found = [relate(body_speeds(clip.motion, clip.world), clip.beats) for clip in clips]
        tell(str(folder), [one for one in found if one])
    clear, free = [], []
    for index in range(options.count):
        made = sample(seed=options.seed, index=index, seconds=SECONDS, audio=False, noise=1.0)
        clear.append(relate(body_speeds(made.motion), made.score.grid.beats))
        clip = web_clip(seed=options.seed, index=index, seconds=SECONDS, noise=1.0)
        free.append(relate(body_speeds(clip.motion), clip.grid.beats))
    tell("studio, clear dancers", [one for one in clear if one])
    tell("studio, free dancers, filmed as on the web", [one for one in free if one])


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
