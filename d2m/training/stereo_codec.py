"""Training of the stereo codec: spectra first, then against discriminators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from d2m.codec.discriminators import MultiResolutionDiscriminator, adversarial_loss, feature_matching_loss
from d2m.codec.stereo import StereoCodec, StereoConfig
from d2m.codec.stereo_losses import StereoLoss
from d2m.errors import D2MError
from d2m.jukebox.bottleneck import gathered
from d2m.training.adversarial import train_discriminator
from d2m.training.loop import Task
from d2m.training.monitor import Sample
from d2m.training.stereo_audio import StereoCrops

#: Half the longest window that the losses look through, in samples.
_SHORTEST = 8192
_JUDGED_SECONDS = 5


@dataclass(frozen=True)
class StereoTraining:
    """Settings of a run.

    Attributes:
        train, held_out: folders of stereo songs (:class:`~d2m.training.stereo_audio.StereoCrops`).
        steps: of the whole run; the learning rate falls to a twentieth of ``learning_rate`` over them (cosine).
        batch, length: crops of a step and their samples.
        quantise_after: steps without quantisation for a codec whose codebooks are empty; then they start from encoder
            outputs.
        adversarial_after: step at which the discriminators join.
        freeze_codes: train the decoder alone, so that generators trained on the codes stay valid.
        commitment: weight of the encoder's distance to its codes.
        adversarial, matching: weights of the discriminators' terms.
    """

    train: Path
    held_out: Path
    steps: int
    batch: int = 6
    length: int = 32768
    learning_rate: float = 3e-4
    quantise_after: int = 400
    adversarial_after: int = 10**9
    freeze_codes: bool = False
    commitment: float = 0.25
    adversarial: float = 0.25
    matching: float = 1.0


class StereoTask(Task):
    """The training loop's view of a stereo codec.

    Args:
        settings: of the run.
        codec: to go on with; None begins from nothing.
    """

    def __init__(self, settings: StereoTraining, codec: StereoCodec | None = None) -> None:
        self.settings = settings
        self.codec = (codec or StereoCodec(StereoConfig())).requires_grad_(True)
        if settings.length < _SHORTEST or settings.length % self.codec.hop:
            raise D2MError(
                f"crops of {settings.length} samples are not possible; choose a multiple of {self.codec.hop}, "
                f"{_SHORTEST} or more"
            )
        trained = self.codec.decoder if settings.freeze_codes else self.codec
        self.loss = StereoLoss(self.codec.sample_rate, self.codec.hop)
        self.discriminator = MultiResolutionDiscriminator((4096, 2048, 1024))
        self.modules = {"codec": self.codec, "discriminator": self.discriminator}
        self.optimizers = {
            "codec": torch.optim.AdamW(trained.parameters(), settings.learning_rate, (0.8, 0.95), weight_decay=1e-3),
            "discriminator": torch.optim.AdamW(self.discriminator.parameters(), 3e-4, (0.5, 0.9)),
        }
        quantiser = self.codec.quantiser
        quantiser.sums.copy_(quantiser.codebooks)
        self.started = bool(quantiser.codebooks[0].any())
        self.songs, self.held_out = StereoCrops(settings.train), StereoCrops(settings.held_out)

    def setup(self, fabric) -> None:  # noqa: D102
        super().setup(fabric)
        self.loss.to(fabric.device)

    def state(self) -> dict[str, object]:
        quantiser = self.codec.quantiser
        return {"started": self.started, "counts": quantiser.counts, "sums": quantiser.sums}

    def restore(self, state: dict[str, object]) -> None:
        self.started = bool(state.get("started", True))
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
        if not self.started and step >= settings.quantise_after:
            self._start_codebooks(rng)
        if self.started:
            with torch.no_grad():
                codes, quantised = codec.quantise(features)
                used = 1.0 if settings.freeze_codes else codec.quantiser.follow(gathered(features), gathered(codes))
            commitment = (features - quantised).square().mean()
            vectors = features + (quantised - features).detach()
        with self.autocast():
            output = codec.decoder(vectors, clock)
        parts = self.loss(output, waveform)
        total = parts["total"] + settings.commitment * commitment
        figures = {name: part.item() for name, part in parts.items()} | {"commitment": commitment.item(), "used": used}
        if step >= settings.adversarial_after:
            # One of the two channels, or the middle: what is heard from a loudspeaker.
            side = int(rng.integers(3))
            true, made = (_heard(waveform, side), _heard(output, side))
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
        """Measure the losses over five seconds from the middle of each held-out song."""
        totals: dict[str, list[float]] = {}
        length = _JUDGED_SECONDS * self.codec.sample_rate // self.codec.hop * self.codec.hop
        for index in range(len(self.held_out)):
            crop = torch.from_numpy(self.held_out.middle(index, length))[None].to(self.fabric.device)
            for name, value in self.loss(self._through(crop), crop).items():
                totals.setdefault(name, []).append(value.item())
        return {name: float(np.mean(values)) for name, values in totals.items()}

    def _through(self, stereo: Tensor) -> Tensor:
        features = self.codec.features(stereo)
        return self.codec.decode_features(self.codec.quantise(features)[1] if self.started else features)

    def score(self, held_out: dict[str, float]) -> float:
        """Return the objective without discriminators."""
        return held_out["total"]

    @torch.no_grad()
    def samples(self) -> list[Sample]:
        """Return the middle channel of held-out music and of what the codec makes of it."""
        samples = []
        for index in range(min(3, len(self.held_out))):
            wave = self.held_out.middle(index, 4 * self.codec.sample_rate // self.codec.hop * self.codec.hop)
            made = self._through(torch.from_numpy(wave)[None].to(self.fabric.device))[0].mean(0).cpu().numpy()
            samples.append(Sample(f"song{index + 1}", made, wave.mean(0), self.codec.sample_rate))
        return samples


def _heard(stereo: Tensor, side: int) -> Tensor:
    return stereo[:, side] if side < 2 else stereo.mean(1)
