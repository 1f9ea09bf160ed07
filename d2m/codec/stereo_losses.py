"""What the stereo codec is trained to keep: spectra of the middle, of one side channel and of the side signal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.codec.losses import SpectralLoss
from d2m.codec.stereo import middle_side
from d2m.nn.mel import LogMel, Stft, mel_filters

#: The highest frequency that is compared, in hertz.
HIGHEST = 20000.0


class StereoImage(nn.Module):
    """Where the energy of bands lies between left and right.

    In each of ``bands`` mel bands, and in all of them together, the energies E of middle M and side S and their
    product are averaged over ``frames`` frames and give two figures from -1 to 1: the balance 2 Re<M, S> / (E_M + E_S),
    which is the difference of the levels of left and right over their sum, and the likeness (E_M - E_S) / (E_M + E_S),
    which is the correlation of left and right where both are equally loud.

    Args:
        sample_rate, hop: in hertz; samples.
        bands, frames: see above.
    """

    filters: Tensor

    def __init__(self, sample_rate: int, hop: int, bands: int = 24, frames: int = 8) -> None:
        super().__init__()
        self.stft, self.pool = Stft(2048, hop), nn.AvgPool1d(frames)
        self.register_buffer("filters", mel_filters(sample_rate, 2048, bands, 0.0, HIGHEST), persistent=False)

    def forward(self, stereo: Tensor) -> Tensor:
        """Compute balance and likeness of a stereo signal.

        Args:
            stereo: waveform float32 (B, 2, T).

        Returns:
            float32 (B, 2 * (bands + 1), T // hop // frames), -1 to 1: the balance of each band and of all together,
            then the likeness in the same order.
        """
        middle, side = (self.stft(x) for x in middle_side(stereo))
        powers = torch.stack([middle.abs().square(), side.abs().square(), 2 * (middle * side.conj()).real], 1)
        bands = torch.cat([self.filters @ powers, powers.sum(2, keepdim=True)], 2)
        mid, aside, product = self.pool(bands.flatten(0, 1)).unflatten(0, bands.shape[:2]).unbind(1)
        return torch.cat([product, mid - aside], 1) / (mid + aside + 1e-2).repeat(1, 2, 1)


class StereoLoss(nn.Module):
    """Distance of stereo to its target, both (B, 2, T).

    log10-mel L1 up to 20 kHz at windows of 2048 (96 bands) and 4096 (128 bands, the lowest 32 counted once more), of
    the middle and of the left channel; the same at 2048 of the side; STFT terms at windows of 1024 to 8192 of the
    middle (:class:`~d2m.codec.losses.SpectralLoss`), and its bass at the resolution of notes.

    Args:
        sample_rate, hop: in hertz; samples.
        mel_weight, low_weight, bass_weight: of the terms of the middle.
        stereo_weight: of the left channel's and the side's terms.
        image_weight: of the distance of :class:`StereoImage`.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        hop: int = 512,
        mel_weight: float = 2.0,
        low_weight: float = 1.0,
        bass_weight: float = 0.5,
        stereo_weight: float = 1.0,
        image_weight: float = 1.5,
    ) -> None:
        super().__init__()
        self.mel_weight, self.low_weight = mel_weight, low_weight
        self.bass_weight, self.stereo_weight = bass_weight, stereo_weight
        self.image_weight, self.image = image_weight, StereoImage(sample_rate, hop)
        # Twice the window of 22.05 kHz doubles the magnitudes, so the floor is doubled, too.
        self.short = LogMel(sample_rate, 2048, hop, 96, 2e-4, HIGHEST)
        self.long = LogMel(sample_rate, 4096, hop, 128, 2e-4, HIGHEST)
        self.fine = Stft(16384, 2048)
        self.bass_bins = int(500 * 16384 / sample_rate)
        self.stfts = nn.ModuleList([Stft(size, size // 4) for size in (1024, 2048, 4096, 8192)])

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the loss and its parts.

        Args:
            output, target: waveforms float32 (B, 2, T).

        Returns:
            Scalars by name: ``total``, ``mel``, ``mel_long``, ``low``, ``stft`` and ``bass`` of the middle, ``left``,
            ``side`` and ``image``.
        """
        (middle, side), (true_middle, true_side) = middle_side(output), middle_side(target)
        mel = (self.short(middle) - self.short(true_middle)).abs().mean()
        difference = (self.long(middle) - self.long(true_middle)).abs()
        mel_long, low = difference.mean(), difference[:, :32].mean()
        stft = torch.stack([SpectralLoss._stft_distance(s, middle, true_middle) for s in self.stfts]).mean()
        bass = self._bass_distance(middle, true_middle)
        left = (self.short(output[:, 0]) - self.short(target[:, 0])).abs().mean()
        aside = (self.short(side) - self.short(true_side)).abs().mean()
        total = self.mel_weight * (mel + mel_long) + self.low_weight * low + stft + self.bass_weight * bass
        image = (self.image(output) - self.image(target)).abs().mean()
        total = total + self.stereo_weight * (2 * left + aside) + self.image_weight * image
        return {
            "total": total, "mel": mel, "mel_long": mel_long, "low": low, "stft": stft, "bass": bass, "left": left,
            "side": aside, "image": image,
        }  # fmt: skip

    def _bass_distance(self, output: Tensor, target: Tensor) -> Tensor:
        a, b = (self.fine(x)[:, : self.bass_bins].abs().clamp(min=1e-4).sqrt() for x in (output, target))
        return (a - b).abs().mean() / b.mean()
