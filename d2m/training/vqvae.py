"""Train a JukeBox VQ-VAE (Dhariwal et al. 2020, section 3), small enough for two cores.

The levels are separate auto-encoders. First each is trained without quantisation, from the finest to the coarsest,
which is initialised from the level below: a coarse level that starts from nothing spends most of a short run on
learning the phase of waveforms (initialisation halved the squared error of 260 steps). Then they are trained in turns
with quantisation, each codebook initialised with encoder outputs; otherwise it collapses to a few entries.

The distance of log-mel spectra is added to the losses of the paper (as in D2M-GAN's fine-tuning, Zhu et al. 2022,
section 3.3), since a small model otherwise loses everything above the bass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2m.jukebox import VQVAE, VQVAEConfig
from d2m.jukebox.losses import ReconstructionLoss
from d2m.nn.mel import LogMel
from d2m.training.audio import SongCrops, compared
from d2m.training.loop import Task
from d2m.training.monitor import Sample

#: The shape that ships: hops of 32 and 128 samples, networks as wide and deep as the published coarser
#: levels.
STUDIO = VQVAEConfig(downs=(5, 2), strides=(2, 2), widths=(32, 32), depths=(4, 4))


@dataclass(frozen=True)
class VQVAETraining:
    """Settings of a run.

    Attributes:
        train, held_out: npz files of songs (:class:`~d2m.training.audio.SongCrops`; :func:`pack_songs` makes
            them).
        steps: number of steps of the whole run; the learning rate falls to a twentieth over them (cosine).
        batch, length: crops a step and their samples, a multiple of the coarsest hop.
        levels: which level a step trains, by turns; a level named twice gets twice the steps.
        quantise_after: steps that each level learns by itself, without quantisation, before they take turns.
        restart_below: a codebook entry is restarted when fewer vectors fall on it than this share of even use.
        spectral, mel, commitment: weights of the terms; that of the squared error is 1.
        gain_db: crops are turned down by 0 to this many decibels.
    """

    train: Path
    held_out: Path
    steps: int
    batch: int = 8
    length: int = 16384
    learning_rate: float = 6e-4
    levels: tuple[int, ...] = (0, 1, 1)
    quantise_after: int = 300
    restart_below: float = 0.3
    spectral: float = 1.0
    mel: float = 2.0
    commitment: float = 0.02
    gain_db: float = 9.0


class VQVAETask(Task):
    """The loop's view of a VQ-VAE in training."""

    def __init__(self, settings: VQVAETraining, config: VQVAEConfig = STUDIO, seed: int = 0) -> None:
        if settings.length % config.hops[-1] or not set(settings.levels) <= set(range(config.levels)):
            raise ValueError(f"crops must be a multiple of {config.hops[-1]} samples, levels below {config.levels}")
        self.settings = settings
        self.vqvae = VQVAE(config, seed)
        for level, hop in enumerate(config.hops):
            book = self.vqvae.codebook(level)
            book.threshold = settings.restart_below * settings.batch * settings.length / hop / config.codebook_size
        self.loss = ReconstructionLoss()
        self.mel = LogMel(config.sample_rate, 1024, 256, 80)
        self.modules = {"vqvae": self.vqvae, "loss": self.loss}
        self.optimizers = {"vqvae": torch.optim.Adam(self.vqvae.parameters(), settings.learning_rate, (0.8, 0.95))}
        self.songs = SongCrops(settings.train, config.sample_rate)
        self.held_out = SongCrops(settings.held_out, config.sample_rate)
        self.loss.calibrate(torch.from_numpy(self._crops(np.random.default_rng(seed), 64)))

    def setup(self, fabric) -> None:
        """Move the networks and the loss to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.loss.to(fabric.device)
        self.mel.to(fabric.device)

    def state(self) -> dict[str, object]:
        """Return the shape, and the codebooks' moving averages, which are no part of the weights."""
        books = [self.vqvae.codebook(level).moving_state for level in range(self.vqvae.config.levels)]
        return {"config": self.vqvae.config.to_dict(), "codebooks": books}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.
        """
        for level, moving in zip(range(self.vqvae.config.levels), state["codebooks"], strict=True):
            self.vqvae.codebook(level).moving_state = moving

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train one level on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings = self.settings
        level, quantise = self._turn(step)
        for group in self.optimizers["vqvae"].param_groups:
            group["lr"] = self._rate(step)
        self.vqvae.train()
        if quantise and not self.vqvae.codebook(level).counts.any():
            self._start_codebook(level, rng)
        waveform = torch.from_numpy(self.own(self._crops(rng, settings.batch))).to(self.fabric.device)
        (result,) = self.modules["vqvae"](waveform, levels=[level], quantise=quantise)
        parts = self.loss(result.waveform, waveform)
        parts["mel"] = (self.mel(result.waveform) - self.mel(waveform)).abs().mean()
        parts["commitment"] = result.commitment
        total = (
            parts["samples"]
            + settings.spectral * parts["spectral"]
            + settings.mel * parts["mel"]
            + settings.commitment * parts["commitment"]
        )
        self.update("vqvae", total, clip=5.0)
        figures = {"total": total.item()} | {f"{k}_{level}": v.item() for k, v in parts.items()}
        return figures | ({f"used_{level}": result.used} if quantise else {})

    def evaluate(self, step: int) -> dict[str, float]:
        """Return :func:`reconstruction_error` of each trained level.

        Args:
            step: number of training steps done.
        """
        self.vqvae.eval()
        figures = {
            f"mel_{level}": reconstruction_error(self.vqvae, level, self.held_out.songs, self.mel, self.fabric.device)
            for level in sorted(set(self.settings.levels))
        }
        self.vqvae.train()
        return figures

    def score(self, held_out: dict[str, float]) -> float:
        """Return the mean over the trained levels.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return float(np.mean(list(held_out.values())))

    def samples(self) -> list[Sample]:
        """Return held-out music through the coarsest trained level."""
        config, level = self.vqvae.config, max(self.settings.levels)
        self.vqvae.eval()
        samples = compared(
            self.held_out,
            config.sample_rate,
            config.hops[-1],
            lambda wave: reconstruct(self.vqvae, level, wave),
            self.fabric.device,
        )
        self.vqvae.train()
        return samples

    def _turn(self, step: int) -> tuple[int, bool]:
        """Which level a step trains, and whether it is quantised."""
        settings = self.settings
        alone = sorted(set(settings.levels))
        stage, begun = divmod(step, settings.quantise_after) if settings.quantise_after else (len(alone), 0)
        if stage >= len(alone):
            return settings.levels[step % len(settings.levels)], True
        if not begun and stage and alone[stage] == alone[stage - 1] + 1:
            _start_from_below(self.vqvae, alone[stage])
        return alone[stage], False

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / 100)
        share = min(1.0, step / self.settings.steps)
        return self.settings.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))

    def _crops(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return self.songs.batch(rng, count, self.settings.length, self.settings.gain_db)

    @torch.no_grad()
    def _start_codebook(self, level: int, rng: np.random.Generator) -> None:
        crops = torch.from_numpy(self._crops(rng, 64)).to(self.fabric.device)
        features = torch.cat([self.vqvae.encoders[level](part[:, None]) for part in crops.split(8)])
        self.vqvae.codebook(level).start(features.transpose(1, 2).reshape(-1, features.shape[1]))


@torch.no_grad()
def reconstruction_error(
    vqvae: VQVAE, level: int, songs: list[np.ndarray], mel: LogMel, device: torch.device | str = "cpu"
) -> float:
    """Return log10-mel L1 of one level's reconstruction, the mean over ten seconds from the middle of each song.

    Args:
        vqvae: the model, in evaluation mode; while the level's codebook is empty, its vectors are not quantised.
        level: number of the level.
        songs: int16 arrays (T,).
        mel: the spectrogram.
        device: device of ``vqvae`` and ``mel``.
    """
    hop, errors = vqvae.config.hops[-1], []
    length = 10 * vqvae.config.sample_rate // hop * hop
    for song in songs:
        start = max(0, len(song) // 2 - length // 2)
        samples = song[start : start + length].astype(np.float32) / 32768
        crop = torch.from_numpy(samples[: len(samples) // hop * hop])[None].to(device)
        errors.append(float((mel(reconstruct(vqvae, level, crop)) - mel(crop)).abs().mean()))
    return float(np.mean(errors))


def reconstruct(vqvae: VQVAE, level: int, waveform: Tensor) -> Tensor:
    """Reconstruct a waveform through one level; without quantisation while its codebook is empty.

    Args:
        vqvae: the model.
        level: 0 for the finest.
        waveform: float32 (B, T).

    Returns:
        float32 (B, T).
    """
    book, vectors = vqvae.codebook(level), vqvae.features(waveform, level)
    if book.k.any():
        vectors = book.lookup(book.quantise(vectors))
    return vqvae.decode_features(vectors, level)


@torch.no_grad()
def _start_from_below(vqvae: VQVAE, level: int) -> None:
    """Copies to a level's networks what they have in common with those of the level below: everything at its rates."""
    for networks in (vqvae.encoders, vqvae.decoders):
        below = networks[level - 1].state_dict()
        above = networks[level].state_dict()
        shared = {name: tensor for name, tensor in below.items() if above[name].shape == tensor.shape}
        networks[level].load_state_dict(above | shared)
