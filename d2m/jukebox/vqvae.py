"""Three-level VQ-VAE: encoding, decoding, and the reconstructions used in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .blocks import Decoder, Encoder, decoder_reach, encoder_reach
from .bottleneck import Bottleneck, Codebook, Quantised
from .chunks import downwards, upwards
from .config import VQVAEConfig


@dataclass
class Reconstruction:
    """One level's view of a batch in training.

    Attributes:
        waveform: (B, T), decoded from this level alone.
        codes: (B, T // hop) int64.
        commitment: a scalar, see :class:`~d2m.jukebox.bottleneck.Quantised`.
        used: share of this level's codebook alive, 0..1.
    """

    waveform: Tensor
    codes: Tensor
    commitment: Tensor
    used: float


class VQVAE(nn.Module):
    """The JukeBox VQ-VAE. Levels are separate auto-encoders, numbered from the finest (0) to the coarsest.

    Args:
        config: the shape; the default is the published model's.
        seed: random seed of the codebooks' random starts and restarts in training.

    Attributes:
        chunk: samples worked out at a time by :meth:`encode` and :meth:`decode`, the margins not counted;
            memory grows with this and not with the length of the signal.
    """

    def __init__(self, config: VQVAEConfig | None = None, seed: int = 0) -> None:
        super().__init__()
        self.config = config or VQVAEConfig()
        self.chunk = 1 << 16
        levels = range(self.config.levels)
        self.encoders = nn.ModuleList(Encoder(self.config, level) for level in levels)
        self.decoders = nn.ModuleList(Decoder(self.config, level) for level in levels)
        self.bottleneck = Bottleneck(len(levels), self.config.codebook_size, self.config.embedding_width, seed)

    def codebook(self, level: int) -> Codebook:
        """Return the codebook of one level.

        Args:
            level: 0 for the finest.
        """
        return cast(Codebook, self.bottleneck.level_blocks[level])

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> list[Tensor]:
        """Return codes of every level, finest first.

        Args:
            waveform: (B, T), values in -1..1.

        Returns:
            int64 tensors (B, T // 8), (B, T // 32), (B, T // 128) for the published shape.
        """
        return [self.encode_level(waveform, level) for level in range(self.config.levels)]

    @torch.no_grad()
    def encode_level(self, waveform: Tensor, level: int) -> Tensor:
        """Encode a waveform at one level.

        Args:
            waveform: float32 (B, T).
            level: 0 for the finest.

        Returns:
            Codes int64 (B, T // hop).
        """
        book = self.codebook(level)
        return self._downwards(waveform, level, lambda x: book.quantise(self.encoders[level](x)))

    def features(self, waveform: Tensor, level: int) -> Tensor:
        """Compute the encoder's vectors of one level before quantisation.

        Args:
            waveform: float32 (B, T).
            level: 0 for the finest.

        Returns:
            float32 (B, D, T // hop).
        """
        return self._downwards(waveform, level, self.encoders[level])

    @torch.no_grad()
    def decode(self, codes: Tensor | Sequence[Tensor], level: int | None = None) -> Tensor:
        """Return a waveform (B, F * hop) from one level's codes; JukeBox decodes each level by itself.

        Args:
            codes: the codes (B, F) of ``level``; or those of all levels as :meth:`encode` returns them; or of
                all levels from ``level`` on.
            level: which to decode from. May be left out with the codes of all levels: the finest, 0.

        Raises:
            ValueError: if the level is not given or does not exist.
        """
        return self.decode_features(self.lookup(*self._one_level(codes, level)), self._level(codes, level))

    def lookup(self, codes: Tensor, level: int) -> Tensor:
        """Look up the codebook entries of codes.

        Args:
            codes: int64 (B, F).
            level: 0 for the finest.

        Returns:
            float32 (B, D, F).

        Raises:
            ValueError: if a code is not in the codebook.
        """
        if codes.numel() and not (int(codes.min()) >= 0 and int(codes.max()) < self.config.codebook_size):
            raise ValueError(f"codes must lie in 0..{self.config.codebook_size - 1}")
        return self.codebook(level).lookup(codes.long())

    def decode_features(self, vectors: Tensor, level: int) -> Tensor:
        """Decode the vectors of one level.

        Args:
            vectors: float32 (B, D, F).
            level: 0 for the finest.

        Returns:
            Waveform float32 (B, F * hop).
        """
        hop, reach = self.config.hops[level], decoder_reach(self.config, level)
        return upwards(self.decoders[level], vectors, hop, reach, self.chunk)[:, 0]

    def forward(
        self, waveform: Tensor, levels: Sequence[int] | None = None, quantise: bool = True
    ) -> list[Reconstruction]:
        """Encode, quantise and decode a training batch.

        Args:
            waveform: (B, T), T a multiple of the coarsest hop.
            levels: which levels; all by default.
            quantise: False lets the encoder's vectors through, as in the first steps of training.

        Returns:
            One reconstruction a level.
        """
        outputs = []
        for level in range(self.config.levels) if levels is None else levels:
            features = self.encoders[level](waveform[:, None]).float()
            if quantise:
                # Nearest entries and moving averages need all digits, also while training in mixed precision.
                with torch.autocast(waveform.device.type, enabled=False):
                    quantised: Quantised = self.codebook(level)(features)
                decoded = self.decoders[level](quantised.vectors)[:, 0].float()
                outputs.append(Reconstruction(decoded, quantised.codes, quantised.commitment, quantised.used))
            else:
                none = features.new_zeros(len(features), 0, dtype=torch.long)
                outputs.append(
                    Reconstruction(self.decoders[level](features)[:, 0].float(), none, features.new_zeros(()), 0.0)
                )
        return outputs

    def _downwards(self, waveform: Tensor, level: int, network: Callable[[Tensor], Tensor]) -> Tensor:
        hop, reach = self.config.hops[level], encoder_reach(self.config, level)
        if waveform.shape[-1] < hop:
            raise ValueError(f"a waveform needs at least {hop} samples for level {level}")
        # Smaller chunks would mostly work on their margins.
        return downwards(network, waveform[:, None], hop, reach, max(self.chunk, reach))

    def _level(self, codes: Tensor | Sequence[Tensor], level: int | None) -> int:
        if level is None and not isinstance(codes, Tensor) and len(codes) == self.config.levels:
            return 0
        if level is None or not 0 <= level < self.config.levels:
            raise ValueError(f"say which level to decode from, 0..{self.config.levels - 1}")
        return level

    def _one_level(self, codes: Tensor | Sequence[Tensor], level: int | None) -> tuple[Tensor, int]:
        number = self._level(codes, level)
        if isinstance(codes, Tensor):
            return codes, number
        if len(codes) == self.config.levels:
            return codes[number], number
        if len(codes) in (1, self.config.levels - number):
            return codes[0], number
        raise ValueError(f"{len(codes)} sets of codes do not fit a model of {self.config.levels} levels")
