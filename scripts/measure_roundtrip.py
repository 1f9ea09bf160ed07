"""Check MIDI -> piano-roll -> MIDI for lost notes, and measure its speed beside pypianoroll on pretty_midi.

    python scripts/measure_roundtrip.py POP909 [--every 10]

Reads all ``.mid`` files under the folder at 24 steps a beat, writes each roll as MIDI and reads that again. A file
comes back if every note is on the same step, with the same length and key, and every step at the same time to a
millisecond, under the same bar lines. pypianoroll does the same with every n-th file, since it is much slower; it keeps
neither repeated notes, tempo changes nor metres, so for it only what sounds when is compared: the share of cells of
either roll that both have.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from d2m.datasets.lpd import song_files
from d2m.errors import D2MError
from d2m.symbolic.pianoroll import PianoRoll
from d2m.symbolic.pianoroll_midi import read_roll, write_roll


def differences(first: PianoRoll, second: PianoRoll) -> list[str]:
    """Return what is not the same in two rolls."""
    if first.held.shape != second.held.shape:
        return [f"{first.steps} steps became {second.steps}"]
    found = []
    wrong = int((first.onsets != second.onsets).sum() + (first.held != second.held).sum())
    if wrong:
        found.append(f"{wrong} cells differ")
    late = float(np.abs(first.seconds() - second.seconds()).max())
    if late > 1e-3:
        found.append(f"steps are off by up to {1000 * late:.1f} ms")
    if not np.array_equal(first.downbeats, second.downbeats) or first.metres != second.metres:
        found.append("bar lines differ")
    return found


def theirs(path: Path, out: Path) -> tuple[float, float]:
    """Return seconds that pypianoroll takes there and back, and the share of what sounds that comes back."""
    import pypianoroll

    start = time.perf_counter()
    first = pypianoroll.read(str(path), resolution=24)
    # Its own ``write`` fails on the tempo array that its ``read`` has made; any steady tempo gives the same steps.
    pypianoroll.to_pretty_midi(first, default_tempo=120.0).write(str(out))
    second = pypianoroll.read(str(out), resolution=24)
    taken = time.perf_counter() - start
    cells = [
        {(step, key) for track in piece.tracks for step, key in zip(*np.nonzero(track.pianoroll), strict=True)}
        for piece in (first, second)
    ]
    return taken, len(cells[0] & cells[1]) / max(len(cells[0] | cells[1]), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=10, help="pypianoroll gets every n-th file")
    parser.add_argument("--most", type=int, default=10**9, help="files at most")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = [f.path for f in song_files(args.folder) if f.path.suffix.lower() in (".mid", ".midi")][: args.most]
    if not paths:
        raise SystemExit(f"no MIDI files under {args.folder}")
    seconds = their_seconds = 0.0
    good, notes, compared, their_share = 0, 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "again.mid"
        for number, path in enumerate(paths):
            start = time.perf_counter()
            try:
                first = read_roll(path)
                second = read_roll(write_roll(first, out))
            except D2MError as error:
                print(error)
                continue
            seconds += time.perf_counter() - start
            wrong = differences(first, second)
            good += not wrong
            notes += int(first.onsets.sum())
            if wrong:
                print(f"{path}: {'; '.join(wrong)}")
            if number % args.every == 0:
                taken, share = theirs(path, out)
                their_seconds, compared, their_share = their_seconds + taken, compared + 1, their_share + share
    print(f"d2m: {good} of {len(paths)} files come back, {notes} notes, {len(paths) / seconds:.1f} files/s")
    print(
        f"pypianoroll: {100 * their_share / compared:.1f} % of the cells of {compared} files come back, "
        f"{compared / their_seconds:.2f} files/s"
    )


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
