"""Measure time and memory of `d2m symbolic render`, from a cold process, and compare its sound with another version's.

    python scripts/measure_render.py                            # house, middle hip-hop, ballet jazz; three minutes each
    python scripts/measure_render.py --keep new --against old   # the files of this version against those in old/

Composes a score for each genre, writes it as a MIDI file, and renders it in a process of its own. Printed are the wall
time, the processor time and the peak memory of each run, and with --against the difference to the file of the same
name: its RMS relative to that of the music, and its highest sample relative to full scale.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from d2m.errors import D2MError


def write_score(genre: str, seconds: float, path: Path) -> None:
    """Compose a score at 110 beats a minute and write it as a MIDI file."""
    from d2m.symbolic.composer import compose
    from d2m.symbolic.midi_write import write_midi
    from d2m.types import BeatGrid

    write_midi(compose(BeatGrid.steady(110, seconds), seconds, genre, np.random.default_rng(5)), path)


def run(music: Path, genre: str, out: Path) -> tuple[float, float, float]:
    """Return wall seconds, processor seconds and peak resident MiB of one run of the command."""
    command = [sys.executable, "-m", "d2m.cli.main", "symbolic", "render", str(music), "-o", str(out), "--genre", genre]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise D2MError(f"{' '.join(command)} failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def difference(one: Path, other: Path) -> tuple[float, float]:
    """Compare two files: RMS of the difference in dB relative to the second, and its peak in dB full scale."""
    import soundfile

    first, second = (soundfile.read(path, always_2d=True)[0] for path in (one, other))
    if first.shape != second.shape:
        raise D2MError(f"{one} and {other} have different lengths; render both with the same --seconds")
    apart = first - second
    rms = 10 * np.log10(max(np.mean(apart**2), 1e-30) / np.mean(second**2))
    return float(rms), float(20 * np.log10(max(np.abs(apart).max(), 1e-15)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genres", nargs="+", default=["gHO", "gMH", "gJB"], help="AIST codes")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the .wav files")
    parser.add_argument("--against", type=Path, help="folder with files of another version")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="d2m-render-") as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for genre in args.genres:
            music, out = Path(temporary) / f"{genre}.mid", folder / f"{genre}.wav"
            write_score(genre, args.seconds, music)
            for _ in range(args.repeats):
                wall, used, memory = run(music, genre, out)
                print(f"{genre}: {wall:.2f} s, {used:.2f} s of processor time, {memory:.0f} MiB", flush=True)
        # Compared at last: the peak memory of a process counts what its parent had when it started it.
        for genre in args.genres if args.against else ():
            rms, peak = difference(folder / f"{genre}.wav", args.against / f"{genre}.wav")
            print(f"{genre}: differs by {rms:.1f} dB relative to the music, at most {peak:.1f} dB full scale")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
