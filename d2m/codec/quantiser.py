"""Residual vector quantisation (Zeghidour et al. 2021) with moving-average codebooks (van den Oord et al. 2017).

Each codebook quantises the residual of the ones before it. Entries are initialised with real encoder outputs, move to
the mean of the vectors assigned to them, and are restarted when almost no vectors are; otherwise a codebook collapses
to a few entries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualQuantiser(nn.Module):
    """K codebooks of N vectors of size D.

    Args:
        count: K.
        size: N.
        dimension: D.
        decay: decay of the moving averages.
        restart_below: entries whose moving count (vectors a batch) falls under this are restarted.
    """

    codebooks: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, count: int, size: int, dimension: int, decay: float = 0.98, restart_below: float = 0.3) -> None:
        super().__init__()
        self.decay = decay
        self.restart_below = restart_below
        self.register_buffer("codebooks", torch.zeros(count, size, dimension))
        self.register_buffer("counts", torch.ones(count, size), persistent=False)
        self.register_buffer("sums", torch.zeros(count, size, dimension), persistent=False)

    def nearest(self, vectors: Tensor, codebook: Tensor) -> Tensor:
        """Find the nearest row of a codebook for each vector.

        Args:
            vectors: float32 (M, D).
            codebook: float32 (N, D).

        Returns:
            int64 (M,), indices of rows.
        """
        return (codebook.square().sum(1) - 2 * vectors @ codebook.T).argmin(1)

    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Quantise features.

        Args:
            features: float32 (B, D, F).

        Returns:
            Codes int64 (B, K, F), and the vectors float32 (B, D, F) that they index.
        """
        batch, dimension, frames = features.shape
        flat = features.transpose(1, 2).reshape(-1, dimension)
        residual, codes = flat, []
        for codebook in self.codebooks:
            index = self.nearest(residual, codebook)
            residual = residual - codebook[index]
            codes.append(index.view(batch, frames))
        return torch.stack(codes, 1), (flat - residual).view(batch, frames, dimension).transpose(1, 2)

    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the vectors of codes.

        Args:
            codes: int64 (B, K, F).

        Returns:
            float32 (B, D, F).
        """
        return sum(book[index] for book, index in zip(self.codebooks, codes.unbind(1), strict=True)).transpose(1, 2)

    @torch.no_grad()
    def start(self, vectors: Tensor, generator: torch.Generator | None = None) -> None:
        """Initialise the codebooks with encoder outputs, each with the residual of the ones before it.

        A few rounds of k-means place the entries better than raw samples do.

        Args:
            vectors: float32 (M, D).
            generator: random generator, or None for PyTorch's.
        """
        residual = vectors
        for k in range(len(self.codebooks)):
            pick = torch.randint(len(residual), (self.codebooks.shape[1],), generator=generator)
            book = residual[pick].clone()
            for _ in range(4):
                index = self.nearest(residual, book)
                sums = torch.zeros_like(book).index_add_(0, index, residual)
                counts = torch.bincount(index, minlength=len(book)).float()
                used = counts > 0
                book[used] = sums[used] / counts[used, None]
            self.codebooks[k] = book
            self.counts[k] = 1.0
            self.sums[k] = book
            residual = residual - book[self.nearest(residual, book)]

    @torch.no_grad()
    def follow(self, features: Tensor, codes: Tensor) -> float:
        """Update every codebook towards the vectors it coded and restart unused entries; return the share of entries in
        use.

        Args:
            features: (B, D, F), as given to :meth:`quantise`.
            codes: (B, K, F), as it returned.
        """
        residual = features.detach().transpose(1, 2).reshape(-1, features.shape[1])
        used = 0.0
        for k, index in enumerate(codes.unbind(1)):
            index = index.reshape(-1)
            counts = torch.bincount(index, minlength=self.codebooks.shape[1]).to(residual.dtype)
            sums = torch.zeros_like(self.codebooks[k]).index_add_(0, index, residual)
            self.counts[k].mul_(self.decay).add_(counts, alpha=1 - self.decay)
            self.sums[k].mul_(self.decay).add_(sums, alpha=1 - self.decay)
            dead = self.counts[k] < self.restart_below
            coded = self.codebooks[k][index]
            self.codebooks[k] = self.sums[k] / self.counts[k].clamp(min=1e-3)[:, None]
            if dead.any():
                fresh = residual[torch.randint(len(residual), (int(dead.sum()),))]
                self.codebooks[k][dead] = fresh
                self.counts[k][dead] = 1.0
                self.sums[k][dead] = fresh
            used += 1.0 - float(dead.float().mean())
            residual = residual - coded
        return used / len(self.codebooks)
