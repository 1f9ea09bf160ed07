"""Sample from a trained MuseGAN: phrases from scratch, accompaniments of a given track, and interpolations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from d2m.errors import D2MError
from d2m.symbolic.musegan.config import MuseGanConfig
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.musegan.latents import Latents, between, draw, grid
from d2m.types import TRACKS

#: Ways to make notes of the generator's numbers: all above 0 (Dong et al. 2018, section "Model Settings"), or each with
#: the chance that its number stands for (compared by Dong & Yang 2018).
BINARISATIONS = ("threshold", "bernoulli")

#: Phrases, or bars with a given track, that are generated at a time, so that memory stays bounded.
_AT_ONCE = 64


@dataclass(frozen=True)
class MuseGan:
    """A trained generator.

    Attributes:
        generator: in evaluation mode.
        name: name of its weights.
    """

    generator: Generator
    name: str = ""

    @property
    def config(self) -> MuseGanConfig:
        return self.generator.config

    def generate(
        self, phrases: int = 1, seed: int = 0, binarise: str = "threshold", related: bool = False
    ) -> np.ndarray:
        """Return phrases from scratch.

        Args:
            phrases: how many.
            seed: the same seed makes the same phrases.
            binarise: one of :data:`BINARISATIONS`.
            related: all phrases share the time-independent vectors, so that they belong to one piece.

        Returns:
            bool (phrases, bars, steps, pitches, tracks), tracks in the order of :data:`d2m.types.TRACKS`.

        Raises:
            D2MError: if this model needs a given track, or an argument is out of range.
        """
        self._from_scratch()
        if phrases < 1:
            raise D2MError("give at least one phrase to generate")
        rng = np.random.default_rng(seed)
        latents = draw(self.config, rng, phrases)
        return self.realise(_related(latents) if related else latents, rng, binarise)

    def _from_scratch(self) -> None:
        if self.config.conditional:
            needed = TRACKS[self.config.condition]
            raise D2MError(f"{self.name or 'this model'} accompanies a {needed} track; use accompany, or another model")

    def realise(
        self, latents: Latents, rng: np.random.Generator | None = None, binarise: str = "threshold"
    ) -> np.ndarray:
        """Generate the phrases of the given random vectors: bool (B, bars, steps, pitches, tracks).

        Args:
            latents: latents of B phrases.
            rng: random generator for ``"bernoulli"``.
            binarise: one of :data:`BINARISATIONS`.
        """
        _check(binarise)
        count = len(next(value for value in latents if value is not None))
        parts = []
        for start in range(0, count, _AT_ONCE):
            with torch.inference_mode():
                outputs = self.generator(latents.rows(slice(start, start + _AT_ONCE)))
            parts.append(_binary(outputs, binarise, rng))
        return np.concatenate(parts)

    def accompany(self, track: np.ndarray, seed: int = 0, binarise: str = "threshold") -> np.ndarray:
        """Return the other tracks to a given one, of any length.

        Args:
            track: bool (bars, steps, pitches) of the track that the model was trained to be given.
            seed: the same seed makes the same accompaniment.
            binarise: one of :data:`BINARISATIONS`.

        Returns:
            bool (bars, steps, pitches, tracks), the given track among them as it was.

        Raises:
            D2MError: if the model takes no track, or ``track`` is of another resolution.
        """
        config = self.config
        _check(binarise)
        if not config.conditional:
            raise D2MError(
                f"{self.name or 'this model'} generates music from scratch; choose a model conditioned on a track"
            )
        track = np.asarray(track, dtype=bool)
        if track.ndim != 3 or track.shape[1:] != (config.steps, config.pitches) or not len(track):
            raise D2MError(f"a track of shape {track.shape} instead of (bars, {config.steps}, {config.pitches})")
        rng = np.random.default_rng(seed)
        latents = draw(config, rng, 1, len(track))
        given = torch.from_numpy(track).float()[None] * 2 - 1
        parts = []
        for start in range(0, len(track), _AT_ONCE):
            bars = slice(start, start + _AT_ONCE)
            with torch.inference_mode():
                outputs = self.generator(_bars_of(latents, bars), given[:, bars])
            made = _binary(outputs, binarise, rng)[0]
            # Drawn or not, the given track stays what it is.
            made[..., config.condition] = track[bars]
            parts.append(made)
        return np.concatenate(parts)

    def way(self, first: int, second: int, count: int, binarise: str = "threshold") -> np.ndarray:
        """Interpolate between the phrases of two seeds.

        Args:
            first, second: random seeds.
            count: number of phrases, both ends included.
            binarise: one of :data:`BINARISATIONS`.

        Returns:
            bool (count, bars, steps, pitches, tracks).

        Raises:
            D2MError: if this model needs a given track, or there are fewer than 2 phrases.
        """
        self._from_scratch()
        if count < 2:
            raise D2MError("an interpolation between two seeds needs 2 phrases or more")
        a, b = (draw(self.config, np.random.default_rng(seed), 1) for seed in (first, second))
        rng = np.random.default_rng([first, second])
        weights = np.linspace(0, 1, count).tolist()
        return np.concatenate([self.realise(between(a, b, weight), rng, binarise) for weight in weights])

    def square(self, first: int, second: int, count: int) -> np.ndarray:
        """Generate the phrases of :func:`~d2m.symbolic.musegan.latents.grid` between two seeds.

        Args:
            first, second: random seeds.
            count: points in each direction.

        Returns:
            bool (count, count, bars, ...).
        """
        a, b = (draw(self.config, np.random.default_rng(seed), 1) for seed in (first, second))
        rows = grid(a, b, count)
        return np.stack([np.concatenate([self.realise(point) for point in row]) for row in rows])


def _related(latents: Latents) -> Latents:
    """All phrases with the time-independent vectors of the first."""
    return latents._replace(
        inter=None if latents.inter is None else latents.inter[:1].expand_as(latents.inter),
        intra=None if latents.intra is None else latents.intra[:1].expand_as(latents.intra),
    )


def _bars_of(latents: Latents, bars: slice) -> Latents:
    """Some bars of the time-dependent vectors of a conditional model."""
    return latents._replace(
        inter_time=None if latents.inter_time is None else latents.inter_time[:, bars],
        intra_time=None if latents.intra_time is None else latents.intra_time[:, :, bars],
    )


def _check(binarise: str) -> None:
    if binarise not in BINARISATIONS:
        raise D2MError(f"no binarisation '{binarise}'; choose {' or '.join(BINARISATIONS)}")


def _binary(outputs: Tensor, binarise: str, rng: np.random.Generator | None) -> np.ndarray:
    if binarise == "threshold":
        return (outputs > 0).numpy()
    chances = ((outputs + 1) / 2).numpy()
    rng = np.random.default_rng(0) if rng is None else rng
    return rng.random(chances.shape, dtype=np.float32) < chances
