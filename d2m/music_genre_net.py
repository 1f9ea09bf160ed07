"""Genre network: VGG-like, on log-mel spectrograms.

D2M-GAN (Zhu et al. 2022, section 4.2) retrieves the most similar song by the Euclidean distance of "features from
VGG-like networks" (Hershey et al., "CNN architectures for large-scale audio classification", 2017) and compares its
genre with the dance's. Its network was trained on AudioSet; this one is trained on dance music in the ten genres of
AIST.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from d2m.nn.mel import LogMel
from d2m.types import GENRES


@dataclass(frozen=True)
class GenreConfig:
    """Sizes of a :class:`GenreNet`.

    Attributes:
        sample_rate: hertz.
        mels, n_fft, hop: of the spectrogram.
        channels: channels of the first stage; each further stage has twice as many.
        stages: pairs of 3 x 3 convolutions, each followed by halving both axes.
        embedding: values that describe a window.
        genres: number of classes.
        songs: songs of the training set, kept with the weights to retrieve from.
    """

    sample_rate: int = 22050
    mels: int = 64
    n_fft: int = 2048
    hop: int = 512
    channels: int = 16
    stages: int = 4
    embedding: int = 96
    genres: int = len(GENRES)
    songs: int = 0


class GenreNet(nn.Module):
    """Spectrograms (B, mels, F) -> log-odds (B, genres) and embedding (B, E).

    :meth:`spectrogram` makes them of windows of music, less their mean, so that loudness says nothing. The mean and the
    largest value over time bring windows of any length to one size; training's are 128 frames, 2.97 s.
    """

    songs: Tensor
    song_genres: Tensor

    def __init__(self, config: GenreConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GenreConfig()
        self.mel = LogMel(config.sample_rate, config.n_fft, config.hop, config.mels)
        stages, size = [], 1
        for stage in range(config.stages):
            wide = config.channels * 2**stage
            stages += [
                nn.Conv2d(size, wide, 3, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
                nn.Conv2d(wide, wide, 3, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            size = wide
        self.stages = nn.Sequential(*stages)
        # Position on the frequency axis is kept: a bass line and a cymbal pattern are not the same thing.
        self.describe = nn.Linear(2 * size * (config.mels >> config.stages), config.embedding)
        self.classify = nn.Linear(config.embedding, config.genres)
        #: Embeddings of the training set's songs, and their genres.
        self.register_buffer("songs", torch.zeros(config.songs, config.embedding))
        self.register_buffer("song_genres", torch.zeros(config.songs, dtype=torch.int64))

    def settings(self) -> dict[str, object]:
        """Return the configuration as plain values, for the file that holds the weights."""
        return asdict(self.config)

    def spectrogram(self, waveform: Tensor) -> Tensor:
        """Compute the input of the network.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, mels, T // hop), decades with a mean of 0.
        """
        mel = self.mel(waveform)
        return mel - mel.mean((1, 2), keepdim=True)

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Compute embeddings and logits.

        Args:
            spectrogram: float32 (B, mels, frames).
        """
        maps = self.stages(spectrogram[:, None])
        pooled = torch.cat([maps.mean(3), maps.amax(3)], 1).flatten(1)
        embedding = self.describe(nn.functional.dropout(pooled, 0.3, self.training))
        return self.classify(nn.functional.relu(embedding)), embedding
