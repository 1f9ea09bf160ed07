"""ConvNeXt blocks over time (Liu et al. 2022, in one dimension as Vocos uses them, Siuzdak 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNeXtBlock(nn.Module):
    """Depth-wise convolution over time, then a two-layer network on each frame, added to the input.

    Shapes: (B, F, C) -> (B, F, C).

    Args:
        channels: C.
        expansion: hidden size of the frame network over C.
        kernel_size: frames seen by the convolution.
        dilation: spacing of those frames.
        scale: initial size of the branch; small values make a deep stack start near the identity.
    """

    def __init__(
        self, channels: int, expansion: int = 3, kernel_size: int = 7, dilation: int = 1, scale: float = 0.2
    ) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.convolution = nn.Conv1d(
            channels, channels, kernel_size, padding=padding, dilation=dilation, groups=channels
        )
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.reduce = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: float32 (B, C, F).

        Returns:
            float32 (B, C, F).
        """
        y = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        y = self.reduce(nn.functional.gelu(self.expand(self.norm(y))))
        return x + self.scale * y


def initialise(module: nn.Module) -> None:
    """Initialise a module with truncated normal weights of deviation 0.02 and zero biases, for ``nn.Module.apply``.

    Args:
        module: any module.
    """
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
