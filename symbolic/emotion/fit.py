"""Fit the targets of the emotions to melodies: mean pitch and density at each quantile of the table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.symbolic.emotion.emotions import TABLE, EmotionTable, attributes, load_emotions


def fit_table(melodies: np.ndarray, source: str, table: str | Path = TABLE) -> EmotionTable:
    """Set the targets of a table, and the figures of the melodies, from melodies.

    Args:
        melodies: uint8 (N, steps).
        source: description of the melodies, stored in the table.
        table: TOML file, which is rewritten; a table that would be unusable is not written.

    Returns:
        The new table.

    Raises:
        D2MError: if the table cannot be read or written, or the melodies give no usable figures.
    """
    table = Path(table)
    values = attributes(melodies)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 2:
        raise D2MError(f"{source}: fewer than two melodies have notes; give more melodies")
    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise D2MError(f"cannot read the table {table}; give a table of emotions with --table") from error
    with atomic_write(table) as temporary:
        temporary.write_text(fitted(text, values, source.replace("\\", "/").replace('"', "'")), encoding="utf-8")
        new = load_emotions(temporary)
    load_emotions.cache_clear()
    return new


def fitted(text: str, values: np.ndarray, source: str) -> str:
    """Replace the figures in the text of a table; everything else is kept, also comments.

    Args:
        text: text of the table.
        values: mean pitch (MIDI) and notes per bar of each melody, (N, 2).
        source: description of the melodies.

    Returns:
        The new text.
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
