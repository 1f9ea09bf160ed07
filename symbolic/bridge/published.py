"""Smootify's network as it was published, for comparison.

619,696 parameters, 16.14 M multiply-adds a bridge. Every convolution is 3-D over (bar, step, pitch) and followed by
batch norm and ReLU; its stride is its kernel unless said. Two bars, seen as one of 32 steps, are stretched to four bars
of 16; three levels shrink pitch and step, two more the beats, a linear layer the bars; up-convolutions grow them back,
what the encoder had at each size added before the next; the last level is five towers, one a track.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.symbolic.bridge.config import BridgeConfig

_BARS = 4


def _layer(kind: type[nn.Module], inputs: int, outputs: int, kernel: tuple[int, int, int], stride=None) -> nn.Module:
    return nn.Sequential(kind(inputs, outputs, kernel, stride or kernel), nn.BatchNorm3d(outputs), nn.ReLU())


class PublishedNet(nn.Module):
    """Four bars of which the middle two are the bridge.

    Args:
        config: configuration of ``model="published"``.

    Attributes:
        thresholds, densities: as of ours.
    """

    thresholds: Tensor
    densities: Tensor

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        down, up = nn.Conv3d, nn.ConvTranspose3d
        self.stretch = _layer(up, 5, 5, (1, 2, 1))
        self.downs = nn.ModuleList(
            (
                _layer(down, 5, 16, (1, 1, 12)),
                _layer(down, 16, 32, (1, 4, 1)),
                _layer(down, 32, 64, (1, 1, 3), (1, 1, 1)),
                _layer(down, 64, 128, (1, 1, 4)),
                _layer(down, 128, 256, (1, 4, 1)),
            )
        )
        self.narrow = nn.Linear(256 * _BARS, 128)
        self.ups = nn.ModuleList(
            (
                _layer(up, 128, 256, (4, 1, 1)),
                _layer(up, 256, 128, (1, 4, 1)),
                _layer(up, 128, 64, (1, 1, 4)),
                _layer(up, 64, 32, (1, 1, 3), (1, 1, 1)),
            )
        )
        self.rhythms = nn.ModuleList(_layer(up, 32, 16, (1, 4, 1)) for _ in range(5))
        self.octaves = nn.ModuleList(_layer(up, 16, 1, (1, 1, 12)) for _ in range(5))
        self.register_buffer("thresholds", torch.full((5,), 0.2))
        self.register_buffer("densities", torch.full((5,), 1.0))

    def phrase(self, context: Tensor) -> Tensor:
        """Compute four bars around and between two bars.

        Args:
            context: float32 (B, 2, 16, 72, 5) of 0 and 1.

        Returns:
            float32 (B, 4, 16, 72, 5), 0 and more.
        """
        x = context.flatten(1, 2).permute(0, 3, 1, 2)[:, :, None]
        x = self.stretch(x).view(len(context), 5, _BARS, 16, 72)
        seen = []
        for layer in self.downs:
            x = layer(x)
            seen.append(x)
        x = self.narrow(x.flatten(1)).view(-1, 128, 1, 1, 1)
        for layer, skip in zip(self.ups, reversed(seen[1:]), strict=True):
            x = layer(x) + skip
        towers = [octave(rhythm(x) + seen[0]) for rhythm, octave in zip(self.rhythms, self.octaves, strict=True)]
        return torch.cat(towers, dim=1).permute(0, 2, 3, 4, 1)
