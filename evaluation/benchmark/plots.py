"""Plots of the table: PNG and PDF files as bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from d2m.evaluation.metrics import METRICS
from d2m.evaluation.metrics.base import reading

from .columns import score_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Colours of the kinds of rows.
_COLOURS = {"reference": "#333333", "reconstruction": "#8a8a8a", "system": "#1f77b4", "baseline": "#d98c3f"}


def all_plots(lines: list[dict[str, Any]]) -> dict[str, dict[str, bytes]]:
    """Draw all plots that have data.

    Args:
        lines: rows of the table.

    Returns:
        Plots by name, each with the content of its ``png`` and ``pdf`` file.
    """
    drawn = {"beats": _beats(lines), "alignment": _alignment(lines), "fidelity": _fidelity(lines)}
    return {name: files for name, files in drawn.items() if files is not None}


def _beats(lines: list[dict[str, Any]]) -> dict[str, bytes] | None:
    """The published scores beside the strict ones: how much a metric tells the rows apart."""
    panels = [
        ("D2M-GAN's hit", _panel("d2m_hit")),
        ("LORIS's F1", _panel("f1")),
        ("onset F, 70 ms", _panel("onset_f")),
        ("beat F, 70 ms", _panel("beat_f")),
    ]
    return _bars(lines, panels, (0, 1.02))


def _alignment(lines: list[dict[str, Any]]) -> dict[str, bytes] | None:
    panels = [
        ("beats: beat-align score over chance", _panel("beat_align")),
        ("beats: hit rate at 70 ms over chance", _panel("hit_rate")),
    ]
    return _bars(lines, panels, None)


def _fidelity(lines: list[dict[str, Any]]) -> dict[str, bytes] | None:
    return _bars(lines, [("Fréchet distance", _panel("frechet"))], None, log=True)


def _panel(name: str) -> Callable[[dict[str, Any]], tuple[float | None, list[float] | None]]:
    """What reads value and interval of a metric from a line."""
    metric = METRICS.get(name)
    return lambda line: reading(score_of(line, metric))


def _bars(lines, panels, limits: tuple[float, float] | None, log: bool = False) -> dict[str, bytes] | None:
    from matplotlib.figure import Figure

    values = [[value(line) for line in lines] for _, value in panels]
    if all(mean is None for row in values for mean, _ in row):
        return None
    figure = Figure(figsize=(4.6 + 2.4 * len(panels), 0.8 + 0.3 * len(lines)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    places = range(len(lines))
    for axis, (title, _), row in zip(axes, panels, values, strict=True):
        for place, line, (mean, interval) in zip(places, lines, row, strict=True):
            if mean is None:
                axis.text(0.02, place, "undefined", va="center", fontsize=7, transform=axis.get_yaxis_transform())
                continue
            axis.barh(place, mean, color=_COLOURS[line["kind"]], height=0.7)
            if interval is not None:
                axis.plot(interval, [place, place], color="black", linewidth=1.2)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.axvline(0, color="black", linewidth=0.6)
        if log:
            axis.set_xscale("log")
        if limits is not None:
            axis.set_xlim(*limits)
    axes[0].set_yticks(list(places), [line["title"] for line in lines])
    axes[0].set_ylim(len(lines) - 0.4, -0.6)
    return {"png": _saved(figure, "png"), "pdf": _saved(figure, "pdf")}


def _saved(figure: Figure, ending: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date, so that the same figures make the same file.
    figure.savefig(buffer, format=ending, dpi=110, metadata={"CreationDate": None} if ending == "pdf" else None)
    return buffer.getvalue()
