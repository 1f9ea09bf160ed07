"""Adversarial training step shared by all models: the discriminators are updated first."""

from __future__ import annotations

from torch import Tensor

from d2m.nn.discriminators import discriminator_loss
from d2m.training.loop import Task


def train_discriminator(task: Task, real: Tensor, fake: Tensor) -> float:
    """Return one step of ``task``'s module and optimiser called "discriminator" on the hinge loss, which is returned.

    Args:
        task: a training with discriminators.
        real, fake: what they are to tell apart; ``fake`` detached from what made it.
    """
    discriminator = task.modules["discriminator"]
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    task.update("discriminator", loss)
    return loss.item()
