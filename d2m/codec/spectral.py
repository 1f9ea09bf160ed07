"""Spectral VQ codec: the codes contain the magnitude spectrum, and the decoder generates the phase.

waveform -> spectra at three resolutions -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> magnitude and phase
(as Vocos, Siuzdak 2023) plus the gains of a bank of sine tones for the bass and chords -> waveform. The codes contain
no phase, so that a feed-forward generator can predict them: two performances of a score that sound alike have nearly
the same codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from d2m.codec.base import FrameDecoder, SpectralBase
from d2m.codec.quantiser import ResidualQuantiser
from d2m.codec.tones import ToneBank
from d2m.nn.layers import ConvNeXtBlock, initialise
from d2m.nn.mel import InverseStft, LogMel, Stft


@dataclass(frozen=True)
class SpectralConfig:
    """Sizes of a :class:`SpectralCodec`.

    Attributes:
        sample_rate, hop: hertz; samples a frame.
        n_fft: window of the output's inverse STFT.
        encoder_channels, encoder_blocks, decoder_channels, decoder_blocks: ConvNeXt stacks.
        feature_size: values of a frame that are quantised.
        codebook_count, codebook_size: residual VQ.
        tones_low, tones_high: MIDI notes of the tone bank; none when ``tones_high`` is below ``tones_low``.
        low_bins: bins of the 4096-point spectrum that the encoder sees, from 0 Hz.
    """

    sample_rate: int = 22050
    hop: int = 256
    n_fft: int = 1024
    encoder_channels: int = 256
    encoder_blocks: int = 4
    decoder_channels: int = 384
    decoder_blocks: int = 8
    feature_size: int = 64
    codebook_count: int = 8
    codebook_size: int = 1024
    tones_low: int = 23
    tones_high: int = 83
    low_bins: int = 200


class SpectralEncoder(nn.Module):
    """Waveform (B, T) -> features (B, D, T // hop), from spectra of 1024, 2048 and 4096 points.

    The short window places onsets, the long ones tell neighbouring notes of the bass apart.
    """

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        rate, hop = config.sample_rate, config.hop
        self.short = LogMel(rate, 1024, hop, 80)
        self.middle = LogMel(rate, 2048, hop, 128)
        self.long = Stft(4096, hop)
        self.low_bins = config.low_bins
        self.project = nn.Linear(80 + 128 + config.low_bins, config.encoder_channels)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(config.encoder_channels) for _ in range(config.encoder_blocks)])
        self.norm = nn.LayerNorm(config.encoder_channels)
        self.out = nn.Linear(config.encoder_channels, config.feature_size)

    def spectra(self, waveform: Tensor) -> Tensor:
        """Compute the input of the encoder: log10 magnitudes with a mean near zero.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, F, 80 + 128 + low_bins).
        """
        low = torch.log10(self.long(waveform)[:, : self.low_bins].abs().clamp(min=1e-2)) - 1.0
        return torch.cat([self.short(waveform) + 1.0, self.middle(waveform) + 1.0, low], 1).transpose(1, 2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Encode a waveform.

        Args:
            waveform: float32 (B, T).

        Returns:
            Features float32 (B, D, T // hop).
        """
        return self.out(self.norm(self.blocks(self.project(self.spectra(waveform))))).float().transpose(1, 2)


class SpectralDecoder(FrameDecoder):
    """Quantised vectors (B, D, F) -> waveform (B, F * hop)."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(config.feature_size, config.decoder_channels, 7, padding=3)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(config.decoder_channels) for _ in range(config.decoder_blocks)])
        self.norm = nn.LayerNorm(config.decoder_channels)
        bins = config.n_fft // 2 + 1
        self.head = nn.Linear(config.decoder_channels, 2 * bins)
        self.inverse = InverseStft(config.n_fft, config.hop)
        self.tones = None
        if config.tones_high >= config.tones_low:
            self.tones = ToneBank(config.sample_rate, config.hop, config.tones_low, config.tones_high)
            self.gains = nn.Linear(config.decoder_channels, self.tones.count)
        #: Frames on either side that reach a frame of the output.
        self.context = 3 + 3 * config.decoder_blocks + config.n_fft // (2 * config.hop) + 1

    def forward(self, vectors: Tensor, start: Tensor) -> Tensor:
        """Decode quantised vectors.

        Args:
            vectors: float32 (B, D, F).
            start: int64 (B,), time of each first sample on the clock of the tone bank, in samples.

        Returns:
            Waveform float32 (B, F * hop).
        """
        x = self.embed(vectors).transpose(1, 2)
        x = self.norm(self.blocks(x))
        magnitude, phase = self.head(x).float().transpose(1, 2).chunk(2, 1)
        spectrum = torch.polar(magnitude.clamp(max=6.0).exp(), phase)
        waveform = self.inverse(spectrum)
        if self.tones is not None:
            waveform = waveform + self.tones((self.gains(x).float().clamp(max=3.0) - 5.0).exp(), start)
        return waveform


class SpectralCodec(SpectralBase):
    """Spectral VQ codec; see the module's docstring.

    Args:
        config: sizes.
    """

    config: SpectralConfig
    encoder: SpectralEncoder
    decoder: SpectralDecoder

    def __init__(self, config: SpectralConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SpectralConfig()
        self.sample_rate, self.hop = config.sample_rate, config.hop
        self.feature_size = config.feature_size
        self.codebook_count, self.codebook_size = config.codebook_count, config.codebook_size
        self.encoder = SpectralEncoder(config)
        self.quantiser = ResidualQuantiser(config.codebook_count, config.codebook_size, config.feature_size)
        self.decoder = SpectralDecoder(config)
        self.context = self.decoder.context
        self.apply(initialise)


def build(sizes: Mapping[str, Any]) -> SpectralCodec:
    """Build a codec with untrained parameters.

    Args:
        sizes: fields of :class:`SpectralConfig` by name; missing ones have their defaults.
    """
    return SpectralCodec(SpectralConfig(**sizes))
