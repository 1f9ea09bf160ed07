"""Pictures of piano-rolls: a panel for each track, notes as bars in its colour, bar lines, names of keys and drums."""

from __future__ import annotations

import warnings
from collections.abc import Container
from pathlib import Path

import numpy as np

from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.instrument_names import instrument_name
from d2m.symbolic.pianoroll import PianoRoll
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS

#: Colours of the tracks, also distinguishable with red-green colour blindness.
COLOURS: tuple[str, ...] = ("#4d4d4d", "#0072b2", "#009e73", "#d55e00", "#9b4f96")

_DRUM_NAMES = {
    35: "kick 2", 36: "kick", 37: "side stick", 38: "snare", 39: "clap", 40: "snare 2", 41: "low tom", 42: "closed hat",
    43: "floor tom", 44: "pedal hat", 45: "tom", 46: "open hat", 47: "mid tom", 48: "high tom", 49: "crash",
    50: "top tom", 51: "ride", 52: "china", 53: "ride bell", 54: "tambourine", 55: "splash", 56: "cowbell",
    57: "crash 2", 59: "ride 2", 62: "mute conga", 63: "conga", 64: "low conga", 69: "cabasa", 70: "maracas",
    75: "claves", 82: "shaker",
}  # fmt: skip
#: Families with Hangul of Linux, Windows and macOS; the first that is there draws what matplotlib's own cannot.
_EAST_ASIAN = (
    "Noto Sans CJK KR", "Noto Sans KR", "Noto Sans CJK JP", "NanumGothic", "UnDotum", "Malgun Gothic",
    "Apple SD Gothic Neo", "AppleGothic", "Arial Unicode MS", "Unifont",
)  # fmt: skip
_NOTE_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


#: Size of a picture: width in inches, bars of a row, and dots per inch.
_WIDTH, _MOST_BARS, _DPI = 16.0, 24, 100
#: Inches of height for a drum, for a key in one row of bars and in several, and for the least panel.
_DRUM_HEIGHT, _KEY_HEIGHT, _SMALL_KEY, _LEAST_PANEL = 0.13, 0.085, 0.05, 0.55
#: Highest picture in inches; longer music gets more bars in a row.
_HIGHEST = 150.0


def draw(
    roll: PianoRoll, path: str | Path, title: str | None = None, shaded: tuple[float, float] | None = None
) -> Path:
    """Write a picture (``.png``) of a roll, complete or not at all.

    Long music is broken into rows of bars, one below the other, so that the picture is never wider than a screen.

    Args:
        roll: roll of any length.
        path: the file.
        title: over the picture; the roll's name and tempo if None.
        shaded: first step, and the one after the last, of a stretch to set off.

    Raises:
        D2MError: if the file cannot be written.
    """
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import get_font_names

    path = Path(path)
    panels = [(track, _keys(roll, track)) for track in range(len(TRACKS)) if roll.held[track].any()] or [
        (track, _keys(roll, track)) for track in range(len(TRACKS))
    ]
    heights = [_height(track, keys, len(roll.downbeats) > _MOST_BARS) for track, keys in panels]
    rows = _row_edges(roll, sum(heights) + 0.6)
    bars = max(int(((roll.downbeats >= first) & (roll.downbeats < stop)).sum()) for first, stop in rows)
    size = float(np.clip(0.9 * bars, 9, _WIDTH)), len(rows) * (sum(heights) + 0.6) + 0.5
    figure = Figure(figsize=size, dpi=_DPI)
    FigureCanvasAgg(figure)
    widest = max(stop - first for first, stop in rows)
    between = {"height_ratios": heights, "hspace": 0.08}
    outer = figure.add_gridspec(len(rows), 1, hspace=0.55 / (sum(heights) + 0.05), left=0.9 / size[0], right=0.985,
                                top=1 - 0.4 / size[1], bottom=0.45 / size[1])  # fmt: skip
    for number, (first, stop) in enumerate(rows):
        axes = outer[number, 0].subgridspec(len(panels), 1, **between).subplots(sharex=True, squeeze=False)[:, 0]
        for panel, (track, keys) in zip(axes, panels, strict=True):
            _panel(panel, roll, track, keys, (first, stop, widest))
            if shaded:
                panel.axvspan(*shaded, color="#f2d16b", alpha=0.35, linewidth=0, zorder=0.5)
    axes[-1].set_xlabel("bar")
    title = title or f"{roll.name or 'piano-roll'}  ·  {np.median(roll.tempo):.0f} bpm"
    # Often a file's name: dollars in it are no formula, and bytes in it need not be text.
    title = " ".join(title.encode("utf-8", "replace").decode("utf-8").split())
    figure.axes[0].set_title(title, loc="left", parse_math=False, family=fonts(set(get_font_names())))
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for it
        figure.savefig(picture, format="png")
    atomic_write_bytes(path, picture.getvalue())
    return path


