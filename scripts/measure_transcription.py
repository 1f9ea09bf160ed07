"""Measure whether an outside transcriber hears the notes of a score in the neural engine as in the mixer's rendering.

    python scripts/measure_transcription.py --weights studio-generator-2

Needs Spotify's basic-pitch (``pip install --no-deps basic-pitch`` and ``pip install onnxruntime mir_eval``; its ONNX
model is in its wheel). One new song of the studio composer for each genre is rendered twice, by the mixer and by the vq
engine from the same score. F1 of notes (onset within 50 ms, the same key; drums and noises left out) of what
basic-pitch hears against the score.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from recordings import table

from d2m.datasets.examples_make import nobody
from d2m.datasets.studio.music import compose_song
from d2m.errors import D2MError
from d2m.types import GENRES, Dance, Score


class _Given:
    """Arranger whose score is there already."""

    name, weights = "given", ()

    def __init__(self, score: Score) -> None:
        self.score = score

    def write(self, dance: Dance, seed: int) -> Score:
        return self.score


def transcribe(sound: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Hear notes in a recording (channels, samples): seconds (N, 2) of onsets and ends, and hertz (N,)."""
    import soundfile
    from basic_pitch.inference import predict

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound.T, rate, subtype="PCM_16")
        _, _, notes = predict(path)
    return _arrays([(start, end, key) for start, end, key, *_ in notes])


def written(score: Score) -> tuple[np.ndarray, np.ndarray]:
    """Return the notes of a score that have a pitch, as :func:`transcribe` does."""
    notes = []
    for part in score.parts:
        if part.track == "drums" or part.is_effect:
            continue
        times = score.grid.time_of(np.stack([part.starts, part.ends], 1))
        notes += [(a, max(b, a + 0.05), int(key)) for (a, b), key in zip(times, part.pitches, strict=True) if a >= 0]
    return _arrays(notes)


def _arrays(notes: list[tuple[float, float, int]]) -> tuple[np.ndarray, np.ndarray]:
    times = np.array([(start, end) for start, end, _ in notes], dtype=np.float64).reshape(-1, 2)
    return times, 440.0 * 2.0 ** ((np.array([key for *_, key in notes], dtype=np.float64) - 69) / 12)


def f1(heard: tuple[np.ndarray, np.ndarray], true: tuple[np.ndarray, np.ndarray]) -> float:
    """Score heard notes against true ones."""
    import mir_eval

    return float(mir_eval.transcription.precision_recall_f1_overlap(*true, *heard, offset_ratio=None)[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=None, help="generator weights of the vq engine, name or file")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a song in seconds")
    parser.add_argument("--seed", type=int, default=77, help="random seed for the songs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    try:
        import basic_pitch  # noqa: F401
    except ImportError:
        raise D2MError("basic-pitch is not installed; pip install --no-deps basic-pitch, and onnxruntime") from None
    from d2m import engines

    figures: dict[str, tuple[float, float]] = {}
    players = engines.load("symbolic"), engines.load("vq", weights=options.weights)
    for index, genre in enumerate(GENRES):
        score, _ = compose_song(genre, options.seconds, np.random.default_rng([options.seed, index]))
        dance = replace(nobody(score), genre=genre)
        sounds = [replace(player, arranger=_Given(score)).compose(dance, seed=index) for player in players]
        figures[genre] = tuple(f1(transcribe(s.waveform, s.sample_rate), written(score)) for s in sounds)
    mean = np.mean(list(figures.values()), axis=0)
    if options.json:
        print(json.dumps({"genres": figures, "mixer": mean[0], "vq": mean[1]}, indent=2))
        return
    rows = [["", "mixer", "vq"], *([genre, f"{a:.3f}", f"{b:.3f}"] for genre, (a, b) in figures.items())]
    print(table([*rows, ["mean", f"{mean[0]:.3f}", f"{mean[1]:.3f}"]]))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
