"""Measure time and memory of `d2m generate`, from a cold process, on two cores.

    python scripts/measure_speed.py examples/dance.mp4 --size 1920x1080 --fps 60

Makes videos of 6, 20 and 60 s by playing the clip forwards and backwards in a loop, runs `d2m generate` on each as a
process of its own, and prints the wall time, the seconds that each further second of video costs (from 20 to 60 s), and
the peak memory. The first run of all also reads files that are not in the disk's cache yet; --warm runs one clip before
measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path


def read_clip(path: Path, size: tuple[int, int], fps: int, longest: float = 4.0) -> list:
    """Return the first seconds of a clip as frames of the wanted size and rate, (height, width, 3) each."""
    import av

    frames: list = []
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        start = None
        for frame in source.decode(stream):
            start = frame.time if start is None else start
            picture = None
            while len(frames) / fps <= frame.time - start and len(frames) < longest * fps:
                if picture is None:
                    picture = frame.reformat(*size, format="yuv420p").to_ndarray()
                frames.append(picture)
            if len(frames) >= longest * fps:
                break
    if not frames:
        sys.exit(f"error: no frames in {path}")
    return frames


def encode_loop(frames: list, path: Path, size: tuple[int, int], fps: int) -> None:
    """Write the frames forwards and backwards as H.264 that starts with a key frame and has no B-frames, so that its
    packets can be repeated as they are.
    """
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "20", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number, picture in enumerate(frames + frames[::-1]):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def repeat(loop: Path, path: Path, seconds: float, fps: int) -> None:
    """Write a video of a given length by repeating the packets of a loop, without encoding."""
    import av

    with av.open(str(loop)) as source:
        packets = [p for p in source.demux(video=0) if p.size]
        contents = [(bytes(p), p.is_keyframe) for p in packets]
        with av.open(str(path), "w") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            base = Fraction(1, fps)
            for number in range(round(seconds * fps)):
                content, key = contents[number % len(contents)]
                packet = av.Packet(content)
                packet.stream, packet.time_base = stream, base
                packet.pts = packet.dts = number
                packet.duration = 1
                packet.is_keyframe = key
                out.mux(packet)


def run(video: Path, folder: Path, arguments: list[str], cores: int) -> tuple[float, float, float]:
    """Return wall seconds, processor seconds and peak resident MiB (of the largest process) of one `d2m generate`.

    Exits with its message if it fails.
    """
    command = [sys.executable, "-m", "d2m.cli.main", "generate", str(video), "-o", str(folder), *arguments]
    kept = sorted(os.sched_getaffinity(0))[:cores]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, kept),  # noqa: PLW1509 - no threads here yet
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: {' '.join(command)} failed: {errors.decode(errors='replace').strip()[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT")
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--seconds", type=float, nargs="+", default=[6.0, 20.0, 60.0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--warm", action="store_true", help="run once before measuring")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("arguments", nargs="*", help="further arguments for d2m generate, after --")
    options = parser.parse_args()
    size = tuple(int(n) for n in options.size.split("x"))
    results: dict[float, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="d2m-speed-") as temporary:
        folder = Path(temporary)
        encode_loop(read_clip(options.clip, size, options.fps), folder / "loop.mp4", size, options.fps)
        for seconds in options.seconds:
            repeat(folder / "loop.mp4", folder / f"{seconds:g}s.mp4", seconds, options.fps)
        if options.warm:
            run(folder / f"{options.seconds[0]:g}s.mp4", folder / "out", options.arguments, options.cores)
        for seconds in options.seconds:
            video = folder / f"{seconds:g}s.mp4"
            runs = [run(video, folder / "out", options.arguments, options.cores) for _ in range(options.repeats)]
            results[seconds] = (*min(run[:2] for run in runs), max(run[2] for run in runs))
    report(results, options)


def report(results: dict[float, tuple[float, float, float]], options: argparse.Namespace) -> None:
    lengths = sorted(results)
    figures = {
        "clip": f"{options.size} at {options.fps} frames a second, {options.cores} cores",
        "wall_seconds": {f"{s:g}": round(results[s][0], 2) for s in lengths},
        "processor_seconds": {f"{s:g}": round(results[s][1], 2) for s in lengths},
        "peak_mib": {f"{s:g}": round(results[s][2]) for s in lengths},
    }
    if len(lengths) > 1:
        short, long = lengths[-2:]
        figures["seconds_per_further_second"] = round((results[long][0] - results[short][0]) / (long - short), 3)
        figures[f"memory_{long:g}s_over_{short:g}s"] = round(results[long][2] / results[short][2], 3)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(figures["clip"])
    for seconds in lengths:
        wall, processor, memory = results[seconds]
        print(f"{seconds:6g} s of video: {wall:7.2f} s ({processor:.2f} s of processor time), peak {memory:.0f} MiB")
    for name in list(figures)[4:]:
        print(f"{name.replace('_', ' ')}: {figures[name]}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