def _height(track: int, keys: np.ndarray, several: bool) -> float:
    """The height of a panel in inches; keys are smaller where there are several rows of bars."""
    if track == DRUMS:
        return max(_DRUM_HEIGHT * len(keys), _LEAST_PANEL)
    return max((_SMALL_KEY if several else _KEY_HEIGHT) * (int(np.ptp(keys)) + 3), _LEAST_PANEL)


def _row_edges(roll: PianoRoll, height: float) -> list[tuple[int, int]]:
    """First step of each row of bars, and the one after its last; as even as possible."""
    lines = np.append(roll.downbeats, roll.steps)
    bars = len(lines) - 1
    most = max(_MOST_BARS, int(np.ceil(bars * height / _HIGHEST)))
    count = -(-bars // most)
    each = -(-bars // count)
    # Rows begin with bars 1, 5, 9 ...
    each = each if count == 1 else -(-each // 4) * 4
    return [(int(lines[i]), int(lines[min(i + each, bars)])) for i in range(0, bars, each)]


def fonts(installed: Container[str]) -> list[str]:
    """Return installed font families for text in any language; the default font of matplotlib has no Korean.

    Args:
        installed: names of installed fonts.
    """
    return ["DejaVu Sans", *(name for name in _EAST_ASIAN if name in installed)]


def _keys(roll: PianoRoll, track: int) -> np.ndarray:
    """The keys of a panel: those that are struck for drums, from the lowest to the highest otherwise."""
    used = np.flatnonzero(roll.held[track].any(axis=0))
    if not len(used):
        return np.array([36, 38, 42]) if track == DRUMS else np.array([60, 67])
    return used


def _panel(panel, roll: PianoRoll, track: int, keys: np.ndarray, span: tuple[int, int, int]) -> None:
    """Draw a track between two steps, in a panel as wide as the widest row."""
    from matplotlib.collections import PolyCollection

    first, stop, widest = span
    notes = roll.notes(track)
    notes = notes[(notes[:, 0] < stop) & (notes[:, 1] > first)]
    rows = np.searchsorted(keys, notes[:, 2]) if track == DRUMS else notes[:, 2]
    # A small gap between notes makes repeated ones visible.
    left, right = notes[:, 0] + 0.0, notes[:, 1] - 0.12 * np.minimum(notes[:, 1] - notes[:, 0], 2)
    left, right = np.clip(left, first, stop), np.clip(right, first, stop)
    low, high = rows - 0.42, rows + 0.42
    corners = np.stack([[left, low], [right, low], [right, high], [left, high]]).transpose(2, 0, 1)
    panel.add_collection(PolyCollection(list(corners), facecolors=COLOURS[track], edgecolors="none", zorder=3))
    here = np.flatnonzero((roll.downbeats >= first) & (roll.downbeats < stop))
    # A collection of lines is drawn many times faster than lines of their own.
    whole = panel.get_xaxis_transform()
    panel.vlines(roll.downbeats[here], 0, 1, color="#8c8c8c", linewidth=0.9, zorder=1, transform=whole)
    if len(here) <= 24:
        beats = np.arange(first, stop, roll.steps_per_beat)
        panel.vlines(beats, -1, 200, color="#dedede", linewidth=0.5, zorder=0)
    if track == DRUMS:
        panel.set_ylim(-0.8, len(keys) - 0.2)
        panel.set_yticks(range(len(keys)), [_DRUM_NAMES.get(k, str(k)) for k in keys.tolist()], fontsize=7)
    else:
        panel.set_ylim(keys.min() - 1.5, max(keys.max(), keys.min() + 7) + 1.5)
        named = [k for k in range(int(keys.min()) - 1, int(keys.max()) + 2) if k % 12 in (0, 7)]
        panel.set_yticks(named, [f"{_NOTE_NAMES[k % 12]}{k // 12 - 1}" for k in named], fontsize=8)
        whole = panel.get_yaxis_transform()
        panel.hlines(named, 0, 1, color="#ededed", linewidth=0.6, zorder=0, transform=whole)
    panel.set_xlim(first, first + widest)
    every = 1 if len(here) <= 32 else 4 * -(-len(here) // 160)
    panel.set_xticks(roll.downbeats[here[::every]], (here[::every] + 1).tolist(), fontsize=9)
    panel.set_ylabel(
        instrument_name(TRACKS[track], roll.programs[track]).replace(" ", "\n"),
        color=COLOURS[track],
        fontweight="bold",
        fontsize=9,
    )
    panel.spines[["top", "right"]].set_visible(False)
    # The bars are numbered below the last panel; the lines of the others tell them.
    panel.xaxis.set_visible(panel.get_subplotspec().is_last_row())
