"""Beat network in PyTorch, for training; :mod:`d2m.features.sound_forward` computes the same with NumPy.

A convolutional front end reads the log-mel spectrogram, a temporal convolutional network with dilations follows rhythm
over some 40 seconds, as in M. Davies and S. Böck, "Temporal convolutional networks for musical audio beat tracking",
EUSIPCO 2019, with two dilations a block as in S. Böck and M. Davies, "Deconstruct, analyse, reconstruct", ISMIR 2020.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.features.sound_spectrum import MELS

#: Mel bands merged by the stride of the first convolution and by pooling after the first and the second.
STRIDE, POOL_ONE, POOL_TWO = 2, 2, 4
#: Frames that a temporal convolution looks at.
KERNEL = 5


@dataclass(frozen=True)
class BeatNetConfig:
    """Sizes of the network.

    Attributes:
        first, second: channels of the front end's convolutions.
        channels: channels of the temporal network, even.
        blocks: blocks of the temporal network; the dilation doubles from block to block.
    """

    first: int = 16
    second: int = 24
    channels: int = 64
    blocks: int = 9


class BeatNet(nn.Module):
    """Network from log-mel frames to beats and downbeats.

    Args:
        config: sizes.
        dropout: share of the temporal network's values that are left out in training.
    """

    def __init__(self, config: BeatNetConfig | None = None, dropout: float = 0.1) -> None:
        super().__init__()
        self.config = config = config or BeatNetConfig()
        self.one = nn.Conv2d(1, config.first, (3, 6), stride=(1, STRIDE), padding=(1, 2))
        self.two = nn.Conv2d(config.first, config.second, 3, padding=1)
        self.enter = nn.Linear(config.second * (MELS // (STRIDE * POOL_ONE * POOL_TWO)), config.channels)
        self.near, self.far, self.mix = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(config.blocks):
            dilation = 2**i
            reach = dilation * (KERNEL // 2)
            half = config.channels // 2
            self.near.append(nn.Conv1d(config.channels, half, KERNEL, padding=reach, dilation=dilation))
            self.far.append(nn.Conv1d(config.channels, half, KERNEL, padding=2 * reach, dilation=2 * dilation))
            self.mix.append(nn.Conv1d(config.channels, config.channels, 1))
        self.leave = nn.Linear(config.channels, 2)
        self.dropout = nn.Dropout1d(dropout)

    def settings(self) -> dict[str, int]:
        """Return the configuration as plain values."""
        return asdict(self.config)

    def forward(self, frames: Tensor) -> Tensor:
        """Compute logits of beats and downbeats.

        Args:
            frames: log-mel frames float32 (B, T, 80).

        Returns:
            float32 (B, T, 2).
        """
        x = frames[:, None] / 4.0 - 1.0
        # (B, C, T, F): mel bands are merged, frames are not.
        x = functional.elu(functional.max_pool2d(self.one(x), (1, POOL_ONE)))
        x = functional.elu(functional.max_pool2d(self.two(x), (1, POOL_TWO)))
        x = x.permute(0, 2, 1, 3).flatten(2)
        x = functional.elu(self.enter(x)).transpose(1, 2)
        total = torch.zeros_like(x)
        for near, far, mix in zip(self.near, self.far, self.mix, strict=True):
            inner = self.dropout(functional.elu(torch.cat([near(x), far(x)], dim=1)))
            new = mix(inner)
            total = total + new
            x = functional.elu(x + new)
        return self.leave(functional.elu(x + total).transpose(1, 2))
