"""Training the any-length generator against a frozen codec: features first, then spectra, then discriminators."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from d2m.codec.base import Codec
from d2m.datasets.pairs import Pair, crop, load_pairs
from d2m.datasets.shards import ShardOrder, read_shard, shard_names
from d2m.errors import D2MError
from d2m.files.store import open_store
from d2m.files.url import is_url
from d2m.generator.losses import LossWeights, PerceptualLoss
from d2m.generator.temporal import Conditions, TemporalConfig, TemporalGenerator
from d2m.nn.discriminators import adversarial_loss, feature_matching_loss
from d2m.nn.multi_scale import MultiScaleDiscriminator
from d2m.training.adversarial import train_discriminator
from d2m.training.devices import greatest
from d2m.training.loop import Task
from d2m.training.pair_sources import Example, InMemory, PairSource, Sharded


@dataclass(frozen=True)
class GeneratorTraining:
    """Settings of a run.

    Attributes:
        data: folder with ``train`` and ``held_out``, which hold examples (:mod:`d2m.datasets.pairs`) or shards of them
            (:mod:`d2m.datasets.shards`), or the URL of shards.
        steps: number of steps of the whole run, over which the learning rate decays to a twentieth (cosine).
        batch, frames: number of crops per step, and their length in frames.
        learning_rate: highest learning rate of the generator.
        perceptual_after: first step in which the output is also decoded (waveform and mel losses).
        adversarial_after: first step with discriminators.
        weights: weights of the losses.
        drop_motion, drop_rhythm, drop_sketch, drop_genre: probabilities of leaving out a condition, so that each is
            optional.
        parts: maximum number of parts of a sketch.
        resident: shards that each process keeps in memory, of which the oldest is replaced after ``shard_steps`` steps.
        shard_seed: random seed of the order of the shards.
    """

    data: Path | str
    steps: int
    batch: int = 8
    frames: int = 160
    learning_rate: float = 6e-4
    perceptual_after: int = 10**9
    adversarial_after: int = 10**9
    weights: LossWeights = field(default_factory=lambda: LossWeights(waveform=0.0))
    drop_motion: float = 0.3
    drop_rhythm: float = 0.3
    drop_sketch: float = 0.05
    drop_genre: float = 0.3
    parts: int = 10
    resident: int = 8
    shard_steps: int = 100
    shard_seed: int = 0


class GeneratorTask(Task):
    """Training of the generator, as used by the loop.

    Args:
        settings: settings of the run.
        codec: trained codec, which is frozen.
        config: sizes of the generator.

    Raises:
        D2MError: if a folder has no examples that are long enough.
    """

    def __init__(self, settings: GeneratorTraining, codec: Codec, config: TemporalConfig | None = None) -> None:
        self.settings = settings
        self.codec = codec.eval().requires_grad_(False)
        self.generator = TemporalGenerator(config or TemporalConfig(feature_size=codec.feature_size))
        self.discriminator = MultiScaleDiscriminator(codec.feature_size)
        self.hear = PerceptualLoss(codec.sample_rate, codec.hop)
        self.modules = {"generator": self.generator, "discriminator": self.discriminator}
        rate = settings.learning_rate
        self.optimizers = {
            "generator": torch.optim.AdamW(self.generator.parameters(), rate, (0.8, 0.95), weight_decay=1e-3),
            "discriminator": torch.optim.AdamW(self.discriminator.parameters(), 1e-4, (0.5, 0.9)),
        }
        store = open_store(settings.data)
        self.shards = shard_names(store, "train")
        self.pairs = [] if self.shards else _examples(settings, "train")
        self.held_out = _examples(settings, "held_out")
        self.source: PairSource = InMemory([])

    def setup(self, fabric) -> None:
        """Move the networks, the codec and the loss to the device, and encode the music of all training examples.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.codec.to(fabric.device)
        self.hear.to(fabric.device)
        # The looked-up codes of the real music are what the generator aims at: made once, as they never change.
        self.source = self._sharded() if self.shards else InMemory([Example(p, self._codes(p)) for p in self.pairs])
        targets = [example.target[:, ::7] for example in self.source.at(0)]
        sample = torch.from_numpy(np.concatenate(targets, 1).astype(np.float32))
        self.generator.mean.copy_(fabric.broadcast(sample.mean(1)))
        self.generator.deviation.copy_(fabric.broadcast(sample.std(1)))

    def _sharded(self) -> Sharded:
        """Return the source that reads shards, each process others."""
        settings, fabric = self.settings, self.fabric
        count, rank, world = len(self.shards), fabric.global_rank, fabric.world_size
        order = ShardOrder(count, settings.resident, settings.shard_steps, settings.shard_seed, rank, world)
        return Sharded(open_store(settings.data), self.shards, order, settings.frames, self._codes)

    @torch.no_grad()
    def _codes(self, pair: Pair) -> np.ndarray:
        """Return the quantised features of an example's music, float16 (D, F)."""
        waveform = torch.from_numpy(pair.sound(0, pair.frames * self.codec.hop)).to(self.fabric.device)
        waveform = waveform[None] if self.codec.channels > 1 else waveform
        return self.codec.quantise(self.codec.features(waveform))[1][0].cpu().numpy().astype(np.float16)

    def _batch(self, step: int, rng: np.random.Generator) -> tuple[Conditions, Tensor, Tensor]:
        """Draw conditions, target features (B, D, F) in standard deviations, and waveforms (B, T) or (B, 2, T)."""
        settings, hop = self.settings, self.codec.hop
        crops, targets, waveforms, genres = [], [], [], []
        with_motion = rng.random() > settings.drop_motion
        examples, draw, rows = self.source.at(step), rng, settings.batch
        if not self.source.is_shared:
            # What is left out is the same for all processes; the rows are each one's own.
            rows = len(self.own(np.arange(settings.batch)))
            draw = np.random.default_rng([int(rng.integers(1 << 62)), self.fabric.global_rank])
        for _ in range(rows):
            for _ in range(100):
                example = examples[int(draw.integers(len(examples)))]
                if len(example.pair.motion) or not with_motion:
                    break
            pair = example.pair
            start = int(draw.integers(0, max(1, pair.frames - settings.frames)))
            crops.append(crop(pair, start, settings.frames, settings.parts))
            targets.append(example.target[:, start : start + settings.frames])
            waveforms.append(pair.sound(start * hop, settings.frames * hop))
            genres.append(pair.genre)
        stacks = {k: np.stack([c[k] for c in crops]) for k in crops[0]}
        places = int((stacks["programs"] >= 0).sum(1).max())
        tensors = {k: self._placed(stack) for k, stack in stacks.items()}
        noise = draw.standard_normal((rows, settings.frames, self.generator.config.noise_size))
        unknown = min(genres) < 0
        if not self.source.is_shared:
            unknown = bool(greatest(int(unknown), self.fabric))
        with_genre = not unknown and rng.random() > settings.drop_genre
        with_sketch = rng.random() > settings.drop_sketch
        conditions = Conditions(
            frames=settings.frames,
            rows=tensors["rows"][:, : max(1, places)] if with_sketch else None,
            programs=tensors["programs"][:, : max(1, places)] if with_sketch else None,
            motion=tensors["motion"] if with_motion else None,
            rhythm=tensors["rhythm"] if rng.random() > settings.drop_rhythm else None,
            genre=self._placed(np.array(genres)) if with_genre else None,
            noise=self._placed(noise.astype(np.float32)),
        )
        target = self._placed(np.stack(targets).astype(np.float32))
        target = (target - self.generator.mean[:, None]) / self.generator.deviation[:, None]
        return conditions, target, self._placed(np.stack(waveforms))

    def _placed(self, batch: np.ndarray) -> Tensor:
        """Move this device's rows of a batch to the device."""
        own = self.own(batch) if self.source.is_shared else batch
        return torch.from_numpy(own).to(self.fabric.device)

    def _rate(self, step: int) -> float:
        warm, share = min(1.0, (step + 1) / 100), min(1.0, step / self.settings.steps)
        return self.settings.learning_rate * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * share)))

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train the discriminator, if it has joined, then the generator, on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses by name.
        """
        settings, weights = self.settings, self.settings.weights
        for group in self.optimizers["generator"].param_groups:
            group["lr"] = self._rate(step)
        conditions, target, waveform = self._batch(step, rng)
        with self.autocast():
            output = self.generator.normalised(conditions)
        codebook = (output - target).abs().mean()
        total, figures = weights.codebook * codebook, {"codebook": codebook.item()}
        if step >= settings.perceptual_after and conditions.rows is not None:
            difference, mel = self._heard(output, waveform)
            total = total + weights.waveform * difference + weights.mel * mel
            figures |= {"waveform": difference.item(), "mel": mel.item()}
        if step >= settings.adversarial_after:
            figures["discriminator"] = train_discriminator(self, target, output.detach())
            fake = self.modules["discriminator"](output)
            with torch.no_grad():
                real = self.modules["discriminator"](target)
            adversarial, matching = adversarial_loss(fake), feature_matching_loss(real, fake)
            total = total + weights.adversarial * adversarial + weights.matching * matching
            figures |= {"adversarial": adversarial.item(), "matching": matching.item()}
        self.update("generator", total, clip=20.0)
        return figures

    def _heard(self, output: Tensor, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Compute waveform and mel loss of the decoded output over 48 frames; more would take most of a step's time."""
        features = output * self.generator.deviation[:, None] + self.generator.mean[:, None]
        with torch.no_grad():
            quantised = self.codec.quantise(features)[1]
        # The decoder hears codes; their gradient passes straight through the look-up.
        vectors = features + (quantised - features).detach()
        first = (output.shape[2] - 64) // 2
        with self.autocast():
            heard = self.codec.decode_features(vectors[:, :, first : first + 64])
        edge, hop = 8, self.codec.hop
        inner = slice((first + edge) * hop, (first + 64 - edge) * hop)
        return self.hear(_channels(heard[..., edge * hop : -edge * hop]), _channels(waveform[..., inner]))

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Evaluate the generator on held-out music with its true sketch.

        Args:
            step: number of training steps done.

        Returns:
            Means over the examples: ``codebook``, the L1 distance to the target features in standard deviations;
            ``mel``, the log-mel L1 distance to the music; ``spread``, the ratio of standard deviations of output and
            target.
        """
        codebook, mel, spread = [], [], []
        hop = self.codec.hop
        for pair in self.held_out:
            frames = min(pair.frames, 860)
            conditions = pair_conditions(pair, 0, frames, self.settings.parts, self.generator, self.fabric.device)
            target = torch.from_numpy(self._codes(pair)[None, :, :frames].astype(np.float32)).to(self.fabric.device)
            features = self.generator(conditions)
            codebook.append(((features - target).abs() / self.generator.deviation[:, None]).mean().item())
            heard = self.codec.decode_features(self.codec.quantise(features)[1])
            real = torch.from_numpy(pair.sound(0, frames * hop)).to(self.fabric.device)
            mel.append(self.hear(_channels(heard), _channels(real))[1].item())
            spread.append((features.std() / target.std()).item())
        return {"codebook": float(np.mean(codebook)), "mel": float(np.mean(mel)), "spread": float(np.mean(spread))}

    def score(self, held_out: dict[str, float]) -> float:
        """Return the mel distance.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["mel"]


