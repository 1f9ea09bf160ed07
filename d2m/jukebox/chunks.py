"""Apply a convolutional network to a signal of any length in bounded memory, with the result of a single pass.

Each chunk is extended by the receptive field of the network on both sides and the output of these margins is
discarded, so there is no seam: the result differs from one pass over the whole signal by rounding only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def downwards(network: Callable[[Tensor], Tensor], x: Tensor, hop: int, reach: int, chunk: int) -> Tensor:
    """Apply a network that makes one step of every ``hop``.

    Args:
        network: (..., t) -> (..., t // hop), time last.
        x: (..., T).
        hop: input steps an output step.
        reach: input steps on either side that an output depends on.
        chunk: input steps worked out at a time.

    Returns:
        (..., T // hop).
    """
    steps, total = max(chunk // hop, 1), x.shape[-1] // hop
    margin = -(-reach // hop)
    parts = []
    for start in range(0, total, steps):
        end = min(start + steps, total)
        left = max(start - margin, 0)
        right = x.shape[-1] if end + margin >= total else (end + margin) * hop
        parts.append(network(x[..., left * hop : right])[..., start - left : end - left])
    return torch.cat(parts, -1) if parts else network(x)


def upwards(network: Callable[[Tensor], Tensor], x: Tensor, hop: int, reach: int, chunk: int) -> Tensor:
    """Apply a network that makes ``hop`` steps of each one.

    Args:
        network: (..., f) -> (..., f * hop), time last.
        x: (..., F).
        hop: output steps an input step.
        reach: input steps on either side that an output depends on.
        chunk: output steps worked out at a time.

    Returns:
        (..., F * hop).
    """
    steps, total = max(chunk // hop, 1), x.shape[-1]
    parts = []
    for start in range(0, total, steps):
        end = min(start + steps, total)
        left, right = max(start - reach, 0), min(end + reach, total)
        parts.append(network(x[..., left:right])[..., (start - left) * hop : (end - left) * hop])
    return torch.cat(parts, -1) if parts else network(x)
