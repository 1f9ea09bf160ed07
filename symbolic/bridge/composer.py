"""Bars between two bars, from a trained network of either kind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from d2m.symbolic.bridge.config import BridgeConfig
from d2m.symbolic.bridge.measure import starts
from d2m.symbolic.bridge.network import BridgeNet
from d2m.symbolic.bridge.published import PublishedNet

#: Bridges worked on at a time.
_AT_ONCE = 64
#: Chances among which the thresholds are chosen.
_GRID = np.round(np.arange(0.05, 0.81, 0.05), 2)


def build(config: BridgeConfig) -> BridgeNet | PublishedNet:
    """An untrained network."""
    return (PublishedNet if config.model == "published" else BridgeNet)(config)


def chances(network: BridgeNet | PublishedNet, context: Tensor, bars: int) -> Tensor:
    """(B, bars, steps, pitches, tracks), 0 to 1 (of the published network 0 and more), of two bars as in ``network``.

    Raises:
        ValueError: if the network cannot make that many bars.
    """
    if network.config.model == "published":
        if bars != 2:
            raise ValueError(f"the published network makes two bars, not {bars}")
        return network.phrase(context)[:, 1:3]
    return torch.sigmoid(network(context, bars))


class Composer:
    """A network ready to use.

    Args:
        network: trained; it is put into evaluation mode.
        name: of its weights.
    """

    def __init__(self, network: BridgeNet | PublishedNet, name: str = "") -> None:
        self.network, self.name = network.eval(), name
        self.config: BridgeConfig = network.config

    @torch.no_grad()
    def chances(self, context: np.ndarray, bars: int) -> np.ndarray:
        """float32 (N, bars, steps, pitches, tracks): how likely each key sounds between the two bars of ``context``.

        Args:
            context: bool or 0 and 1 (N, 2, steps, pitches, tracks).
            bars: of the bridges; the published network knows two only.
        """
        device = next(self.network.parameters()).device
        parts = []
        for start in range(0, len(context), _AT_ONCE):
            rows = torch.from_numpy(np.ascontiguousarray(context[start : start + _AT_ONCE], np.float32))
            parts.append(chances(self.network, rows.to(device), bars).float().cpu().numpy())
        return np.concatenate(parts)

    def compose(self, context: np.ndarray, bars: int = 2) -> np.ndarray:
        """bool (N, bars, steps, pitches, tracks): the bridges, as clear as the thresholds make them."""
        return self.chances(context, bars) > self.network.thresholds.cpu().numpy()

    def calibrate(self, context: np.ndarray, real: np.ndarray) -> None:
        """Sets each track's threshold to the one with the best note F1 and onset F1, of known bars (training data).

        Args:
            context: bool (N, 2, steps, pitches, tracks).
            real: bool (N, bars, steps, pitches, tracks), the bars between.
        """
        found = self.chances(context, real.shape[1])
        scores = []
        for limit in _GRID:
            made = found > limit
            both = ((made, real), (starts(context, made), starts(context, real)))
            scores.append(sum(_f1_by_track(*pair) for pair in both))
        self.network.thresholds.copy_(torch.from_numpy(_GRID[np.argmax(scores, axis=0)]))


def _f1_by_track(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    axes = tuple(range(made.ndim - 1))
    return 2 * (made & real).sum(axes) / np.maximum(made.sum(axes) + real.sum(axes), 1)
