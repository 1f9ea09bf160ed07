"""Compute every metric of one piece of music for one item, as plain values for a summary.

Beats, sound and genre are measured segment by segment, as in the papers; the fit to the dancer over the whole item,
where more beats make the chance level more precise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation import metrics
from d2m.evaluation.alignment_report import judge_music
from d2m.evaluation.beat_report import score_pair
from d2m.evaluation.embeddings import Embedding, embed_checked, load
from d2m.evaluation.fidelity import LENGTH_TOLERANCE
from d2m.evaluation.fidelity_report import check
from d2m.evaluation.metrics.base import Piece, Score, TrueBeats, Waveforms
from d2m.evaluation.recordings import SAMPLE_RATE, Recording, silent
from d2m.evaluation.rhythm_features import RhythmFeatures, rhythm_features

from .inputs import Inputs
from .systems import Played


@dataclass(frozen=True)
class Original:
    """Original music of an item; None throughout where there is none.

    Attributes:
        whole: features of the whole item.
        segments: features of each segment.
        seconds: length of a segment in seconds.
    """

    whole: RhythmFeatures | None
    segments: tuple[RhythmFeatures, ...] | None
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
        duration = inputs.dance.duration
        if not segments_in(duration, seconds):
            raise D2MError(
                f"{inputs.item.name}: {duration:.2f} s are shorter than a segment of {seconds:g} s; "
                "choose a shorter --segment"
            )
        if inputs.music is None:
            return cls(None, None, seconds)
        parts = cut(inputs.music[None], SAMPLE_RATE, seconds, duration)
        return cls(rhythm_features(inputs.music), tuple(rhythm_features(part[0]) for part in parts), seconds)


def segments_in(duration: float, seconds: float) -> int:
    """Return how many whole segments fit into an item; the last may lack the tolerance of lengths, 0.1 s, at most.

    Frames of picture and of compressed sound do not end together, so a clip of exactly one segment lacks some of it.

    Args:
        duration: length of the item in seconds.
        seconds: length of a segment in seconds.
    """
    return int((duration + min(LENGTH_TOLERANCE, 0.05 * seconds)) / seconds + 1e-9)


def cut(waveform: np.ndarray, rate: int, seconds: float, duration: float) -> list[np.ndarray]:
    """Cut a waveform into whole segments (:func:`segments_in`).

    Args:
        waveform: (channels, T).
        rate: hertz.
        seconds: length of a segment.
        duration: length of the item in seconds.
    """
    count = segments_in(duration, seconds)
    edges = [round(i * seconds * rate) for i in range(count + 1)]
    return [waveform[:, start:end] for start, end in zip(edges[:-1], edges[1:], strict=True)]


def measure(
    inputs: Inputs,
    original: Original,
    played: Played,
    paired: bool,
    genre_weights: str | None,
    embeddings: Sequence[str] = ("log-mel",),
) -> dict[str, Any]:
    """Return scores of one piece of music.

    Args:
        inputs: the item.
        original: its music as heard.
        played: the music.
        paired: whether it is to be the original again, sample by sample.
        genre_weights: name or file of a genre network, or None without one.
        embeddings: names of the embeddings for the distances of sets.

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
            _segment(inputs, original, index, piece, played.sample_rate, paired, genre_weights, embeddings)
            for index, piece in enumerate(pieces)
        ],
        "alignment": _alignment(inputs, heard),
        "whole": metrics.compute("music", Piece(mono)),
    }


def _segment(
    inputs: Inputs,
    original: Original,
    index: int,
    piece: np.ndarray,
    rate: int,
    paired: bool,
    genre_weights: str | None,
    embeddings: Sequence[str],
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
        real = inputs.original[round(start * SAMPLE_RATE) : round((start + seconds) * SAMPLE_RATE)]
        pairs = metrics.compute("pairs", Waveforms(mono, real, SAMPLE_RATE))
    return {
        "start": start,
        "beats": None if original.segments is None else score_pair(original.segments[index], heard),
        **true,
        "checks": checks,
        "genre": None if quiet or genre_weights is None else _genre(piece, rate, genre_weights),
        "vectors": {name: None if quiet else _vectors(piece, rate, name, seconds) for name in embeddings},
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


@lru_cache(maxsize=16)
def space_for(name: str, seconds: float) -> Embedding | None:
    """Return an embedding whose window fits into a segment.

    Args:
        name: name of the embedding.
        seconds: length of a segment.

    Returns:
        The embedding with its own window, or else with one of the segment's length; None if it takes neither.
    """
    usual = load(name)
    if usual.window <= seconds + 1e-6:
        return usual
    try:
        return load(name, seconds)
    except D2MError:
        return None


def _vectors(piece: np.ndarray, rate: int, name: str, seconds: float) -> list[list[float]] | None:
    space = space_for(name, seconds)
    if space is None:
        return None
    mono = Recording(Path(name), piece, rate).mono(space.sample_rate)
    # The last segment may lack up to 0.1 s (segments_in), which its own end fills in reverse.
    lacking = round(seconds * space.sample_rate) - len(mono)
    if lacking > 0:
        mono = np.pad(mono, (0, lacking), mode="reflect")
    return [[float(f"{value:.6g}") for value in row] for row in embed_checked(space, mono)]


@lru_cache(maxsize=2)
def _judge(weights: str):
    from d2m.music_genre import load as load_judge

    return load_judge(weights)


def _genre(piece: np.ndarray, rate: int, weights: str) -> dict[str, int | None]:
    judge = _judge(weights)
    heard = judge.hear(piece, rate)
    return {"heard": heard.genre, "nearest": judge.nearest(heard.embedding) if judge.net.config.songs else None}
