"""Measure the beat tracker for sound, beside librosa's, on music with known or separately tracked beats.

    python scripts/measure_sound_beats.py studio DATA [--noise]            held-out music of 'd2m data beats'
    python scripts/measure_sound_beats.py real BEATS.jsonl [--half 0|1]    recordings

BEATS.jsonl has one object a line: file (a sound file), beats and down (seconds), strength (0..1, how clear the beats
are); recordings under --strength are left out of the table, but used for calibration. With --half every second
recording is taken. Scores: F-measure within 70 ms, CMLt and AMLt (mir_eval), F-measure of downbeats, tempo within 4 %,
and within 4 % of a simple multiple. Printed: mean / median.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.evaluation.beats import beat_f_measure, continuity, tempo_agrees, track_beats
from d2m.features.sound_beats import track_sound

COLUMNS = ("F", "CMLt", "AMLt", "downbeat F", "tempo", "tempo or multiple")


@dataclass(frozen=True)
class Item:
    """A recording float32 (samples,), its rate, its beats and downbeats (s), and how clear they are."""

    name: str
    waveform: np.ndarray
    rate: int
    beats: np.ndarray
    down: np.ndarray
    strength: float


def recordings(path: Path, half: int | None) -> Iterator[Item]:
    """Iterate over the recordings of a list, in order."""
    import soundfile

    for number, line in enumerate(sorted(path.read_text().splitlines())):
        if half is not None and number % 2 != half:
            continue
        row = json.loads(line)
        file = path.parent / row["file"]
        waveform, rate = soundfile.read(file, dtype="float32", always_2d=True)
        beats, down = np.array(row["beats"]), np.array(row["down"])
        yield Item(file.name, waveform.mean(axis=1), rate, beats, down, row["strength"])


def scores(beats: np.ndarray, down: np.ndarray, found: np.ndarray, found_down: np.ndarray, tempo: float) -> list[float]:
    """Return the figures of `COLUMNS` for one recording."""
    true = 60.0 / np.median(np.diff(beats))
    steady = continuity(beats, found)
    return [
        beat_f_measure(beats, found),
        steady.cmlt,
        steady.amlt,
        beat_f_measure(down, found_down),
        float(tempo > 0 and tempo_agrees(tempo, true)),
        float(tempo > 0 and tempo_agrees(tempo, true, multiples=True)),
    ]


def table(rows: dict[str, list[list[float]]]) -> str:
    """Return the mean / median of every column, a tracker a line."""
    lines = [f"{'':10}" + "".join(f"{name:>20}" for name in COLUMNS)]
    for name, values in rows.items():
        both = zip(np.mean(values, axis=0), np.median(values, axis=0), strict=True)
        lines.append(f"{name:10}" + "".join(f"{mean:>12.3f} / {median:.3f}" for mean, median in both))
    return "\n".join(lines)


def measure(items: Iterator[Item], strength: float, librosa: bool, verbose: bool) -> list[dict[str, object]]:
    """Print the table of all recordings of some strength; returns what was found in each."""
    rows: dict[str, list[list[float]]] = {"d2m": []} | ({"librosa": []} if librosa else {})
    found = []
    for item in items:
        heard = track_sound(item.waveform, item.rate)
        downbeats = heard.beats[heard.downbeats]
        f = beat_f_measure(item.beats, heard.beats) if len(item.beats) > 4 else 0.0
        found.append({"name": item.name, "strength": item.strength, "f": f, "confidence": heard.confidence})
        if item.strength >= strength and len(item.beats) > 4:
            rows["d2m"].append(scores(item.beats, item.down, heard.beats, downbeats, heard.tempo))
            if librosa:
                tempo, beats = track_beats(item.waveform, item.rate)
                rows["librosa"].append(scores(item.beats, item.down, beats, beats[::4], tempo))
        if verbose:
            print(f"{item.name[:50]:50} strength {item.strength:.2f}  F {f:.3f}  confidence {heard.confidence:.2f}")
    print(f"{len(rows['d2m'])} recordings")
    print(table(rows))
    return found


def studio(data: Path, spoil: bool, count: int) -> list[list[float]]:
    """Return scores of held-out studio music, from its frames."""
    from d2m.features.bar_pointer import decode
    from d2m.features.sound_beats import for_music, load_weights
    from d2m.features.sound_forward import activations
    from d2m.features.sound_spectrum import FRAMES
    from d2m.training.beats import STEPS_PER_UNIT, read_folder

    rows = []
    for mix in read_folder(data / "held_out")[int(spoil) :: 2][:count]:
        if len(mix.beats) < 8:
            continue
        bars = decode(activations(mix.frames / np.float32(STEPS_PER_UNIT), load_weights()), FRAMES, for_music())
        down = mix.beats[mix.downbeats]
        rows.append(scores(mix.beats, down, bars.beats, bars.beats[bars.downbeats], bars.tempo))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["studio", "real"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--half", type=int, choices=[0, 1])
    parser.add_argument("--strength", type=float, default=0.6)
    parser.add_argument("--count", type=int, default=200, help="studio songs at the most")
    parser.add_argument("--no-librosa", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.what == "studio":
        kinds = {"clean": False, "spoiled": True}
        print(table({name: studio(options.path, spoil, options.count) for name, spoil in kinds.items()}))
        return
    items = recordings(options.path, options.half)
    measure(items, options.strength, not options.no_librosa, options.verbose)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
