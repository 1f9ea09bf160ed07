"""Strategy of Lightning Fabric for the processes of a run; see :mod:`d2m.training.devices`."""

from __future__ import annotations

import torch
from lightning.fabric.strategies import DDPStrategy
from torch import nn


class Averaging(DDPStrategy):
    """Processes of DDP around unchanged networks, whose gradients are averaged by :mod:`d2m.training.devices`.

    Torch's own wrapper averages while the backward pass runs, and for that asks every network to be called as a whole,
    once a step, with all its parameters in use. Here discriminators are called twice, decoders alone, and levels by
    turns.
    """

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]  # without torch's wrapper
        """Broadcast the parameters and buffers of the first process, and return the module itself.

        Args:
            module: a network.
        """
        for tensor in (*module.parameters(), *module.buffers()):
            torch.distributed.broadcast(tensor.detach(), 0)
        return module
