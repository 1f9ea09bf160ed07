"""MuseGAN's critics and the gradient penalty.

One critic scores all tracks together (composer, hybrid), or each track has its own (jamming; Dong et al. 2018, section
"Modeling the Multi-track Interdependency"). With a given track, a jamming critic gets the given track in addition to
its own: otherwise the generator would have no reason to use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from d2m.symbolic.musegan.config import BEATS, OCTAVE, MuseGanConfig
from d2m.symbolic.musegan.layers import BARS, PITCHES, STEPS, Shrink, shrunk

#: The paper's layers in time: (kernel, stride, channels in multiples of the critic's width).
_STEP_LAYERS = ((2, 2, 1), (2, 2, 1), (4, 2, 2), (3, 2, 4))


class Judgement(NamedTuple):
    """Scores and gradient norms of C critics for B phrases.

    Attributes:
        scores: (B, C), higher for what seems real.
        slopes: (B, C), norm of each score's gradient at the points between real and made ones, or None.
    """

    scores: Tensor
    slopes: Tensor | None


class PaperCritic(nn.Module):
    """The paper's critic: bars first, then pitch, then time. (B, bars, steps, pitches, tracks) -> (B,)."""

    def __init__(self, config: MuseGanConfig, tracks: int) -> None:
        super().__init__()
        width = config.critic_width
        first = min(2, config.bars)
        left = shrunk(config.bars, first, 1)
        octaves = config.pitches // OCTAVE
        layers = [
            Shrink(tracks, width, first, 1, BARS),
            Shrink(width, width, left, 1, BARS),
            Shrink(width, width, OCTAVE, OCTAVE, PITCHES),
            Shrink(width, width, octaves, octaves, PITCHES),
        ]
        size, channels = config.steps, width
        for kernel, stride, times in _STEP_LAYERS:
            if size >= kernel:
                layers.append(Shrink(channels, times * width, kernel, stride, STEPS))
                size, channels = shrunk(size, kernel, stride), times * width
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(size * channels, 8 * width)
        self.score = nn.Linear(8 * width, 1)

    def forward(self, rolls: Tensor) -> Tensor:
        """Score phrases.

        Args:
            rolls: float32 (B, bars, steps, pitches, tracks).

        Returns:
            float32 (B,).
        """
        x = self.layers(rolls).flatten(1)
        return self.score(nn.functional.leaky_relu(self.dense(x), 0.2)).squeeze(1)


