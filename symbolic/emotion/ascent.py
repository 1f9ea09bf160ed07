"""Gradient descent on latent vectors without actor or critic, as a baseline for the actor."""

from __future__ import annotations

import numpy as np
import torch

from d2m.symbolic.emotion.emotions import EmotionTable
from d2m.symbolic.emotion.losses import Scale, density_loss, pitch_loss, straight_through
from d2m.symbolic.emotion.musicvae import MusicVae


def descend(
    vae: MusicVae, z: np.ndarray, targets: np.ndarray, table: EmotionTable, steps: int = 50, rate: float = 0.05
) -> np.ndarray:
    """Return the latent vectors whose melodies come near mean pitches and densities, found one by one (Adam).

    Args:
        vae: through whose decoder the gradient comes.
        z: starts, (N, latent).
        targets: mean pitch (MIDI) and notes a bar, (N, 2).
        table: table for the scale of both.
        steps: number of steps of the descent; each decodes all melodies.
        rate: about how far a value goes in a step.

    Returns:
        float32 (N, latent).
    """
    decoder, device = vae.network.decoder, vae.network.mu.weight.device
    moved = torch.tensor(np.asarray(z, dtype=np.float32), device=device, requires_grad=True)
    wanted = torch.from_numpy(np.asarray(targets, dtype=np.float32)).to(device)
    scale = Scale(table.pitch_deviation, table.density_deviation)
    optimizer, training = torch.optim.Adam([moved], rate), vae.network.training
    # cuDNN passes gradients through LSTMs in training mode only.
    vae.network.train()
    for _ in range(steps):
        _, played = decoder.write(moved, straight_through())
        loss = pitch_loss(played, wanted[:, 0], scale, harmony=0.0) + density_loss(played, wanted[:, 1], scale)
        (moved.grad,) = torch.autograd.grad(loss.sum(), [moved])
        optimizer.step()
    vae.network.train(training)
    return moved.detach().cpu().numpy()
