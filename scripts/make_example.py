"""Make examples/dance.mp4: ten seconds of a mannequin dancing house, for the first command in the README.

    python scripts/make_example.py [OUT.mp4] [--seed N] [--genre house] [--tempo 120] [--seconds 10]

The same arguments give the same dance. There is no sound track: that is what d2m is for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.datasets.studio import Camera, DancerStyle, choreograph, film
from d2m.datasets.studio.mannequin import Look
from d2m.types import BeatGrid, genre_code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parent.parent / "examples" / "dance.mp4"
    parser.add_argument("out", type=Path, nargs="?", default=default)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--genre", default="house")
    parser.add_argument("--tempo", type=float, default=120.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    grid = BeatGrid.steady(args.tempo, args.seconds, first_beat=0.23)
    # an ordinary dancer: sixteen milliseconds around the beat
    dancer = DancerStyle(bias=-0.04, jitter=0.016, limb_jitter=0.012, bounce=1.15, offbeat=0.0)
    energy = np.linspace(0.55, 0.95, len(grid.beats))
    dance = choreograph(grid, genre_code(args.genre), args.seconds, rng, dancer=dancer, energy=energy)
    camera = Camera.looking_at((0.5, 1.30, 4.4), (0.0, 0.95, 0.0), (640, 360), 29.0)
    look = Look(shirt=(222, 96, 70), trousers=(46, 54, 78), shoes=(240, 240, 240), hair=(62, 40, 30), long_hair=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    film(dance, camera, args.out, look=look, fps=30, crf=21)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
