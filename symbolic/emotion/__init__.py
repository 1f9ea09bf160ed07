"""Melodies with an emotion: a hierarchical MusicVAE over 16 bars, and an actor and critic in its latent space.

``melody`` defines melodies, ``extract`` finds them in a score, ``musicvae`` encodes and decodes them:

    vae = emotion.load("runs/melody.safetensors")
    mu, sigma = vae.encode(melodies)
    between = vae.interpolate(melodies[0], melodies[1], steps=5)

``emotions`` contains the table of the nine emotions, ``losses`` their losses, ``actor_critic`` moves latent vectors:

    model = emotion.load_emotion("runs/emotion.safetensors", vae)
    new = model.compose("melancholic", count=4)
    changed = model.recolour(melodies, "밝음", strength=0.5)

``mood`` changes whole scores, with the cues of ``mood_table``:

    from d2m.symbolic.emotion.mood import Mood, in_mood

    score = in_mood(score, Mood.read("gloomy:0.6"), seed=1)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.symbolic.emotion.actor_critic import EmotionModel
    from d2m.symbolic.emotion.musicvae import MusicVae


def load(name_or_path: str | Path) -> MusicVae:
    """Return a MusicVAE with the weights of that name or file, ready to use.

    Args:
        name_or_path: a name, a safetensors file, or Magenta's checkpoint as published: its tar file, or its name
            or one of its files where it is unpacked.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae, MusicVaeConfig
    from d2m.weights.rebuild import rebuild
    from d2m.weights.tf_bundle import is_bundle

    path = Path(name_or_path)
    if not is_bundle(path):
        path, _ = weights.find(name_or_path, "musicvae")
    if is_bundle(path):
        from d2m.symbolic.emotion.magenta import load_checkpoint

        tensors, config = load_checkpoint(path)
    else:
        tensors, config = weights.load_state(path, "musicvae")
    return MusicVae(rebuild(lambda sizes: HierarchicalMusicVae(MusicVaeConfig(**sizes)), config, tensors, path))


def load_emotion(name_or_path: str | Path, vae: MusicVae) -> EmotionModel:
    """Load the actor and critic.

    Args:
        name_or_path: name of weights, or a file.
        vae: the MusicVAE that they were trained on.

    Raises:
        D2MError: if there are no such weights, they are another model's, or of another MusicVAE.
    """
    from d2m import weights
    from d2m.symbolic.emotion.actor_critic import ActorCritic, ActorCriticConfig, EmotionModel
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path, "emotion")
    tensors, config = weights.load_state(path, "emotion")
    return EmotionModel(vae, rebuild(lambda sizes: ActorCritic(ActorCriticConfig(**sizes)), config, tensors, path))
