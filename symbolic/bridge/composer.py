"""Compose bars between two bars with a trained network of either kind."""

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
#: Thresholds and densities that are tried on known bars. A bridge much busier than its neighbours hedges its bets.
_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_DENSITIES = (0.9, 1.0, 1.1, 1.2, 1.3)


def build(config: BridgeConfig) -> BridgeNet | PublishedNet:
    """Build an untrained network.

    Args:
        config: its configuration.
    """
    return PublishedNet(config) if config.model == "published" else BridgeNet(config)


def chances(network: BridgeNet | PublishedNet, context: Tensor, bars: int) -> Tensor:
    """Compute the probability of every key.

    Args:
        network: trained network of either kind.
        context: float32 (B, 2, steps, pitches, tracks), the bars before and after.
        bars: length of the bridge.

    Returns:
        float32 (B, bars, steps, pitches, tracks), 0 to 1; of the published network 0 and more.

    Raises:
        ValueError: if the network cannot make that many bars.
    """
    if isinstance(network, PublishedNet):
        if bars != 2:
            raise ValueError(f"the published network makes two bars, not {bars}")
        return network.phrase(context)[:, 1:3]
    return torch.sigmoid(network(context, bars))


class Composer:
    """A network ready to use.

    Args:
        network: trained; it is put into evaluation mode.
        name: name of its weights.
    """

    def __init__(self, network: BridgeNet | PublishedNet, name: str = "") -> None:
        self.network, self.name = network.eval(), name
        self.config: BridgeConfig = network.config

    @torch.no_grad()
    def chances(self, context: np.ndarray, bars: int) -> np.ndarray:
        """Compute the probability of each key between the two bars of ``context``: float32 (N, bars, steps, pitches,
        tracks).

        Args:
            context: bool or 0 and 1 (N, 2, steps, pitches, tracks).
            bars: number of bars of the bridges; the published network knows two only.
        """
        device = next(self.network.parameters()).device
        parts = []
        for start in range(0, len(context), _AT_ONCE):
            rows = torch.from_numpy(np.ascontiguousarray(context[start : start + _AT_ONCE], np.float32))
            parts.append(chances(self.network, rows.to(device), bars).float().cpu().numpy())
        return np.concatenate(parts)

    def compose(self, context: np.ndarray, bars: int = 2) -> np.ndarray:
        """Compose bridges.

        Of each track in each bar the likeliest cells sound: about as many as in the bars around, as a network that is
        unsure of the chord would otherwise play several at once; and only those above a threshold. No track plays more
        keys at a time than in the bars around: a bass of one voice stays one.

        Args:
            context: bool (N, 2, steps, pitches, tracks), the bars before and after.
            bars: length of the bridges.

        Returns:
            bool (N, bars, steps, pitches, tracks).
        """
        found = _no_thicker(self.chances(context, bars), context)
        thresholds, densities = self.network.thresholds.cpu().numpy(), self.network.densities.cpu().numpy()
        return _chosen(found, _ranks(found), _usual(context, bars), thresholds, densities)

    def calibrate(self, context: np.ndarray, real: np.ndarray) -> None:
        """Set each track's threshold and density to those with the best note F1 and onset F1, of known bars.

        Args:
            context: bool (N, 2, steps, pitches, tracks), of training data.
            real: bool (N, bars, steps, pitches, tracks), the bars between.
        """
        bars = real.shape[1]
        found, usual = _no_thicker(self.chances(context, bars), context), _usual(context, bars)
        ranks, due = _ranks(found), starts(context, real)
        tried = [(threshold, density) for threshold in _THRESHOLDS for density in _DENSITIES]
        scores = []
        for threshold, density in tried:
            made = _chosen(found, ranks, usual, threshold, density)
            scores.append(_f1_by_track(made, real) + _f1_by_track(starts(context, made), due))
        best = np.array(tried)[np.argmax(scores, axis=0)]
        self.network.thresholds.copy_(torch.from_numpy(best[:, 0]))
        self.network.densities.copy_(torch.from_numpy(best[:, 1]))


def _usual(context: np.ndarray, bars: int) -> np.ndarray:
    """float64 (N, bars, tracks): cells that sound in the bars around, from the one before to the one after."""
    before, after = (context[:, side].sum(axis=(1, 2)) for side in (0, 1))
    share = ((np.arange(bars) + 1) / (bars + 1))[None, :, None]
    return (1 - share) * before[:, None] + share * after[:, None]


def _ranks(chances: np.ndarray) -> np.ndarray:
    """int64, as ``chances`` (N, bars, steps, pitches, tracks): how many cells of a bar's track are likelier."""
    flat = chances.reshape(*chances.shape[:2], -1, chances.shape[-1])
    order = np.argsort(-flat, axis=2, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(flat.shape[2])[None, None, :, None], axis=2)
    return ranks.reshape(chances.shape)


def _chosen(
    chances: np.ndarray,
    ranks: np.ndarray,
    usual: np.ndarray,
    thresholds: np.ndarray | float,
    densities: np.ndarray | float,
) -> np.ndarray:
    most = np.round(usual * densities)[:, :, None, None]
    return (chances > thresholds) & (ranks < most)


def _no_thicker(chances: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Chances (N, bars, steps, pitches, tracks) of the likeliest keys of each step, as many as the track ever plays at
    once in ``context`` (one at least), and none of the others."""
    most = np.maximum(context.astype(bool).sum(axis=3).max(axis=(1, 2)), 1)
    ranks = np.empty(chances.shape, np.int64)
    order = np.argsort(-chances, axis=3, kind="stable")
    np.put_along_axis(ranks, order, np.arange(chances.shape[3])[:, None], axis=3)
    return np.where(ranks < most[:, None, None, None], chances, 0.0)


def _f1_by_track(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    axes = tuple(range(made.ndim - 1))
    return 2 * (made & real).sum(axes) / np.maximum(made.sum(axes) + real.sum(axes), 1)
