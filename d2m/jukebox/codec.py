"""One level of a JukeBox VQ-VAE behind the interface that all codecs share."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from d2m.codec.base import Codec

from .blocks import decoder_reach
from .vqvae import VQVAE

#: D2M-GAN's names for JukeBox's levels (Zhu et al. 2022, section 3.2): the hop is 128 samples at the high
#: level and 32 at the low one, so 2 s at 22.05 kHz are 344 and 1378 codes.
HOPS: dict[str, int] = {"high": 128, "low": 32}


class JukeboxCodec(Codec):
    """A codec with one codebook and raw-audio features.

    Args:
        vqvae: the model; shared, not copied.
        level: ``"high"`` (hop 128), ``"low"`` (hop 32), or the number of a level of the model.
        sample_rate: hertz, if other than the model's own: OpenAI's weights were trained at 44100, and D2M-GAN
            feeds them 22050.

    Raises:
        ValueError: if the model has no level with that hop.
    """

    codebook_count = 1

    def __init__(self, vqvae: VQVAE, level: str | int = "high", sample_rate: int | None = None) -> None:
        super().__init__()
        hops = vqvae.config.hops
        if isinstance(level, str):
            if HOPS.get(level) not in hops:
                raise ValueError(
                    f"no level '{level}' in a VQ-VAE with hops {', '.join(map(str, hops))}; high is 128, low is 32"
                )
            level = hops.index(HOPS[level])
        elif not 0 <= level < len(hops):
            raise ValueError(f"no level {level} in a VQ-VAE with {len(hops)} levels")
        self.vqvae = vqvae
        self.level = level
        self.hop = hops[level]
        self.sample_rate = sample_rate or vqvae.config.sample_rate
        self.feature_size = vqvae.config.embedding_width
        self.codebook_size = vqvae.config.codebook_size
        self.context = math.ceil(decoder_reach(vqvae.config, level))

    def features(self, waveform: Tensor) -> Tensor:
        """Compute the continuous features before quantisation.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, D, F).
        """
        return self.vqvae.features(waveform, self.level)

    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest codebook entries.

        Args:
            features: float32 (B, D, F).

        Returns:
            Codes int64 (B, 1, F), and the vectors float32 (B, D, F) that they index.
        """
        book = self.vqvae.codebook(self.level)
        codes = book.quantise(features)
        return codes[:, None], book.lookup(codes)

    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the vectors of codes.

        Args:
            codes: int64 (B, 1, F).

        Returns:
            float32 (B, D, F).
        """
        return self.vqvae.lookup(codes[:, 0], self.level)

    def decode_features(self, vectors: Tensor, start: Tensor | int = 0) -> Tensor:
        """Decode quantised vectors.

        Args:
            vectors: float32 (B, D, F).

        Returns:
            Waveform float32 (B, F * hop).
        """
        return self.vqvae.decode_features(vectors, self.level)

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> Tensor:
        """Encode a waveform in chunks, without storing the features of all of it.

        Args:
            waveform: float32 (B, T).

        Returns:
            Codes int64 (B, 1, F).
        """
        return self.vqvae.encode_level(waveform, self.level)[:, None]


def codebook_digest(vqvae: VQVAE, level: str) -> str:
    """Compute a digest of a codebook: equal for equal codebooks, also after storing in float16.

    Fine-tuning the decoder keeps the codebook (D2M-GAN section 3.4), so a generator fits every VQ-VAE with the digest
    of the one that it was trained on.

    Args:
        vqvae: the model.
        level: ``"high"`` or ``"low"``.
    """
    book = JukeboxCodec(vqvae, level)
    vectors = book.lookup(torch.arange(book.codebook_size)[None, None])
    return hashlib.sha256(vectors.half().cpu().contiguous().numpy().tobytes()).hexdigest()[:32]
