"""Training the spectral codec: first without quantisation, then with, then against discriminators."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from d2m.codec.base import SpectralBase
from d2m.codec.losses import SpectralLoss
from d2m.codec.spectral import SpectralCodec, SpectralConfig
from d2m.errors import D2MError
from d2m.jukebox.bottleneck import gathered
from d2m.nn.discriminators import (
    MultiResolutionDiscriminator,
    adversarial_loss,
    feature_matching_loss,
)
from d2m.nn.layers import initialise
from d2m.training.adversarial import train_discriminator
from d2m.training.audio import SongCrops, compared
from d2m.training.loop import Task
from d2m.training.monitor import Sample

if TYPE_CHECKING:
    from d2m.training.stereo_audio import StereoCrops

#: Samples: half the longest window that the losses look through.
_SHORTEST = 4096


@dataclass(frozen=True)
class CodecTraining:
    """Settings of a run.

    Attributes:
        train, held_out: folders of songs (:class:`~d2m.training.audio.SongCrops`).
        steps: number of steps of the whole run, over which the learning rate decays to a twentieth (cosine).
        batch, length: number of crops per step, and their length in samples.
        learning_rate: highest learning rate of the codec.
        quantise_after: number of steps without quantisation, after which the codebooks start from encoder outputs.
        adversarial_after: first step with discriminators.
        freeze_codes: train the decoder only, so that generators trained on the codes remain valid.
        commitment: weight of the commitment loss, the distance of the encoder's output to its codes.
        bass: weight of the loss at the fine resolution of the bass (:class:`~d2m.codec.losses.SpectralLoss`); needs
            crops of 32768 samples.
        adversarial, matching: weights of the discriminators' losses.
    """

    train: Path
    held_out: Path
    steps: int
    batch: int = 6
    length: int = 32768
    learning_rate: float = 6e-4
    quantise_after: int = 400
    adversarial_after: int = 10**9
    freeze_codes: bool = False
    commitment: float = 0.25
    bass: float = 4.0
    adversarial: float = 0.25
    matching: float = 1.0


class CodecTask(Task):
    """Training of the spectral codec, as used by the loop.

    Args:
        settings: settings of the run.
        config: sizes of a new codec.

    Raises:
        D2MError: if the length of the crops is not possible, or a folder has no songs.
    """

    songs: SongCrops | StereoCrops
    held_out: SongCrops | StereoCrops
    started: bool

    def __init__(self, settings: CodecTraining, config: SpectralConfig | None = None) -> None:
        codec = SpectralCodec(config)
        loss = SpectralLoss(codec.sample_rate, codec.hop, bass_weight=settings.bass)
        self._begin(settings, codec, loss, MultiResolutionDiscriminator(), _SHORTEST)
        held_out = SongCrops(settings.held_out)
        self.songs, self.held_out, self._whole = SongCrops(settings.train), held_out, held_out
        self.started = False

    def _begin(
        self,
        settings: CodecTraining,
        codec: SpectralBase,
        loss: nn.Module,
        discriminator: MultiResolutionDiscriminator,
        shortest: int,
    ) -> None:
        """Set the networks, losses and optimisers; ``shortest`` is the minimum length of a crop in samples."""
        if settings.length < shortest or settings.length % codec.hop:
            raise D2MError(
                f"crops of {settings.length} samples are not possible; choose a multiple of {codec.hop}, "
                f"{shortest} or more"
            )
        self.settings, self.codec, self.loss, self.discriminator = settings, codec, loss, discriminator
        trained = codec.decoder if settings.freeze_codes else codec
        self.modules = {"codec": codec, "discriminator": discriminator}
        self.optimizers = {
            "codec": torch.optim.AdamW(trained.parameters(), settings.learning_rate, (0.8, 0.95), weight_decay=1e-3),
            "discriminator": torch.optim.AdamW(discriminator.parameters(), 3e-4, (0.5, 0.9)),
        }

    def setup(self, fabric) -> None:
        """Move the networks and the loss to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.loss.to(fabric.device)

    def ear(self, rng: np.random.Generator) -> Callable[[Tensor], Tensor]:
        """Return the function that selects the input of the discriminators; here they receive the whole waveform.

        Args:
            rng: random generator of the step.

        Returns:
            Function from waveforms (B, T) to waveforms (B, T).
        """
        return lambda waveform: waveform

    def middle(self, index: int) -> np.ndarray:
        """Return ten seconds from the middle of a held-out song.

        Args:
            index: index of the song.

        Returns:
            float32 (samples,), -1 to 1; fewer samples if the song is shorter.
        """
        song = self._whole.songs[index]
        start = max(0, len(song) // 2 - 110250)
        return song[start : start + 220416].astype(np.float32) / 32768

    def start_from(self, codec: SpectralCodec, fresh_tones: bool = False) -> None:
        """Copy the parameters and codebooks of a trained codec of the same configuration.

        Args:
            codec: trained codec.
            fresh_tones: initialise the tone bank's gains again. A tone that was silenced early, when a neighbouring one
                lowered the losses as well, hardly gets a gradient any more.
        """
        self.codec.load_state_dict(codec.state_dict())
        if fresh_tones:
            initialise(self.codec.decoder.gains)
        quantiser = self.codec.quantiser
        quantiser.sums.copy_(quantiser.codebooks)
        self.started = True

    def state(self) -> dict[str, object]:
        """Return the statistics of the codebooks, and whether the codebooks have been started."""
        quantiser = self.codec.quantiser
        return {"started": self.started, "counts": quantiser.counts, "sums": quantiser.sums}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.
        """
        self.started = state["started"]
        self.codec.quantiser.counts.copy_(state["counts"])
        self.codec.quantiser.sums.copy_(state["sums"])

    def _rate(self, step: int) -> float:
        settings = self.settings
        warm = min(1.0, (step + 1) / 100)
        share = min(1.0, step / settings.steps)
        return settings.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train the discriminators, if they have joined, then the codec, on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and the share of the codebook entries in use, by name.
        """
        settings, codec = self.settings, self.codec
        for group in self.optimizers["codec"].param_groups:
            group["lr"] = self._rate(step)
        crops = self.songs.batch(rng, settings.batch, settings.length, gain_db=9)
        waveform = torch.from_numpy(self.own(crops)).to(self.fabric.device)
        clock = torch.from_numpy(self.own(rng.integers(0, 10**8, settings.batch))).to(waveform.device)
        with torch.set_grad_enabled(not settings.freeze_codes), self.autocast():
            features = codec.features(waveform)
        vectors, commitment, used = features, features.new_zeros(()), 0.0
        if self.started or step >= settings.quantise_after:
            if not self.started:
                self._start_codebooks(rng)
            with torch.no_grad():
                codes, quantised = codec.quantise(features)
                # Every device follows the whole batch, so that their codebooks stay the same.
                used = 1.0 if settings.freeze_codes else codec.quantiser.follow(gathered(features), gathered(codes))
            commitment = (features - quantised).square().mean()
            vectors = features + (quantised - features).detach()
        with self.autocast():
            output = codec.decoder(vectors, clock)
        parts = self.loss(output, waveform)
        total = parts["total"] + settings.commitment * commitment
        figures = {name: part.item() for name, part in parts.items()} | {"commitment": commitment.item(), "used": used}
        if step >= settings.adversarial_after:
            hear = self.ear(rng)
            true, made = hear(waveform), hear(output)
            figures["discriminator"] = train_discriminator(self, true, made.detach())
            fake = self.modules["discriminator"](made)
            with torch.no_grad():
                real = self.modules["discriminator"](true)
            adversarial, matching = adversarial_loss(fake), feature_matching_loss(real, fake)
            total = total + settings.adversarial * adversarial + settings.matching * matching
            figures |= {"adversarial": adversarial.item(), "matching": matching.item()}
        self.update("codec", total, clip=5.0)
        return figures

    @torch.no_grad()
    def _start_codebooks(self, rng: np.random.Generator) -> None:
        settings = self.settings
        batches = [self.songs.batch(rng, settings.batch, settings.length, gain_db=9) for _ in range(12)]
        features = torch.cat([self.codec.features(torch.from_numpy(b).to(self.fabric.device)) for b in batches])
        self.codec.quantiser.start(features.transpose(1, 2).reshape(-1, features.shape[1]))
        self.started = True

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Compute the losses on the middle of each held-out song.

        Args:
            step: number of training steps done.

        Returns:
            Mean losses by name.
        """
        totals: dict[str, list[float]] = {}
        for index in range(len(self.held_out)):
            crop = torch.from_numpy(self.middle(index))[None].to(self.fabric.device)
            crop = crop[..., : crop.shape[-1] // self.codec.hop * self.codec.hop]
            for name, value in self.loss(self.through(crop), crop).items():
                totals.setdefault(name, []).append(value.item())
        return {name: float(np.mean(values)) for name, values in totals.items()}

    def through(self, sound: Tensor) -> Tensor:
        """Encode and decode a waveform, without quantisation as long as the codebooks have not been started.

        Args:
            sound: waveform (B, T), or (B, 2, T) for stereo; T is a multiple of the hop.

        Returns:
            Waveform of the same shape.
        """
        features = self.codec.features(sound)
        return self.codec.decode_features(self.codec.quantise(features)[1] if self.started else features)

    def score(self, held_out: dict[str, float]) -> float:
        """Return the loss without the discriminators' terms.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["total"]

    def samples(self) -> list[Sample]:
        """Return excerpts of held-out music and their reconstructions by the codec."""
        return compared(self._whole, self.codec.sample_rate, self.codec.hop, self.through, self.fabric.device)
