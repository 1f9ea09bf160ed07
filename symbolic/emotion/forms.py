"""Form of a melody: which bars repeat an earlier one, and to what degree.

A third of the bars of a real melody repeat an earlier one. In a random latent vector the parts for different bars are
independent, so its bars are unrelated. Therefore a new melody is given the form of a real one (``forms.json``, computed
by ``scripts/fit_forms.py``): the conductor's output for a bar is interpolated with its output for the repeated bar
before decoding. Decoder and vector do not change. Templates of repetition that are chosen before the notes are a known
method for models without long-term memory (Medeot et al. 2018, "StructureNet: Inducing Structure in Generated
Melodies").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from d2m.symbolic.emotion.statistics import likeness
from d2m.symbolic.melody import BARS, CLASSES, STEPS_PER_BAR

FORMS = Path(__file__).with_name("forms.json")
#: Bars that share less of their onsets than this have nothing to do with each other.
RELATED = 0.5


@dataclass(frozen=True)
class Forms:
    """Forms of N melodies.

    Attributes:
        taken: the bar that each bar takes up, an earlier one, or itself if it is new: int64 (N, 16).
        share: how much of it is said again, 0 (new) to 1 (all of it): float32 (N, 16).
    """

    taken: np.ndarray
    share: np.ndarray

    def __len__(self) -> int:
        return len(self.taken)

    def __getitem__(self, rows: slice | np.ndarray) -> Forms:
        return Forms(self.taken[rows], self.share[rows])

    def draw(self, count: int, rng: np.random.Generator) -> Forms:
        """Draw forms with equal probability.

        Args:
            count: number of forms.
            rng: random generator.
        """
        return self[rng.integers(len(self), size=count)]


def forms_of(melodies: np.ndarray) -> Forms:
    """Estimate the forms of melodies: for each bar the earlier bar with which it shares most onsets, and the share.

    Args:
        melodies: uint8 (N, 256).

    Returns:
        The forms; bars below :data:`RELATED` are related to themselves.
    """
    bars = np.asarray(melodies).reshape(len(melodies), BARS, STEPS_PER_BAR)
    alike = np.where(np.tri(BARS, k=-1, dtype=bool), likeness(bars), 0.0)
    taken, share = alike.argmax(axis=2), alike.max(axis=2)
    related = share >= RELATED
    return Forms(np.where(related, taken, np.arange(BARS)), np.where(related, share, 0.0).astype(np.float32))


@cache
def load_forms(path: Path = FORMS) -> Forms:
    """Load the forms of real melodies that are included in the package.

    Args:
        path: the JSON file.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))["forms"]
    taken = np.array([[bar for bar, _ in row] for row in rows], np.int64)
    return Forms(taken, np.array([[share for _, share in row] for row in rows], np.float32))


def follow(said: Tensor, forms: Forms) -> Tensor:
    """Interpolate the conductor's output for each bar with that for the repeated bar.

    Args:
        said: float32 (B, 16, units).
        forms: forms of B melodies.

    Returns:
        float32 (B, 16, units).
    """
    share = torch.from_numpy(forms.share).to(said)[..., None]
    taken = torch.from_numpy(forms.taken).to(said.device)
    rows, bars = torch.arange(len(said), device=said.device), []
    for bar in range(BARS):
        # A bar takes up an earlier one or itself; its own place is filled before it is looked up.
        bars.append(said[:, bar])
        earlier = torch.stack(bars, dim=1)[rows, taken[:, bar]]
        bars[-1] = torch.lerp(said[:, bar], earlier, share[:, bar])
    return torch.stack(bars, dim=1)


def shared_noise(forms: Forms, rng: np.random.Generator) -> np.ndarray:
    """Draw Gumbel noise for every class of every step; bars that repeat another use its noise.

    Every bar for itself is drawn as before, but chance no longer sets bars apart that mean the same.

    Args:
        forms: forms of B melodies.
        rng: random generator.

    Returns:
        float32 (B, 16, 16, 90).
    """
    noise = rng.gumbel(size=(len(forms), BARS, STEPS_PER_BAR, CLASSES)).astype(np.float32)
    rows = np.arange(len(forms))
    for bar in range(BARS):
        noise[:, bar] = noise[rows, forms.taken[:, bar]]
    return noise
