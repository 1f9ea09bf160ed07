"""Train the beat tracker for sound on music with known beats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from d2m.datasets.examples import read_example
from d2m.errors import D2MError
from d2m.features.bar_pointer import decode
from d2m.features.beat_score import beat_f_measure
from d2m.features.sound_net import BeatNet, BeatNetConfig
from d2m.features.sound_spectrum import FRAMES
from d2m.training.loop import Task

#: Steps of a unit of the log-mel frames in the files.
STEPS_PER_UNIT = 28.0
#: Width (frames, standard deviation) of a beat in the target.
WIDTH = 0.7


@dataclass(frozen=True)
class BeatTraining:
    """Settings of a run.

    Attributes:
        data: folder with ``train`` and ``held_out`` of ``d2m data beats``.
        steps: number of steps of the whole run; the learning rate falls to nothing over them (cosine).
        batch: excerpts a step.
        length: frames of an excerpt, at 50 Hz.
        stretch: excerpts are played faster or slower by up to this factor.
        gain_db: standard deviation of their loudness.
        judged: held-out mixes that are decoded at each look.
    """

    data: Path
    steps: int
    batch: int = 8
    length: int = 1000
    learning_rate: float = 2e-3
    stretch: float = 1.2
    gain_db: float = 4.0
    judged: int = 24


@dataclass(frozen=True)
class Excerpt:
    """Frames uint8 (T, 80), beats (s) and indices of downbeats."""

    frames: np.ndarray
    beats: np.ndarray
    downbeats: np.ndarray


def read_mixes(path: Path) -> list[Excerpt]:
    """Read the mixes in a file of ``d2m data beats``.

    Args:
        path: the file.

    Raises:
        D2MError: if it is damaged or another kind of file.
    """
    mixes = []
    for i in range(2):
        wanted: dict[str, tuple[type[np.generic], int]] = {
            f"frames{i}": (np.uint8, 2), f"beats{i}": (np.float64, 1), f"downbeats{i}": (np.int64, 1),
        }  # fmt: skip
        found = read_example(path, **wanted)
        mixes.append(Excerpt(found[f"frames{i}"], found[f"beats{i}"], found[f"downbeats{i}"]))
    return mixes


def read_folder(folder: Path) -> list[Excerpt]:
    """Read all mixes of a folder, in order.

    Args:
        folder: the folder.

    Raises:
        D2MError: if there are none.
    """
    mixes = [mix for path in sorted(folder.glob("*.npz")) for mix in read_mixes(path)]
    if not mixes:
        raise D2MError(f"no music with beats in {folder}; make some with 'd2m data beats'")
    return mixes


class BeatTask(Task):
    """The loop's view of a beat network in training."""

    def __init__(self, settings: BeatTraining, config: BeatNetConfig | None = None) -> None:
        self.settings = settings
        self.train, self.held_out = read_folder(settings.data / "train"), read_folder(settings.data / "held_out")
        self.net = BeatNet(config)
        self.modules = {"beats": self.net}
        self.optimizers = {"beats": torch.optim.AdamW(self.net.parameters(), settings.learning_rate, weight_decay=0.01)}

    def state(self) -> dict[str, object]:
        return {"config": self.net.settings()}

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings = self.settings
        for group in self.optimizers["beats"].param_groups:
            warm = min(1.0, (step + 1) / 200)
            group["lr"] = settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1, step / settings.steps)))
        self.net.train()
        batch = [self._excerpt(rng) for _ in range(settings.batch)]
        frames, targets = (self.own(np.stack(rows)) for rows in zip(*batch, strict=True))
        with self.autocast():
            logits = self.modules["beats"](torch.from_numpy(frames).to(self.fabric.device))
        loss = beat_loss(logits.float(), torch.from_numpy(targets).to(self.fabric.device))
        self.update("beats", loss, clip=1.0)
        return {"loss": loss.item()}

    def _excerpt(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Frames float32 (length, 80) and targets float32 (length, 2)."""
        length, mix = self.settings.length, self.train[int(rng.integers(len(self.train)))]
        speed = self.settings.stretch ** rng.uniform(-1, 1) if rng.random() < 0.6 else 1.0
        taken = int(length * speed) + 2
        start = int(rng.integers(0, max(len(mix.frames) - taken, 1)))
        frames = mix.frames[start : start + taken].astype(np.float32) / STEPS_PER_UNIT
        frames = np.pad(frames, ((0, max(taken - len(frames), 0)), (0, 0)))
        if speed != 1.0:
            at = np.arange(length) * speed
            whole = at.astype(int)
            part = (at - whole).astype(np.float32)[:, None]
            frames = (1 - part) * frames[whole] + part * frames[whole + 1]
        places = (mix.beats * FRAMES - start) / speed
        return varied(frames[:length], self.settings.gain_db, rng), target(places, mix.downbeats, length)

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Return the loss on held-out music, and F-measure of beats and downbeats of clean and spoiled mixes.

        Args:
            step: number of training steps done.
        """
        self.net.eval()
        losses: list[float] = []
        scores: dict[str, list[float]] = {"f": [], "f_spoiled": [], "f_downbeat": []}
        for i, mix in enumerate(self.held_out[: 2 * self.settings.judged]):
            frames = torch.from_numpy(mix.frames.astype(np.float32) / STEPS_PER_UNIT)[None].to(self.fabric.device)
            logits = self.net(frames).float()
            wanted = target(mix.beats * FRAMES, mix.downbeats, len(mix.frames))
            losses.append(float(beat_loss(logits, torch.from_numpy(wanted)[None].to(self.fabric.device))))
            if len(mix.beats) and i % 2 == (i // 2) % 2:
                found = decode(torch.sigmoid(logits[0]).cpu().numpy(), FRAMES)
                scores["f" if i % 2 == 0 else "f_spoiled"].append(beat_f_measure(mix.beats, found.beats))
                scores["f_downbeat"].append(beat_f_measure(mix.beats[mix.downbeats], found.beats[found.downbeats]))
        return {"loss": float(np.mean(losses))} | {name: float(np.mean(v)) for name, v in scores.items() if v}

    def score(self, held_out: dict[str, float]) -> float | None:
        """Return the held-out loss, by which the best networks are kept.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return held_out["loss"]


def target(places: np.ndarray, downbeats: np.ndarray, length: int) -> np.ndarray:
    """Compute training targets: bumps of height 1 at beats and at downbeats.

    Args:
        places: beats in frames.
        downbeats: indices into them.
        length: number of frames.

    Returns:
        float32 (length, 2).
    """
    out = np.zeros((length, 2), np.float32)
    for column, some in enumerate((places, places[downbeats])):
        near = np.rint(some).astype(int)[:, None] + np.arange(-2, 3)
        height = np.exp(-0.5 * ((near - some[:, None]) / WIDTH) ** 2)
        inside = (near >= 0) & (near < length)
        np.maximum.at(out[:, column], near[inside], height[inside].astype(np.float32))
    return out


def beat_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Compute the binary cross-entropy of beats and downbeats; the few frames with beats have a weight of 5.

    Args:
        logits, wanted: float32 (B, T, 2).
    """
    loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (loss * (1.0 + 4.0 * wanted)).mean() * 2.0


def varied(frames: np.ndarray, gain_db: float, rng: np.random.Generator) -> np.ndarray:
    """Augment frames: random gain, equalisation and pitch, and masks in time and frequency.

    Args:
        frames: log-mel frames (T, 80).
        gain_db: maximum change of the level.
        rng: random generator.
    """
    length, bands = frames.shape
    tilt = np.interp(np.arange(bands), np.linspace(0, bands - 1, 6), rng.normal(0, 0.35, 6))
    gain = rng.normal(0, gain_db) / 20 * np.log(10.0)
    frames = np.log1p(np.expm1(frames) * np.exp(gain + tilt).astype(np.float32))
    if rng.random() < 0.3:
        move = int(rng.integers(-3, 4))
        frames = np.roll(frames, move, axis=1)
    if rng.random() < 0.3:
        first = int(rng.integers(0, bands))
        frames[:, first : first + int(rng.integers(2, 16))] = 0.0
    if rng.random() < 0.15:
        first = int(rng.integers(0, length))
        frames[first : first + int(rng.integers(5, 120))] = 0.0
    if rng.random() < 0.15:
        frames = np.logaddexp(frames, np.float32(rng.uniform(1.0, 5.0) + 0.3 * rng.standard_normal((1, bands))))
    return frames.astype(np.float32)