class TwoStreamCritic(nn.Module):
    """Critic with two orders of convolution (pitch first, time first), density and chroma of beats; bars last.

    After Dong & Yang 2018, section 3.4, whose onset stream is replaced by the density: counting onsets took a third
    of a step, and in drums, which have onsets only, it is the same. (B, bars, steps, pitches, tracks) -> (B,).
    """

    def __init__(self, config: MuseGanConfig, tracks: int) -> None:
        super().__init__()
        width, per_beat, octaves = config.critic_width, config.steps // BEATS, config.pitches // OCTAVE
        self.per_beat = per_beat
        self.pitch_first = nn.Sequential(
            Shrink(tracks, width, OCTAVE, OCTAVE, PITCHES), Shrink(width, width, per_beat, per_beat, STEPS)
        )
        self.time_first = nn.Sequential(
            Shrink(tracks, width // 2, per_beat, per_beat, STEPS), Shrink(width // 2, width, OCTAVE, OCTAVE, PITCHES)
        )
        self.octaves = Shrink(2 * width, 2 * width, octaves, octaves, PITCHES)
        self.features = Shrink((OCTAVE + per_beat) * tracks, width, 1, 1, PITCHES)
        self.beats = Shrink(3 * width, 4 * width, BEATS, BEATS, STEPS)
        self.dense = nn.Linear(4 * width * config.bars, 8 * width)
        self.score = nn.Linear(8 * width, 1)

    def forward(self, rolls: Tensor) -> Tensor:
        """Score phrases.

        Args:
            rolls: float32 (B, bars, steps, pitches, tracks).

        Returns:
            float32 (B,).
        """
        x = torch.cat([self.pitch_first(rolls), self.time_first(rolls)], -1)
        x = torch.cat([self.octaves(x), self.features(self._density_and_chroma(rolls).to(x.dtype))], -1)
        x = self.beats(x).flatten(1)
        return self.score(nn.functional.leaky_relu(self.dense(x), 0.2)).squeeze(1)

    def _density_and_chroma(self, rolls: Tensor) -> Tensor:
        """(B, bars, beats, 1, features): how many keys sound at each step, and how long each pitch class does."""
        batch, bars, _, pitches, tracks = rolls.shape
        keys = rolls.reshape(batch, bars, BEATS, self.per_beat, pitches // OCTAVE, OCTAVE, tracks).sum(4)
        return torch.cat([keys.mean(4).flatten(3), keys.mean(3).flatten(3)], -1).unsqueeze(3)


class UsedClasses(nn.Module):
    """Judges by the pitch classes that each track uses in each bar: (B, bars, steps, pitches, tracks) -> (B,)."""

    def __init__(self, config: MuseGanConfig, tracks: int) -> None:
        super().__init__()
        width = config.critic_width
        self.bars = nn.Linear(OCTAVE * tracks, 2 * width)
        self.dense = nn.Linear(2 * width * config.bars, 2 * width)
        self.score = nn.Linear(2 * width, 1)

    def forward(self, rolls: Tensor) -> Tensor:
        """Score phrases by the pitch classes that each track uses in each bar.

        Args:
            rolls: float32 (B, bars, steps, pitches, tracks).

        Returns:
            float32 (B,).
        """
        batch, bars, steps, pitches, tracks = rolls.shape
        used = rolls.reshape(batch, bars, steps * pitches // OCTAVE, OCTAVE, tracks).amax(2)
        x = nn.functional.leaky_relu(self.bars(used.flatten(2)), 0.2).flatten(1)
        return self.score(nn.functional.leaky_relu(self.dense(x), 0.2)).squeeze(1)


class Critics(nn.Module):
    """All critics of a model.

    Args:
        config: model and sizes.
    """

    def __init__(self, config: MuseGanConfig) -> None:
        super().__init__()
        self.groups = _groups(config)
        kind = TwoStreamCritic if config.streams > 1 else PaperCritic
        self.critics = nn.ModuleList(kind(config, len(group)) for group in self.groups)
        self.classes = nn.ModuleList(UsedClasses(config, len(group)) for group in self.groups if config.classes)

    def forward(self, rolls: Tensor, points: Tensor | None = None) -> Judgement:
        """Score phrases, and compute gradients for the penalty.

        Args:
            rolls: float32 (B, bars, steps, pitches, tracks).
            points: points of the gradients, of the same shape, or None.
        """
        scores, slopes = [], []
        for number, group in enumerate(self.groups):
            judge = self._judge(number)
            scores.append(judge(_heard(rolls, group)))
            if points is not None:
                slopes.append(_slope(judge, _heard(points, group)))
        return Judgement(torch.stack(scores, 1), torch.stack(slopes, 1) if slopes else None)

    def _judge(self, number: int) -> Callable[[Tensor], Tensor]:
        """One critic with all that it hears."""
        parts = [self.critics[number], *self.classes[number : number + 1]]
        return lambda rolls: torch.stack([part(rolls).float() for part in parts]).sum(0)


def gradient_penalty(slopes: Tensor) -> Tensor:
    """Compute the gradient penalty (Gulrajani et al. 2017, section 4): mean of (slope - 1)^2, summed over the critics.

    Args:
        slopes: norms of the gradients.
    """
    return ((slopes - 1) ** 2).mean(0).sum()


def points_between(real: Tensor, made: Tensor, share: Tensor) -> Tensor:
    """Interpolate between generated and real phrases.

    Args:
        real, made: phrases of the same shape.
        share: float32 (B,), 0 for generated to 1 for real.
    """
    share = share.view(-1, *[1] * (real.dim() - 1))
    return share * real + (1 - share) * made


def _heard(rolls: Tensor, group: list[int]) -> Tensor:
    return rolls if len(group) == rolls.shape[-1] else rolls[..., group]


def _slope(judge: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(judge(points).sum(), points, create_graph=torch.is_grad_enabled())
    # The square root has no derivative at 0, where a critic that has learnt nothing yet is.
    return (gradient.float().flatten(1).square().sum(1) + 1e-8).sqrt()


def _groups(config: MuseGanConfig) -> list[list[int]]:
    """Which tracks each critic hears."""
    if config.model != "jamming":
        return [list(range(config.tracks))]
    given = [config.condition] if config.conditional else []
    return [[*given, track] for track in config.made]
