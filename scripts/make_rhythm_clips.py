"""Write dances with known beats as clips for 'd2m evaluate rhythm' and scripts/fit_tempo.py.

    python scripts/make_rhythm_clips.py clips --count 24 --seed 33
    python scripts/make_rhythm_clips.py clips --count 24 --free
    python scripts/make_rhythm_clips.py clips --aist aist_plusplus_final
    d2m evaluate rhythm clips --causal --skip 4

Studio dances (of clear dancers, or with --free of free ones filmed as on the web) have the beats that the music was
written on. With --aist, the dances of a folder in the layout of AIST++ are seen by a virtual camera; their beats are
those of AIST's music by its design, or of the folder's own ``beats/``, as a studio has. The landmarks have the errors
of a pose estimator. Clips of one dancer of AIST++ are of one group.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2m.datasets.aist import Aist, AistName
from d2m.datasets.aist.tempo import grid_of
from d2m.datasets.studio import skeleton
from d2m.datasets.studio.camera import wild_camera
from d2m.datasets.studio.choreographer import Performance
from d2m.datasets.studio.example import sample
from d2m.datasets.studio.landmarks import landmark_motion
from d2m.datasets.studio.music import read_beats
from d2m.datasets.studio.web_clip import web_clip
from d2m.types import BeatGrid, Motion

#: Lengths (s) of the studio's dances, in turn.
LENGTHS = (12.0, 20.0, 30.0)
#: Longest (s) clip of AIST++; longer dances are cut into clips of one length.
LONGEST = 18.0
FPS = 30


def write(
    path: Path, motion: Motion, grid: BeatGrid, group: int, others: Sequence[Motion] = (), start: float = 0.0
) -> None:
    """Write a clip whose first frame is ``start`` seconds after the beginning of the music."""
    beats, downbeats = grid.beats - start, grid.beats[grid.downbeats] - start
    more = {}
    if others:
        more["others"] = np.stack([other.joints for other in others])
        more["others_confidence"] = np.stack([other.confidence for other in others])
        more["others_cuts"] = np.zeros((len(others), len(motion.joints)), np.int8)
        more["others_cuts"][:, list(motion.cuts)] = 1
    np.savez(
        path,
        landmarks=motion.joints,
        confidence=motion.confidence,
        fps=motion.fps,
        cuts=np.array(motion.cuts, int),
        beats=beats[(beats >= 0) & (beats < motion.duration)],
        downbeats=downbeats[(downbeats >= 0) & (downbeats < motion.duration)],
        group=group,
        **more,
    )


def write_studio(folder: Path, seed: int, index: int, free: bool) -> None:
    """Write one dance of the studio."""
    seconds, path = LENGTHS[index % len(LENGTHS)], folder / f"s{index:03}.npz"
    if free:
        clip = web_clip(seed=seed, index=index, seconds=seconds)
        write(path, clip.motion, clip.grid, index, clip.others)
    else:
        made = sample(seed=seed, index=index, seconds=seconds, audio=False, noise=1.0)
        write(path, made.motion, made.score.grid, index)


def write_aist(folder: Path, root: Aist, name: str, seed: int) -> None:
    """Write one dance of AIST++ in clips of at most :data:`LONGEST` seconds."""
    parts, smpl = AistName.parse(name), root.motion(name)
    joints = skeleton.joints_of(smpl.poses, smpl.translation, smpl.scale).astype(np.float32)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    motion = landmark_motion(Performance(smpl, joints, ()), wild_camera(rng), rng, fps=FPS)
    music, own = f"m{parts.music}", root.annotations / "beats" / f"m{parts.music}.txt"
    grid = read_beats(own) if own.is_file() else grid_of(music, motion.duration)
    count = int(np.ceil(motion.duration / LONGEST))
    edges = np.linspace(0, len(motion.joints), count + 1).astype(int)
    for number, (first, last) in enumerate(zip(edges, edges[1:], strict=False)):
        piece = Motion(motion.joints[first:last], motion.fps, motion.skeleton, motion.confidence[first:last])
        write(folder / f"{name}_{number}.npz", piece, grid, int(parts.dancer), start=first / FPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24, help="number of studio dances")
    parser.add_argument("--seed", type=int, default=33)
    parser.add_argument("--free", action="store_true", help="free dancers, filmed as on the web")
    parser.add_argument("--aist", type=Path, help="folder of AIST++; its dances are written instead of the studio's")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.aist:
        root = Aist(options.aist)
        for name in root.names():
            write_aist(options.folder, root, name, options.seed)
        return
    for index in range(options.count):
        write_studio(options.folder, options.seed, index, options.free)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
