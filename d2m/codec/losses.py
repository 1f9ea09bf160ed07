"""Reconstruction losses of the codec: mel spectra and STFTs at several resolutions, with extra weight on the bass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.nn.mel import LogMel, Stft


class SpectralLoss(nn.Module):
    """Distance of a waveform to its target, both (B, T).

    log10-mel L1 at windows of 1024 (80 mels) and 2048 (128 mels, the lowest 32 of them, where bass and chords live,
    counted once more), and a multi-resolution STFT loss (spectral convergence and log magnitude; Yamamoto et al. 2020).

    Args:
        sample_rate, hop: hertz; samples.
        mel_weight: weight of each mel term.
        low_weight: weight of the lowest 32 mels.
        bass_weight: weight of the bass at a resolution that tells neighbouring notes apart: the relative L1 of
            square-root magnitudes under 500 Hz in windows of 8192 samples. Without it a tone may smear over the
            semitones around it, which no shorter window sees.
        sizes: window sizes of the STFT terms; their hop is a quarter of them.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        hop: int = 256,
        mel_weight: float = 2.0,
        low_weight: float = 1.0,
        bass_weight: float = 0.0,
        sizes: tuple[int, ...] = (512, 1024, 2048, 4096),
    ) -> None:
        super().__init__()
        self.mel_weight, self.low_weight, self.bass_weight = mel_weight, low_weight, bass_weight
        self.short = LogMel(sample_rate, 1024, hop, 80)
        self.long = LogMel(sample_rate, 2048, hop, 128)
        self.fine = Stft(8192, 1024)
        self.bass_bins = int(500 * 8192 / sample_rate)
        self.stfts = nn.ModuleList([Stft(size, size // 4) for size in sizes])

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the loss and its parts.

        Args:
            output, target: waveforms float32 (B, T).

        Returns:
            Scalars by name: ``total``, ``mel`` and ``mel_long`` (L1 of log10-mels), ``low``, ``stft`` and ``bass``.
        """
        mel = (self.short(output) - self.short(target)).abs().mean()
        difference = (self.long(output) - self.long(target)).abs()
        mel_long, low = difference.mean(), difference[:, :32].mean()
        distances = (self._stft_distance(stft, output, target) for stft in self.stfts)
        stft = sum(distances, start=output.new_zeros(())) / len(self.stfts)
        bass = self._bass_distance(output, target)
        total = self.mel_weight * (mel + mel_long) + self.low_weight * low + stft + self.bass_weight * bass
        return {"total": total, "mel": mel, "mel_long": mel_long, "low": low, "stft": stft, "bass": bass}

    def _bass_distance(self, output: Tensor, target: Tensor) -> Tensor:
        a, b = (self.fine(x)[:, : self.bass_bins].abs().clamp(min=1e-4).sqrt() for x in (output, target))
        return (a - b).abs().mean() / b.mean()

    @staticmethod
    def _stft_distance(stft: nn.Module, output: Tensor, target: Tensor) -> Tensor:
        a, b = stft(output).abs().clamp(min=1e-3), stft(target).abs().clamp(min=1e-3)
        convergence = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-3)
        return convergence + (a.log() - b.log()).abs().mean()
