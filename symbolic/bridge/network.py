"""d2m's bridge network: a U-Net over bars, beats and sixteenths that may also copy transposed beats of its neighbours.

Most bars of a bridge resemble the bar before or after them: the drums continue, the guitar's pattern moves with the
chord. Therefore each beat of each track may copy the same beat of either neighbour, shifted by some semitones, in
addition to the output of the decoder; the network predicts the weight of each shift. The rest is a U-Net like
Smootify's, whose convolutions (kernel = stride) are matrix products here. The two neighbours share one encoder, the
skip connections of both reach every bar of the bridge with weights that depend on the beat, and the beats of a bridge
of any length are processed by residual blocks along time (after ConvNeXt: Liu et al. 2022, "A ConvNet for the 2020s").

Tensors have their channels last; ``B`` bridges, ``n`` bars, 4 beats, ``s`` steps, 6 octaves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.symbolic.bridge.config import MOST_BARS, BridgeConfig

BEATS, OCTAVE = 4, 12
#: Beats on either side in the receptive field of a residual block.
_REACH = 5


class BridgeNet(nn.Module):
    """The bars between two bars.

    Args:
        config: the shape of the network.

    Attributes:
        thresholds: float (tracks,), chance above which a key may sound; found on training data.
        densities: float (tracks,), cells that may sound, of those in the bars around; found likewise.
    """

    thresholds: Tensor
    densities: Tensor

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.middle = Middle(config)
        self.decoder = Decoder(config)
        self.copies = ShiftedCopies(config)
        self.register_buffer("thresholds", torch.full((config.tracks,), 0.2))
        self.register_buffer("densities", torch.full((config.tracks,), 1.0))

    def forward(self, context: Tensor, bars: int = 2) -> Tensor:
        """Compute logits of sounding keys, (B, bars, steps, pitches, tracks).

        Args:
            context: (B, 2, steps, pitches, tracks) of 0 and 1: the bar before and the bar after.
            bars: number of bars of the bridge, 1 to 8.
        """
        if not 1 <= bars <= MOST_BARS:
            raise ValueError(f"a bridge has 1 to {MOST_BARS} bars, not {bars}")
        steps, octaves, beats = self.encoder(context)
        beats = self.middle(beats, bars)
        return self.decoder(beats, octaves, steps) + self.copies(beats, context)


class Encoder(nn.Module):
    """A bar at three sizes: an octave in a sixteenth, an octave in a beat, a beat."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.octaves = config.pitches // OCTAVE
        per_beat = config.steps // BEATS
        self.step = nn.Linear(OCTAVE * config.tracks, config.width)
        self.octave = nn.Linear(per_beat * config.width, config.beat_width)
        self.beat = nn.Linear(self.octaves * config.beat_width, config.channels)
        self.norms = nn.ModuleList(nn.LayerNorm(n) for n in (config.width, config.beat_width, config.channels))

    def forward(self, bars: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode the two neighbours.

        Args:
            bars: float32 (B, 2, steps, pitches, tracks).

        Returns:
            Features (B, 2, s, 6, width), (B, 2, 4, 6, beat_width) and (B, 2, 4, channels).
        """
        batch, count, steps, _, _ = bars.shape
        seen = bars.reshape(batch, count, steps, self.octaves, -1)
        fine = torch.relu(self.norms[0](self.step(seen)))
        grouped = fine.view(batch, count, BEATS, steps // BEATS, self.octaves, -1).transpose(3, 4)
        middle = torch.relu(self.norms[1](self.octave(grouped.flatten(4))))
        return fine, middle, torch.relu(self.norms[2](self.beat(middle.flatten(3))))


class Middle(nn.Module):
    """Beats of the bridge from those of its neighbours."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        size = config.channels
        self.same_beat = nn.Linear(2 * size, size)
        self.whole_bar = nn.Linear(2 * BEATS * size, size)
        self.from_start = nn.Embedding(MOST_BARS, size)
        self.from_end = nn.Embedding(MOST_BARS, size)
        self.beat = nn.Embedding(BEATS, size)
        self.blocks = nn.ModuleList(Block(size) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(size)

    def forward(self, beats: Tensor, bars: int) -> Tensor:
        """Process the beats of a bridge.

        Args:
            beats: float32 (B, 2, 4, channels), of the neighbours.
            bars: length of the bridge.

        Returns:
            float32 (B, bars, 4, channels).
        """
        batch, _, _, size = beats.shape
        here = self.same_beat(beats.transpose(1, 2).flatten(2)) + self.whole_bar(beats.flatten(1))[:, None]
        number = torch.arange(bars, device=beats.device)
        place = self.from_start(number) + self.from_end(bars - 1 - number)
        made = here[:, None] + place[None, :, None] + self.beat.weight
        made = made.reshape(batch, bars * BEATS, size)
        for block in self.blocks:
            made = block(beats[:, 0], made, beats[:, 1])
        return torch.relu(self.norm(made)).view(batch, bars, BEATS, size)


class Block(nn.Module):
    """Residual block along the beats, including the beats before and after the bridge."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.time = nn.Conv1d(size, size, 2 * _REACH + 1, padding=_REACH, groups=size)
        self.norm = nn.LayerNorm(size)
        self.wide = nn.Linear(size, 2 * size)
        self.narrow = nn.Linear(2 * size, size)

    def forward(self, before: Tensor, made: Tensor, after: Tensor) -> Tensor:
        """Apply the residual block to the beats of a bridge and the four beats on either side.

        Args:
            before, made, after: float32, beats before, within and after the bridge.

        Returns:
            float32 (B, T, channels).
        """
        row = torch.cat([before, made, after], dim=1).transpose(1, 2)
        seen = self.time(row).transpose(1, 2)[:, BEATS:-BEATS]
        return made + self.narrow(torch.relu(self.wide(self.norm(seen))))


class Decoder(nn.Module):
    """Beats grown back to keys and sixteenths, with what the encoder saw of both neighbours at each size."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        self.octaves = config.pitches // OCTAVE
        per_beat = config.steps // BEATS
        self.octave = nn.Linear(config.channels, self.octaves * config.beat_width)
        self.octave_skip = Skip(config.beat_width, config.channels)
        self.step = nn.Linear(config.beat_width, per_beat * config.width)
        self.step_skip = Skip(config.width, config.channels)
        self.mix = nn.Linear(config.width, config.width)
        self.norms = nn.ModuleList(nn.LayerNorm(n) for n in (config.beat_width, config.width, config.width))
        self.keys = nn.Linear(config.width, OCTAVE * config.tracks)
        # Few keys sound at a time: starting from that saves the first hundreds of steps.
        nn.init.constant_(self.keys.bias, -4.0)

    def forward(self, beats: Tensor, octaves: Tensor, steps: Tensor) -> Tensor:
        """Decode beats to logits.

        Args:
            beats, octaves, steps: features at the three resolutions.

        Returns:
            float32 (B, bars, steps, pitches, tracks).
        """
        batch, bars, _, _ = beats.shape
        size = self.config
        middle = self.octave(beats).view(batch, bars, BEATS, self.octaves, size.beat_width)
        middle = torch.relu(self.norms[0](middle + self.octave_skip(octaves, beats)))
        fine = self.step(middle).view(batch, bars, BEATS, self.octaves, size.steps // BEATS, size.width)
        by_beat = steps.view(batch, 2, BEATS, -1, self.octaves, size.width).flatten(3, 4)
        fine = fine.transpose(3, 4).flatten(3, 4) + self.step_skip(by_beat, beats)
        fine = torch.relu(self.norms[1](fine))
        fine = torch.relu(self.norms[2](fine + self.mix(fine)))
        return self.keys(fine).view(batch, bars, size.steps, size.pitches, size.tracks)


class Skip(nn.Module):
    """Skip connections from both neighbours, weighted for each beat of the bridge and each channel."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.width = width
        self.views = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.ask = nn.Linear(channels, 2 * width)

    def forward(self, seen: Tensor, beats: Tensor) -> Tensor:
        """Weight the features of the neighbours for every bar of the bridge.

        Args:
            seen: float32 (B, 2, 4, places, width).
            beats: float32 (B, bars, 4, channels).

        Returns:
            float32 (B, bars, 4, places, width).
        """
        asked = self.ask(beats).unflatten(-1, (2, self.width))
        parts = [view(seen[:, side])[:, None] * asked[:, :, :, None, side] for side, view in enumerate(self.views)]
        return parts[0] + parts[1]


class ShiftedCopies(nn.Module):
    """Logits copied from both neighbours, each beat of each track moved by semitones as far as the beat asks."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        self.shifts = 2 * config.shifts + 1
        self.ask = nn.Linear(config.channels, config.tracks * 2 * self.shifts)
        nn.init.zeros_(self.ask.weight)
        with torch.no_grad():
            bias = self.ask.bias.zero_().view(config.tracks, 2, self.shifts)
            # At first both neighbours are copied as they are.
            bias[:, :, config.shifts] = 1.5

    def forward(self, beats: Tensor, context: Tensor) -> Tensor:
        """Copy the beats of the neighbours with predicted transpositions.

        Args:
            beats: float32 (B, bars, 4, channels).
            context: the two neighbours.

        Returns:
            float32 (B, bars, steps, pitches, tracks).
        """
        batch, bars, _, _ = beats.shape
        size = self.config
        per_beat = size.steps // BEATS
        asked = self.ask(beats).view(batch, bars, BEATS, size.tracks, 2 * self.shifts)
        padded = nn.functional.pad(context, (0, 0, size.shifts, size.shifts))
        # Place d of the window at key p is key p + d - shifts: the bar moved by shifts - d semitones.
        moved = padded.unfold(3, self.shifts, 1)
        moved = moved.reshape(batch, 2, BEATS, per_beat, size.pitches, size.tracks, self.shifts)
        rows = moved.permute(0, 2, 5, 1, 6, 3, 4).reshape(batch, BEATS, size.tracks, 2 * self.shifts, -1)
        found = torch.einsum("bnqtv,bqtvk->bnqtk", asked, rows)
        found = found.view(batch, bars, BEATS, size.tracks, per_beat, size.pitches)
        return found.permute(0, 1, 2, 4, 5, 3).flatten(2, 3)
