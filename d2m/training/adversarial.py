"""Adversarial training step shared by all models: the discriminators are updated first."""

from __future__ import annotations

from torch import Tensor

from d2m.nn.discriminators import discriminator_loss
from d2m.training.loop import Task


def train_discriminator(task: Task, real: Tensor, fake: Tensor) -> float:
    """Train the module "discriminator" of a task for one step on the hinge loss.

    Args:
        task: training with discriminators.
        real, fake: real and generated examples; ``fake`` is detached from the generator.

    Returns:
        The loss.
    """
    discriminator = task.modules["discriminator"]
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    task.update("discriminator", loss)
    return loss.item()
