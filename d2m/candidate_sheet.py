"""Contact sheet of candidates: the level of each over time, with its key, tempo and instruments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.types import Soundtrack

if TYPE_CHECKING:
    from d2m.candidates import Candidate

_COLUMNS = 1000


def draw_candidates(sounds: Sequence[Soundtrack], candidates: Sequence[Candidate], path: Path, title: str) -> None:
    """Write a png with a panel for each candidate.

    Args:
        sounds: the pieces.
        candidates: what is said of them.
        path: the ``.png``; complete or absent.
        title: name of the video.

    Raises:
        D2MError: if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from d2m.files.atomic import atomic_write
    from d2m.report import usable_fonts

    figure = Figure(figsize=(11, 0.6 + 1.4 * len(sounds)), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(sounds), 1, sharex=True))
    name = title.encode("utf-8", "replace").decode()
    figure.suptitle(name, fontsize=12, parse_math=False, fontfamily=usable_fonts())
    for axis, sound, each in zip(axes, sounds, candidates, strict=True):
        times, peaks = _peaks(sound)
        axis.fill_between(times, -peaks, peaks, color="#3c8d6e", linewidth=0)
        for beat in sound.grid.beats[sound.grid.downbeats]:
            if 0 <= beat <= times[-1]:
                axis.axvline(beat, color="#d1344b", linewidth=0.6, alpha=0.6)
        axis.set(ylim=(-1, 1), xlim=(0, times[-1]), yticks=[])
        label = f"{each.number}:  {each.key or ''}, {each.tempo:g} bpm, {', '.join(each.instruments)}"
        axis.set_title(f"{label}\n{apart_in_words(each)}", fontsize=8, loc="left", parse_math=False)
    axes[-1].set_xlabel("seconds")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def apart_in_words(candidate: Candidate) -> str:
    """Return how far a candidate is from the others.

    Args:
        candidate: the candidate.
    """
    return (
        f"from the others {candidate.notes:.2f} in the notes (0 to 1), {candidate.sound:.2f} in the sound (1 is two "
        "songs of the genre)"
    )


def _peaks(sound: Soundtrack) -> tuple[np.ndarray, np.ndarray]:
    """Return times, and the highest absolute sample around each."""
    mono = np.abs(np.asarray(sound.waveform)).max(0)
    width = max(len(mono) // _COLUMNS, 1)
    peaks = mono[: len(mono) // width * width].reshape(-1, width).max(1)
    return (np.arange(len(peaks)) + 0.5) * width / sound.sample_rate, peaks
