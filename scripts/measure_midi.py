"""Compare the notes that the project reads of MIDI files with those of mido, and the speed with mido's and symusic's.

    python scripts/measure_midi.py FOLDER ... [--generated 20000] [--json FILE]

A note is its onset and length in ticks, key, velocity, channel and program; lengths of notes that nothing ends are not
compared. Files that mido refuses, and those whose notes differ where mido misreads the format (running status after
events of no channel, bytes of real time), are counted apart. symusic runs in a process of its own, as damaged
files crash it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from midi_cases import confuses_mido, differences, expected, mido_notes, own_notes, random_file
from one_line import run_main

from d2m.symbolic.midi import MIDI_SUFFIXES
from d2m.symbolic.midi_file import parse

_MOST_NOTES = 500_000
#: Read in a process of its own: paths on stdin, seconds on stdout.
_SYMUSIC = """
import sys, time
from symusic import Score
paths = sys.stdin.read().splitlines()
start, failed = time.perf_counter(), 0
for path in paths:
    try:
        Score(path)
    except Exception:
        failed += 1
print(time.perf_counter() - start, failed)
"""


@dataclass
class Comparison:
    """What a set of files gave.

    Attributes:
        files, notes: read by the project.
        differing: files whose notes are not mido's, ``differences`` the notes in question.
        mended: files that were mended, and are compared all the same.
        mido_refuses: files that cannot be compared.
        mido_misreads: files whose notes differ for what mido misreads.
        refused: files that the project refuses -> why.
        examples: examples of differences.
    """

    files: int = 0
    notes: int = 0
    differing: int = 0
    differences: int = 0
    mended: int = 0
    mido_refuses: int = 0
    mido_misreads: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)


def compare(files: Iterable[tuple[str, bytes]]) -> Comparison:
    """Compare the project's notes of files, given as (name, bytes), with mido's."""
    found = Comparison()
    for name, data in files:
        try:
            file = parse(data, _MOST_NOTES)
        except ValueError as error:
            found.refused[name] = str(error)
            continue
        found.files, found.notes = found.files + 1, found.notes + file.count
        found.mended += bool(file.mended)
        try:
            theirs = mido_notes(data)
        except Exception:  # noqa: BLE001
            # mido has many ways to refuse a file.
            found.mido_refuses += 1
            continue
        other = differences(own_notes(file), theirs)
        if other and confuses_mido(data):
            found.mido_misreads += 1
        elif other:
            found.differing, found.differences = found.differing + 1, found.differences + len(other)
            if len(found.examples) < 20:
                found.examples[name] = [*file.mended, *(str(pair) for pair in other[:3])]
    return found


def compare_generated(count: int, seed: int = 0) -> dict[str, int]:
    """Compare on random files, also with the notes that were put into them."""
    rng = random.Random(seed)
    found = Comparison()
    wrong = 0
    for _ in range(count):
        data, events, form = random_file(rng)
        wrong += bool(differences(own_notes(parse(data, _MOST_NOTES)), expected(events, form)))
        one = compare([("", data)])
        for name in ("files", "notes", "differing", "differences", "mido_refuses", "mido_misreads"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
    return {"differing_from_what_was_put_in": wrong} | {
        name: value for name, value in asdict(found).items() if isinstance(value, int)
    }


def speeds(paths: list[Path]) -> dict[str, float]:
    """Return files a second of the project (as far as notes by instrument), mido (events) and symusic (notes)."""
    import mido

    def seconds(read: Callable[[Path], object]) -> float:
        start = time.perf_counter()
        for path in paths:
            try:
                read(path)
            except Exception:  # noqa: BLE001, S112
                continue
        return time.perf_counter() - start

    found = {
        "d2m": seconds(lambda path: parse(path.read_bytes(), _MOST_NOTES)),
        "mido": seconds(lambda path: mido.MidiFile(path, clip=True)),
    }
    names = "\n".join(str(path) for path in paths)
    done = subprocess.run([sys.executable, "-c", _SYMUSIC], input=names, capture_output=True, text=True)
    if not done.returncode:
        found["symusic"] = float(done.stdout.split()[0])
    return {name: round(len(paths) / max(taken, 1e-9), 1) for name, taken in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--generated", type=int, default=0, help="random files")
    parser.add_argument("--json", type=Path, help="write the figures here")
    wanted = parser.parse_args()
    report: dict[str, object] = {}
    for folder in wanted.folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES and path.is_file())
        found = compare((str(path.relative_to(folder)), path.read_bytes()) for path in paths)
        report[str(folder)] = asdict(found) | {"files_a_second": speeds(paths)}
        print(json.dumps({str(folder): report[str(folder)]}, indent=1, ensure_ascii=False), flush=True)
    if wanted.generated:
        report["generated"] = compare_generated(wanted.generated)
        print(json.dumps({"generated": report["generated"]}, indent=1), flush=True)
    if wanted.json:
        from d2m.files.atomic import atomic_write_bytes

        atomic_write_bytes(wanted.json, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    run_main(main)
