"""Measure whether moods change composed scores as their table says, and in proportion to the strength.

    python scripts/measure_mood.py [--pieces 2] [--seconds 10] [--renders 4] [--wav FOLDER] [--json FILE]

Composes ``--pieces`` scores of each genre, changes each to the nine moods, and prints two tables in Markdown. The first
holds the mean of each measurement for each mood at strength 1, and Spearman's rank correlation of the nine with what
the table of moods asks for; for the raw scores, and for single pieces on average. The second holds, for the strengths
0, 0.25, 0.5, 0.75 and 1, the share of steps from one strength to the next that go the way of the whole change or
stay, for means over the pieces and for single pieces.

* pitch: mean pitch of the parts above the bass, MIDI.
* density: notes a second of all parts but effects.
* mode: number of the five degrees that differ between lydian and phrygian that are raised, by sounding time (0 to 5).
* thirds: share of major thirds among all thirds above the tonic, by sounding time.
* velocity: mean velocity.
* length: median share of the time to the next stroke that a note sounds, pads and bass left out.
* loudness, centroid: loudness of the finished music in LUFS, and spectral centroid in hertz, of ``--renders`` scores.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit_brightness import centroid

from d2m.audio.loudness import loudness
from d2m.symbolic.composer import compose, typical_tempo
from d2m.symbolic.emotion.mood import Mood, in_mood
from d2m.symbolic.emotion.mood_notes import is_pad, pitched, strokes
from d2m.symbolic.emotion.mood_table import aims
from d2m.symbolic.sound.player import RATE
from d2m.symbolic.sound.render import finished, mix_down
from d2m.types import GENRES, BeatGrid, Score

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Measurement -> what the table asks for.
TARGETS = {
    "pitch": "pitch", "density": "density", "mode": "mode", "thirds": "mode", "velocity": "velocity",
    "length": "length", "loudness": "velocity", "centroid": "brightness",
}  # fmt: skip
_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Raised and lowered variant of the five degrees that modes differ in.
_DEGREES = ((2, 1), (4, 3), (6, 5), (9, 8), (11, 10))
#: A step back of this share of the spread over all moods counts as none.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Renderer:
    """Renders scores, and keeps them as WAV files if wanted."""

    folder: Path | None

    def measure(self, score: Score, name: str) -> dict[str, float]:
        """Return the loudness of the finished music in LUFS, and the centroid of the mix in hertz.

        Args:
            score: the score.
            name: name of the file.
        """
        made = mix_down(score)
        music = finished(made, score).mix
        if self.folder is not None:
            from d2m.media.write import write_wav

            self.folder.mkdir(parents=True, exist_ok=True)
            write_wav(self.folder / f"{name}.wav", music, RATE)
        return {"loudness": loudness(music, RATE), "centroid": centroid(made.mix.mean(axis=0), RATE)}


def measure(score: Score) -> dict[str, float]:
    """Return the measurements of the notes of a score; see the module's docstring.

    Args:
        score: a composed score, with a key.
    """
    parts = score.instruments().parts
    above = [part for part in pitched(score) if part.track != "bass"]
    key = score.key or "C:maj"
    tonic = (_NOTES[key[0]] - key.split(":")[0][1:].count("b")) % 12
    chroma = np.zeros(12)
    for part in pitched(score):
        np.add.at(chroma, (part.pitches - tonic) % 12, np.minimum(part.ends - part.starts, 4.0))
    shares = []
    for part in above:
        if not is_pad(part):
            numbers = strokes(part)
            firsts = part.starts[np.flatnonzero(np.diff(numbers, prepend=-1))]
            gaps = np.append(np.diff(firsts), np.nan)[numbers]
            shares.append((part.ends - part.starts) / gaps)
    raised = [chroma[high] / max(chroma[high] + chroma[low], 1e-9) for high, low in _DEGREES]
    return {
        "pitch": float(np.concatenate([part.pitches for part in above]).mean()),
        "density": sum(len(part.starts) for part in parts) / score.duration,
        "mode": float(sum(raised)),
        "thirds": float(raised[1]),
        "velocity": float(np.concatenate([part.velocities for part in parts]).mean()),
        "length": float(np.nanmedian(np.concatenate(shares))),
    }


def pieces(count: int, seconds: float) -> list[Score]:
    """Compose scores of every genre, at different tempos.

    Args:
        count: scores of each genre.
        seconds: length.
    """
    scores = []
    for turn in range(count):
        for genre in GENRES:
            low, high = typical_tempo(genre)
            tempo = low + (high - low) * (turn + 0.5) / count
            grid = BeatGrid.steady(tempo, seconds)
            scores.append(compose(grid, seconds, genre, np.random.default_rng(100 + turn)))
    return scores


def correlation(values: list[float], name: str) -> float:
    """Return Spearman's rank correlation of nine values with what the table asks for.

    Args:
        values: of the moods, in the order of the table.
        name: name of the measurement.
    """
    from scipy.stats import spearmanr

    return float(spearmanr(values, [aim[TARGETS[name]] for aim in aims().values()]).statistic)


def steps_forward(values: np.ndarray, spread: float) -> float:
    """Return the share of steps that go the way of the whole change.

    Args:
        values: by strength, the last axis.
        spread: of the measurement over all moods; steps back of one hundredth of it are none.
    """
    way = np.sign(values[..., -1:] - values[..., :1])
    forward = np.diff(values, axis=-1) * way >= -_TOLERANCE * spread
    return float(forward.mean())


def table(figures: dict[str, np.ndarray]) -> dict[str, object]:
    """Print both tables and return what they hold.

    Args:
        figures: by measurement, (moods, pieces, strengths).
    """
    names = list(aims())
    print("| | " + " | ".join(figures) + " |\n|---|" + "---|" * len(figures))
    start = {name: float(values[0, :, 0].mean()) for name, values in figures.items()}
    print("| as composed | " + " | ".join(f"{value:.2f}" for value in start.values()) + " |")
    ends = {name: values[:, :, -1].mean(axis=1) for name, values in figures.items()}
    for number, mood in enumerate(names):
        print(f"| {mood} | " + " | ".join(f"{values[number]:.2f}" for values in ends.values()) + " |")
    together = {name: correlation(list(values), name) for name, values in ends.items()}
    single = {
        name: float(np.mean([correlation(list(column), name) for column in values[:, :, -1].T]))
        for name, values in figures.items()
    }
    print("| rank correlation | " + " | ".join(f"{value:.2f}" for value in together.values()) + " |")
    print("| of single pieces | " + " | ".join(f"{value:.2f}" for value in single.values()) + " |\n")
    spreads = {name: float(np.ptp(values)) for name, values in ends.items()}
    means = {name: steps_forward(values.mean(axis=1), spreads[name]) for name, values in figures.items()}
    each = {name: steps_forward(values, spreads[name]) for name, values in figures.items()}
    print("| steps forward | " + " | ".join(figures) + " |\n|---|" + "---|" * len(figures))
    print("| means | " + " | ".join(f"{value:.3f}" for value in means.values()) + " |")
    print("| single pieces | " + " | ".join(f"{value:.3f}" for value in each.values()) + " |")
    by_mood = {name: dict(zip(names, map(float, values), strict=True)) for name, values in ends.items()}
    return {
        "as composed": start, "moods": by_mood, "rank correlation": together, "of single pieces": single,
        "steps forward, means": means, "steps forward, single pieces": each,
    }  # fmt: skip


def heard(scores: list[Score], strengths: tuple[float, ...], renderer: Renderer) -> dict[str, np.ndarray]:
    """Render scores in all moods and return their measurements: by name, (moods, pieces, strengths).

    Args:
        scores: composed scores.
        strengths: beginning with 0, at which the score sounds the same for all moods.
        renderer: renders them.
    """
    rows = []
    for number, score in enumerate(scores):
        plain = renderer.measure(score, f"{number}-{score.genre}-none")
        for mood in aims():
            changed = [
                renderer.measure(in_mood(score, Mood(mood, strength), 0), f"{number}-{score.genre}-{mood}-{strength:g}")
                for strength in strengths[1:]
            ]
            rows.append([plain, *changed])
    shape = (len(scores), len(aims()), len(strengths))
    return {
        name: np.array([[one[name] for one in row] for row in rows]).reshape(shape).transpose(1, 0, 2)
        for name in rows[0][0]
    }


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=2, help="Scores of each genre.")
    parser.add_argument("--seconds", type=float, default=10.0, help="Length of the scores.")
    parser.add_argument("--renders", type=int, default=4, help="Scores that are rendered.")
    parser.add_argument("--strengths", type=int, default=2, choices=(2, 5), help="Strengths that are rendered.")
    parser.add_argument("--wav", type=Path, help="Folder for the renders.")
    parser.add_argument("--json", type=Path, help="Output JSON file.")
    arguments = parser.parse_args()
    scores, moods = pieces(arguments.pieces, arguments.seconds), list(aims())
    rows = [
        [[measure(in_mood(score, Mood(mood, strength), 0)) for strength in STRENGTHS] for score in scores]
        for mood in moods
    ]
    found = {name: np.array([[[one[name] for one in row] for row in of] for of in rows]) for name in rows[0][0][0]}
    made = {"notes": table(found)}
    if arguments.renders:
        print()
        chosen = np.linspace(0, len(GENRES) - 1, arguments.renders).round().astype(int)
        wanted = STRENGTHS if arguments.strengths == 5 else (0.0, 1.0)
        made["renders"] = table(heard([scores[i] for i in chosen], wanted, Renderer(arguments.wav)))
    if arguments.json:
        arguments.json.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
