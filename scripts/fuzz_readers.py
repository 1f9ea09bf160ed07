"""Test readers of untrusted files with random and damaged files until one fails.

    python scripts/fuzz_readers.py --reader midi --minutes 30 [-o fuzz/midi]

Each batch runs in a process of its own with a limit on memory and time, on files that hypothesis makes from the batch's
number. What fails is made as small as hypothesis can and kept under ``crashes`` with its traceback; a file that hangs
or fills the memory is kept as it was. Called again with the same folder, the run goes on with the next batch. A reader
is a row in :data:`READERS`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from midi_cases import confuses_mido, differences, files, mido_notes, mutated, own_notes
from one_line import run_main
from reader_cases import KINDS

#: Bytes of memory that a batch may take beyond what the modules take, and processor seconds that it may take.
MEMORY, SECONDS = 600 << 20, 300
#: A batch on a busy machine may last so many times as long.
_PATIENCE = 20
_SECONDS_A_FILE = 10.0


@dataclass(frozen=True)
class Reader:
    """What is tried.

    Attributes:
        make: makes the strategy that files come from, as bytes.
        check: reads one and raises whatever should not happen.
    """

    make: Callable[[], st.SearchStrategy[bytes]]
    check: Callable[[bytes], None]


def check_midi(data: bytes) -> None:
    """Read a MIDI file: it has notes or is refused in one line; if nothing is corrected and mido reads it too, the
    notes agree.
    """
    from d2m.symbolic.midi_file import parse

    start = time.process_time()
    try:
        file = parse(data, 20_000)
    except ValueError as error:
        reason = str(error)
        if not reason or "\n" in reason:
            raise AssertionError(f"the reason should be one line: {reason!r}") from error
        return
    assert time.process_time() - start < _SECONDS_A_FILE, "reading takes too long"
    assert all("\n" not in line for line in file.mended)
    assert all(0 <= start < end for found in file.notes.values() for start, end, _, _ in found)
    if file.mended or confuses_mido(data):
        return
    try:
        theirs = mido_notes(data)
    except Exception:  # noqa: BLE001
        # mido has many ways to refuse a file.
        return
    found = differences(own_notes(file), theirs)
    assert not found, f"mido reads {found[:3]}"


def fails_on_drums(data: bytes) -> None:
    """Fail on purpose, for the tests of this script."""
    assert b"\x99" not in data


READERS: dict[str, Reader] = {
    "midi": Reader(lambda: st.one_of(files().map(lambda case: case[0]), mutated()), check_midi),
} | {name: Reader(*kind) for name, kind in KINDS.items()}


@dataclass
class State:
    """How far a run has come."""

    batches: int = 0
    examples: int = 0
    seconds: float = 0.0
    peak_mib: float = 0.0

    @classmethod
    def load(cls, folder: Path) -> State:
        """Return the state of a folder, or a fresh one."""
        path = folder / "state.json"
        return cls(**json.loads(path.read_text())) if path.is_file() else cls()

    def save(self, folder: Path) -> None:
        (folder / "state.json").write_text(json.dumps(asdict(self)))


def run_batch(name: str, number: int, examples: int, folder: Path) -> None:
    """Try a reader on ``examples`` files and keep what fails."""
    reader, current = READERS[name], folder / "current.bin"
    folder.mkdir(parents=True, exist_ok=True)

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.make())
    def attempt(data: bytes) -> None:
        current.write_bytes(data)
        reader.check(data)

    try:
        attempt()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        # The smallest that fails is tried last.
        keep(folder, current.read_bytes(), traceback.format_exc())


def keep(folder: Path, data: bytes, reason: str) -> None:
    """Keep a file that failed, and why."""
    crashes = folder / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(data).hexdigest()[:16]
    (crashes / f"{name}.bin").write_bytes(data)
    (crashes / f"{name}.txt").write_text(reason)


def run(name: str, minutes: float, folder: Path, examples: int = 500, batches: int | None = None) -> State:
    """Run batches for so many minutes, or so many batches."""
    folder.mkdir(parents=True, exist_ok=True)
    state, begun = State.load(folder), time.monotonic()
    goal = state.batches + (batches or 1 << 40)
    while state.batches < goal and (batches or time.monotonic() - begun < 60 * minutes):
        start = time.monotonic()
        words = [sys.executable, __file__, "--reader", name, "-o", str(folder), "--examples", str(examples)]
        try:
            done = subprocess.run(
                [*words, "--batch", str(state.batches)], timeout=SECONDS * _PATIENCE, capture_output=True
            )
            failed = done.stderr.decode(errors="replace")[-4000:] if done.returncode else ""
            if done.returncode == -signal.SIGXCPU:
                failed = f"no end after {SECONDS} seconds of processor time"
        except subprocess.TimeoutExpired:
            failed = f"no end after {SECONDS * _PATIENCE} seconds"
        if failed:
            current = folder / "current.bin"
            keep(folder, current.read_bytes() if current.is_file() else b"", failed)
        state.batches, state.examples = state.batches + 1, state.examples + examples
        state.seconds += time.monotonic() - start
        state.peak_mib = max(state.peak_mib, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
        state.save(folder)
    return state


def _limit() -> None:
    """Let this process take no more than :data:`MEMORY` beyond what it has, and :data:`SECONDS` of processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--reader", choices=sorted(READERS), required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--examples", type=int, default=500, help="files a batch")
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    folder = wanted.output or Path("fuzz") / wanted.reader
    if wanted.batch is not None:
        # What the check imports is loaded before the limit counts.
        READERS[wanted.reader].check(b"")
        _limit()
        run_batch(wanted.reader, wanted.batch, wanted.examples, folder)
        return
    state = run(wanted.reader, wanted.minutes, folder, wanted.examples)
    crashes = len(list((folder / "crashes").glob("*.bin"))) if (folder / "crashes").is_dir() else 0
    print(
        f"{wanted.reader}: {state.examples} files in {state.seconds:.0f} s, {crashes} failed, "
        f"{state.peak_mib:.0f} MiB at most ({folder})"
    )


if __name__ == "__main__":
    run_main(main)
