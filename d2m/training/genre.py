"""Train the genre network on music with known genres."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from d2m.datasets.examples import read_example, read_song
from d2m.errors import D2MError
from d2m.music_genre import GenreJudge, classification, retrieval
from d2m.music_genre_forward import STEP, WINDOW
from d2m.music_genre_net import GenreConfig, GenreNet
from d2m.training.audio import prepared_songs
from d2m.training.loop import Task
from d2m.types import GENRES

SAMPLE_RATE = 22050


@dataclass(frozen=True)
class GenreTraining:
    """Settings of a run.

    Attributes:
        train, held_out: folders of songs with genres (:func:`labelled_songs`).
        steps: number of steps of the whole run; the learning rate falls to nothing over them (cosine).
        batch: windows of 2.97 s a step.
        smoothing: smoothing of the labels; a network that is sure of everything has an embedding of little use.
        noise_db: windows get white noise so far under them, drawn from this range.
        shift: windows are moved by up to so many mel bands, about a semitone each in the middle of the range.
    """

    train: Path
    held_out: Path
    steps: int
    batch: int = 24
    learning_rate: float = 1e-3
    smoothing: float = 0.1
    noise_db: tuple[float, float] = (30.0, 70.0)
    shift: int = 3


def labelled_songs(folder: str | Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Return music with known genres: int16 arrays (T,) at 22.05 kHz, and genre indices (N,).

    Args:
        folder: folder of npz files with ``waveform`` and ``genre`` (:mod:`d2m.datasets.pairs`), or ``PREPARED/train``
            and ``PREPARED/held_out`` of a prepared data set (:class:`~d2m.training.audio.SongCrops`). Music of unknown
            genre is left out.

    Raises:
        D2MError: if there is none, or a file is damaged.
    """
    folder = Path(folder)
    if not folder.exists() and (folder.parent / "prepared.json").is_file():
        found = prepared_songs(folder.parent, folder.name, SAMPLE_RATE)
    else:
        found = []
        for path in sorted(folder.glob("*.npz")):
            genre = int(read_example(path, genre=(np.int64, 0))["genre"])
            found.append((read_song(path), genre))
    found = [(song, genre) for song, genre in found if 0 <= genre < len(GENRES)]
    if not found:
        raise D2MError(f"no music with a genre in {folder}; give one of 'd2m data prepare' or 'd2m data examples'")
    return [song for song, _ in found], np.array([genre for _, genre in found], np.int64)


class GenreTask(Task):
    """The loop's view of a genre network in training."""

    def __init__(self, settings: GenreTraining, config: GenreConfig | None = None) -> None:
        self.settings = settings
        self.songs, self.genres = labelled_songs(settings.train)
        self.held_out, self.held_out_genres = labelled_songs(settings.held_out)
        self.net = GenreNet(replace(config or GenreConfig(), songs=len(self.songs)))
        self.modules = {"genre": self.net}
        self.optimizers = {
            "genre": torch.optim.AdamW(self.net.parameters(), settings.learning_rate, weight_decay=0.02),
        }
        self._by_genre = [np.flatnonzero(self.genres == g) for g in range(len(GENRES))]

    def state(self) -> dict[str, object]:
        return {"config": self.net.settings()}

    def setup(self, fabric) -> None:  # noqa: D102
        """Move networks and losses to the device.

        Args:
            fabric: Lightning Fabric of the run.
        """
        super().setup(fabric)
        self.net.mel.to(fabric.device)

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings = self.settings
        for group in self.optimizers["genre"].param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1, step / settings.steps)))
        self.net.train()
        spectrogram, labels = self._batch(rng)
        with self.autocast():
            logits, _ = self.modules["genre"](spectrogram)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=settings.smoothing)
        self.optimizers["genre"].zero_grad()
        self.fabric.backward(loss)
        self.optimizers["genre"].step()
        return {"loss": loss.item(), "accuracy": (logits.argmax(1) == labels).float().mean().item()}

    def _batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        settings, config = self.settings, self.net.config
        length = WINDOW * config.hop
        windows, labels = [], []
        known = [g for g, songs in enumerate(self._by_genre) if len(songs)]
        for _ in range(settings.batch):
            genre = int(rng.choice(known))
            song = self.songs[int(rng.choice(self._by_genre[genre]))]
            start = int(rng.integers(0, max(1, len(song) - length)))
            window = song[start : start + length].astype(np.float32) / 32768
            window = np.pad(window, (0, length - len(window)), mode="wrap")
            noise = rng.standard_normal(length, np.float32) * (window.std() + 1e-5)
            windows.append(window + noise * np.float32(10 ** (-rng.uniform(*settings.noise_db) / 20)))
            labels.append(genre)
        waveform = torch.from_numpy(np.stack(windows)).to(self.fabric.device)
        spectrogram = self._varied(self.net.mel(waveform), rng)
        return spectrogram - spectrogram.mean((1, 2), keepdim=True), torch.tensor(labels, device=self.fabric.device)

    def _varied(self, mel: Tensor, rng: np.random.Generator) -> Tensor:
        """Other keys, other tone colours, gaps: what tells one recording from another says nothing of its genre."""
        bands, frames = mel.shape[1:]
        out = torch.empty_like(mel)
        for i, one in enumerate(mel):
            tilt = torch.from_numpy(np.interp(np.arange(bands), np.linspace(0, bands - 1, 5), rng.normal(0, 0.15, 5)))
            one = one.roll(int(rng.integers(-self.settings.shift, self.settings.shift + 1)), 0)
            out[i] = one + tilt.to(one)[:, None]
            first, wide = int(rng.integers(0, bands)), int(rng.integers(0, 8))
            out[i, first : first + wide] = out[i].mean()
            first, wide = int(rng.integers(0, frames)), int(rng.integers(0, 24))
            out[i, :, first : first + wide] = out[i].mean()
        return out

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Return the accuracy on held-out songs: by classification, for single windows, and at the end also by
        retrieval.

        Args:
            step: number of training steps done.
        """
        self.net.eval()
        judge = GenreJudge(self.net)
        heard = [judge.hear(song.astype(np.float32) / 32768, SAMPLE_RATE) for song in self.held_out]
        truth = self.held_out_genres.tolist()
        figures = {"accuracy": classification(truth, heard), "window_accuracy": self._by_window()}
        if step >= self.settings.steps:
            embeddings = [judge.hear(song.astype(np.float32) / 32768, SAMPLE_RATE).embedding for song in self.songs]
            self.net.songs.copy_(torch.from_numpy(np.stack(embeddings)))
            self.net.song_genres.copy_(torch.from_numpy(self.genres))
            figures["retrieval"] = retrieval(judge, truth, heard)
        return figures

    def _by_window(self) -> float:
        config = self.net.config
        length, right, count = WINDOW * config.hop, 0, 0
        for song, genre in zip(self.held_out, self.held_out_genres, strict=True):
            starts = range(0, max(1, len(song) - length + 1), 4 * STEP * config.hop)
            windows = np.stack([song[s : s + length] for s in starts if s + length <= len(song)] or [song[:length]])
            waveform = torch.from_numpy(windows.astype(np.float32) / 32768).to(self.fabric.device)
            logits, _ = self.net(self.net.spectrogram(waveform))
            right += int((logits.argmax(1) == genre).sum())
            count += len(windows)
        return right / max(1, count)
