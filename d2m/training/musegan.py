"""Train MuseGAN: WGAN-GP, five critic steps for each generator step (Dong et al. 2018, section "Model Settings").

The defaults are the paper's, with the batch size and learning rate of the authors' published configuration. The
compact settings differ, for two cores: smaller batches, a higher learning rate, transposed phrases, critics that get
binary notes from a given step on, and samples from a moving average of the generator (Yazıcı et al. 2019, "The Unusual
Effectiveness of Averaging in GAN Training"), which removes the effect of the critic's last updates.

With several devices, batch norms use a device's own rows of the batch, as is usual in data-parallel training.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.symbolic.musegan.config import MuseGanConfig
from d2m.symbolic.musegan.critic import Critics, gradient_penalty, points_between
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.musegan.latents import Latents, draw
from d2m.training.devices import share_of
from d2m.training.loop import Task
from d2m.training.musegan_report import distance_from, measure, picture
from d2m.training.musegan_start import start_from
from d2m.training.settings import describe

#: A step that no run reaches.
NEVER = 10**9
#: Phrases that the share of notes at each place is counted on before the first step.
_COUNTED = 1024
#: Phrases that are generated at a time outside the training steps.
_AT_ONCE = 64


class Phrases(Protocol):
    """A set of phrases, as :class:`d2m.symbolic.phrases` has them."""

    def batch(self, rng: np.random.Generator, count: int, transpose: int = 0) -> np.ndarray:
        """Draw phrases, transposed at random.

        Args:
            rng: random generator.
            count: number of phrases.
            transpose: maximum transposition in semitones.

        Returns:
            float32 (count, bars, steps, pitches, tracks) of 0 and 1.
        """


@dataclass(frozen=True)
class MuseGanTraining:
    """Settings of a run.

    Attributes:
        data: folder of the phrases.
        batch: phrases a step.
        critic_steps: for each step of the generator.
        learning_rate, betas: parameters of Adam.
        penalty: weight of the gradient penalty.
        average: how much of the averaged generator stays at each step, less at the beginning; 0 for the generator
            itself.
        transpose: phrases are moved by up to this many semitones either way.
        binary_after: step from which the critics hear notes instead of the generator's numbers: all above 0 sound, and
            the gradient passes as if they were not rounded (deterministic binary neurons, Dong & Yang 2018, section
            3.3). Up to then, as in the paper, they hear the numbers, in which a track that can not decide between
            notes is heard, but plays none.
        measured: phrases that are generated and measured at each evaluation; twice as many set the batch norms of the
            averaged generator before.
    """

    data: Path
    batch: int = 64
    critic_steps: int = 5
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.9)
    penalty: float = 10.0
    average: float = 0.0
    transpose: int = 0
    binary_after: int = NEVER
    measured: int = 256


def compact_training(data: Path, **changes: Any) -> MuseGanTraining:
    """Return the settings for the compact resolution on two cores.

    Args:
        data: folder of phrases.
    """
    settings = MuseGanTraining(data, batch=16, learning_rate=5e-4, average=0.999, transpose=5, binary_after=1000)
    return replace(settings, **changes)


class MuseGanTask(Task):
    """The loop's view of a MuseGAN in training.

    Args:
        settings: settings of the run.
        config: configuration of the model.
        phrases: training data at the model's resolution.
        pictures: folder for pictures of what the generator makes, or None for none.
        seed: random seed of what is generated at evaluations.
    """

    def __init__(
        self,
        settings: MuseGanTraining,
        config: MuseGanConfig,
        phrases: Phrases,
        pictures: Path | None = None,
        seed: int = 0,
    ) -> None:
        if settings.batch < 2 or settings.critic_steps < 1 or not 0 <= settings.average < 1:
            raise D2MError("a batch has 2 phrases or more, a critic 1 step or more, and the average stays below 1")
        self.settings, self.config, self.phrases = settings, config, phrases
        self.pictures, self.seed = pictures, seed
        self._of_data: dict[str, float] | None = None
        self._binary = False
        self.generator, self.critics = Generator(config), Critics(config)
        notes, self._playing = self._shares()
        self.generator.start_from(notes, self._playing)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.modules = {"generator": self.generator, "critics": self.critics, "average": self.average}
        self.optimizers = {
            name: torch.optim.Adam(self.modules[name].parameters(), settings.learning_rate, settings.betas)
            for name in ("generator", "critics")
        }

    def start_from(self, path: Path) -> None:
        """Load the networks of another run's checkpoint; see :func:`d2m.training.musegan_start.start_from`.

        Args:
            path: the checkpoint.

        Raises:
            D2MError: if the checkpoint is damaged, or not that of a like model.
        """
        start_from(path, self.modules, self.config)

    def describe(self) -> dict[str, Any]:
        """Return the settings of the run and the shape of the model.

        From which step notes are heard is left out: that may be decided while a run goes on.
        """
        settings = {name: value for name, value in asdict(self.settings).items() if name != "binary_after"}
        return describe(settings) | {f"model.{name}": value for name, value in asdict(self.config).items()}

    def state(self) -> dict[str, object]:
        """Return the shape of the model, for its export."""
        return {"config": self.config.to_dict()}

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Return some steps of the critics, each on a batch of its own, then one of the generator.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        self.generator.train()
        self._binary = step >= self.settings.binary_after
        figures = [self._critic_step(rng) for _ in range(self.settings.critic_steps)]
        means = {name: float(np.mean([f[name] for f in figures])) for name in figures[0]}
        means["generator"] = self._generator_step(rng)
        self._follow(step)
        return means

    def evaluate(self, step: int) -> dict[str, float]:
        """Return the paper's figures of generated phrases, and their distance from those of the data.

        The batch norms of the averaged generator first count anew what its averaged weights make of random vectors.

        Args:
            step: number of training steps done.
        """
        rng = np.random.default_rng([self.seed, step])
        self._recount(rng)
        made = self._made(rng, self.settings.measured)
        figures = measure(made, self.config)
        if self.pictures is not None and self.fabric.is_global_zero:
            picture(made, self.config, self.pictures / f"{step:06d}.png", f"step {step}")
        return {"distance from data": distance_from(self._data_figures(), figures), **figures}

    def score(self, held_out: dict[str, float]) -> float:
        """Return the distance of the figures from those of the data.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["distance from data"]

    @torch.no_grad()
    def _recount(self, rng: np.random.Generator) -> None:
        """Counts anew what averaged weights make of random vectors, for batch norms and for how often tracks rest."""
        norms = [module for module in self.average.modules() if isinstance(module, nn.BatchNorm1d)]
        for norm in norms:
            # With no momentum torch keeps the plain mean over all batches since the reset.
            norm.reset_running_stats()
            norm.momentum = None
        self.average.train()
        at_once = min(_AT_ONCE, self.settings.measured)
        rests = self.average.resting()
        views: list[list[Tensor]] = [[] for _ in rests]
        hooks = [
            part.norm.register_forward_hook(lambda _, __, view, seen=seen: seen.append(view))
            for part, seen in zip(rests, views, strict=True)
        ]
        for _ in range(0, 2 * self.settings.measured, at_once):
            self._play(self.average, rng, at_once)
        for hook in hooks:
            hook.remove()
        if rests:
            playing = self._playing[list(self.config.made)].to(self.fabric.device)
            for part, share, seen in zip(rests, self.average.shares(playing), views, strict=True):
                part.start_from(share, torch.cat(seen))
        self.average.eval()

    @torch.no_grad()
    def _made(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """bool (count, bars, steps, pitches, tracks) by the averaged generator."""
        self.average.eval()
        at_once = min(_AT_ONCE, count)
        parts = [self._play(self.average, rng, at_once) for _ in range(0, count, at_once)]
        return (torch.cat(parts)[:count] > 0).cpu().numpy()

    def _play(self, generator: Generator, rng: np.random.Generator, count: int) -> Tensor:
        condition = None
        if self.config.conditional:
            given = self.phrases.batch(rng, count, self.settings.transpose)[..., self.config.condition]
            condition = torch.from_numpy(given * 2 - 1).to(self.fabric.device)
        with self.autocast():
            return generator(draw(self.config, rng, count).to(self.fabric.device), condition)

    def _data_figures(self) -> dict[str, float]:
        """Of as many phrases of the data as are generated."""
        if self._of_data is None:
            real = self.phrases.batch(np.random.default_rng(self.seed), self.settings.measured, self.settings.transpose)
            self._of_data = measure(real > 0.5, self.config)
        return self._of_data

    def _critic_step(self, rng: np.random.Generator) -> dict[str, float]:
        real, latents = self._phrases(rng), self._latents(rng)
        condition = self._given(real)
        share = torch.from_numpy(self.own(rng.random(self.settings.batch, dtype=np.float32))).to(real.device)
        with torch.no_grad(), self.autocast():
            made = self._heard(self.generator(latents, condition))
        with self.autocast():
            said = self.critics(torch.cat([real, made]), points_between(real, made, share))
        of_real, of_made = said.scores.split(len(real))
        distance = (of_real.mean(0) - of_made.mean(0)).sum()
        penalty = gradient_penalty(said.slopes)
        self.update("critics", self.settings.penalty * penalty - distance)
        return {"distance": distance.item(), "penalty": penalty.item()}

    def _generator_step(self, rng: np.random.Generator) -> float:
        latents = self._latents(rng)
        condition = self._given(self._phrases(rng)) if self.config.conditional else None
        self.critics.requires_grad_(False)
        with self.autocast():
            scores = self.critics(self._heard(self.generator(latents, condition))).scores
        loss = -scores.mean(0).sum()
        self.update("generator", loss)
        self.critics.requires_grad_(True)
        return loss.item()

    def _heard(self, made: Tensor) -> Tensor:
        """What the critics are given of the generator's output."""
        if not self._binary:
            return made
        notes = torch.where(made > 0, 1.0, -1.0)
        return made + (notes - made).detach()

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Lets the average follow the generator, closely while there is little to average."""
        keep = min(self.settings.average, (1 + step) / (10 + step))
        for mean, value in zip(self.average.state_dict().values(), self.generator.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def _phrases(self, rng: np.random.Generator) -> Tensor:
        """This device's rows of a batch of phrases, -1 and 1."""
        rolls = self.phrases.batch(rng, self.settings.batch, self.settings.transpose)
        return torch.from_numpy(self.own(rolls)).to(self.fabric.device) * 2 - 1

    def _latents(self, rng: np.random.Generator) -> Latents:
        count = self.settings.batch
        return draw(self.config, rng, count).rows(share_of(count, self.fabric)).to(self.fabric.device)

    def _given(self, real: Tensor) -> Tensor | None:
        return real[..., self.config.condition] if self.config.conditional else None

    def _shares(self) -> tuple[Tensor, Tensor]:
        """Share of bars with a note at each (step, pitch, track), and of bars with any of each track, in the data."""
        rng = np.random.default_rng(self.seed)
        total, playing, count = 0.0, 0.0, 0
        while count < _COUNTED:
            rolls = self.phrases.batch(rng, 64, self.settings.transpose)
            if rolls.shape[1:] != self.config.shape:
                raise D2MError(
                    f"{self.settings.data} holds phrases of {' x '.join(map(str, rolls.shape[1:]))}, the model needs "
                    f"{' x '.join(map(str, self.config.shape))}; prepare the data at the model's resolution"
                )
            total, count = total + rolls.mean((0, 1), dtype=np.float64), count + len(rolls)
            playing = playing + rolls.any((2, 3)).mean((0, 1))
        batches = count / 64
        return torch.from_numpy(total / batches).float(), torch.from_numpy(playing / batches).float()
