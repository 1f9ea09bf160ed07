"""Score the systems on the public page of GACA-DiT, and d2m's engines on the same dances, with all metrics.

    python scripts/reproduce/peers.py FOLDER -o peers

FOLDER is the folder ``videos`` of the page's repository (github.com/beria-moon/GACA-DiT): ``NAME_sample1.mp4`` to
``NAME_sample5.mp4`` of each dance, each with the sound of one system. The music that was danced to is not on the page,
so metrics that compare with it are left out, except the tempo on the AIST dances, which their names tell. Writes the
report of ``d2m benchmark clips`` to the output folder, with the music of d2m's engines in ``audio/``, and prints the
tables of docs/benchmark.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure_peers import AIST_COLUMNS, Dance, aist_tempo, find_dances
from one_line import run_main

from d2m.errors import D2MError
from d2m.evaluation.beats import tempo_agrees
from d2m.evaluation.benchmark.report import tables
from d2m.evaluation.benchmark.run import benchmark
from d2m.evaluation.recordings import find, read
from d2m.evaluation.rhythm_features import rhythm_features

#: d2m's systems, as ``d2m benchmark --weights`` takes them.
OURS = ("studio", "symbolic", "symbolic-composer")
_RATE = 44100


def arrange(dances: list[Dance], folder: Path) -> dict[str, Path]:
    """Write the dances without sound to ``folder/clips``, and the videos of each system to a folder of its own.

    Args:
        dances: the dances.
        folder: output folder.

    Returns:
        Folders of the systems by name.
    """
    from d2m.media import mux

    places = {system: folder / "systems" / system for system in AIST_COLUMNS}
    for place in (folder / "clips", *places.values()):
        place.mkdir(parents=True, exist_ok=True)
    for dance in dances:
        silent = folder / "clips" / f"{dance.name}.mp4"
        if not silent.is_file():
            mux(next(iter(dance.videos.values())), np.zeros((1, _RATE), np.float32), _RATE, silent)
        for system, video in dance.videos.items():
            copy = places[system] / f"{dance.name}.mp4"
            if not copy.is_file():
                shutil.copyfile(video, copy)
    return places


def tempo_table(report: dict[str, Any], places: dict[str, Path]) -> list[list[str]]:
    """Return the share of AIST dances whose tempo, as librosa tracks it, is that of the music that was danced to.

    Args:
        report: report of the benchmark.
        places: folder of recordings of each row, by key.
    """
    lines = [["", "dances", "tempo within 4 %", "or a multiple"]]
    for row in report["rows"]:
        if row["key"] not in places or row["kind"] != "system":
            continue
        right = []
        for name, path in find(places[row["key"]]).items():
            tempo = aist_tempo(name)
            if tempo is not None:
                heard = rhythm_features(read(path).mono()).tempo
                right.append([heard > 0 and tempo_agrees(heard, tempo, multiples) for multiples in (False, True)])
        shares = np.mean(right, axis=0)
        lines.append([row["title"], str(len(right)), *(f"{share:.2f}" for share in shares)])
    return lines


def markdown(lines: list[list[str]]) -> str:
    """Format a table; its first line is the header.

    Args:
        lines: cells.
    """
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the page's videos")
    parser.add_argument("-o", "--output", type=Path, default=Path("peers"), help="output folder")
    parser.add_argument("--segment", type=float, default=4.5, help="length of the measured segments in seconds")
    parser.add_argument("--processes", type=int, default=1, help="number of parallel processes")
    options = parser.parse_args()
    dances, partial = find_dances(options.folder)
    places = arrange(dances, options.output)
    report = benchmark(
        "clips",
        options.output / "clips",
        options.output / "report",
        OURS,
        outside=[f"{name}={place}" for name, place in places.items()],
        segment=options.segment,
        keep=True,
        processes=options.processes,
        command=f"python scripts/reproduce/peers.py {options.folder.name} -o {options.output.name}",
    )
    if not report["rows"]:
        raise D2MError(f"{options.folder}: nothing could be measured")
    for title, text, header, lines in tables(report):
        print(f"\n**{title}** {text}\n\n{markdown([header, *lines])}")
    kept = {row["key"]: options.output / "report" / "audio" / row["key"] for row in report["rows"]}
    print(f"\n**Tempo** of AIST dances.\n\n{markdown(tempo_table(report, kept))}")
    if partial:
        print(f"\nLeft out, since not all systems have music for them: {', '.join(partial)}.")
    for line in report["failed"]:
        print(f"failed: {line['name']}, {line['row']}: {line['error']}", file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
