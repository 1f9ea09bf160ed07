"""Fine-tune one decoder of a JukeBox VQ-VAE as the music synthesiser (D2M-GAN, Zhu et al. 2022, section 3.4).

Encoder and codebook are frozen, so that codes, and generators that predict them, stay valid. The decoder is the
generator of a GAN: it converts the looked-up codes of real music to sound, which multi-scale discriminators compare
with that music. The objective is that of the paper's generator (section 3.5) without its codebook term.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.generator.losses import LossWeights, PerceptualLoss
from d2m.jukebox import VQVAE
from d2m.jukebox.codec import HOPS, codebook_digest
from d2m.nn.discriminators import adversarial_loss, feature_matching_loss
from d2m.nn.multi_scale import MultiScaleDiscriminator, ScaleDiscriminator
from d2m.training.adversarial import train_discriminator
from d2m.training.audio import SongCrops, compared
from d2m.training.loop import Task
from d2m.training.monitor import Sample
from d2m.training.vqvae import reconstruction_error


@dataclass(frozen=True)
class DecoderTraining:
    """Settings of a run; rates, betas and weights are the paper's.

    Attributes:
        train, held_out: folders of songs (:class:`~d2m.training.audio.SongCrops`).
        steps: number of steps of the whole run.
        level: ``"high"`` (hop 128) or ``"low"`` (hop 32); which decoder is trained.
        batch, length: crops a step and their samples, a multiple of the level's hop.
        learning_rate, betas: parameters of decoder and discriminators (Adam), constant.
        weights: weights of the terms; ``codebook`` plays no part, as the codes are those of the music itself.
        gain_db: crops are turned down by 0 to this many decibels.
    """

    train: Path
    held_out: Path
    steps: int
    level: str = "high"
    batch: int = 4
    length: int = 16384
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.5, 0.9)
    weights: LossWeights = field(default_factory=LossWeights)
    gain_db: float = 9.0


class WaveformDiscriminator(MultiScaleDiscriminator):
    """The multi-scale discriminator on the waveform itself at 1x, 2x and 4x (MelGAN, Kumar et al. 2019, section 2.2):
    (B, 1, T) -> logits and feature maps of each scale.

    Samples come a hundred times as fast as VQ features, so the stacks stride further: a logit sees 0.03 s of sound at
    the finest scale and 0.12 s at the coarsest.
    """

    def __init__(self, scales: int = 3, channels: int = 32, layers: int = 6) -> None:
        super().__init__(1, 0)
        self.parts = nn.ModuleList(ScaleDiscriminator(1, channels, layers) for _ in range(scales))


class DecoderTask(Task):
    """The loop's view of a decoder in fine-tuning.

    Args:
        settings: settings of the run.
        vqvae: the trained model, which is changed in place: one decoder of it learns, all else is frozen.

    Raises:
        D2MError: if the model has no such level or no codebook.
        ValueError: if crops do not fit the level's hop.
    """

    def __init__(self, settings: DecoderTraining, vqvae: VQVAE) -> None:
        hops = vqvae.config.hops
        if HOPS.get(settings.level) not in hops:
            raise D2MError(f"no level '{settings.level}' in a VQ-VAE with hops {hops}; high is 128, low is 32")
        self.level = hops.index(HOPS[settings.level])
        if settings.length % hops[self.level]:
            raise ValueError(f"crops must be a multiple of {hops[self.level]} samples")
        if not vqvae.codebook(self.level).k.any():
            raise D2MError("the VQ-VAE has an empty codebook; train it further before its decoder")
        self.settings = settings
        self.vqvae = vqvae.eval().requires_grad_(False)
        self.decoder = vqvae.decoders[self.level].requires_grad_(True)
        self.discriminator = WaveformDiscriminator()
        self.hear = PerceptualLoss(vqvae.config.sample_rate)
        self.modules = {"vqvae": self.vqvae, "discriminator": self.discriminator}
        rate, betas = settings.learning_rate, settings.betas
        # Parameters without a gradient are passed over: the optimiser's state fits either level, and a run that is
        # called with the other one is refused by `restore`.
        self.optimizers = {
            "vqvae": torch.optim.Adam(self.vqvae.decoders.parameters(), rate, betas),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), rate, betas),
        }
        self.songs = SongCrops(settings.train, vqvae.config.sample_rate)
        self.held_out = SongCrops(settings.held_out, vqvae.config.sample_rate)
        self.before = float("nan")

    def describe(self) -> dict[str, Any]:
        """Return the settings, and which VQ-VAE's codes are decoded."""
        return super().describe() | {"codebook": codebook_digest(self.vqvae, self.settings.level)}

    def setup(self, fabric) -> None:
        """Move networks and losses to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.hear.to(fabric.device)

    def state(self) -> dict[str, object]:
        """Return the model's shape, the level, and the held-out error that the run began with."""
        return {"config": self.vqvae.config.to_dict(), "level": self.settings.level, "before": self.before}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.

        Raises:
            D2MError: if the run trains the other level.
        """
        if state["level"] != self.settings.level:
            raise D2MError(
                f"this run trains the {state['level']} level; choose another folder for the {self.settings.level} one"
            )
        self.before = state["before"]

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train the discriminators, then the decoder, on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings, weights = self.settings, self.settings.weights
        if step == 0:
            self.before = self._error()
        crops = self.songs.batch(rng, settings.batch, settings.length, settings.gain_db)
        waveform = torch.from_numpy(self.own(crops)).to(self.fabric.device)
        output = self._synthesise(waveform)
        real, fake = waveform[:, None], output[:, None]
        figures = {"discriminator": train_discriminator(self, real, fake.detach())}
        judged = self.modules["discriminator"](fake)
        with torch.no_grad():
            known = self.modules["discriminator"](real)
        difference, mel = self.hear(output, waveform)
        adversarial, matching = adversarial_loss(judged), feature_matching_loss(known, judged, self.mean)
        total = (
            weights.adversarial * adversarial
            + weights.matching * matching
            + weights.waveform * difference
            + weights.mel * mel
        )
        self.update("vqvae", total)
        parts = {"adversarial": adversarial, "matching": matching, "waveform": difference, "mel": mel}
        return {"total": total.item()} | {name: part.item() for name, part in parts.items()} | figures

    def evaluate(self, step: int) -> dict[str, float]:
        """Return ``mel``: log10-mel L1 of quantised held-out music (:func:`~d2m.training.vqvae.reconstruction_error`);
        ``mel_before``: the same with the decoder that the run began with.

        Args:
            step: number of training steps done.
        """
        return {"mel": self._error(), "mel_before": self.before}

    def score(self, held_out: dict[str, float]) -> float:
        """Return the mel distance.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["mel"]

    def samples(self) -> list[Sample]:
        """Return held-out music through the codes and the decoder."""
        config = self.vqvae.config
        return compared(self.held_out, config.sample_rate, config.hops[-1], self._synthesise, self.fabric.device)

    def _synthesise(self, waveform: Tensor) -> Tensor:
        """(B, T) through the frozen codes and the decoder; the codes are worked out in full precision, as in use."""
        with torch.no_grad(), torch.autocast(waveform.device.type, enabled=False):
            book = self.vqvae.codebook(self.level)
            vectors = book.lookup(book.quantise(self.vqvae.encoders[self.level](waveform[:, None])))
        with self.autocast():
            output = self.decoder(vectors)
        return output[:, 0].float()

    def _error(self) -> float:
        return reconstruction_error(self.vqvae, self.level, self.held_out.songs, self.hear.mel, self.fabric.device)
