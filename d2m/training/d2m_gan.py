"""Train D2M-GAN (Zhu et al. 2022, sections 3.2 to 3.5): from dance to VQ features of a frozen JukeBox VQ-VAE.

With x the real music, phi the VQ-VAE's encoder and G the generated features, the generator's objective is

    adversarial  sum over scales of -D(G)
    + 3  matching   L1 of the discriminators' maps of G and of phi(x)
    + 15 codebook   L1 of G and the looked-up codes of x
    + 40 waveform   L1 of the decoded G and x
    + 15 mel        L1 of their log-mel spectra

and that of the discriminators is the hinge loss with phi(x) as the real input. Two details that the paper does not
specify are as in the published code: the distances of maps are weighted by 4 / (layers + 1) / scales, as in MelGAN, and
spectra have 128 mel bands. One detail differs: the published code does not backpropagate through the decoded sound;
here gradients pass straight through the look-up, according to the objective of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2m.datasets.prepared import read_split
from d2m.datasets.segments import Segment, Segments
from d2m.errors import D2MError
from d2m.generator.d2m_gan import D2MGAN, DATASETS, FEATURE_SIZE, MODALITIES, D2MGANConfig
from d2m.generator.d2m_gan_discriminator import D2MGANDiscriminator
from d2m.generator.losses import LossWeights
from d2m.jukebox import VQVAE
from d2m.jukebox.codec import JukeboxCodec, codebook_digest
from d2m.nn.discriminators import Answers
from d2m.nn.mel import LogMel
from d2m.training.devices import mean_of
from d2m.training.loop import Task
from d2m.training.monitor import Sample
from d2m.training.settings import describe

#: What ``--without`` takes: the paper's table 5.
TERMS: tuple[str, ...] = ("adversarial", "matching", "codebook", "waveform", "mel")
_BANDS, _FLOOR = 128, 1e-5


@dataclass(frozen=True)
class D2MGANTraining:
    """Settings of a run; the defaults are the paper's (section 4.1).

    Attributes:
        data: a prepared data set (:mod:`d2m.datasets.prepared`).
        steps: number of steps of the whole run.
        level: ``"high"`` (hop 128) or ``"low"`` (hop 32).
        seconds: length of a segment in seconds, 2 to 6 (table 3).
        modality: ``"both"``, ``"motion"`` or ``"vision"`` (table 4).
        batch: segments a step.
        learning_rate, betas: parameters of generator and discriminators (Adam), constant.
        sigma: the output's scale; 1 turns scaling off (table 6).
        scales: discriminators, 1 to 3 (table 6).
        reshaping: whether discriminators see the features as one row (table 6).
        weights: weights of the terms; 0 leaves one out (table 5).
        augment: bring every segment's peak to 0.95 times a random 0.3 to 1, as the published program does.
        held_out: most segments of the held-out split that are measured.
        vqvae: name or file of the VQ-VAE; ``vqvae_sha256``: of that file.
        seed: random seed of the order of segments.
    """

    data: Path
    steps: int
    level: str = "high"
    seconds: float = 2.0
    modality: str = "both"
    batch: int = 16
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.9)
    sigma: float = 100.0
    scales: int = 3
    reshaping: bool = True
    weights: LossWeights = field(default_factory=LossWeights)
    augment: bool = False
    held_out: int = 64
    vqvae: str = "studio-vqvae"
    vqvae_sha256: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """Rows of a batch on a device: motion (B, T, D), visual (B, 2048), genre (B,), waveform (B, frames * hop); those
    that the model does not take are None."""

    motion: Tensor | None
    visual: Tensor | None
    genre: Tensor | None
    waveform: Tensor


class D2MGANTask(Task):
    """The loop's view of D2M-GAN in training.

    Args:
        settings: settings of the run.
        vqvae: frozen; its features are what the generator aims at.
        model, discriminator: others than those that ``settings`` describe, with the same inputs and outputs.

    Raises:
        D2MError: if data, VQ-VAE and settings do not fit each other.
    """

    def __init__(
        self,
        settings: D2MGANTraining,
        vqvae: VQVAE,
        model: nn.Module | None = None,
        discriminator: nn.Module | None = None,
    ) -> None:
        self.settings = settings
        self.train_set = Segments(settings.data, "train", seconds=settings.seconds)
        split = "val" if read_split(settings.data, "val") else "test"
        self.test_set = Segments(settings.data, split, seconds=settings.seconds)
        self.config = _config(settings, self.train_set)
        _config(settings, self.test_set)
        self.codec = _codec(vqvae, settings.level, self.train_set.sample_rate)
        self.codebook = codebook_digest(vqvae, settings.level)
        self.model = model or D2MGAN(self.config)
        self.discriminator = discriminator or D2MGANDiscriminator(settings.scales, settings.reshaping)
        self.mel = LogMel(self.config.sample_rate, 1024, 256, _BANDS, _FLOOR)
        self.modules = {"generator": self.model, "discriminator": self.discriminator}
        rate, betas = settings.learning_rate, settings.betas
        self.optimizers = {
            "generator": torch.optim.Adam(self.model.parameters(), rate, betas),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), rate, betas),
        }
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def describe(self) -> dict[str, Any]:
        """Return the settings, and which segments the run is trained on, wherever they lie."""
        names = "\n".join((*self.train_set.names, "", *self.test_set.names))
        digest = sha256(names.encode()).hexdigest()[:12]
        return describe(self.settings) | {
            "segments": f"{len(self.train_set)} + {len(self.test_set)} of {self.train_set.kind} ({digest})"
        }

    def setup(self, fabric) -> None:
        """Move networks, the VQ-VAE and the spectrogram to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.codec.to(fabric.device)
        self.mel.to(fabric.device)

    def state(self) -> dict[str, object]:
        """Return the configuration that is needed to use the weights: the model's shape and the VQ-VAE that they
        belong to.
        """
        return {"config": self.config.to_dict(), "vqvae": self.settings.vqvae, "codebook": self.codebook}

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train the discriminators, then the generator, on the next batch of the epoch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        weights = self.settings.weights
        batch = self._placed(self._segments(step, rng))
        with torch.no_grad():
            real = self.codec.features(batch.waveform)
            codes = self.codec.quantise(real)[1]
        output = self._generate(batch)
        codebook = (output - codes).abs().mean()
        total, figures = weights.codebook * codebook, {"codebook": codebook.item()}
        if weights.waveform or weights.mel:
            heard = self._heard(output)
            difference = (heard - batch.waveform).abs().mean()
            mel = (self.mel(heard) - self.mel(batch.waveform)).abs().mean()
            total = total + weights.waveform * difference + weights.mel * mel
            figures |= {"waveform": difference.item(), "mel": mel.item()}
        if weights.adversarial or weights.matching:
            terms, more = self._judged(real, output)
            total, figures = total + terms, figures | more
        self.update("generator", total)
        return {"total": total.item()} | figures

    def _judged(self, real: Tensor, output: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Trains the discriminators on a batch, and asks them about ``output`` again."""
        weights, judge = self.settings.weights, self.modules["discriminator"]
        known, fooled = judge(real), judge(output.detach())
        loss = hinge_loss(known, fooled)
        self.update("discriminator", loss)
        # Their own gradients are of no use in the generator's step.
        self.discriminator.requires_grad_(False)
        judged = judge(output)
        self.discriminator.requires_grad_(True)
        adversarial, matching = generator_loss(judged), matching_loss(known, judged)
        figures = {"adversarial": adversarial.item(), "matching": matching.item(), "discriminator": loss.item()}
        return weights.adversarial * adversarial + weights.matching * matching, figures

    def _generate(self, batch: Batch) -> Tensor:
        return self.modules["generator"](batch.motion, batch.visual, batch.genre).float()

    def _heard(self, features: Tensor) -> Tensor:
        """The decoded sound (B, T) of generated features (B, D, F), whose gradient passes straight through the
        look-up."""
        with torch.no_grad():
            vectors = self.codec.quantise(features)[1]
        vectors = features + (vectors - features).detach()
        with self.autocast():
            waveform = self.codec.decode_features(vectors)
        return waveform.float()

    def _segments(self, step: int, rng: np.random.Generator) -> list[Segment]:
        """This device's segments of a step: every epoch takes each one once, in an order of its own."""
        settings, count = self.settings, len(self.train_set)
        places = np.arange(step * settings.batch, (step + 1) * settings.batch)
        own = self.own(np.array([self._order_of(place // count)[place % count] for place in places]))
        gains = self.own(rng.uniform(0.3, 1.0, settings.batch))
        chosen = [self.train_set[int(index)] for index in own]
        if not settings.augment:
            return chosen
        return [_scaled(segment, gain) for segment, gain in zip(chosen, gains, strict=True)]

    def _order_of(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.settings.seed, 1, int(epoch)])
            self._order = int(epoch), rng.permutation(len(self.train_set))
        return self._order[1]

    def _placed(self, segments: Iterable[Segment]) -> Batch:
        rows, device = list(segments), self.fabric.device
        length = self.config.frames * self.config.hop
        waves = np.zeros((len(rows), length), np.float32)
        for wave, row in zip(waves, rows, strict=True):
            wave[: len(row.waveform)] = row.waveform[:length]

        def stacked(values: list) -> Tensor:
            return torch.from_numpy(np.stack(values)).to(device)

        return Batch(
            motion=stacked([row.motion for row in rows]) if self.config.modality != "vision" else None,
            visual=stacked([row.visual for row in rows]) if self.config.modality != "motion" else None,
            genre=stacked([np.int64(row.genre) for row in rows]) if self.config.data.genres else None,
            waveform=torch.from_numpy(waves).to(device),
        )

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Compute held-out metrics: ``codebook``, ``waveform`` and ``mel`` as in training, ``codes``, the share of
        correct codes, and ``mel_vqvae``, the mel distance of the VQ-VAE's own reconstruction, which is the lower limit.

        Args:
            step: number of training steps done.
        """
        count = min(self.settings.held_out, len(self.test_set))
        chosen = np.linspace(0, len(self.test_set) - 1, count).round().astype(int)
        own = chosen[self.fabric.global_rank :: self.fabric.world_size]
        sums = dict.fromkeys(("codebook", "waveform", "mel", "codes", "mel_vqvae"), 0.0)
        for start in range(0, len(own), self.settings.batch):
            rows = own[start : start + self.settings.batch]
            for name, value in self._measure([self.test_set[int(index)] for index in rows]).items():
                sums[name] += value * len(rows)
        means = mean_of(sums | {"count": float(len(own))}, self.fabric)
        return {name: means[name] / means["count"] for name in sums}

    def _measure(self, segments: list[Segment]) -> dict[str, float]:
        self.model.eval()
        batch = self._placed(segments)
        codes, vectors = self.codec.quantise(self.codec.features(batch.waveform))
        output = self._generate(batch)
        guesses, looked_up = self.codec.quantise(output)
        heard, known = self.codec.decode_features(looked_up), self.codec.decode_features(vectors)
        target = self.mel(batch.waveform)
        self.model.train()
        return {
            "codebook": (output - vectors).abs().mean().item(),
            "waveform": (heard - batch.waveform).abs().mean().item(),
            "mel": (self.mel(heard) - target).abs().mean().item(),
            "codes": (guesses == codes).float().mean().item(),
            "mel_vqvae": (self.mel(known) - target).abs().mean().item(),
        }

    def score(self, held_out: dict[str, float]) -> float:
        """Return the mel distance, or the codes' where the model is trained without it.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["mel" if self.settings.weights.mel else "codebook"]

    @torch.no_grad()
    def samples(self) -> list[Sample]:
        """Return three held-out segments."""
        chosen = sorted({0, len(self.test_set) // 2, len(self.test_set) - 1})
        segments = [self.test_set[index] for index in chosen]
        batch = self._placed(segments)
        heard = self._heard(self._generate(batch)).cpu().numpy()
        rate = self.config.sample_rate
        return [
            Sample(f"{segment.name}_{segment.start:g}s", wave, real, rate)
            for segment, wave, real in zip(segments, heard, batch.waveform.cpu().numpy(), strict=True)
        ]


def hinge_loss(real: Answers, fake: Answers) -> Tensor:
    """Compute the hinge loss of the discriminators, summed over scales (section 3.5).

    Args:
        real, fake: logits and maps of each scale.
    """
    terms = (
        nn.functional.relu(1 - r).mean() + nn.functional.relu(1 + f).mean()
        for (r, _), (f, _) in zip(real, fake, strict=True)
    )
    return sum(terms, start=real[0][0].new_zeros(()))


def generator_loss(fake: Answers) -> Tensor:
    """Compute the hinge loss of the generator, summed over scales.

    Args:
        fake: logits and maps of each scale.
    """
    return sum((-logits.mean() for logits, _ in fake), start=fake[0][0].new_zeros(()))


def matching_loss(real: Answers, fake: Answers) -> Tensor:
    """Compute the L1 distance of feature maps, weighted by 4 / (layers + 1) / scales.

    Args:
        real, fake: logits and maps of each scale.
    """
    layers = len(real[0][1]) - 2
    distances = [
        (a.detach() - b).abs().mean()
        for (_, known), (_, made) in zip(real, fake, strict=True)
        for a, b in zip(known, made, strict=True)
    ]
    return sum(distances, start=fake[0][0].new_zeros(())) * (4 / (layers + 1) / len(real))


def _config(settings: D2MGANTraining, segments: Segments) -> D2MGANConfig:
    """The model that fits settings and data."""
    if segments.kind not in DATASETS:
        known = " or ".join(DATASETS)
        raise D2MError(f"D2M-GAN takes data of {known}, but {settings.data} is of {segments.kind}; use another model")
    shape = DATASETS[segments.kind]
    if settings.modality not in MODALITIES:
        raise D2MError(f"no modality '{settings.modality}'; choose one of {', '.join(MODALITIES)}")
    if (segments.motion_size, segments.motion_fps) != (shape.motion_size, shape.motion_rate):
        raise D2MError(
            f"D2M-GAN takes {shape.motion_size} values at {shape.motion_rate} frames a second for {segments.kind}, but "
            f"{settings.data} has {segments.motion_size} at {segments.motion_fps:g}; prepare it again"
        )
    if settings.modality != "motion" and segments.visual_size is None:
        raise D2MError(
            f"{settings.data} has no visual features; add them with 'd2m features', or choose --modality motion"
        )
    if settings.modality != "motion" and segments.visual_size != 2048:
        raise D2MError(f"visual features have 2048 values, but in {settings.data} {segments.visual_size}")
    if shape.genres and -1 in segments.genres:
        name = segments.names[segments.genres.index(-1)]
        raise D2MError(
            f"{name} in {settings.data} has no genre, which D2M-GAN needs for AIST++; prepare the data again"
        )
    try:
        return D2MGANConfig(
            segments.kind, settings.level, settings.seconds, settings.modality, settings.sigma, segments.sample_rate
        )
    except ValueError as error:
        raise D2MError(str(error)) from error


def _codec(vqvae: VQVAE, level: str, sample_rate: int) -> JukeboxCodec:
    try:
        codec = JukeboxCodec(vqvae, level, sample_rate)
    except ValueError as error:
        raise D2MError(str(error)) from error
    if codec.feature_size != FEATURE_SIZE:
        raise D2MError(f"D2M-GAN makes features of {FEATURE_SIZE} values, but the VQ-VAE's have {codec.feature_size}")
    if not vqvae.codebook(codec.level).k.any():
        raise D2MError("the VQ-VAE has an empty codebook; train it further")
    return codec.eval().requires_grad_(False)


def _scaled(segment: Segment, gain: float) -> Segment:
    peak = max(float(np.abs(segment.waveform).max()), 1e-4)
    wave = (segment.waveform * (0.95 * gain / peak)).astype(np.float32)
    return Segment(segment.name, segment.start, segment.motion, segment.visual, wave, segment.genre)
