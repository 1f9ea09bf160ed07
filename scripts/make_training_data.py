"""Make the training examples of the shipped audio models: rendered POP909 and studio songs with dancers.

    python scripts/make_training_data.py OUT --pop909 POP909 --pop-songs 200 --studio-songs 300 --seconds 24 --seed 1

writes OUT/train/*.npz and OUT/held_out/*.npz (:mod:`d2m.training.pairs`). Songs are split by seed (studio) and by
number (POP909: every tenth song is held out); studio dancers of the two parts are different people. A file that
exists is not made again, so an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2m.datasets.pop909 import arrange, song_folders
from d2m.datasets.studio.camera import wild_camera
from d2m.datasets.studio.choreographer import DancerStyle, choreograph
from d2m.datasets.studio.landmarks import landmark_motion
from d2m.datasets.studio.music import compose_song
from d2m.errors import D2MError
from d2m.features.envelope import body_speeds, motion_events
from d2m.features.rhythm import accents_per_beat, energy_per_beat
from d2m.parallel import each
from d2m.symbolic.excerpt import excerpt
from d2m.symbolic.sound import render
from d2m.training.pairs import make_pair, save_pair
from d2m.types import GENRES, Dance, Score

Job = tuple[Callable[..., None], tuple]
SAMPLE_RATE, HOP = 22050, 256
PROGRAMS = {
    "drums": (0, 8, 16, 25, 32, 40),
    "piano": (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18),
    "guitar": (24, 25, 26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
    "strings": (40, 48, 49, 50, 51, 56, 61, 62, 63, 65, 73, 80, 81, 88, 89, 90),
}


def pop_score(folder: Path, seconds: float, rng: np.random.Generator) -> Score:
    """Return an excerpt of a POP909 song, arranged for five tracks."""
    score = arrange(folder, rng, PROGRAMS)
    start = rng.uniform(0, max(0.0, score.duration - seconds))
    return excerpt(score, start, min(seconds, score.duration))


def nobody(score: Score) -> Dance:
    """Return an empty dance for music without a dancer."""
    beats = len(score.grid.beats)
    return Dance(score.duration, None, score.grid, np.full(beats, 0.6, np.float32), np.full(beats, 0.5, np.float32))


def somebody(score: Score, genre: str, seconds: float, seed: int, held_out: bool, rng: np.random.Generator) -> Dance:
    """Return a dance to a score with the errors of pose estimation."""
    # Dancers are known by number: the held-out ones are others than those of the training part.
    dancer = DancerStyle.random(np.random.default_rng([seed, int(held_out), int(rng.integers(40))]))
    motion = landmark_motion(choreograph(score, genre, seconds, rng, dancer=dancer), wild_camera(rng), rng)
    speeds, beats = body_speeds(motion), score.grid.beats
    energy, accents = energy_per_beat(speeds, beats, seconds), accents_per_beat(motion_events(speeds), beats)
    return Dance(seconds, motion, score.grid, energy, accents, genre)


def pop_example(folder: Path, seed: int, seconds: float, path: Path) -> None:
    """Render an excerpt of an arranged POP909 song, without a dancer."""
    score = pop_score(folder, seconds, np.random.default_rng([seed, 909, int(folder.name)]))
    wave = render(score, SAMPLE_RATE)[0]
    save_pair(make_pair(wave, score, nobody(score), -1, SAMPLE_RATE, HOP), path)


def studio_example(index: int, seed: int, held_out: bool, seconds: float, path: Path) -> None:
    """Render a studio song with a dance to it."""
    rng = np.random.default_rng([seed, int(held_out), index])
    genre = list(GENRES)[index % len(GENRES)]
    score, _ = compose_song(genre, seconds, rng)
    dance = somebody(score, genre, seconds, seed, held_out, rng)
    wave = render(score, SAMPLE_RATE)[0]
    save_pair(make_pair(wave, score, dance, list(GENRES).index(genre), SAMPLE_RATE, HOP), path)


def pop_folders(root: Path, seed: int, held_out: bool) -> list[Path]:
    """Return the folders of POP909 songs of one part, in an order that the seed draws; every tenth song is held out."""
    folders = song_folders(root)
    order = np.random.default_rng(seed).permutation(len(folders))
    return [folders[i] for i in order if (int(folders[i].name) % 10 == 0) == held_out]


def make_all(jobs: list[Job], processes: int) -> None:
    """Make what is not there yet, and say how far it is.

    Args:
        jobs: function and arguments, the path of the result last.
        processes: how many work at a time.

    Raises:
        D2MError: if some could not be made; each is named as it fails.
    """
    waiting = [job for job in jobs if not job[1][-1].exists()]
    print(f"{len(waiting)} of {len(jobs)} to make", flush=True)
    begun, failed = time.monotonic(), 0
    for number, problem in enumerate(each(_tried, waiting, processes), 1):
        if problem:
            print(problem, flush=True)
            failed += 1
        if number % 20 == 0:
            left = (time.monotonic() - begun) / number * (len(waiting) - number)
            print(f"{number} done, {left / 60:.0f} minutes left", flush=True)
    if failed:
        raise D2MError(f"{failed} of {len(waiting)} could not be made; they are listed above")


def _tried(function: Callable[..., None], arguments: tuple) -> str:
    """Do one job; what went wrong in a line, or ""."""
    try:
        function(*arguments)
    except Exception as error:
        return f"{arguments[-1].name}: {error!r}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pop909", type=Path, help="folder with the songs 001 ... 909")
    parser.add_argument("--pop-songs", type=int, default=0)
    parser.add_argument("--studio-songs", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=20, help="held-out songs of each kind")
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    if not args.pop_songs and not args.studio_songs:
        raise D2MError("nothing to make; say how many with --pop-songs, --studio-songs or both")
    if args.pop_songs and args.pop909 is None:
        raise D2MError("--pop-songs needs --pop909, the folder with the songs")
    jobs: list[Job] = []
    for part in ("train", "held_out"):
        (args.out / part).mkdir(parents=True, exist_ok=True)
    if args.pop_songs:
        for part, count in (("train", args.pop_songs), ("held_out", args.held_out)):
            for folder in pop_folders(args.pop909, args.seed, part == "held_out")[:count]:
                path = args.out / part / f"pop-{folder.name}.npz"
                jobs.append((pop_example, (folder, args.seed, args.seconds, path)))
    for part, count in (("train", args.studio_songs), ("held_out", args.held_out if args.studio_songs else 0)):
        for index in range(count):
            path = args.out / part / f"studio-{index:05d}.npz"
            jobs.append((studio_example, (index, args.seed, part == "held_out", args.seconds, path)))
    make_all(jobs, args.processes)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
