"""Replay memory: examples of earlier training steps that are trained on again."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Memory:
    """Replay memory: the latest rows of tensors, of which the oldest are dropped first.

    Args:
        size: rows that are kept.
        widths: widths of each tensor.
    """

    def __init__(self, size: int, *widths: int) -> None:
        self.rows = [torch.zeros(size, width) for width in widths]
        self.count = 0

    def add(self, *rows: Tensor) -> None:
        """Add rows to each tensor.

        Args:
            rows: (N, width) for each tensor.
        """
        size = len(self.rows[0])
        places = (self.count + torch.arange(len(rows[0]))) % size
        for kept, new in zip(self.rows, rows, strict=True):
            kept[places] = new.detach().float().cpu()
        self.count += len(rows[0])

    def draw(self, rng: np.random.Generator, count: int, device: torch.device) -> list[Tensor]:
        """Draw rows with replacement.

        Args:
            rng: random generator.
            count: number of rows.
            device: device of the result.

        Returns:
            The rows of each tensor.
        """
        chosen = torch.from_numpy(rng.integers(min(self.count, len(self.rows[0])), size=count))
        return [kept[chosen].to(device) for kept in self.rows]

    def state(self) -> dict[str, object]:
        """Return all rows and their number, for a checkpoint."""
        return {"rows": [kept[: self.count].clone() for kept in self.rows], "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.
        """
        for kept, rows in zip(self.rows, state["rows"], strict=True):
            kept[: len(rows)] = rows
        self.count = int(state["count"])
