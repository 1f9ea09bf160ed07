"""Evaluation of a MuseGAN in training: the paper's metrics of its output compared with the data, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.symbolic.musegan.config import MuseGanConfig
from d2m.types import TRACKS

#: Phrases of a picture.
_SHOWN = 4
#: Tolerances of the metrics; the units of :func:`distance_from`.
_TOLERANCE = {"EB": 6.0, "UPC": 0.6, "QN": 12.0, "DP": 8.0, "TD": 0.2, "notes": 1.0}


def measure(phrases: np.ndarray, config: MuseGanConfig) -> dict[str, float]:
    """Return the paper's figures of some phrases, by names such as ``"EB bass"`` and ``"TD piano-guitar"``.

    Args:
        phrases: bool (N, bars, steps, pitches, tracks).
        config: configuration of the model that made them.

    Returns:
        EB and QN and DP in %, UPC, TD and the notes a bar; 0 stands for what cannot be measured, such as the pitch
        classes of a track that is always silent.
    """
    from d2m.symbolic.metrics import Tally

    tally = Tally(config.steps)
    tally.add(phrases, config.lowest)
    found = tally.metrics()
    figures = {f"EB {track}": found.empty_bars[track] for track in TRACKS}
    figures |= {f"UPC {track}": found.used_pitch_classes[track] for track in TRACKS[1:]}
    figures |= {f"QN {track}": found.qualified_notes[track] for track in TRACKS[1:]}
    figures |= {"DP": found.drum_pattern}
    figures |= {f"TD {pair}": distance for pair, distance in found.tonal_distance.items()}
    figures |= {f"notes {track}": found.notes_per_bar[track] for track in TRACKS}
    return {name: float(np.nan_to_num(value)) for name, value in figures.items()}


def distance_from(data: dict[str, float], made: dict[str, float]) -> float:
    """Compute the mean difference of two results of :func:`measure`, each metric in units of its tolerance.

    Args:
        data, made: metrics of the data and of generated phrases.
    """
    gaps = [abs(made[name] - value) / _TOLERANCE[name.split()[0]] for name, value in data.items()]
    return float(np.mean(gaps))


def picture(phrases: np.ndarray, config: MuseGanConfig, path: Path, title: str) -> None:
    """Draw the first phrases, one after another, as a piano-roll of five tracks.

    Args:
        phrases: generated phrases.
        config: configuration of the model.
        path: the output picture.
        title: title of the picture.
    """
    from d2m.symbolic.pianoroll_image import draw
    from d2m.symbolic.pianoroll_tensor import Resolution, from_tensor

    resolution = Resolution("own", config.steps, config.pitches, config.lowest)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(from_tensor(phrases[:_SHOWN], resolution), path, title)
