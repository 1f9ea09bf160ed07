"""Train a MusicVAE (Roberts et al. 2018, section 3; Magenta's ``base_model.py`` and ``configs.py``).

The loss of a melody is the cross-entropy of its 256 steps, summed, plus beta times the KL divergence of the latent
vector above the free bits. Magenta trains ``hierdec-mel_16bar`` with teacher forcing throughout, 256 free bits, beta
0.2 from the first step, batches of 512, Adam at 1e-3 falling by 0.9999 a step to 1e-5, and the gradient's norm clipped
at 1; these are the settings :data:`MAGENTA`. The compact model has a small data set. There are fewer free bits and a
rising beta, so that vectors drawn from the prior decode to melodies. Melodies are transposed, shifted along their scale
and rotated by some beats, and dropout is used, against memorisation of songs. Some decoder inputs are dropped (Bowman
et al. 2016, "Generating Sentences from a Continuous Space"), so that the latent vector carries the information; unlike
scheduled sampling (Bengio et al. 2015, here with the inverse sigmoid of Magenta's ``cat-mel_2bar``) this takes no extra
time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from d2m import weights
from d2m.datasets.melodies import load_melodies
from d2m.errors import D2MError
from d2m.symbolic.emotion.decoder import Choose
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.emotion.musicvae import (
    COMPACT,
    HierarchicalMusicVae,
    MusicVae,
    MusicVaeConfig,
    divergence,
    drawing,
)
from d2m.symbolic.emotion.statistics import note_f1, summary
from d2m.symbolic.melody import (
    BARS,
    BEATS_PER_BAR,
    CLASSES,
    FIRST_KEY,
    HOLD,
    STEPS_PER_BAR,
    STEPS_PER_BEAT,
    diatonic,
    to_score,
)
from d2m.training.export import read_checkpoint
from d2m.training.loop import Task

#: A dimension is in use if its mean KL divergence is above this many nats.
_ACTIVE = 0.05
_SAMPLES = 64


@dataclass(frozen=True)
class MusicVaeTraining:
    """Settings of a run.

    Attributes:
        data: folder of melodies (:mod:`d2m.datasets.melodies`).
        batch: melodies a step.
        learning_rate, decay, lowest_rate: the rate falls by the factor ``decay`` a step towards the lowest.
        clip: greatest norm of the gradient.
        free_bits: bits of KL divergence of a melody that cost nothing.
        max_beta, beta_rate: weight of the rest, ``(1 - beta_rate ** step) * max_beta``.
        sampling: k of the inverse sigmoid; a step is told the model's own draw instead of the truth with probability
            ``1 - k / (k + exp(step / k))``, up to ``most_sampled``. 0 for teacher forcing.
        most_sampled: see ``sampling``.
        unheard: share of the steps that are not told what was before them (Bowman et al. 2016), so that the vector
            has to say it.
        dropout: share of what is understood and planned of a bar that is left out (Srivastava et al. 2014); the
            compact size's only.
        shift: melodies are transposed by up to this many semitones.
        degrees: half of the melodies are moved by up to this many steps of their scale, besides.
        turned: share of the melodies that begin one, two or three beats later, the first ones standing at the end, so
            that more different bars are seen.
        evaluate_on: windows of the part ``valid`` that are looked at.
    """

    data: Path
    batch: int = 32
    learning_rate: float = 2e-3
    decay: float = 0.9999
    lowest_rate: float = 1e-5
    clip: float = 1.0
    free_bits: float = 48.0
    max_beta: float = 0.2
    beta_rate: float = 0.9998
    sampling: float = 0.0
    most_sampled: float = 0.5
    unheard: float = 0.3
    dropout: float = 0.1
    shift: int = 6
    degrees: int = 3
    turned: float = 0.5
    evaluate_on: int = 256


class Changes(TypedDict):
    """Settings of :class:`MusicVaeTraining` in which another model differs."""

    batch: int
    learning_rate: float
    free_bits: float
    beta_rate: float
    unheard: float
    dropout: float
    shift: int
    degrees: int
    turned: float


#: What differs in Magenta's ``hierdec-mel_16bar``.
MAGENTA: Changes = {
    "batch": 512,
    "learning_rate": 1e-3,
    "free_bits": 256.0,
    "beta_rate": 0.0,
    "unheard": 0.0,
    "dropout": 0.0,
    "shift": 0,
    "degrees": 0,
    "turned": 0.0,
}


class MusicVaeTask(Task):
    """The loop's view of a MusicVAE in training.

    Args:
        settings: settings of the run.
        config: configuration of the networks.
        folder: where MIDI files of samples and reconstructions go, or None for none.
        start: weights (name or file) or checkpoint (.ckpt) of a run to start from, or None.

    Raises:
        D2MError: if there are no melodies, or ``start`` is no MusicVAE of the same size.
    """

    def __init__(
        self,
        settings: MusicVaeTraining,
        config: MusicVaeConfig = COMPACT,
        folder: Path | None = None,
        start: str | None = None,
    ) -> None:
        self.settings, self.folder = settings, folder
        self.vae = HierarchicalMusicVae(config)
        self.train = load_melodies(settings.data, "train")
        self.valid = load_melodies(settings.data, "valid").spread(settings.evaluate_on)
        self.vae.expect(np.bincount(self.train.melodies.ravel(), minlength=CLASSES))
        if start is not None:
            self.vae.load_state_dict(_networks(start, self.vae))
        for module in self.vae.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = settings.dropout
        self.modules = {"musicvae": self.vae}
        self.optimizers = {"musicvae": torch.optim.Adam(self.vae.parameters(), settings.learning_rate)}

    def describe(self) -> dict[str, object]:
        """Return the settings and the shape."""
        return super().describe() | {f"config.{name}": value for name, value in self.vae.settings().items()}

    def state(self) -> dict[str, object]:
        """Return the shape."""
        return {"config": self.vae.settings()}

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings, optimizer = self.settings, self.optimizers["musicvae"]
        self.done = step + 1
        for group in optimizer.param_groups:
            group["lr"] = rate(settings, step)
        self.vae.train()
        device = self.fabric.device
        tunes = self.train.batch(rng, settings.batch, settings.shift)
        moved = rng.integers(-settings.degrees, settings.degrees + 1, size=len(tunes))
        tunes = diatonic(tunes, np.where(rng.random(len(tunes)) < 0.5, moved, 0))
        tunes = turn(tunes, settings.turned, rng)
        drawn = rng.standard_normal((len(tunes), self.vae.config.latent), dtype=np.float32)
        melodies = torch.from_numpy(self.own(tunes)).to(device).long()
        noise = torch.from_numpy(self.own(drawn)).to(device)
        unheard = rng.random(tuple(melodies.shape), dtype=np.float32) < settings.unheard
        sampled = sampled_share(settings, step)
        with self.autocast():
            mu, sigma = self.vae.encode(melodies)
            z = mu + sigma * noise
            if sampled > 0:
                logits, _ = self.vae.decoder.write(z, _scheduled(self.vae, melodies, sampled, rng))
            else:
                logits = self.vae.decoder(z, melodies, torch.from_numpy(unheard).to(device))
        loss, figures = objective(settings, step, logits.float(), melodies, mu, sigma)
        self.update("musicvae", loss, clip=settings.clip)
        return figures | {"sampled": sampled}

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Compute :func:`measure` on the part ``valid``, and statistics of samples.

        Args:
            step: number of training steps done.
        """
        vae = MusicVae(self.vae)
        figures = measure(vae, self.valid)
        samples = vae.sample(_SAMPLES, 0.5, seed=0)
        figures |= {f"samples: {name}": value for name, value in summary(samples).items()}
        self.vae.train()
        return figures

    def score(self, held_out: dict[str, float]) -> float:
        """Return the loss with all of the KL divergence above the free bits: a bound that both halves have to meet.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["loss"]

    def samples(self) -> tuple[()]:
        """Write MIDI files of two melodies with their reconstructions and of four from the prior; no sounds."""
        from d2m.symbolic.midi import write_midi

        if self.folder is None:
            return ()
        vae, folder = MusicVae(self.vae), self.folder / f"{self.done:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        for i, (real, back) in enumerate(zip(self.valid[:2], vae.reconstruct(self.valid[:2]), strict=True)):
            write_midi(to_score(real), folder / f"real{i}.mid")
            write_midi(to_score(back), folder / f"reconstruction{i}.mid")
        for i, melody in enumerate(vae.sample(4, 0.5, seed=0)):
            write_midi(to_score(melody), folder / f"sample{i}.mid")
        self.vae.train()
        return ()


def turn(melodies: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Rotate a share of melodies by one to three beats.

    Args:
        melodies: uint8 (N, 256).
        share: probability of a rotation.
        rng: random generator.

    Returns:
        uint8 (N, 256).
    """
    beats = np.where(rng.random(len(melodies)) < share, rng.integers(1, BEATS_PER_BAR, size=len(melodies)), 0)
    places = (np.arange(melodies.shape[1]) + STEPS_PER_BEAT * beats[:, None]) % melodies.shape[1]
    turned = np.take_along_axis(melodies, places, axis=1)
    # What ends a note that is now elsewhere ends nothing.
    begun = np.maximum.accumulate(turned >= FIRST_KEY, axis=1)
    return np.where(begun, turned, HOLD).astype(np.uint8)


