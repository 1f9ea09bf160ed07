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
        steps: of the whole run; the learning rate falls to a twentieth of ``learning_rate`` over them (cosine).
        batch, length: crops a step and their samples.
        quantise_after: steps without quantisation, after which the codebooks start from encoder outputs.
        adversarial_after: step at which the discriminators join.
        freeze_codes: train the decoder alone, so that generators trained on the codes stay valid.
        commitment: weight of the encoder's distance to its codes.
        bass: weight of the fine resolution of the bass (:class:`~d2m.codec.losses.SpectralLoss`); wants crops of 32768.
        adversarial, matching: weights of the discriminators' terms.
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
    """The loop's view of a codec in training.

    Args:
        settings: of the run.
        config: sizes of a new codec.
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
        """Take over what a run works on; ``shortest`` is the least length of a crop in samples."""
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

    def setup(self, fabric) -> None:  # noqa: D102
        super().setup(fabric)
        self.loss.to(fabric.device)

    def ear(self, rng: np.random.Generator) -> Callable[[Tensor], Tensor]:
        """Return the function that gives the discriminators their part of a waveform, for one step."""
        return lambda waveform: waveform

    def middle(self, index: int) -> np.ndarray:
        """Return what a held-out song is measured on: ten seconds from its middle, float32."""
        song = self._whole.songs[index]
        start = max(0, len(song) // 2 - 110250)
        return song[start : start + 220416].astype(np.float32) / 32768

    def start_from(self, codec: SpectralCodec, fresh_tones: bool = False) -> None:
        """Take over the parameters and codebooks of a trained codec of the same configuration.

        Args:
            codec: trained.
            fresh_tones: let the tone bank's gains start anew. A tone that fell silent early, when a neighbour did as
                well for the losses, hardly gets a gradient any more.
        """
        self.codec.load_state_dict(codec.state_dict())
        if fresh_tones:
            initialise(self.codec.decoder.gains)
        quantiser = self.codec.quantiser
        quantiser.sums.copy_(quantiser.codebooks)
        self.started = True

    def state(self) -> dict[str, object]:
        quantiser = self.codec.quantiser
        return {"started": self.started, "counts": quantiser.counts, "sums": quantiser.sums}

    def restore(self, state: dict[str, Any]) -> None:
        self.started = state["started"]
        self.codec.quantiser.counts.copy_(state["counts"])
        self.codec.quantiser.sums.copy_(state["sums"])

    def _rate(self, step: int) -> float:
        settings = self.settings
        warm = min(1.0, (step + 1) / 100)
        share = min(1.0, step / settings.steps)
        return settings.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
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
        """Losses over the middle of each held-out song."""
        totals: dict[str, list[float]] = {}
        for index in range(len(self.held_out)):
            crop = torch.from_numpy(self.middle(index))[None].to(self.fabric.device)
            crop = crop[..., : crop.shape[-1] // self.codec.hop * self.codec.hop]
            for name, value in self.loss(self.through(crop), crop).items():
                totals.setdefault(name, []).append(value.item())
        return {name: float(np.mean(values)) for name, values in totals.items()}

    def through(self, sound: Tensor) -> Tensor:
        """Code and decode a waveform; without quantisation as long as the codebooks are empty."""
        features = self.codec.features(sound)
        return self.codec.decode_features(self.codec.quantise(features)[1] if self.started else features)

    def score(self, held_out: dict[str, float]) -> float:
        """The objective without discriminators."""
        return held_out["total"]

    def samples(self) -> list[Sample]:
        """Held-out music through the codec."""
        return compared(self._whole, self.codec.sample_rate, self.codec.hop, self.through, self.fabric.device)
