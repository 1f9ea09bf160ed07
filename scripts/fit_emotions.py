"""Compute the targets of the emotions from melodies: the mean pitch and density at each quantile of the table.

    python scripts/fit_emotions.py FOLDER [--table symbolic/emotion/emotions.toml]

FOLDER is of melodies (``d2m symbolic melodies``); its part ``train`` is used, as it stands, without transposition.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

import numpy as np

from d2m.datasets.melodies import load_melodies
from d2m.symbolic.emotion.emotions import TABLE, attributes, load_emotions


def fit(text: str, values: np.ndarray, source: str) -> str:
    """Return the table with new figures; all else stays, comments too.

    Args:
        text: text of the table.
        values: mean pitch and notes a bar of each melody, (N, 2).
        source: what the melodies are.
    """
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    new: dict[str, str] = {
        "source": f'"{source}"',
        "melodies": str(len(values)),
        "pitch_mean": f"{mean[0]:.3f}",
        "pitch_deviation": f"{deviation[0]:.3f}",
        "density_mean": f"{mean[1]:.3f}",
        "density_deviation": f"{deviation[1]:.3f}",
    }
    lines = []
    for line in text.splitlines():
        field = re.match(r"(\w+)\s*=\s*(.*)$", line)
        if field and field[1].endswith("_quantile"):
            column = 0 if field[1].startswith("pitch") else 1
            new[("pitch", "density")[column]] = f"{np.quantile(values[:, column], float(field[2])):.2f}"
        lines.append(f"{field[1]} = {new.pop(field[1])}" if field and field[1] in new else line)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()
    values = attributes(load_melodies(arguments.folder, "train").melodies)
    source = f"part train of {arguments.folder.name}, as written by d2m symbolic melodies"
    text = fit(arguments.table.read_text(encoding="utf-8"), values[np.isfinite(values).all(axis=1)], source)
    temporary = arguments.table.with_suffix(".partial")
    temporary.write_text(text, encoding="utf-8")
    load_emotions(temporary)
    os.replace(temporary, arguments.table)
    for emotion in load_emotions(arguments.table).emotions:
        print(f"{emotion.name:12} {emotion.korean:6} pitch {emotion.pitch:6.2f}  notes a bar {emotion.density:5.2f}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
