"""Plots of a run: curves of metrics, and spectrograms of outputs beside the real music."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from d2m.files.atomic import atomic_write
from d2m.nn.mel import LogMel

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

    from d2m.training.monitor import Sample

#: Not figures of the model.
_ASIDE = ("step", "held_out", "seconds_per_step")
#: Dots per inch, width and height of a chart in inches, and its margins: left, right, bottom and top.
_DPI, _CELL, _MARGINS = 100, (3.2, 2.2), (0.55, 0.1, 0.42, 0.3)


def read_curves(path: Path) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Read ``log.jsonl`` as curves.

    Args:
        path: the file.

    Returns:
        Metric -> ``"training"`` and ``"held out"`` -> steps and values.
    """
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        record = json.loads(line)
        kind = "held out" if record.get("held_out") else "training"
        for name, value in record.items():
            if name not in _ASIDE:
                steps, values = curves.setdefault(name, {}).setdefault(kind, ([], []))
                steps.append(record["step"])
                values.append(value)
    return curves


def plot_losses(log: Path, path: Path) -> None:
    """Plot one small chart for each metric of ``log.jsonl``, with training and held-out curves.

    Args:
        log: the log.
        path: the output picture.
    """
    from matplotlib.figure import Figure

    curves = read_curves(log)
    if not curves:
        return
    columns = min(4, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = Figure((_CELL[0] * columns, _CELL[1] * rows))
    grid = _grid(figure, rows, columns)
    for place, (name, kinds) in enumerate(curves.items()):
        axes = figure.add_subplot(grid[divmod(place, columns)])
        for kind, (steps, values) in kinds.items():
            axes.plot(steps, values, "o-" if kind == "held out" or len(steps) < 3 else "-", markersize=3, label=kind)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_xlabel("step", fontsize=7)
    axes.legend(fontsize=7)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def _grid(figure: Figure, rows: int, columns: int) -> GridSpec:
    """Return equal cells with fixed margins; a layout that fits the labels draws everything three times."""
    (width, height), (left, right, bottom, top) = _CELL, _MARGINS
    return figure.add_gridspec(
        rows,
        columns,
        left=left / (width * columns),
        right=1 - right / (width * columns),
        bottom=bottom / (height * rows),
        top=1 - top / (height * rows),
        wspace=(left + right) / (width - left - right),
        hspace=(bottom + top) / (height - bottom - top),
    )


def plot_comparison(sample: Sample, path: Path, title: str) -> np.ndarray:
    """Plot log-mel spectrograms of the real music above the generated music.

    Args:
        sample: both waveforms.
        path: the output picture.
        title: title of the plot.

    Returns:
        The picture, uint8 (H, W, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.image import imsave

    mel = LogMel(sample.sample_rate, 1024, 256, 80)
    figure = Figure((6, 4), dpi=_DPI)
    figure.subplots_adjust(left=0.1, right=0.97, bottom=0.11, top=0.98, hspace=0.15)
    canvas = FigureCanvasAgg(figure)
    for place, (name, waveform) in enumerate((("real", sample.real), (title, sample.waveform)), 1):
        axes = figure.add_subplot(2, 1, place)
        levels = mel(torch.from_numpy(np.ascontiguousarray(waveform, np.float32))[None])[0].numpy()
        extent = (0, len(waveform) / sample.sample_rate, 0, 80)
        axes.imshow(levels, origin="lower", aspect="auto", extent=extent, vmin=-4, vmax=1, cmap="magma")
        axes.set_ylabel(f"{name}\nmel band", fontsize=8)
        axes.tick_params(labelsize=7)
    axes.set_xlabel("seconds", fontsize=8)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    with atomic_write(path) as temporary:
        imsave(temporary, picture, format="png", dpi=_DPI)
    return picture
