"""Run fixed command lines with two versions of the code and compare everything they write and print.

    python scripts/compare_outputs.py run OLD [--d2m OTHER/.venv/bin/d2m]     the outputs of one version
    python scripts/compare_outputs.py run NEW
    python scripts/compare_outputs.py compare OLD NEW

``run`` executes the command lines of :data:`COMMANDS` on the shipped example, each in a folder of its own; outputs of
earlier lines are inputs of later ones. ``compare`` prints one row a command: identical, or how far each file is from
its other version (decibels of the largest difference of samples, notes that only one of two MIDI files has, values
that differ in JSON and TOML). Its exit status is 1 if anything differs. Seconds, versions and paths are not compared.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "dance.mp4"

#: Name and words of each command line. ``{x/file}`` is a file that command x has written.
COMMANDS: dict[str, str] = {
    "studio": "data studio . --songs 2 --dances 1 --seconds 12 --seed 3",
    "phrases": "symbolic generate --phrases 4 --seed 1 -o a.mid --wav",
    "phrases-2": "symbolic generate --phrases 4 --seed 2 --tempo 128 -o b.mid",
    "symbolic": "generate {example} -o . --engine symbolic --seed 1",
    "vq": "generate {example} -o . --engine vq --seed 1",
    "options": "generate {example} -o . --genre house --key Am --stems --markers --without strings --fade-out 1",
    "mood": "generate {example} -o . --mood peaceful:0.7 --seed 4 --write-plan plan.toml",
    "plan": "generate {example} -o . --plan {mood/plan.toml}",
    "candidates": "generate {example} -o . --candidates 2 --seed 5",
    "sketch": "generate {example} -o . --sketch {phrases/a.mid}",
    "features": "features {example} -o .",
    "render": "symbolic render {phrases/a.mid} -o out.wav --genre house --stems stems",
    "metrics": "symbolic metrics {phrases/a.mid} --json",
    "accompany": "symbolic accompany {phrases/a.mid} --track piano --anew --seed 2 -o out.mid",
    "mixpoints": "symbolic mixpoints {phrases/a.mid} {phrases-2/b.mid} --json",
    "bridge": "symbolic bridge {phrases/a.mid} {phrases-2/b.mid} --seed 1 -o out.mid",
    "stream": "symbolic stream {phrases} --minutes 0.3 --seed 1 -o out.wav",
    "emotion": "symbolic emotion -e gloomy --seed 3 -o out.mid",
    "recolour": "symbolic emotion -e lively --from {emotion/out.mid} --seed 3 -o out.mid",
    "alignment": "evaluate alignment {symbolic/dance.d2m.mp4} --json",
    "beats": "evaluate beats --reference {symbolic/dance.d2m.wav} --generated {options/dance.d2m.wav} --json",
    "genre": "evaluate genre {symbolic/dance.d2m.wav} --genre house --json",
    "benchmark": "benchmark studio -o . --data {studio} --json",
    "weights": "models list",
}

#: Names of values that measure the run and not its result.
_VOLATILE = re.compile(r"second|time|version|path|folder|file|date|command|speed|memory", re.IGNORECASE)
_SECONDS = re.compile(r"\d+(\.\d+)? ?s\b|\d+:\d\d")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    run_parser = actions.add_parser("run")
    run_parser.add_argument("folder", type=Path)
    run_parser.add_argument("--d2m", type=Path, default=Path(sys.executable).parent / "d2m", help="command to run")
    run_parser.add_argument("--only", nargs="*", help="names of commands")
    compare_parser = actions.add_parser("compare")
    compare_parser.add_argument("old", type=Path)
    compare_parser.add_argument("new", type=Path)
    options = parser.parse_args()
    if options.action == "run":
        run(options.folder.resolve(), options.d2m.absolute(), options.only)
    else:
        sys.exit(compare(options.old, options.new))


def run(folder: Path, d2m: Path, only: list[str] | None) -> None:
    """Execute the command lines, each in its folder; text goes to ``stdout.txt``, the exit status is its last line."""
    for name, line in COMMANDS.items():
        if only and name not in only:
            continue
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        words = [_fill(word, folder) for word in line.split()]
        done = subprocess.run([str(d2m), *words], cwd=place, capture_output=True, text=True)
        (place / "stdout.txt").write_text(f"{done.stdout}\nexit status {done.returncode}\n", encoding="utf-8")
        print(f"{name:12} {done.returncode}  {(done.stderr.splitlines() or [''])[-1][:90] if done.returncode else ''}")


def _fill(word: str, folder: Path) -> str:
    """Replace the names in braces by paths."""
    return re.sub(r"\{(.*?)\}", lambda m: str(EXAMPLE if m[1] == "example" else folder / m[1]), word)


def compare(old: Path, new: Path) -> int:
    """Print what differs between two folders; return the exit status."""
    status = 0
    for name in COMMANDS:
        differences = list(_differences(old / name, new / name))
        print(f"{name:12} {'identical' if not differences else '; '.join(differences)}")
        status |= bool(differences)
    return status


def _differences(old: Path, new: Path) -> list[str]:
    names = sorted(
        {str(p.relative_to(f)) for f in (old, new) for p in f.rglob("*") if p.is_file() and p.suffix != ".log"}
    )
    if not names:
        return ["did not run"]
    found = []
    for name in names:
        a, b = old / name, new / name
        if not (a.is_file() and b.is_file()):
            found.append(f"{name} only {'before' if a.is_file() else 'now'}")
        elif a.read_bytes() != b.read_bytes() and (words := _how(a, b)):
            found.append(f"{name}: {words}")
    return found


def _how(a: Path, b: Path) -> str:
    """Say how two files of different bytes differ; an empty text means only in values that are not compared."""
    readers = {".wav": _sound, ".mid": _notes, ".json": _json, ".toml": _toml, ".txt": _text}
    if a.suffix == ".mp4":
        return "" if a.with_suffix(".wav").is_file() else "bytes differ"  # The music is compared as .wav.
    return readers[a.suffix](a, b) if a.suffix in readers else "bytes differ"


def _sound(a: Path, b: Path) -> str:
    (x, rate), (y, other) = soundfile.read(a), soundfile.read(b)
    if rate != other or x.shape != y.shape:
        return f"{x.shape} at {rate} Hz before, {y.shape} at {other} Hz now"
    worst = np.abs(x - y).max(initial=0)
    return f"samples differ by up to {20 * np.log10(worst):.0f} dBFS" if worst else ""


def _notes(a: Path, b: Path) -> str:
    import symusic

    def notes(path: Path) -> Counter[tuple[Any, ...]]:
        score = symusic.Score(str(path))
        return Counter(
            (track.program, track.is_drum, note.start, note.duration, note.pitch, note.velocity)
            for track in score.tracks
            for note in track.notes
        )

    before, now = notes(a), notes(b)
    if before == now:
        return "other events than notes differ"
    return f"{(before - now).total()} of {before.total()} notes only before, {(now - before).total()} only now"


def _json(a: Path, b: Path) -> str:
    return _values(json.loads(a.read_text()), json.loads(b.read_text()))


def _toml(a: Path, b: Path) -> str:
    import tomllib  # Python 3.11

    return _values(tomllib.loads(a.read_text()), tomllib.loads(b.read_text()))


def _text(a: Path, b: Path) -> str:
    before, now = (_plain(path.read_text()) for path in (a, b))
    if before == now:
        return ""
    try:
        return _values(*(json.loads(text.rpartition("\nexit status")[0]) for text in (before, now)))
    except ValueError:
        lines = [(x, y) for x, y in zip(before.splitlines(), now.splitlines(), strict=False) if x != y]
        return f"text differs ({lines[0][0]!r} before, {lines[0][1]!r} now)" if lines else "text is longer or shorter"


def _plain(text: str) -> str:
    """Remove seconds, and paths with the line breaks that they cause."""
    return re.sub(r"\s+", " ", _SECONDS.sub("", re.sub(r"\S*/\S*", "", text))).replace(" exit status", "\nexit status")


def _values(before: Any, now: Any) -> str:
    a, b = (dict(_leaves(value)) for value in (before, now))
    names = [name for name in {**a, **b} if a.get(name) != b.get(name) and not _VOLATILE.search(name)]
    return "" if not names else f"{len(names)} of {len({**a, **b})} values differ: {', '.join(names[:4])}"


def _leaves(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{name}[{number}]")
    else:
        yield name, value


if __name__ == "__main__":
    main()
