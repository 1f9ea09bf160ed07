"""MuseGAN's generator: temporal generators, bar generators, and the encoder of a given track.

Dong et al. 2018, sections "Modeling the Temporal Structure" and "MuseGAN", layer tables in the paper's appendix:

    G(z) = { G_bar,i( z, G_temp(z_t)(t), z_i, G_temp,i(z_i,t)(t) ) }   for tracks i and bars t

With a given track y there is no temporal generator: the time-dependent vectors are drawn anew for each bar, and the
course of the music comes from the encoder's view E(y(t)) of the bar.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from d2m.symbolic.musegan.config import BEATS, OCTAVE, MuseGanConfig
from d2m.symbolic.musegan.latents import Latents
from d2m.symbolic.musegan.layers import PITCHES, STEPS, Grow, Shrink, prime_factors

#: Channels of the bar generator's layers in time, in multiples of its width; the last goes for all further ones.
_CHANNELS = (4, 2, 2, 1, 1)

#: What the encoder saw, by (steps, octaves).
Encoded = dict[tuple[int, int], Tensor]


class TemporalGenerator(nn.Module):
    """G_temp: one random vector (B, z) -> one a bar (B, bars, z)."""

    def __init__(self, vector: int, bars: int, hidden: int) -> None:
        super().__init__()
        first = max(1, bars // 2)
        self.first = first
        self.spread = nn.Linear(vector, first * hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.join = nn.ConvTranspose1d(hidden, vector, bars - first + 1, bias=False)
        self.last_norm = nn.BatchNorm1d(vector)

    def forward(self, z: Tensor) -> Tensor:
        """Generate one vector per bar.

        Args:
            z: float32 (B, size).

        Returns:
            float32 (B, bars, size).
        """
        x = self.spread(z).view(len(z) * self.first, -1)
        x = torch.relu(self.norm(x)).view(len(z), self.first, -1)
        return torch.relu(self.last_norm(self.join(x.transpose(1, 2)))).transpose(1, 2)


class BarEncoder(nn.Module):
    """Encoder E: bars of the given track (B, bars, steps, pitches, 1) -> features at each size."""

    def __init__(self, config: MuseGanConfig) -> None:
        super().__init__()
        width = config.encoder_width
        octaves = config.pitches // OCTAVE
        self.octaves = Shrink(1, width, OCTAVE, OCTAVE, PITCHES, norm=True)
        self.all_octaves = Shrink(width, width, octaves, octaves, PITCHES, norm=True)
        factors = reversed(prime_factors(config.steps // 2))
        self.steps = nn.ModuleList(Shrink(width, width, factor, factor, STEPS, norm=True) for factor in factors)

    def forward(self, track: Tensor) -> Encoded:
        """Encode the bars of a given track.

        Args:
            track: float32 (B, bars, steps, pitches, 1).
        """
        seen = {}
        x = track
        for layer in (self.octaves, self.all_octaves, *self.steps):
            x = layer(x)
            seen[x.shape[2], x.shape[3]] = x
        return seen


class BarGenerator(nn.Module):
    """G_bar: a vector a bar (B, bars, latent) -> logits (B, bars, steps, pitches, tracks).

    Time grows first, then pitch; with two streams a branch at the level of beats grows pitch first, then time.

    Args:
        config: sizes.
        tracks: channels of its output.
    """

    def __init__(self, config: MuseGanConfig, tracks: int) -> None:
        super().__init__()
        width, octaves = config.width, config.pitches // OCTAVE
        seen = config.encoder_width if config.conditional else 0
        self.start = Grow(config.latent, 2 * _CHANNELS[0] * width, 1, STEPS)
        self.steps, channels, size = nn.ModuleList(), _CHANNELS[0] * width, 2
        self.held = None
        for number, factor in enumerate(prime_factors(config.steps // 2)):
            wider = _CHANNELS[min(number, len(_CHANNELS) - 1)] * width
            self.steps.append(Grow(channels + seen, wider, factor, STEPS))
            channels, size = wider, size * factor
            if config.streams > 1 and size == BEATS:
                self.held = nn.Sequential(
                    Grow(channels, width, octaves, PITCHES),
                    Grow(width, width // 4, OCTAVE, PITCHES),
                    Grow(width // 4, tracks, config.steps // BEATS, STEPS, last=True),
                )
        self.octaves = Grow(channels + seen, width // 2, octaves, PITCHES)
        self.semitones = Grow(width // 2 + seen, tracks, OCTAVE, PITCHES, last=True)

    def forward(self, z: Tensor, encoded: Encoded | None = None) -> Tensor:
        """Generate the bars of tracks.

        Args:
            z: float32 (B, bars, size), random vectors of each bar.
            encoded: encoding of the given track, or None.

        Returns:
            Logits (B, bars, steps, pitches, tracks).
        """
        batch, bars, _ = z.shape
        x = self.start(z.view(batch, bars, 1, 1, -1)).view(batch, bars, 2, 1, -1)
        held = None
        for layer in self.steps:
            x = layer(_joined(x, encoded))
            if self.held is not None and x.shape[2] == BEATS:
                held = self.held(x)
        logits = self.semitones(_joined(self.octaves(_joined(x, encoded)), encoded))
        return logits if held is None else logits + held


class Rests(nn.Module):
    """Decision which bars of its tracks a generator plays: (B, bars, latent) -> (B, bars, tracks) of 0 and 1.

    A track plays in a bar if a linear view of the bar's vector, scaled to mean 0 and deviation 1, exceeds a fixed bar:
    the share of bars that play is the data's from the first step on, and what is learnt is which bars, and with which
    other tracks. The step has the slope of a sigmoid in its backward pass.

    Args:
        inputs: values of a bar's vector, with what is seen of a given track.
        tracks: that are decided on.
    """

    needed: Tensor

    def __init__(self, inputs: int, tracks: int) -> None:
        super().__init__()
        self.view = nn.Linear(inputs, tracks, bias=False)
        self.norm = nn.BatchNorm1d(tracks, affine=False)
        self.register_buffer("needed", torch.full((tracks,), -3.0))

    def start_from(self, playing: Tensor, views: Tensor | None = None) -> None:
        """Initialise the thresholds so that tracks play in the share ``playing`` (tracks,) of all bars.

        Args:
            playing: 0 to 1.
            views: (N, tracks), scaled views of many bars; normally distributed if not given.
        """
        playing = playing.clamp(1e-3, 1 - 1e-3)
        if views is None:
            self.needed.copy_(torch.special.ndtri(1 - playing))
            return
        columns = zip(views.float().unbind(1), (1 - playing).tolist(), strict=True)
        self.needed.copy_(torch.stack([torch.quantile(column, share) for column, share in columns]))

    def forward(self, z: Tensor) -> Tensor:
        """Decide which bars are played.

        Args:
            z: float32 (B, bars, size), random vectors of each bar.

        Returns:
            0 or 1 (B, bars, tracks), with the gradient of the probability (straight-through).
        """
        excess = self.norm(self.view(z.flatten(0, 1)).float()).view(*z.shape[:2], -1) - self.needed
        chance = torch.sigmoid(excess)
        return chance + ((excess > 0).to(chance.dtype) - chance).detach()


class Generator(nn.Module):
    """The whole generator of any of the three models, from scratch or with a given track.

    Args:
        config: model and sizes.
    """

    def __init__(self, config: MuseGanConfig) -> None:
        super().__init__()
        self.config = config
        made = len(config.made)
        private = config.model != "composer"
        self.shared_time: TemporalGenerator | None = None
        self.private_time: nn.ModuleList | None = None
        self.encoder: BarEncoder | None = None
        if config.conditional:
            self.encoder = BarEncoder(config)
        else:
            if config.model != "jamming":
                self.shared_time = self._temporal()
            if private:
                self.private_time = nn.ModuleList(self._temporal() for _ in range(made))
        self.bars = nn.ModuleList(BarGenerator(config, 1 if private else made) for _ in range(made if private else 1))
        self.rests: nn.ModuleList | None = None
        if config.rests:
            seen = 2 * config.encoder_width if config.conditional else 0
            parts = (1,) * made if private else (made,)
            self.rests = nn.ModuleList(Rests(config.latent + seen, part) for part in parts)
        place = (config.steps, config.pitches) if config.prior else (1, 1)
        self.prior = nn.Parameter(torch.zeros(*place, made))

    def _temporal(self) -> TemporalGenerator:
        return TemporalGenerator(self.config.vector, self.config.bars, self.config.temporal_width)

    def start_from(self, mean: Tensor, playing: Tensor) -> None:
        """Set the bias of the output so that an untrained generator has the data's density, and its share of rests.

        Args:
            mean: share of bars with a note at each (step, pitch, track), (steps, pitches, tracks).
            playing: share of bars in which each track plays, (tracks,).
        """
        mean, playing = mean[..., list(self.config.made)], playing[list(self.config.made)]
        if self.rests is not None:
            for part, share in zip(self.resting(), self.shares(playing), strict=True):
                part.start_from(share)
            mean = mean / playing.clamp(1e-3)
        if not self.config.prior:
            mean = mean.mean((0, 1), keepdim=True)
        # The output is tanh(x) = 2 sigmoid(2x) - 1; bounded, since a place without any gradient never comes to life.
        self.prior.data.copy_((torch.logit(mean.clamp(1e-4, 1 - 1e-4)) / 2).clamp(-2, 2))

    def resting(self) -> list[Rests]:
        """Return the entries of :attr:`rests`, none where every track always plays."""
        return [part for part in self.rests or () if isinstance(part, Rests)]

    def shares(self, playing: Tensor) -> tuple[Tensor, ...]:
        """Select the columns of each of :attr:`rests`.

        Args:
            playing: decisions for every generated track.
        """
        return playing.split([len(part.needed) for part in self.resting()])

    def forward(self, latents: Latents, condition: Tensor | None = None) -> Tensor:
        """Return phrases (B, bars, steps, pitches, tracks) within -1..1, where a note is 1 and none -1.

        Args:
            latents: random vectors; time-dependent ones one a bar where a track is given.
            condition: the given track (B, bars, steps, pitches) of -1 and 1, which takes its place in the output.
        """
        encoded = None if condition is None or self.encoder is None else self.encoder(condition.unsqueeze(-1))
        if (encoded is None) == self.config.conditional:
            raise ValueError("a track must be given to the conditional model, and to no other")
        inputs = self._inputs(latents, condition)
        logits = [bars(z, encoded) for z, bars in zip(inputs, self.bars, strict=True)]
        made = torch.tanh(torch.cat(logits, -1).float() + self.prior)
        if self.rests is not None:
            made = (made + 1) * self._playing(inputs, encoded)[:, :, None, None] - 1
        return made if condition is None else insert_track(made, condition, self.config.condition)

    def _playing(self, inputs: list[Tensor], encoded: Encoded | None) -> Tensor:
        """Which of the generated tracks play in which bars: (B, bars, tracks) of 0 and 1."""
        if encoded is not None:
            inputs = [torch.cat([z, encoded[2, 1].flatten(2).to(z.dtype)], -1) for z in inputs]
        return torch.cat([rests(z) for z, rests in zip(inputs, self.resting(), strict=True)], -1)

    def _inputs(self, latents: Latents, condition: Tensor | None) -> list[Tensor]:
        """For each bar generator its vectors, side by side: (B, bars, latent)."""
        config, inputs = self.config, []
        bars = config.bars if condition is None else condition.shape[1]
        shared = []
        if latents.inter is not None and latents.inter_time is not None:
            shared = [_repeated(latents.inter, bars), _in_time(self.shared_time, latents.inter_time)]
        if latents.intra is None or latents.intra_time is None:
            return [torch.cat(shared, -1)]
        for number, track in enumerate(config.made):
            temporal = None if self.private_time is None else self.private_time[number]
            private = [
                _repeated(latents.intra[:, track], bars),
                _in_time(temporal, latents.intra_time[:, track]),
            ]
            inputs.append(torch.cat(shared + private, -1))
        return inputs


def insert_track(made: Tensor, given: Tensor, position: int) -> Tensor:
    """Insert the given track between the generated ones.

    Args:
        made: (B, bars, steps, pitches, tracks - 1).
        given: (B, bars, steps, pitches).
        position: number of the given track.

    Returns:
        (B, bars, steps, pitches, tracks).
    """
    return torch.cat([made[..., :position], given.unsqueeze(-1), made[..., position:]], -1)


def parameter_count(module: nn.Module) -> int:
    """Count the trainable parameters of a network.

    Args:
        module: the network.
    """
    return sum(math.prod(parameter.shape) for parameter in module.parameters())


def _joined(x: Tensor, encoded: Encoded | None) -> Tensor:
    """With what the encoder saw at this size beside it."""
    return x if encoded is None else torch.cat([x, encoded[x.shape[2], x.shape[3]].to(x.dtype)], -1)


def _repeated(z: Tensor, bars: int) -> Tensor:
    return z.unsqueeze(1).expand(-1, bars, -1)


def _in_time(temporal: nn.Module | None, z: Tensor) -> Tensor:
    return z if temporal is None else temporal(z)
