"""Genre recognition: the dance genre of a recording.

Conventions
-----------
Waveforms are float arrays in -1..1, (samples,) or (channels, samples); channels are averaged, other rates
resampled. Genres are indices into :data:`d2m.types.GENRES`. A recording is judged by windows of 2.97 s, half
overlapping, whose log-odds and embeddings are averaged; a shorter one is repeated until it fills a window.

Metrics
-------
* :func:`classification`: share of recordings that the network puts into their dance's genre.
* :func:`retrieval`: share of recordings whose nearest song of the training set, by the Euclidean distance of
  embeddings, has their dance's genre. This is the paper's genre accuracy.
* :class:`Confusion`: which genre is taken for which.

Chance is a tenth for both where genres are even; classifier and songs come from the same training set, so both say
how typical the music is of that set's genres.

References
----------
Y. Zhu et al., "Quantized GAN for Complex Music Generation from Dance Videos", ECCV 2022, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from d2m.errors import D2MError
from d2m.music_genre_forward import KIND, WEIGHTS, prepared, windows
from d2m.music_genre_net import GenreConfig, GenreNet
from d2m.nn.device import device_of, on_device
from d2m.types import GENRES

#: Windows judged at once; memory grows with this, not with the recording.
_BATCH = 16


@dataclass(frozen=True)
class Classification:
    """Classification of a recording.

    Attributes:
        probabilities: float32 (genres,).
        embedding: float32 (E,).
    """

    probabilities: np.ndarray
    embedding: np.ndarray

    @property
    def genre(self) -> int:
        return int(self.probabilities.argmax())


@dataclass
class GenreJudge:
    """A trained network that listens.

    Attributes:
        net: in evaluation mode.
        name: name of the weights, for reports.
    """

    net: GenreNet
    name: str = ""

    @torch.no_grad()
    def hear(self, waveform: np.ndarray, sample_rate: int) -> Classification:
        """Classify one recording.

        Args:
            waveform: (samples,) or (channels, samples).
            sample_rate: hertz.

        Raises:
            D2MError: if it is empty, silent, or holds values that are not finite.
        """
        config = self.net.config
        parts = windows(prepared(waveform, sample_rate, config.sample_rate), config.hop)
        odds, embeddings = [], []
        for first in range(0, len(parts), _BATCH):
            batch = torch.from_numpy(np.stack(parts[first : first + _BATCH])).to(device_of(self.net))
            logits, embedding = self.net(self.net.spectrogram(batch))
            odds.append(logits.cpu())
            embeddings.append(embedding.cpu())
        probabilities = torch.cat(odds).mean(0).softmax(0).numpy()
        return Classification(probabilities, torch.cat(embeddings).mean(0).numpy())

    def nearest(self, embedding: np.ndarray) -> int:
        """Return the genre of the nearest training song.

        Args:
            embedding: embedding of a recording.

        Raises:
            D2MError: if the network came without songs.
        """
        if not self.net.config.songs:
            raise D2MError(f"the genre network {self.name} holds no songs to retrieve from; train it to the end")
        distance = (self.net.songs.cpu() - torch.from_numpy(embedding)).square().sum(1)
        return int(self.net.song_genres.cpu()[distance.argmin()])


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix, int64 (genres, genres): rows are true genres, columns predicted ones."""

    counts: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.counts) / max(1, self.counts.sum()))

    def __str__(self) -> str:
        names = list(GENRES)
        lines = ["     " + " ".join(f"{name:>4}" for name in names)]
        lines += [
            f"{name:>4} " + " ".join(f"{n:4d}" for n in row) for name, row in zip(names, self.counts, strict=True)
        ]
        return "\n".join(lines)


def confusion(truth: Sequence[int], heard: Sequence[int]) -> Confusion:
    """Count true against predicted genres.

    Args:
        truth, heard: indices of genres.
    """
    counts = np.zeros((len(GENRES), len(GENRES)), np.int64)
    np.add.at(counts, (np.asarray(truth, int), np.asarray(heard, int)), 1)
    return Confusion(counts)


def classification(truth: Sequence[int], heard: Sequence[Classification]) -> float:
    """Compute the share of recordings whose most likely genre is the true one.

    Args:
        truth: indices of genres.
        heard: classified recordings.
    """
    return confusion(truth, [h.genre for h in heard]).accuracy


def retrieval(judge: GenreJudge, truth: Sequence[int], heard: Sequence[Classification]) -> float:
    """Compute the share of recordings whose nearest training song has the true genre.

    Args:
        judge: the network.
        truth: indices of genres.
        heard: classified recordings.
    """
    return confusion(truth, [judge.nearest(h.embedding) for h in heard]).accuracy


def load(name_or_path: str | Path = WEIGHTS) -> GenreJudge:
    """Load a genre network.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.weights.rebuild import rebuild

    path, card = weights.find(name_or_path, KIND)
    tensors, config = weights.load_state(path, KIND)
    net = rebuild(lambda sizes: GenreNet(GenreConfig(**sizes)), config, tensors, path)
    return GenreJudge(on_device(net), card.name if card else Path(path).stem)
