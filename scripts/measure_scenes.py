"""Measure the music of a video of several scenes: boundaries, transitions, and what a change to one section leaves.

    python scripts/measure_scenes.py --studio                 # five dances by mannequins, 36 s each, joined by cuts
    python scripts/measure_scenes.py --clips FOLDER           # the same of real clips, each played to and fro
    python scripts/measure_scenes.py --video FILE --cuts 36,72

The video has no sound. `d2m generate --scenes auto --write-plan` makes its music; the mood of the middle section is
changed in the file of the plan, and `d2m generate --plan` plays it again. Printed are the sections, the distance of
each cut from the nearest boundary, what happens at each seam (genre, key, tempo, whether a bar was composed), and where
the two pieces of music differ, in bars from the changed section.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from d2m.pipeline import generate
from d2m.plans.types import Plan
from d2m.types import BeatGrid, Soundtrack

#: Size and frame rate of the videos that are made.
SIZE, FPS = (480, 360), 30


def studio_shots(count: int, seconds: float, seed: int) -> Iterator[Iterator[np.ndarray]]:
    """Yield the pictures of dances by different mannequins to songs of different genres.

    Args:
        count: number of dances.
        seconds: length of each.
        seed: random seed.
    """
    from d2m.datasets.studio.camera import wild_camera
    from d2m.datasets.studio.example import sample
    from d2m.datasets.studio.filming import pictures
    from d2m.datasets.studio.mannequin import Look

    for number in range(count):
        rng = np.random.default_rng([seed, number])
        # Every third genre, so that neighbours differ.
        example = sample(seed=seed, index=3 * number, held_out=True, seconds=seconds, audio=False)
        yield pictures(example.performance, wild_camera(rng, SIZE), Look.random(rng), FPS)


def clip_shots(files: Sequence[Path], seconds: float) -> Iterator[Iterator[np.ndarray]]:
    """Yield the pictures of clips, each played forwards and backwards until it is long enough.

    Args:
        files: videos.
        seconds: length of each.
    """
    from d2m.media import open_video

    for path in files:
        shots = [_fitted(frame.rgb) for frame in open_video(path).frames(FPS, SIZE[1])]
        turn = [*range(len(shots)), *range(len(shots) - 2, 0, -1)]
        yield (shots[turn[index % len(turn)]] for index in range(round(seconds * FPS)))


def _fitted(picture: np.ndarray) -> np.ndarray:
    """Return a picture in the middle of a black one of :data:`SIZE`."""
    import cv2

    scale = min(SIZE[0] / picture.shape[1], SIZE[1] / picture.shape[0])
    width, height = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    out = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    left, top = (SIZE[0] - width) // 2, (SIZE[1] - height) // 2
    out[top : top + height, left : left + width] = small
    return out


def join(shots: Iterator[Iterator[np.ndarray]], path: Path) -> list[float]:
    """Write shots one after the other as a video without sound, and return the times of the cuts.

    Args:
        shots: pictures of each shot.
        path: the ``.mp4``.
    """
    import av

    cuts, count = [], 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        for shot in shots:
            cuts.append(count / FPS)
            for picture in shot:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                count += 1
        container.mux(stream.encode())
    return cuts[1:]


def sections(plan: Plan, cuts: Sequence[float]) -> dict[str, object]:
    """Print the sections and the distance of each cut from the nearest boundary, and return these in bars.

    Args:
        plan: plan of the music.
        cuts: times of the cuts in seconds.
    """
    print("| section | from (s) | to (s) | bars | cause | role | genre |\n|---|---|---|---|---|---|---|")
    bar = plan.beats_per_bar
    for number, each in enumerate(plan.sections, 1):
        bars = (plan.grid.position_of(each.end) - plan.grid.position_of(each.start)) / bar
        print(
            f"| {number} | {each.start:.2f} | {each.end:.2f} | {bars:.1f} | {each.cause} | {each.role} | {each.genre} |"
        )
    starts = np.array([each.start for each in plan.sections])
    away = []
    for cut in cuts:
        near = starts[np.abs(starts - cut).argmin()]
        away.append(abs(float(plan.grid.position_of(near) - plan.grid.position_of(cut))) / bar)
    print("bars from each cut to the nearest boundary: " + ", ".join(f"{value:.2f}" for value in away) + "\n")
    return {"sections": len(plan.sections), "bars from cuts": away}


def seams(plan: Plan, sound: Soundtrack) -> list[dict[str, object]]:
    """Print and return what happens where sections meet.

    Args:
        plan: plan of the music.
        sound: the music.
    """
    listed = sound.provenance["sections"]
    assert isinstance(listed, list)
    print("| seam (s) | genre | key | bpm before, after | bar composed |\n|---|---|---|---|---|")
    rows = []
    for before, after in pairwise(listed):
        tempos = [_tempo(plan.grid, after["start"], side) for side in (-8, 8)]
        row = {
            "time": after["start"],
            "genre": (before["genre"], after["genre"]),
            "key": (before["key"], after["key"]),
            "tempo": tempos,
            "composed": after["transition"],
        }
        rows.append(row)
        genre, key = (" → ".join(dict.fromkeys(map(str, row[name]))) for name in ("genre", "key"))
        composed = "yes" if row["composed"] else "no"
        print(f"| {row['time']:.2f} | {genre} | {key} | {tempos[0]:.1f}, {tempos[1]:.1f} | {composed} |")
    print()
    return rows


def _tempo(grid: BeatGrid, time_: float, beats: int) -> float:
    """Return the tempo of some beats before (negative) or after a time."""
    at = round(float(grid.position_of(time_)))
    return 60.0 * beats / float(grid.time_of(at + beats) - grid.time_of(at))


def changed(plan: Plan, number: int, one: Soundtrack, other: Soundtrack) -> dict[str, float]:
    """Print and return where two pieces of music differ, in bars from the section that was changed.

    Args:
        plan: plan of the music.
        number: of the section, from 1.
        one, other: the music before and after the change.
    """
    differ = np.flatnonzero((one.waveform != other.waveform).any(axis=0)) / one.sample_rate
    section = plan.section(number)
    grid, bar = plan.grid, plan.beats_per_bar
    before = float(grid.position_of(section.start) - grid.position_of(differ[0])) / bar
    after = float(grid.position_of(differ[-1]) - grid.position_of(section.end)) / bar
    print(
        f"section {number} changed ({section.start:.2f} to {section.end:.2f} s): samples differ from {differ[0]:.3f} "
        f"to {differ[-1]:.3f} s, from {before:.2f} bars before it to {after:.2f} bars after it"
    )
    return {"bars before": before, "bars after": after}


def measure(video: Path, cuts: Sequence[float], mood: str, genres: str, folder: Path) -> dict[str, object]:
    """Make the music of a video, change the mood of its middle section, and compare.

    Args:
        video: the video.
        cuts: times of its cuts in seconds.
        mood: mood of the middle section.
        genres: value of ``--genre``.
        folder: folder for the files.
    """
    plan_file = folder / "plan.toml"
    began = time.perf_counter()
    first = generate(video, folder, write_plan=plan_file, write_video=False, genre=genres)
    took = time.perf_counter() - began
    assert first.plan is not None
    plan = first.plan
    print(f"{video.name}: {plan.duration:.1f} s, {took:.0f} s of computing, {first.report['seconds']}\n")
    result: dict[str, object] = {"seconds": first.report["seconds"], **sections(plan, cuts)}
    result["seams"] = seams(plan, first.soundtrack)
    number = (len(plan.sections) + 1) // 2
    parts = re.split(r"(?m)^(?=\[\[section\]\])", plan_file.read_text("utf-8"))
    parts[number] = re.sub(r'(?m)^mood = ".*"$', f'mood = "{mood}"', parts[number])
    plan_file.write_text("".join(parts), "utf-8")
    second = generate(video, folder / "changed", plan=plan_file, write_video=False)
    return result | changed(plan, number, first.soundtrack, second.soundtrack)


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studio", action="store_true", help="Make a video of mannequins.")
    parser.add_argument("--clips", type=Path, help="Folder of clips to join.")
    parser.add_argument("--video", type=Path, help="A video; or the name of the one that is made.")
    parser.add_argument("--cuts", default="", help="Times of its cuts in seconds, separated by commas.")
    parser.add_argument("--scenes", type=int, default=5, help="Number of scenes.")
    parser.add_argument("--seconds", type=float, default=36.0, help="Length of each scene.")
    parser.add_argument("--genre", default="auto", help="Genre, or one for each section.")
    parser.add_argument("--mood", default="gloomy:0.8", help="Mood of the middle section in the second run.")
    parser.add_argument("--seed", type=int, default=7, help="Random seed of the mannequins.")
    parser.add_argument("--json", type=Path, help="Output JSON file.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        video = arguments.video or Path(name) / "scenes.mp4"
        cuts = [float(cut) for cut in arguments.cuts.split(",") if cut]
        if arguments.studio:
            cuts = join(studio_shots(arguments.scenes, arguments.seconds, arguments.seed), video)
        elif arguments.clips is not None:
            files = sorted(each for each in arguments.clips.iterdir() if each.suffix == ".mp4")
            # Clips of one place do not follow each other.
            files = [*files[::2], *files[1::2]][: arguments.scenes]
            cuts = join(clip_shots(files, arguments.seconds), video)
        made = measure(video, cuts, arguments.mood, arguments.genre, Path(name))
    if arguments.json:
        arguments.json.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