def _channels(sound: Tensor) -> Tensor:
    """Flatten (B, T), (B, C, T) or (C, T) to mono signals (N, T)."""
    return sound.reshape(-1, sound.shape[-1])


def _examples(settings: GeneratorTraining, part: str) -> list[Pair]:
    """Load the examples of a part that are at least as long as a crop.

    Raises:
        D2MError: if there are none.
    """
    store = open_store(settings.data)
    found = [pair for name in shard_names(store, part) for pair in read_shard(store, name)]
    if not found and not is_url(settings.data):
        found = load_pairs(sorted((Path(settings.data) / part).glob("*.npz")))
    pairs = [pair for pair in found if pair.frames >= settings.frames]
    if not pairs:
        raise D2MError(
            f"no examples of {settings.frames} frames or more in {store.path(part)}; make some with 'd2m data examples'"
        )
    return pairs


def pair_conditions(
    pair: Pair, start: int, frames: int, parts: int, generator: TemporalGenerator, device: torch.device
) -> Conditions:
    """Return all conditions of an example as a batch of one, with zeros for the noise.

    Args:
        pair: the example.
        start: first frame.
        frames: number of frames.
        parts: number of places for parts of the sketch.
        generator: network whose noise size is used.
        device: device of the tensors.
    """
    tensors = {k: torch.from_numpy(v)[None].to(device) for k, v in crop(pair, start, frames, parts).items()}
    return Conditions(
        frames=frames,
        rows=tensors["rows"],
        programs=tensors["programs"],
        motion=tensors["motion"] if len(pair.motion) else None,
        rhythm=tensors["rhythm"],
        genre=torch.tensor([pair.genre], device=device) if pair.genre >= 0 else None,
        noise=torch.zeros(1, frames, generator.config.noise_size, device=device),
    )
