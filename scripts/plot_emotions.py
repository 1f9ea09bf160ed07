"""Plot the melodies of the nine emotions in mean pitch and density, and in the latent space.

    python scripts/plot_emotions.py ACTOR --vae VAE --data MELODIES [-o docs] [--count 150]

ACTOR and VAE are names, safetensors files, or checkpoints of runs. Writes ``emotions-clouds.png`` (melodies made for
each emotion, the targets, and real melodies behind them) and ``emotions-latent.png`` (vectors of real melodies, as
drawn, and of the emotions, on the two principal components of the latter).
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from measure_emotion import open_actor

from d2m.datasets.melodies import load_melodies
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.emotion.actor_critic import LOOKS, EmotionModel
from d2m.symbolic.emotion.emotions import attributes
from d2m.symbolic.emotion.forms import load_forms

#: Colours in the order of the table, also distinguishable with red-green colour blindness.
COLOURS = ("#d55e00", "#e6b800", "#f0869c", "#009e73", "#56b4e9", "#9b4f96", "#0072b2", "#66c2a5", "#4d4d4d")


def clouds(model: EmotionModel, made: np.ndarray, real: np.ndarray) -> Figure:
    """Return melodies of each emotion (E, N, 256) by mean pitch and notes a bar, before real ones (M, 256)."""
    figure = Figure(figsize=(9, 6.5), dpi=110)
    axes = figure.subplots()
    values = attributes(real)
    axes.scatter(*values.T, s=4, color="#d9d9d9", label="real melodies", zorder=1)
    for emotion, rows, colour in zip(model.table.emotions, made, COLOURS, strict=True):
        values = attributes(rows)
        values = values[np.isfinite(values).all(axis=1)]
        axes.scatter(*values.T, s=7, alpha=0.45, color=colour, zorder=2)
        if len(values) > 2:
            axes.add_patch(ellipse(values, colour))
        axes.plot(emotion.pitch, emotion.density, marker="+", ms=14, mew=2.5, color=colour, zorder=4)
        axes.annotate(
            emotion.name,
            (emotion.pitch, emotion.density),
            xytext=(0, 20),
            textcoords="offset points",
            ha="center",
            color=colour,
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=5,
        )
    spread = 4 * np.array([model.table.pitch_deviation, model.table.density_deviation])
    axes.set_xlim(model.table.pitch_mean - spread[0], model.table.pitch_mean + spread[0])
    axes.set_ylim(max(model.table.density_mean - spread[1], 0), model.table.density_mean + spread[1])
    axes.set_xlabel("mean pitch (MIDI)")
    axes.set_ylabel("notes a bar")
    axes.set_title(
        "Melodies made for nine emotions (+ what was asked for, ellipse: one standard deviation)", loc="left"
    )
    axes.legend(loc="upper right", frameon=False)
    return figure


def ellipse(values: np.ndarray, colour: str) -> Ellipse:
    """Return one standard deviation around the mean of points (N, 2)."""
    lengths, axes = np.linalg.eigh(np.cov(values.T))
    width, height = 2 * np.sqrt(lengths.clip(0))
    angle = float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))
    return Ellipse(values.mean(axis=0), width, height, angle=angle, fill=False, lw=2, color=colour, zorder=3)


def latent(model: EmotionModel, moved: np.ndarray, prior: np.ndarray, known: np.ndarray) -> Figure:
    """Return vectors of each emotion (E, N, latent), as drawn and of real melodies, on two principal components."""
    centre = moved.mean(axis=(0, 1))
    _, sizes, directions = np.linalg.svd((moved - centre).reshape(-1, moved.shape[-1]), full_matrices=False)
    told = np.square(sizes[:2]).sum() / np.square(sizes).sum()
    figure = Figure(figsize=(9, 6.5), dpi=110)
    axes = figure.subplots()
    for rows, colour, name in ((known, "#bfbfbf", "real melodies"), (prior, "#e8d9a8", "as drawn")):
        axes.scatter(*((rows - centre) @ directions[:2].T).T, s=5, color=colour, label=name, zorder=1)
    for emotion, rows, colour in zip(model.table.emotions, moved, COLOURS, strict=True):
        points = (rows - centre) @ directions[:2].T
        axes.scatter(*points.T, s=7, alpha=0.5, color=colour, zorder=2)
        place = points.mean(axis=0)
        axes.annotate(
            emotion.name,
            place,
            ha="center",
            color=colour,
            weight="bold",
            fontsize=11,
            zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second")
    axes.set_title(
        f"Latent vectors after the actor: two of {moved.shape[-1]} directions, {100 * told:.0f} % of the variance",
        loc="left",
    )
    axes.legend(loc="upper right", frameon=False)
    return figure


def write(figure: Figure, path: Path) -> None:
    """Write the figure as PNG atomically."""
    FigureCanvasAgg(figure)
    figure.tight_layout()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    atomic_write_bytes(path, picture.getvalue())
    print(f"{path}: {len(picture.getvalue()) / 1024:.0f} kB")


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actor")
    parser.add_argument("--vae", default="studio-musicvae")
    parser.add_argument("--data", type=Path, required=True, help="folder of melodies")
    parser.add_argument("--output", "-o", type=Path, default=Path("docs"), help="folder for the pictures")
    parser.add_argument("--count", type=int, default=150, help="melodies of each emotion")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = open_actor(args.actor, args.vae)
    if len(model.table.emotions) > len(COLOURS):
        raise D2MError(f"there are colours for {len(COLOURS)} emotions")
    rng = np.random.default_rng(args.seed)
    prior, forms = model.draw(args.count, rng), load_forms().draw(args.count, rng)
    moved = np.stack([model.move(prior, emotion, looks=LOOKS, forms=forms) for emotion in model.table.emotions])
    made = np.stack([model.compose(emotion, args.count, args.seed) for emotion in model.table.emotions])
    real = load_melodies(args.data, "train").spread(1500)
    mu, sigma = model.vae.encode(real[:: max(len(real) // 500, 1)])
    known = mu + sigma * rng.standard_normal(mu.shape).astype(np.float32)
    write(clouds(model, made, real), args.output / "emotions-clouds.png")
    write(latent(model, moved, prior, known), args.output / "emotions-latent.png")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
