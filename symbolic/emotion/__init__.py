"""Melodies with a feeling: a hierarchical MusicVAE over 16 bars.

``melody`` says what a melody is, ``extract`` finds it in a score, ``musicvae`` turns it into a latent vector and back:

    vae = emotion.load("runs/melody.safetensors")
    mu, sigma = vae.encode(melodies)
    between = vae.interpolate(melodies[0], melodies[1], steps=5)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.symbolic.emotion.musicvae import MusicVae


def load(name_or_path: str | Path) -> MusicVae:
    """A MusicVAE with the weights of that name or file, ready to use.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae, MusicVaeConfig
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path, "musicvae")
    tensors, config = weights.load_state(path, "musicvae")
    return MusicVae(rebuild(lambda sizes: HierarchicalMusicVae(MusicVaeConfig(**sizes)), config, tensors, path))
