"""Encoder and decoder of one level: strided convolutions between stacks of dilated residual blocks.

(Dhariwal et al. 2020, section 3 and appendix B.1.) The attribute names make up the parameter names of the
published checkpoints, ``encoders.2.level_blocks.0.model.0.1.model.3.model.1.weight``, and must stay as they
are.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from .config import VQVAEConfig


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution over 3 steps, ReLU, convolution over 1; added to the input. (B, C, T) -> (B,
    C, T).
    """

    def __init__(self, channels: int, inner: int, dilation: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(channels, inner, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(inner, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: float32 (B, C, T).

        Returns:
            float32 (B, C, T).
        """
        return x + self.model(x)


class ResidualStack(nn.Module):
    """Residual blocks whose dilation grows from one to the next. (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, inner: int, dilations: list[int]) -> None:
        super().__init__()
        self.model = nn.Sequential(*(ResidualBlock(channels, inner, dilation) for dilation in dilations))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the blocks.

        Args:
            x: float32 (B, C, T).

        Returns:
            float32 (B, C, T).
        """
        return self.model(x)


class EncoderBlock(nn.Module):
    """From one level's rate to the next: (B, C, T) -> (B, D, T // stride**downs)."""

    def __init__(self, inputs: int, config: VQVAEConfig, level: int, rate: int) -> None:
        super().__init__()
        width, stride = config.widths[level], config.strides[rate]
        steps: list[nn.Module] = [
            nn.Sequential(
                nn.Conv1d(inputs if step == 0 else width, width, 2 * stride, stride, stride // 2),
                ResidualStack(width, int(config.state_factor * width), _dilations(config, level)),
            )
            for step in range(config.downs[rate])
        ]
        self.model = nn.Sequential(*steps, nn.Conv1d(width, config.embedding_width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: float32 (B, C, T).

        Returns:
            float32 (B, D, T // stride**downs).
        """
        return self.model(x)


class DecoderBlock(nn.Module):
    """From one level's rate back to the one below: (B, D, F) -> (B, D, F * stride**downs)."""

    def __init__(self, config: VQVAEConfig, level: int, rate: int) -> None:
        super().__init__()
        width, stride, downs = config.widths[level], config.strides[rate], config.downs[rate]
        dilations = _dilations(config, level)
        if config.reverse_decoder_dilation:
            dilations.reverse()
        steps: list[nn.Module] = [
            nn.Sequential(
                ResidualStack(width, int(config.state_factor * width), dilations),
                nn.ConvTranspose1d(
                    width,
                    config.embedding_width if step == downs - 1 else width,
                    2 * stride,
                    stride,
                    stride // 2,
                ),
            )
            for step in range(downs)
        ]
        self.model = nn.Sequential(nn.Conv1d(config.embedding_width, width, 3, padding=1), *steps)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: float32 (B, D, F).

        Returns:
            float32 (B, C, F * stride**downs).
        """
        return self.model(x)


class Encoder(nn.Module):
    """Waveform (B, 1, T) to the vectors (B, D, T // hop) of one level, through the rates of the levels below
    it.
    """

    def __init__(self, config: VQVAEConfig, level: int) -> None:
        super().__init__()
        self.level_blocks = nn.ModuleList(
            EncoderBlock(1 if rate == 0 else config.embedding_width, config, level, rate) for rate in range(level + 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode a waveform.

        Args:
            x: float32 (B, 1, T).

        Returns:
            float32 (B, D, T // hop).
        """
        for block in self.level_blocks:
            x = block(x)
        return x


class Decoder(nn.Module):
    """Vectors (B, D, F) of one level to the waveform (B, 1, F * hop)."""

    def __init__(self, config: VQVAEConfig, level: int) -> None:
        super().__init__()
        self.level_blocks = nn.ModuleList(DecoderBlock(config, level, rate) for rate in range(level + 1))
        self.out = nn.Conv1d(config.embedding_width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Decode the vectors of one level.

        Args:
            x: float32 (B, D, F).

        Returns:
            float32 (B, 1, F * hop).
        """
        for block in reversed(self.level_blocks):
            x = block(x)
        return self.out(x)


def encoder_reach(config: VQVAEConfig, level: int) -> int:
    """Compute the number of samples on either side that a code of this level depends on.

    Args:
        config: configuration of the model.
        level: 0 for the finest.
    """
    reach, spacing = 0, 1
    for rate in range(level + 1):
        for _ in range(config.downs[rate]):
            reach += spacing * 2 * config.strides[rate]
            spacing *= config.strides[rate]
            reach += spacing * sum(_dilations(config, level))
        reach += spacing
    return reach


def decoder_reach(config: VQVAEConfig, level: int) -> int:
    """Compute the number of frames on either side that a sample decoded from this level depends on.

    Args:
        config: configuration of the model.
        level: 0 for the finest.
    """
    reach, spacing = 0.0, 1.0
    for rate in reversed(range(level + 1)):
        reach += spacing
        for _ in range(config.downs[rate]):
            reach += spacing * (sum(_dilations(config, level)) + 2)
            spacing /= config.strides[rate]
    return math.ceil(reach + spacing)


def _dilations(config: VQVAEConfig, level: int) -> list[int]:
    return [config.dilation_growth**depth for depth in range(config.depths[level])]