def _networks(start: str, vae: HierarchicalMusicVae) -> dict[str, Tensor]:
    """The parameters in weights or a run's checkpoint, if they fit."""
    if Path(start).suffix == ".ckpt":
        tensors = read_checkpoint(start)["modules"].get("musicvae", {})
    else:
        tensors, _ = weights.load_state(weights.find(start, "musicvae")[0], "musicvae")
    shapes = {name: tensor.shape for name, tensor in vae.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        raise D2MError(f"{start} is not a MusicVAE of this size; give another --from, or none")
    return tensors


def rate(settings: MusicVaeTraining, step: int) -> float:
    """Return the learning rate of a step.

    Args:
        settings: settings of the run.
        step: number of the step.
    """
    above = settings.learning_rate - settings.lowest_rate
    return settings.lowest_rate + above * settings.decay**step


def beta(settings: MusicVaeTraining, step: int) -> float:
    """Return the weight of the KL divergence at a step.

    Args:
        settings: settings of the run.
        step: number of the step.
    """
    return (1.0 - settings.beta_rate**step) * settings.max_beta


def sampled_share(settings: MusicVaeTraining, step: int) -> float:
    """Return the probability of scheduled sampling at a step.

    Args:
        settings: settings of the run.
        step: number of the step.
    """
    k = settings.sampling
    if not k:
        return 0.0
    return min(1.0 - k / (k + math.exp(min(step / k, 50.0))), settings.most_sampled)


def objective(
    settings: MusicVaeTraining, step: int, logits: Tensor, melodies: Tensor, mu: Tensor, sigma: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch, and figures of it (nats and bits a melody).

    Args:
        settings: settings of the run.
        step: step for the weight of the KL divergence.
        logits: (B, 256, 90).
        melodies: classes int64 (B, 256).
        mu, sigma: (B, latent).
    """
    wrong = functional.cross_entropy(logits.transpose(1, 2), melodies, reduction="none").sum(dim=1).mean()
    spent = divergence(mu, sigma).sum(dim=1)
    cost = (spent - settings.free_bits * math.log(2.0)).clamp_min(0.0).mean()
    loss = wrong + beta(settings, step) * cost
    return loss, {
        "loss": loss.item(),
        "reconstruction": wrong.item(),
        "kl_bits": spent.mean().item() / math.log(2.0),
        "accuracy": (logits.argmax(dim=2) == melodies).float().mean().item(),
    }


def _scheduled(vae: HierarchicalMusicVae, melodies: Tensor, share: float, rng: np.random.Generator) -> Choose:
    """What tells the writer the truth, or with the probability ``share`` its own draw."""
    truth = one_hot(melodies)
    rows = truth.reshape(-1, STEPS_PER_BAR, CLASSES) if vae.config.side_by_side else truth
    mixed = torch.from_numpy(rng.random(tuple(rows.shape[:2]), dtype=np.float32)).to(truth.device) < share
    draw, at = drawing(1.0, rng), iter(range(rows.shape[1]))

    def choose(logits: Tensor) -> Tensor:
        now = next(at)
        return torch.where(mixed[:, now, None], draw(logits.detach()), rows[:, now])

    return choose


@torch.no_grad()
def measure(vae: MusicVae, melodies: np.ndarray) -> dict[str, float]:
    """Measure the reconstruction of melodies from the means of their latent vectors.

    Args:
        vae: the model.
        melodies: uint8 (N, 256).

    Returns:
        ``reconstruction`` nats a melody; ``forced_accuracy`` and ``accuracy`` share of steps, told the truth or
        left alone, and ``hold_accuracy`` where all steps were said to hold; ``bar_accuracy`` share of bars without a
        wrong step, left alone; ``note_f1`` of onsets, left alone; ``kl_bits`` a melody, ``kl_least``, ``kl_median`` and
        ``kl_most`` nats of a dimension, and how many have more than 0.05 (``active``); ``loss`` reconstruction and 0.2
        times the KL divergence in nats.
    """
    mu, sigma = vae.encode(melodies)
    spent = divergence(torch.from_numpy(mu), torch.from_numpy(sigma)).numpy()
    device = vae.network.mu.weight.device
    known = torch.from_numpy(melodies).to(device)
    wrong, right = [], []
    for part, z in zip(known.split(128), torch.from_numpy(mu).to(device).split(128), strict=True):
        logits = vae.network.decoder(z, part).float()
        wrong.append(functional.cross_entropy(logits.transpose(1, 2), part.long(), reduction="none").sum(dim=1))
        right.append((logits.argmax(dim=2) == part).float().mean(dim=1))
    alone = vae.decode(mu)
    same, dimensions = alone == melodies, spent.mean(axis=0)
    reconstruction = float(torch.cat(wrong).mean())
    return {
        "reconstruction": reconstruction,
        "forced_accuracy": float(torch.cat(right).mean()),
        "accuracy": float(same.mean()),
        "hold_accuracy": float((melodies == HOLD).mean()),
        "bar_accuracy": float(same.reshape(-1, BARS, STEPS_PER_BAR).all(axis=2).mean()),
        "note_f1": note_f1(melodies, alone),
        "kl_bits": float(spent.sum(axis=1).mean() / math.log(2.0)),
        "kl_least": float(dimensions.min()),
        "kl_median": float(np.median(dimensions)),
        "kl_most": float(dimensions.max()),
        "active": float((dimensions > _ACTIVE).sum()),
        "loss": reconstruction + 0.2 * float(spent.sum(axis=1).mean()),
    }
