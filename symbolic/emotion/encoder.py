"""Encoder from a melody to its latent vector: a bidirectional LSTM over the steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.symbolic.melody import CLASSES


def initialise(lstm: nn.LSTM) -> nn.LSTM:
    """Initialise an LSTM as TensorFlow does: Glorot-uniform weights, biases 0 but 1 at the forget gates.

    Args:
        lstm: the network.
    """
    units = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        with torch.no_grad():
            if name.startswith("bias"):
                parameter.zero_()
                if name.startswith("bias_ih"):
                    parameter[units : 2 * units] = 1.0
            else:
                inputs = getattr(lstm, name.replace("weight_hh", "weight_ih")).shape[1] + units
                parameter.uniform_(-((6.0 / (inputs + 4 * units)) ** 0.5), (6.0 / (inputs + 4 * units)) ** 0.5)
    return lstm


def one_hot(classes: Tensor) -> Tensor:
    """Convert classes to one-hot vectors; a class of -1 (before the first step) is all zeros.

    Args:
        classes: int64 (...).

    Returns:
        float32 (..., 90).
    """
    return functional.one_hot(classes.long() + 1, CLASSES + 1)[..., 1:].float()


class FlatEncoder(nn.Module):
    """Reads all steps in one go (Roberts et al. 2018, section 3.1).

    Args:
        units: number of units of each direction.
        layers: stacked; the next reads both directions of the one below.
    """

    def __init__(self, units: int, layers: int):
        super().__init__()
        self.lstm = initialise(nn.LSTM(CLASSES, units, layers, batch_first=True, bidirectional=True))
        self.size = 2 * units

    def forward(self, melodies: Tensor) -> Tensor:
        """Encode melodies.

        Args:
            melodies: int64 (B, steps), classes.

        Returns:
            Last states of both directions, float32 (B, 2 * units).
        """
        _, (states, _) = self.lstm(one_hot(melodies))
        return torch.cat([states[-2], states[-1]], dim=1)
