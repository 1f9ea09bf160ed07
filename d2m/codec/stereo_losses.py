"""What the stereo codec is trained to keep: spectra of the middle, of one side channel and of the side signal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.codec.losses import SpectralLoss
from d2m.codec.mel import LogMel, Stft
from d2m.codec.stereo import middle_side

#: The highest frequency that is compared, in hertz.
HIGHEST = 20000.0


class StereoLoss(nn.Module):
    """Distance of stereo to its target, both (B, 2, T).

    log10-mel L1 up to 20 kHz at windows of 2048 (96 bands) and 4096 (128 bands, the lowest 32 counted once more), of
    the middle and of the left channel; the same at 2048 of the side; STFT terms at windows of 1024 to 8192 of the
    middle (:class:`~d2m.codec.losses.SpectralLoss`), and its bass at the resolution of notes.

    Args:
        sample_rate, hop: in hertz; samples.
        mel_weight, low_weight, bass_weight: of the terms of the middle.
        stereo_weight: of the left channel's and the side's terms.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        hop: int = 512,
        mel_weight: float = 2.0,
        low_weight: float = 1.0,
        bass_weight: float = 0.5,
        stereo_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.mel_weight, self.low_weight = mel_weight, low_weight
        self.bass_weight, self.stereo_weight = bass_weight, stereo_weight
        # Twice the window of 22.05 kHz doubles the magnitudes, so the floor is doubled, too.
        self.short = LogMel(sample_rate, 2048, hop, 96, 2e-4, HIGHEST)
        self.long = LogMel(sample_rate, 4096, hop, 128, 2e-4, HIGHEST)
        self.fine = Stft(16384, 2048)
        self.bass_bins = int(500 * 16384 / sample_rate)
        self.stfts = nn.ModuleList([Stft(size, size // 4) for size in (1024, 2048, 4096, 8192)])

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return ``total`` and its parts: ``mel``, ``mel_long``, ``low``, ``stft``, ``bass``, ``left``, ``side``."""
        (middle, side), (true_middle, true_side) = middle_side(output), middle_side(target)
        mel = (self.short(middle) - self.short(true_middle)).abs().mean()
        difference = (self.long(middle) - self.long(true_middle)).abs()
        mel_long, low = difference.mean(), difference[:, :32].mean()
        stft = torch.stack([SpectralLoss._stft_distance(s, middle, true_middle) for s in self.stfts]).mean()
        bass = self._bass_distance(middle, true_middle)
        left = (self.short(output[:, 0]) - self.short(target[:, 0])).abs().mean()
        aside = (self.short(side) - self.short(true_side)).abs().mean()
        total = self.mel_weight * (mel + mel_long) + self.low_weight * low + stft + self.bass_weight * bass
        total = total + self.stereo_weight * (2 * left + aside)
        return {
            "total": total, "mel": mel, "mel_long": mel_long, "low": low, "stft": stft, "bass": bass, "left": left,
            "side": aside,
        }  # fmt: skip

    def _bass_distance(self, output: Tensor, target: Tensor) -> Tensor:
        a, b = (self.fine(x)[:, : self.bass_bins].abs().clamp(min=1e-4).sqrt() for x in (output, target))
        return (a - b).abs().mean() / b.mean()
