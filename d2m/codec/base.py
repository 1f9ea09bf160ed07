"""What a codec is: waveform to codebook indices and back, with the continuous features in between.

A generator does not predict indices but points in the space of :meth:`Codec.features`; the nearest codebook entries are
looked up (:meth:`Codec.quantise`) and decoded. Every engine, trainer and measurement speaks to codecs through this
class alone, so the JukeBox VQ-VAE and the spectral codec are interchangeable.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn


class Codec(nn.Module):
    """A neural audio codec with (residual) vector quantisation.

    Attributes:
        sample_rate: hertz.
        channels: 1, or 2 for stereo: then waveforms are (B, 2, T) where they are (B, T) below.
        hop: samples a frame.
        feature_size: D, values of a frame before quantisation.
        codebook_count: K, indices a frame.
        codebook_size: entries of each codebook.
    """

    sample_rate: int
    channels: int = 1
    hop: int
    feature_size: int
    codebook_count: int
    codebook_size: int

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """Continuous features before quantisation, (B, D, F) of a waveform (B, T) with F = T // hop."""

    @abstractmethod
    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest codes (B, K, F) int64 of features (B, D, F), and the vectors (B, D, F) they stand for."""

    @abstractmethod
    def lookup(self, codes: Tensor) -> Tensor:
        """The vectors (B, D, F) that codes (B, K, F) stand for."""

    @abstractmethod
    def decode_features(self, vectors: Tensor) -> Tensor:
        """The waveform (B, F * hop) of quantised vectors (B, D, F)."""

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> Tensor:
        """Codes (B, K, F) of a waveform (B, T); a last part shorter than one hop is left out."""
        return self.quantise(self.features(waveform))[0]

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """The waveform (B, F * hop) of codes (B, K, F)."""
        return self.decode_features(self.lookup(codes))

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @property
    def bits_per_second(self) -> float:
        """Bit rate of the codes."""
        return self.frame_rate * self.codebook_count * float(torch.log2(torch.tensor(float(self.codebook_size))))
