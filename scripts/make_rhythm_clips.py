"""Write dances of the studio as clips for 'd2m evaluate rhythm'.

    python scripts/make_rhythm_clips.py clips --count 24 --seed 33
    d2m evaluate rhythm clips --causal --skip 4

The landmarks have the errors of a pose estimator; the beats are those that the music was written on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.datasets.studio.example import sample

#: Lengths (s) of the dances, in turn.
LENGTHS = (12.0, 20.0, 30.0)


def write(folder: Path, seed: int, index: int) -> None:
    """Write one dance."""
    example = sample(seed=seed, index=index, seconds=LENGTHS[index % len(LENGTHS)], audio=False, noise=1.0)
    motion, grid = example.motion, example.score.grid
    inside = grid.beats[(grid.beats >= 0) & (grid.beats < motion.duration)]
    np.savez(
        folder / f"s{index:03}.npz",
        landmarks=motion.joints,
        confidence=motion.confidence,
        fps=motion.fps,
        beats=inside,
        group=index,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24, help="number of dances")
    parser.add_argument("--seed", type=int, default=33)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.count):
        write(options.folder, options.seed, index)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
