"""Measure the speed of ``d2m evaluate beats``.

    python scripts/measure_beats_speed.py                          # 1,000 pairs of 6 s, two processes
    python scripts/measure_beats_speed.py --pairs 50 --rate 44100 --channels 2

Makes pairs of wav files (drums and a bass line at a tempo of their own; what was "generated" is the same a little late
and louder), runs the command on them as a user would, and prints what it took: seconds by the clock, which tell also
how busy the machine is otherwise, and seconds of processor time, of all processes together with starting them, which
do not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.media.write import write_wav


def song(seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return drum hits and bass notes on eighths, float64 (samples,), its loudest sample 0.5."""
    sound = 1e-4 * rng.standard_normal(round(seconds * rate))
    step = 30 / rng.uniform(80, 135)
    length = round(step * rate)
    time_ = np.arange(length) / rate
    for number in range(int(seconds / step)):
        start = round(number * step * rate)
        note = np.sin(2 * np.pi * 55 * 2 ** (rng.integers(24) / 12) * time_) * np.exp(-3 * time_ / step)
        if number % 2 == 0 or rng.random() < 0.4:
            note += (1 + (number % 4 == 0)) * rng.standard_normal(length) * np.exp(-time_ / 0.02)
        sound[start : start + length] += note[: len(sound) - start]
    return 0.5 * sound / np.abs(sound).max()


def make_pairs(folder: Path, pairs: int, seconds: float, rate: int, channels: int) -> None:
    """Write 16-bit files to ``reference/`` and ``generated/``."""
    for number in range(pairs):
        rng = np.random.default_rng([4, number])
        reference = song(seconds, rate, rng)
        late = round(rng.uniform(0, 0.12) * rate)
        generated = 1.5 * np.concatenate([np.zeros(late), reference])[: len(reference)]
        for side, sound in (("reference", reference), ("generated", generated)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            write_wav(folder / side / f"{number:04d}.wav", np.tile(sound.astype(np.float32), (channels, 1)), rate)


def timed(folder: Path, processes: int) -> tuple[float, float, dict]:
    """Return seconds by the clock, of processor time, and the report, of one run of the command."""
    words = [f"--{side}={folder / side}" for side in ("reference", "generated")]
    words += ["--processes", str(processes), "--json"]
    program = [sys.executable, "-c", "from d2m.cli.main import main; raise SystemExit(main())", "evaluate", "beats"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*program, *words], capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise D2MError(f"d2m evaluate beats failed: {done.stderr.strip() or done.returncode}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rate", type=int, default=22050, help="hertz")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="make the files here and leave them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        make_pairs(folder, options.pairs, options.seconds, options.rate, options.channels)
        took, computed, report = timed(folder, options.processes)
    measured, files = len(report["pairs"]), 2 * len(report["pairs"])
    print(
        f"{measured} pairs of {options.seconds:g} s, {options.rate} Hz, channels {options.channels}, "
        f"{options.processes} processes on {len(os.sched_getaffinity(0))} cores:\n"
        f"  by the clock     {took:.1f} s, {1000 * took / files:.1f} ms a file\n"
        f"  processor time   {computed:.1f} s, {1000 * computed / files:.1f} ms a file\n"
        f"  mean beat F {report['mean']['beat_f']:.3f}, not measured: {len(report['failed'])}"
    )


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
