"""Interface of codecs: waveform to codebook indices and back, with the continuous features in between.

A generator does not predict indices but points in the space of :meth:`Codec.features`; the nearest codebook entries are
looked up (:meth:`Codec.quantise`) and decoded. Engines, trainers and measurements use codecs through this class only,
so the JukeBox VQ-VAE and the spectral codec are interchangeable.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from d2m.codec.quantiser import ResidualQuantiser

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Codec(nn.Module):
    """Neural audio codec with (residual) vector quantisation.

    Attributes:
        sample_rate: hertz.
        channels: 1, or 2 for stereo: then waveforms are (B, 2, T) where they are (B, T) below.
        hop: samples a frame.
        feature_size: D, values of a frame before quantisation.
        codebook_count: K, indices a frame.
        codebook_size: entries of each codebook.
        context: frames on either side that influence a frame of the decoded waveform.
    """

    sample_rate: int
    channels: int = 1
    hop: int
    feature_size: int
    codebook_count: int
    codebook_size: int
    context: int

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """Compute the continuous features before quantisation.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, D, F) with F = T // hop.
        """

    @abstractmethod
    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest codebook entries.

        Args:
            features: float32 (B, D, F).

        Returns:
            Codes int64 (B, K, F), and the vectors float32 (B, D, F) that they index.
        """

    @abstractmethod
    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the vectors of codes.

        Args:
            codes: int64 (B, K, F).

        Returns:
            float32 (B, D, F).
        """

    @abstractmethod
    def decode_features(self, vectors: Tensor, start: Tensor | int = 0) -> Tensor:
        """Decode quantised vectors.

        Args:
            vectors: float32 (B, D, F).
            start: index of the first sample within the whole piece, one for all or (B,), so that pieces that are
                decoded separately fit together. Codecs without a clock ignore it.

        Returns:
            Waveform float32 (B, F * hop).
        """

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> Tensor:
        """Encode a waveform; a last part shorter than one hop is left out.

        Args:
            waveform: float32 (B, T).

        Returns:
            Codes int64 (B, K, F).
        """
        return self.quantise(self.features(waveform))[0]

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes.

        Args:
            codes: int64 (B, K, F).

        Returns:
            Waveform float32 (B, F * hop).
        """
        return self.decode_features(self.lookup(codes))

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @property
    def bits_per_second(self) -> float:
        """Bit rate of the codes."""
        return self.frame_rate * self.codebook_count * float(torch.log2(torch.tensor(float(self.codebook_size))))


class FrameDecoder(nn.Module):
    """A network that makes samples from frames and their neighbours.

    Attributes:
        context: number of frames on either side that reach a frame of the output.
        gains: of the tone bank, where there is one.
    """

    context: int
    gains: nn.Linear


class SpectralBase(Codec):
    """Codec with an encoder, a residual VQ and a decoder from frames and their neighbours to samples.

    Attributes:
        config: a dataclass of sizes.
        encoder: waveform -> features (B, D, F).
        quantiser: :class:`~d2m.codec.quantiser.ResidualQuantiser`.
        decoder: vectors (B, D, F) and first samples (B,) -> waveform; its ``context`` is the number of frames on either
            side that reach a frame of the output.
    """

    config: DataclassInstance
    encoder: nn.Module
    quantiser: ResidualQuantiser
    decoder: FrameDecoder

    def settings(self) -> dict[str, object]:
        """Return the configuration as plain values, for the file that holds the weights."""
        return asdict(self.config)

    def features(self, waveform: Tensor) -> Tensor:
        """Compute the continuous features before quantisation.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, D, F).
        """
        return self.encoder(waveform)

    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest codebook entries.

        Args:
            features: float32 (B, D, F).

        Returns:
            Codes int64 (B, K, F), and the vectors float32 (B, D, F) that they index.
        """
        return self.quantiser.quantise(features)

    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the vectors of codes.

        Args:
            codes: int64 (B, K, F).

        Returns:
            float32 (B, D, F).
        """
        return self.quantiser.lookup(codes)

    def decode_features(self, vectors: Tensor, start: Tensor | int = 0, chunk: int = 512) -> Tensor:
        """Decode quantised vectors.

        Long inputs are decoded ``chunk`` frames at a time, each with as many neighbours as reach into it, which gives
        the same samples as decoding all at once in bounded memory.

        Args:
            vectors: float32 (B, D, F).
            start: first sample on the decoder's clock, one for all or (B,).
            chunk: number of frames decoded at once.

        Returns:
            Waveform float32 (B, F * hop), or (B, 2, F * hop) for stereo.
        """
        batch, _, frames = vectors.shape
        first = torch.as_tensor(start, device=vectors.device).expand(batch)
        if frames <= chunk:
            return self.decoder(vectors, first)
        context, pieces = self.context, []
        for begin in range(0, frames, chunk):
            left, right = max(0, begin - context), min(frames, begin + chunk + context)
            piece = self.decoder(vectors[:, :, left:right], first + left * self.hop)
            skip = (begin - left) * self.hop
            pieces.append(piece[..., skip : skip + min(chunk, frames - begin) * self.hop])
        return torch.cat(pieces, -1)
