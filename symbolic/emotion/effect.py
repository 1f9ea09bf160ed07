"""Metrics of an actor: whether changed melodies reach the emotion, and how much of the tune is preserved.

Melodies are changed at several strengths, each towards one of the emotions in turn; also, vectors drawn from the
distribution of real ones become new melodies. Metrics are named after the start, ``from`` and ``new``, and the
strength:

* ``in region``: share of melodies whose mean pitch and notes per bar are in the emotion's region.
* ``pitch error``, ``density error``: mean distance to the targets, in standard deviations of real melodies.
* ``off chord``: share of onsets outside the chords estimated from the melody itself.
* ``realism``: the critic's probability that the vectors are those of real melodies, mean of 0 to 1.
* ``moved``: root mean square of the change of the latent values.
* ``tune``, ``rhythm``: similarity to MusicVAE's reconstruction of the melody (:mod:`d2m.symbolic.emotion.similarity`).
* ``pitch order``, ``density order``: Spearman's rank correlation of the emotions' means with their targets.
"""

from __future__ import annotations

import numpy as np
import torch

from d2m.symbolic.emotion.actor_critic import EmotionModel
from d2m.symbolic.emotion.emotions import attributes
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.emotion.losses import off_chord
from d2m.symbolic.emotion.similarity import rhythm_similarity, tune_similarity

STRENGTHS: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)


def measure(model: EmotionModel, melodies: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Compute the metrics of the module's docstring; undefined ones (no melody has a note) are left out.

    Args:
        model: vae, actor and critic.
        melodies: uint8 (N, 256), held out.
        rng: draws the vectors of new melodies.
    """
    mu, sigma = model.vae.encode(melodies)
    drawn = mu + sigma * rng.standard_normal(mu.shape).astype(np.float32)
    figures = {"real: realism": float(model.realism(drawn).mean())}
    figures |= starting_from(model, mu, "from", STRENGTHS)
    figures |= starting_from(model, model.draw(len(mu), rng), "new", (0.0, 1.0))
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def starting_from(
    model: EmotionModel, z: np.ndarray, name: str, strengths: tuple[float, ...], looks: int = 0
) -> dict[str, float]:
    """Measure vectors moved at several strengths, with the most likely melody of each.

    Args:
        model: actor and critic.
        z: float32 (N, latent).
        name: name of the start, for the names of the metrics.
        strengths: 0 to 1.
        looks: as for :meth:`~d2m.symbolic.emotion.actor_critic.EmotionModel.aim`.

    Returns:
        Metrics by name.
    """
    targets = model.table.targets()
    which = np.arange(len(z)) % len(targets)
    before = model.vae.decode(z)
    figures: dict[str, float] = {}
    for strength in strengths:
        moved = model.aim(z, targets[which], strength, looks)
        after = before if strength == 0 else model.vae.decode(moved)
        values = attributes(after)
        own = {
            "in region": model.table.hits(values, targets[which]).mean(),
            "off chord": off_chord(one_hot(torch.from_numpy(after))).mean().item(),
            "realism": model.realism(moved).mean(),
            "moved": np.sqrt(np.square(moved - z).mean()),
            "tune": tune_similarity(before, after).mean(),
            "rhythm": rhythm_similarity(before, after).mean(),
        }
        errors = model.table.errors(values, targets[which])
        for axis, title in enumerate(("pitch", "density")):
            known = np.isfinite(errors[:, axis])
            if known.any():
                own[f"{title} error"] = errors[known, axis].mean()
                own[f"{title} order"] = _order(values[known, axis], which[known], targets[:, axis])
        figures |= {f"{name} {strength:g}: {title}": float(value) for title, value in own.items()}
    return figures


def _order(values: np.ndarray, which: np.ndarray, targets: np.ndarray) -> float:
    present = np.unique(which)
    means = np.array([values[which == emotion].mean() for emotion in present])
    measured, asked = (np.argsort(np.argsort(of)) for of in (means, targets[present]))
    if len(present) < 2 or np.ptp(means) == 0:
        return float("nan")
    return float(np.corrcoef(measured, asked)[0, 1])
