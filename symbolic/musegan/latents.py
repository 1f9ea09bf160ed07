"""Random vectors of a phrase: inter-track and intra-track, time-independent and time-dependent.

Dong et al. 2018, section "MuseGAN": an inter-track time-independent vector z, an inter-track time-dependent z_t, and
for each track an intra-track time-independent z_i and an intra-track time-dependent z_i,t. The jamming model has only
the intra-track ones, the composer only the inter-track ones. From scratch, a time-dependent vector is one vector that
a temporal generator turns into one a bar; with a given track it is one random vector a bar.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from d2m.symbolic.musegan.config import MuseGanConfig


class Latents(NamedTuple):
    """Random vectors of B phrases; z is :attr:`MuseGanConfig.vector`, M the number of tracks.

    Attributes:
        inter: (B, z), or None in the jamming model.
        inter_time: (B, z) from scratch, (B, bars, z) with a given track, or None in the jamming model.
        intra: (B, M, z), or None in the composer model.
        intra_time: (B, M, z) or (B, M, bars, z), or None in the composer model.
    """

    inter: Tensor | None
    inter_time: Tensor | None
    intra: Tensor | None
    intra_time: Tensor | None

    def to(self, device: torch.device | str) -> Latents:
        """Move the vectors to a device.

        Args:
            device: the device.
        """
        return Latents(*(None if value is None else value.to(device) for value in self))

    def rows(self, which: slice) -> Latents:
        """Select some of the phrases.

        Args:
            which: rows.
        """
        return Latents(*(None if value is None else value[which] for value in self))


def draw(config: MuseGanConfig, rng: np.random.Generator, count: int, bars: int | None = None) -> Latents:
    """Return standard normal random vectors.

    Args:
        config: configuration of the model.
        rng: source of the numbers.
        count: B.
        bars: number of bars of the conditional model, by default those of the configuration; no other model can choose.
    """
    course = (bars or config.bars,) if config.conditional else ()
    inter: tuple[Tensor | None, Tensor | None] = (None, None)
    intra: tuple[Tensor | None, Tensor | None] = (None, None)
    if config.model != "jamming":
        inter = (_normal(rng, (count, config.vector)), _normal(rng, (count, *course, config.vector)))
    if config.model != "composer":
        tracks = (count, config.tracks)
        intra = (_normal(rng, (*tracks, config.vector)), _normal(rng, (*tracks, *course, config.vector)))
    return Latents(*inter, *intra)


def between(first: Latents, second: Latents, weight: float) -> Latents:
    """Interpolate each vector along the sphere.

    Random vectors lie close to a sphere, and a straight line between two of them leaves it (White 2016, "Sampling
    Generative Networks"); the authors' interpolations follow it, too.

    Args:
        first, second: vectors of the same shapes.
        weight: 0 for ``first`` to 1 for ``second``.
    """
    pairs = zip(first, second, strict=True)
    return Latents(*(None if a is None or b is None else _arc(a, b, weight) for a, b in pairs))


def grid(corner: Latents, other: Latents, count: int) -> list[list[Latents]]:
    """Interpolate in two directions, as in the authors' figure: inter-track vectors along the rows, intra-track vectors
    along the columns.

    Down the rows the inter-track vectors go from those of ``corner`` to those of ``other``, along the columns the
    intra-track ones do.

    Args:
        corner, other: vectors of opposite corners.
        count: points in each direction.

    Returns:
        ``count`` rows of ``count`` points.
    """
    points: list[list[Latents]] = []
    for row in np.linspace(0, 1, count):
        inter = between(corner, other, float(row))
        points.append([])
        for column in np.linspace(0, 1, count):
            intra = between(corner, other, float(column))
            points[-1].append(Latents(inter.inter, inter.inter_time, intra.intra, intra.intra_time))
    return points


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _arc(a: Tensor, b: Tensor, weight: float) -> Tensor:
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = torch.arccos(cosine)
    straight = (1 - weight) * a + weight * b
    arc = (torch.sin((1 - weight) * angle) * a + torch.sin(weight * angle) * b) / torch.sin(angle).clamp(min=1e-6)
    # Vectors in the same or the opposite direction have no arc between them.
    return torch.where(cosine.abs() > 1 - 1e-6, straight, arc)
