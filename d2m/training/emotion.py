"""Train an actor and a critic that move melodies towards emotions in the latent space of a frozen MusicVAE.

Actor and critic are trained together. Half of the vectors that the actor moves encode real melodies (for changing a
given melody), half are drawn from their distribution (for new melodies); each gets the targets of one emotion.

* The critic learns to distinguish vectors of real melodies from the actor's and from drawn ones, and to predict mean
  pitch, density and off-chord notes of the melodies decoded from real vectors, from the actor's and from their starts.
* The actor is trained to please the critic (``real``, ``judged``), to lower the losses of the decoded melodies
  (``heard``; with 0 it learns from the critic alone, as in Engel et al. 2017), and to stay close to its start
  (``near``). If the start encodes a given melody, it is trained to stay close to the vector of that melody rewritten by
  rule (``guided``, :mod:`d2m.symbolic.emotion.rewrite`), which preserves the tune.

Decoding takes most of the time. Therefore all decoded melodies are stored in a replay memory, and after every step both
networks are updated from it a few times, with larger batches and without a decoder: the critic with the attributes
that it should have predicted, the actor with the critic.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2m.datasets.melodies import load_melodies
from d2m.symbolic.emotion.actor_critic import (
    HEARD,
    TARGETS,
    WIDEST,
    ActorCritic,
    ActorCriticConfig,
    EmotionModel,
    fingerprint,
)
from d2m.symbolic.emotion.effect import STRENGTHS, measure
from d2m.symbolic.emotion.emotions import EmotionTable, load_emotions
from d2m.symbolic.emotion.losses import (
    Scale,
    density_loss,
    drift,
    far,
    mean_pitch,
    notes_a_bar,
    off_chord,
    pitch_loss,
    realism_loss,
    straight_through,
)
from d2m.symbolic.emotion.musicvae import MusicVae
from d2m.symbolic.emotion.rewrite import rewrite
from d2m.training.export import Checkpoint
from d2m.training.loop import Task
from d2m.training.replay_memory import Memory

#: Real melodies for estimating the encoder's deviations and the distribution of vectors.
_SURE_OF = 2000
#: One in so many of the starts is decoded for the critic, beside what the actor made of all.
_STARTS = 4
#: Vectors that are remembered with what they decode to; real melodies' vectors that are remembered.
_REMEMBERED, _KNOWN = 8192, 4096
#: Vectors of a lesson from memory.
_LESSON = 128


#: What is looked at while training, of all that can be measured: before and after, and what is left of the tune.
_WATCHED: tuple[str, ...] = (
    "real: realism",
    *(
        f"{start} {strength}: {figure}"
        for start in ("from", "new")
        for strength in (0, 1)
        for figure in ("in region", "pitch error", "density error", "realism")
    ),
    *(f"from {strength:g}: tune" for strength in STRENGTHS if strength),
    "from 1: moved",
    "new 1: moved",
)


@dataclass(frozen=True)
class EmotionTraining:
    """Settings of a run.

    Attributes:
        data: folder of melodies (:mod:`d2m.datasets.melodies`).
        batch: vectors a step.
        learning_rate: learning rate of actor and critic.
        clip: greatest norm of each gradient.
        shift: real melodies are transposed by up to this many semitones.
        jitter: targets vary by this many standard deviations around the emotions'.
        lessons: from memory, after each step.
        judged: weight of the losses that the critic foresees.
        heard: weight of the losses of the melodies themselves, through the decoder.
        real: weight of the critic's doubt that the vector is a real melody's.
        near: weight of the way from the start (:func:`~d2m.symbolic.emotion.losses.drift`), of new melodies.
        guided: weight of the way from the rewritten tune.
        harmony: weight of notes off the chord within the pitch loss.
        temperature: temperature of the soft choice whose gradient the decoder passes on.
        evaluate_on: windows of the part ``valid`` that are looked at.
    """

    data: Path
    batch: int = 32
    learning_rate: float = 5e-4
    clip: float = 1.0
    shift: int = 6
    jitter: float = 0.4
    lessons: int = 4
    judged: float = 1.0
    heard: float = 0.25
    real: float = 0.2
    near: float = 0.5
    guided: float = 3.0
    harmony: float = 0.5
    temperature: float = 1.0
    evaluate_on: int = 90


class EmotionTask(Task):
    """Training of the actor and the critic, as used by the loop.

    Args:
        settings: settings of the run.
        vae: MusicVAE with the latent space; its parameters are frozen.
        units: number of units of the hidden layers.
        table: table of the emotions.

    Raises:
        D2MError: if the melodies cannot be read.
    """

    def __init__(
        self, settings: EmotionTraining, vae: MusicVae, units: int = 512, table: EmotionTable | None = None
    ) -> None:
        self.settings, self.vae, self.table = settings, vae, table or load_emotions()
        vae.network.requires_grad_(False)
        self.config = ActorCriticConfig(vae.config.latent, units, vae=fingerprint(vae.network))
        self.network = ActorCritic(self.config)
        self.train = load_melodies(settings.data, "train")
        self.valid = load_melodies(settings.data, "valid").spread(settings.evaluate_on)
        mu, sigma = vae.encode(self.train.spread(_SURE_OF))
        self.sigma = torch.from_numpy(sigma.mean(axis=0))
        self.network.starts.fit(mu + sigma * np.random.default_rng(0).standard_normal(mu.shape))
        self.scale = Scale(self.table.pitch_deviation, self.table.density_deviation)
        latent = vae.config.latent
        self.seen, self.known = Memory(_REMEMBERED, latent, HEARD), Memory(_KNOWN, latent)
        #: Starts, what each should be near, and the targets.
        self.ways = Memory(_KNOWN, latent, latent, TARGETS)
        self.modules = {"actor": self.network.actor, "critic": self.network.critic, "starts": self.network.starts}
        self.optimizers = {
            name: torch.optim.Adam(module.parameters(), settings.learning_rate, betas=(0.5, 0.99))
            for name, module in self.modules.items()
            if name != "starts"
        }

    def describe(self) -> dict[str, object]:
        """Return the settings, the sizes, the MusicVAE's fingerprint and the emotions' targets."""
        targets = {emotion.name: f"{emotion.pitch} {emotion.density}" for emotion in self.table.emotions}
        return (
            super().describe()
            | {f"config.{name}": value for name, value in self.network.settings().items()}
            | {f"targets.{name}": value for name, value in targets.items()}
        )

    def setup(self, fabric) -> None:
        """Move the networks and the MusicVAE to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.vae.network.to(fabric.device)
        self.network.starts.to(fabric.device)
        self.sigma = self.sigma.to(fabric.device)

    def state(self) -> dict[str, object]:
        """Return the configuration and the replay memory."""
        return {
            "config": self.network.settings(),
            "seen": self.seen.state(),
            "known": self.known.state(),
            "ways": self.ways.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.
        """
        self.seen.restore(state["seen"])
        self.known.restore(state["known"])
        self.ways.restore(state["ways"])

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train the critic, then the actor, on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        # cuDNN passes gradients through LSTMs in training mode only; nothing else differs in it.
        self.vae.network.train()
        known, prior, start, goal, targets = self._batch(rng)
        with self.autocast():
            moved = self.modules["actor"](start, self._scaled(targets))
        settings = self.settings
        played = self._play(moved if settings.heard else moved.detach())
        figures = self._teach_critic(known, prior, start, moved.detach(), played.detach())
        loss, told = self._judged(moved, start, goal, targets)
        pitch = pitch_loss(played, targets[:, 0], self.scale, harmony=settings.harmony).mean()
        density = density_loss(played, targets[:, 1], self.scale).mean()
        if settings.heard:
            loss = loss + settings.heard * (pitch + density)
        self.update("actor", loss, clip=settings.clip)
        for _ in range(settings.lessons):
            self._lesson(rng)
        told |= {"actor": loss, "pitch": pitch, "density": density}
        return {name: value.item() for name, value in told.items()} | figures

    def _judged(self, moved: Tensor, start: Tensor, goal: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the actor's loss without the losses of decoded melodies, and its terms.

        The goal of new melodies is their start.
        """
        settings = self.settings
        with self.autocast():
            logit, foreseen = self.modules["critic"](moved)
        judged = far(foreseen[:, :2] - self._scaled(targets)).sum(dim=1) + settings.harmony * foreseen[:, 2]
        terms = {
            "judged": judged.mean(),
            "doubt": torch.nn.functional.softplus(-logit).mean(),
            "way": drift(moved, start, self.sigma).mean(),
            "astray": drift(moved, goal, self.sigma).mean(),
        }
        weight = torch.where((goal == start).all(dim=1), settings.near, settings.guided)
        loss = settings.judged * terms["judged"] + settings.real * terms["doubt"]
        return loss + (weight * drift(moved, goal, self.sigma)).mean(), terms

    def _lesson(self, rng: np.random.Generator) -> None:
        """Train both networks once on vectors from the replay memory."""
        device = self.fabric.device
        seen, truth = self.seen.draw(rng, _LESSON, device)
        (known,) = self.known.draw(rng, _LESSON, device)
        start, goal, targets = self.ways.draw(rng, _LESSON, device)
        noise = torch.from_numpy(rng.standard_normal((2, *known.shape), dtype=np.float32)).to(device)
        prior, fresh = self.modules["starts"](noise)
        changed = torch.from_numpy(rng.random((_LESSON, 1)) < 0.5).to(device)
        start, goal = torch.where(changed, start, fresh), torch.where(changed, goal, fresh)
        with self.autocast():
            moved = self.modules["actor"](start, self._scaled(targets))
            logit, foreseen = self.modules["critic"](torch.cat([known, moved.detach(), prior, seen]))
        real = realism_loss(logit[:_LESSON], logit[_LESSON : 3 * _LESSON])
        self.update("critic", real + (foreseen[3 * _LESSON :] - truth).abs().mean(), clip=self.settings.clip)
        self.update("actor", self._judged(moved, start, goal, targets)[0], clip=self.settings.clip)

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Return the chief figures of :func:`~d2m.symbolic.emotion.effect.measure` on the part ``valid``.

        Args:
            step: number of training steps done.
        """
        figures = measure(self.model(), self.valid, np.random.default_rng(0))
        self.network.train()
        return {name: figures[name] for name in _WATCHED if name in figures}

    def score(self, held_out: dict[str, float]) -> float | None:
        """Return the errors at full strength, plus the difference in realism from real melodies.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        errors = [
            held_out.get(f"{start} 1: {axis} error") for start in ("from", "new") for axis in ("pitch", "density")
        ]
        left = [error for error in errors if error is not None]
        if len(left) < len(errors):
            return None
        lacking = held_out["real: realism"] - (held_out["from 1: realism"] + held_out["new 1: realism"]) / 2
        return float(np.mean(left)) + max(lacking, 0.0)

    def model(self) -> EmotionModel:
        """Return the current actor and critic for use."""
        return EmotionModel(self.vae, self.network, self.table)

    def _batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Draw one batch.

        Returns:
            Vectors of real melodies, vectors drawn from their distribution, starts for the actor and goals that it
            should stay close to, (B, latent) each, and targets in MIDI pitch and notes per bar, (B, 2).
        """
        settings, count = self.settings, self.settings.batch
        tunes = self.train.batch(rng, count, settings.shift)
        noise = rng.standard_normal((3, count, self.config.latent), dtype=np.float32)
        wanted, exchanged = self._targets(rng, count), rng.random((count, 1)) < 0.5
        fitting = np.stack([rewrite(row, *target) for row, target in zip(tunes, wanted.tolist(), strict=True)])
        rows = (tunes, fitting, wanted, exchanged, *noise)
        melodies, rewritten, targets, changed, blur, prior, fresh = (
            torch.from_numpy(self.own(part)).to(self.fabric.device) for part in rows
        )
        with torch.no_grad(), self.autocast():
            mu, sigma = self.vae.network.encode(melodies.long())
            goal, _ = self.vae.network.encode(rewritten.long())
        prior, fresh = self.modules["starts"](torch.stack([prior, fresh]))
        self.ways.add(mu, goal, targets)
        # The actor starts as in use: at the encoded mean of a melody, or at a vector drawn from their distribution.
        return mu + sigma * blur, prior, torch.where(changed, mu, fresh), torch.where(changed, goal, fresh), targets

    def _targets(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw mean pitches and notes per bar around those of the emotions, float32 (count, 2)."""
        table = self.table
        mean = np.array([table.pitch_mean, table.density_mean])
        spread = np.array([table.pitch_deviation, table.density_deviation])
        targets = table.targets()[rng.integers(len(table.emotions), size=count)]
        targets = targets + self.settings.jitter * spread * rng.standard_normal((count, 2))
        targets = targets.clip(mean - WIDEST * spread, mean + WIDEST * spread)
        targets[:, 1] = targets[:, 1].clip(0.5, 16.0)
        return targets.astype(np.float32)

    def _scaled(self, targets: Tensor) -> Tensor:
        mean = targets.new_tensor([self.table.pitch_mean, self.table.density_mean])
        return (targets - mean) / targets.new_tensor([self.scale.pitch, self.scale.density])

    def _play(self, z: Tensor) -> Tensor:
        """Decode vectors to melodies (B, 256, 90), one-hot with a straight-through gradient."""
        with self.autocast():
            return self.vae.network.decoder.write(z, straight_through(self.settings.temperature))[1]

    def _teach_critic(
        self, known: Tensor, prior: Tensor, start: Tensor, moved: Tensor, played: Tensor
    ) -> dict[str, float]:
        some = start[: max(len(start) // _STARTS, 1)]
        with torch.no_grad():
            truth = self._heard(torch.cat([played, self._play(torch.cat([some, known]))]))
        self.seen.add(torch.cat([moved, some, known]), truth)
        self.known.add(known)
        with self.autocast():
            logits, foreseen = self.modules["critic"](torch.cat([moved, some, known, prior]))
        moved_logit, _, known_logit, prior_logit = logits.split([len(rows) for rows in (moved, some, known, prior)])
        real = realism_loss(known_logit, torch.cat([moved_logit, prior_logit]))
        wrong = (foreseen[: len(truth)] - truth).abs().mean()
        self.update("critic", real + wrong, clip=self.settings.clip)
        told = (known_logit > 0).float().mean() / 2 + (moved_logit < 0).float().mean() / 2
        return {"critic": (real + wrong).item(), "told_apart": told.item(), "foreseen": wrong.item()}

    def _heard(self, played: Tensor) -> Tensor:
        """Compute the attributes that the critic should predict, (B, 3); a silent melody has the mean pitch."""
        silent = played.new_full((len(played),), self.table.pitch_mean, dtype=torch.float32)
        values = self._scaled(torch.stack([mean_pitch(played, silent), notes_a_bar(played)], dim=1))
        return torch.cat([values, off_chord(played)[:, None]], dim=1)


def joined(state: Checkpoint) -> Checkpoint:
    """Join the modules of actor, critic and starts in a checkpoint to one module ``emotion``, as weights are stored.

    Args:
        state: checkpoint of a run.

    Returns:
        Checkpoint with the additional module.
    """
    modules = state["modules"]
    both = {
        f"{part}.{name}": tensor
        for part in ("actor", "critic", "starts")
        for name, tensor in modules.get(part, {}).items()
    }
    return {**state, "modules": modules | {"emotion": both}}
