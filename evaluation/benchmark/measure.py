"""Compute every metric of one piece of music for one item, as plain values for a summary.

Beats, sound and genre are measured segment by segment, as in the papers; the fit to the dancer over the whole item,
where more beats make the chance level more precise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation import metrics
from d2m.evaluation.alignment_report import judge_music
from d2m.evaluation.beat_report import score_pair
from d2m.evaluation.embeddings import embed_checked, load
from d2m.evaluation.fidelity_report import check
from d2m.evaluation.metrics.base import Score, TrueBeats, Waveforms
from d2m.evaluation.recordings import SAMPLE_RATE, Recording, silent
from d2m.evaluation.rhythm_features import RhythmFeatures, rhythm_features

from .inputs import Inputs
from .systems import Played

#: Seconds that an embedding's window has at least; shorter segments are not embedded.
SHORTEST_WINDOW, USUAL_WINDOW = 2.0, 2.98


@dataclass(frozen=True)
class Original:
    """Original music of an item.

    Attributes:
        whole: features of the whole item.
        segments: features of each segment.
        seconds: length of a segment in seconds.
    """

    whole: RhythmFeatures
    segments: tuple[RhythmFeatures, ...]
    seconds: float

    @classmethod
    def of(cls, inputs: Inputs, seconds: float) -> Original:
        """Analyse the original of an item.

        Args:
            inputs: the item.
            seconds: length of a segment.

        Raises:
            D2MError: if the item is shorter than a segment.
        """
        parts = cut(inputs.music[None], SAMPLE_RATE, seconds, inputs.dance.duration)
        if not parts:
            raise D2MError(
                f"{inputs.item.name}: {inputs.dance.duration:.2f} s are shorter than a segment of {seconds:g} s"
            )
        return cls(rhythm_features(inputs.music), tuple(rhythm_features(part[0]) for part in parts), seconds)


def cut(waveform: np.ndarray, rate: int, seconds: float, duration: float) -> list[np.ndarray]:
    """Cut a waveform into whole segments; the last may lack the few samples of rounding.

    Args:
        waveform: (channels, T).
        rate: hertz.
        seconds: length of a segment.
        duration: length of the item in seconds.
    """
    count = int(duration / seconds + 1e-3)
    edges = [round(i * seconds * rate) for i in range(count + 1)]
    return [waveform[:, start:end] for start, end in zip(edges[:-1], edges[1:], strict=True)]


def measure(
    inputs: Inputs, original: Original, played: Played, paired: bool, genre_weights: str | None
) -> dict[str, Any]:
    """Return scores of one piece of music.

    Args:
        inputs: the item.
        original: its music as heard.
        played: the music.
        paired: whether it is to be the original again, sample by sample.
        genre_weights: name or file of a genre network, or None without one.

    Returns:
        Plain JSON values: ``duration``, ``seconds`` of processor time that it took, ``segments``, ``alignment``,
        ``details``, ``notes``.
    """
    whole = Recording(Path(inputs.item.name), played.waveform, played.sample_rate)
    mono = whole.mono()
    heard = rhythm_features(mono)
    pieces = cut(played.waveform, played.sample_rate, original.seconds, inputs.dance.duration)
    return {
        "duration": inputs.dance.duration,
        "seconds": played.seconds,
        "details": played.details,
        "notes": list(inputs.notes),
        "segments": [
            _segment(inputs, original, index, piece, played.sample_rate, paired, genre_weights)
            for index, piece in enumerate(pieces)
        ],
        "alignment": _alignment(inputs, heard),
    }


def _segment(
    inputs: Inputs,
    original: Original,
    index: int,
    piece: np.ndarray,
    rate: int,
    paired: bool,
    genre_weights: str | None,
) -> dict[str, Any]:
    start, seconds = index * original.seconds, original.seconds
    mono = Recording(Path(inputs.item.name), piece, rate).mono()
    heard = rhythm_features(mono)
    checks = check(piece, rate)
    quiet = silent(piece)
    true: dict[str, Score] = dict.fromkeys(metrics.describe("true_beats"))
    if inputs.true_beats is not None:
        inside = inputs.true_beats[(inputs.true_beats >= start) & (inputs.true_beats < start + seconds)] - start
        true = metrics.compute("true_beats", TrueBeats(inside, heard))
    pairs = None
    if paired:
        real = inputs.music[round(start * SAMPLE_RATE) : round((start + seconds) * SAMPLE_RATE)]
        pairs = metrics.compute("pairs", Waveforms(mono, real, SAMPLE_RATE))
    return {
        "start": start,
        "beats": score_pair(original.segments[index], heard),
        **true,
        "checks": checks,
        "genre": None if quiet or genre_weights is None else _genre(piece, rate, genre_weights),
        "vectors": None if quiet else _vectors(mono, seconds),
        "pairs": pairs,
    }


def _alignment(inputs: Inputs, heard: RhythmFeatures) -> dict[str, Any] | None:
    """Fit to the dancer."""
    report = judge_music(inputs.watched, heard)
    found: dict[str, Any] = {"judge": report["judge"], "motion_beats": len(report["motion_beats"])}
    for events in ("onsets", "beats"):
        found[events] = {name: row for name, row in report[events].items() if isinstance(row, dict)}
        for name in metrics.describe("alignment_aist"):
            script = report["aist"] if name == "aist" or report["aist"] is None else report["aist"][name]
            found[f"{name}_{events}"] = None if script is None else script[events]
    return found


def window_of(seconds: float) -> float | None:
    """Return the window of the embedding for a length of segments.

    Args:
        seconds: length of a segment.

    Returns:
        Seconds; None if segments are too short.
    """
    if seconds < SHORTEST_WINDOW:
        return None
    return min(USUAL_WINDOW, seconds)


def _vectors(mono: np.ndarray, seconds: float) -> list[list[float]] | None:
    window = window_of(seconds)
    if window is None:
        return None
    embedding = load("log-mel", None if window == USUAL_WINDOW else window)
    try:
        vectors = embed_checked(embedding, mono)
    except D2MError:
        # A segment of just the window's length may be a sample short.
        return None
    return [[float(f"{value:.6g}") for value in row] for row in vectors]


@lru_cache(maxsize=2)
def _judge(weights: str):
    from d2m.music_genre import load as load_judge

    return load_judge(weights)


def _genre(piece: np.ndarray, rate: int, weights: str) -> dict[str, int | None]:
    judge = _judge(weights)
    heard = judge.hear(piece, rate)
    return {"heard": heard.genre, "nearest": judge.nearest(heard.embedding) if judge.net.config.songs else None}
