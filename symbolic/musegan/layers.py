"""Convolutions along one axis of a phrase, as matrix products.

Almost every layer of MuseGAN is a (transposed) convolution whose kernel spans one axis and equals its stride. With
the channels last such a layer is one matrix product between two views, several times faster on a processor
than a general convolution, and so is its second derivative, which the gradient penalty needs.

Tensors are (B, bars, steps, pitches, channels); bars, steps or pitches are 1 where they are not yet grown or already
shrunk.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Axes of a phrase.
BARS, STEPS, PITCHES = 1, 2, 3


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a number in ascending order: 24 -> [2, 2, 2, 3].

    Args:
        number: 1 or more.
    """
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors


class Grow(nn.Module):
    """Transposed convolution along one axis, kernel and stride ``factor``; batch norm and ReLU, or neither.

    Args:
        inputs, outputs: channels.
        factor: how many times longer the axis becomes.
        axis: :data:`STEPS` or :data:`PITCHES`.
        last: leave out the batch norm and the ReLU.
    """

    def __init__(self, inputs: int, outputs: int, factor: int, axis: int, last: bool = False) -> None:
        super().__init__()
        self.factor, self.axis, self.outputs = factor, axis, outputs
        self.linear = nn.Linear(inputs, factor * outputs, bias=False)
        self.norm = None if last else nn.BatchNorm1d(outputs)
        if last:
            nn.init.uniform_(self.linear.weight, -0.03, 0.03)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the transposed convolution.

        Args:
            x: float32 (B, bars, steps, pitches, channels).
        """
        batch, bars, steps, pitches, channels = x.shape
        x = self.linear(x.reshape(-1, channels)).view(-1, self.outputs)
        if self.norm is not None:
            x = torch.relu(self.norm(x))
        if self.axis == PITCHES:
            return x.view(batch, bars, steps, pitches * self.factor, self.outputs)
        x = x.view(batch, bars, steps, pitches, self.factor, self.outputs)
        return x.transpose(3, 4).reshape(batch, bars, steps * self.factor, pitches, self.outputs)


class Shrink(nn.Module):
    """Convolution along one axis without padding, then leaky ReLU.

    Args:
        inputs, outputs: channels.
        kernel, stride: along the axis.
        axis: :data:`BARS`, :data:`STEPS` or :data:`PITCHES`.
        norm: with batch norm, as in the encoder; critics have none.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, axis: int, norm: bool = False) -> None:
        super().__init__()
        self.kernel, self.stride, self.axis = kernel, stride, axis
        self.linear = nn.Linear(kernel * inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution.

        Args:
            x: float32 (B, bars, steps, pitches, channels).
        """
        windows = self._windows(x)
        shape = windows.shape[:4]
        y = self.linear(windows.reshape(shape.numel(), -1))
        if self.norm is not None:
            y = self.norm(y)
        return nn.functional.leaky_relu(y, 0.2).view(*shape, -1)

    def _windows(self, x: Tensor) -> Tensor:
        """(B, bars, steps, pitches, kernel, channels), with places of the kernel along the axis."""
        if self.kernel != self.stride or x.shape[self.axis] % self.kernel:
            return x.unfold(self.axis, self.kernel, self.stride).transpose(-1, -2)
        shape = list(x.shape)
        shape[self.axis : self.axis + 1] = [shape[self.axis] // self.kernel, self.kernel]
        return x.reshape(shape).movedim(self.axis + 1, 4)


def shrunk(size: int, kernel: int, stride: int) -> int:
    """Compute the output length of a convolution without padding.

    Args:
        size: input length.
        kernel: its length.
        stride: stride of the convolution.
    """
    return (size - kernel) // stride + 1
