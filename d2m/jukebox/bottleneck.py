"""Vector quantisation with a moving-average codebook.

(van den Oord et al. 2017, appendix A.1; random restarts: Dhariwal et al. 2020, section 3.1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

#: Rows of the distance table worked out at a time: 2048 entries x 4096 rows are 32 MiB.
_ROWS = 4096


@dataclass
class Quantised:
    """Result of quantising a batch.

    Attributes:
        vectors: (B, D, F), the codebook entries; gradients pass straight through to the encoder.
        codes: (B, F) int64.
        commitment: mean squared distance of the encoder's output from its (fixed) codebook entry, a scalar.
        used: share of codebook entries alive, 0..1.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor
    used: float


class Codebook(nn.Module):
    """One level's codebook.

    In training mode every call moves the entries towards the mean of the encoder outputs that they stand for;
    the first call on an empty codebook fills it with encoder outputs, and an entry whose moving count falls
    below ``threshold`` is replaced by a random encoder output of the batch.

    Args:
        size: number of entries.
        width: D, values of an entry.
        decay: decay of the moving averages.
        threshold: moving count (vectors a batch) under which an entry is restarted.
        seed: random seed of the choices of encoder outputs.
    """

    k: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(
        self, size: int, width: int, decay: float = 0.99, threshold: float = 1.0, seed: int | list[int] = 0
    ) -> None:
        super().__init__()
        self.decay = decay
        self.threshold = threshold
        self.rng = np.random.default_rng(seed)
        self.register_buffer("k", torch.zeros(size, width))
        # Not part of the published checkpoints, so not of ours: a resumed run takes them from `moving_state`.
        self.register_buffer("sums", torch.zeros(size, width), persistent=False)
        self.register_buffer("counts", torch.zeros(size), persistent=False)

    def quantise(self, features: Tensor) -> Tensor:
        """Find the nearest entry of each vector.

        Args:
            features: float32 (B, D, F).

        Returns:
            int64 (B, F).
        """
        batch, width, frames = features.shape
        flat = features.transpose(1, 2).reshape(-1, width)
        # |x - k|^2 without |x|^2, which is the same for every entry.
        lengths = self.k.square().sum(1)
        nearest = [(lengths - 2 * rows @ self.k.T).argmin(1) for rows in flat.split(_ROWS)]
        return torch.cat(nearest).view(batch, frames) if nearest else flat.new_zeros(batch, frames, dtype=torch.long)

    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the entries of codes.

        Args:
            codes: int64 (B, F).

        Returns:
            float32 (B, D, F).
        """
        return nn.functional.embedding(codes, self.k).transpose(1, 2)

    def forward(self, features: Tensor) -> Quantised:
        """Quantise features and, in training mode, update the codebook. This is computed in full precision, which
        distances to near entries and moving averages need.

        Args:
            features: float32 (B, D, F).
        """
        with torch.autocast(features.device.type, enabled=False):
            return self._quantised(features.float())

    def _quantised(self, features: Tensor) -> Quantised:
        flat = features.detach().transpose(1, 2).reshape(-1, features.shape[1])
        if self.training and not self.counts.any():
            self.start(gathered(flat))
        codes = self.quantise(features.detach())
        vectors = self.lookup(codes)
        commitment = (features - vectors).square().mean()
        used = self._follow(flat, codes.reshape(-1)) if self.training else 1.0
        return Quantised(features + (vectors - features).detach(), codes, commitment, used)

    @property
    def moving_state(self) -> dict[str, Any]:
        """The moving averages and the random state, to resume training exactly."""
        return {
            "sums": self.sums.clone(),
            "counts": self.counts.clone(),
            "random": self.rng.bit_generator.state,
        }

    @moving_state.setter
    def moving_state(self, state: dict[str, Any]) -> None:
        self.sums.copy_(state["sums"])
        self.counts.copy_(state["counts"])
        self.rng.bit_generator.state = state["random"]

    @torch.no_grad()
    def start(self, vectors: Tensor) -> None:
        """Initialise an empty codebook with some of the vectors, or the moving averages of a loaded one.

        Args:
            vectors: float32 (M, D).
        """
        if self.k.any():
            # Every entry counts as equally used at first.
            self.counts.fill_(max(len(vectors) / len(self.k), self.threshold))
        else:
            self.k.copy_(self._samples(vectors, len(self.k)))
            self.counts.fill_(max(1.0, self.threshold))
        self.sums.copy_(self.k * self.counts[:, None])

    @torch.no_grad()
    def _follow(self, vectors: Tensor, codes: Tensor) -> float:
        # Every process follows the whole batch, so that they agree, and with a single one that has all of it.
        vectors, codes = gathered(vectors), gathered(codes)
        counts = torch.bincount(codes, minlength=len(self.k)).to(vectors.dtype)
        sums = torch.zeros_like(self.k).index_add_(0, codes, vectors)
        fresh = self._samples(vectors, len(self.k))
        self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        dead = self.counts < self.threshold
        # A restarted entry begins with just enough weight to live until its vectors have found it.
        start = max(1.0, 2 * self.threshold)
        self.counts[dead] = start
        self.sums[dead] = fresh[dead] * start
        self.k.copy_(self.sums / self.counts[:, None])
        return 1.0 - float(dead.float().mean())

    def _samples(self, vectors: Tensor, count: int) -> Tensor:
        """``count`` of the vectors (M, D) at random, copies set apart by some noise where M is smaller."""
        if len(vectors) >= count:
            return vectors[torch.from_numpy(self.rng.permutation(len(vectors))[:count]).to(vectors.device)]
        picked = vectors[torch.from_numpy(self.rng.integers(len(vectors), size=count)).to(vectors.device)]
        noise = self.rng.standard_normal(tuple(picked.shape), dtype=np.float32)
        return picked + torch.from_numpy(noise).to(picked) * (0.01 / picked.shape[1] ** 0.5)


def gathered(rows: Tensor) -> Tensor:
    """Concatenate the rows of all processes of a training by rank. All processes must have as many.

    All processes must have as many.

    Args:
        rows: float (M, ...).

    Returns:
        The rows of all processes; the given ones in a run of one process.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return rows
    parts = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


class Bottleneck(nn.Module):
    """The codebooks of all levels, under the published names ``bottleneck.level_blocks.<level>.k``."""

    def __init__(self, levels: int, size: int, width: int, seed: int = 0) -> None:
        super().__init__()
        self.level_blocks = nn.ModuleList(Codebook(size, width, seed=[seed, level]) for level in range(levels))
