"""Spectrograms as torch modules: frames that tile a signal exactly, and mel filters (Slaney's scale, area-normalised).

The usual centred STFT of T samples has T // hop + 1 frames; here frame i is centred on the middle of samples
[i * hop, (i + 1) * hop), so that T samples have T // hop frames and codes line up with the samples they stand for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2m.audio import mel


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None) -> Tensor:
    """Return :func:`d2m.audio.mel.mel_filters` as a float32 tensor.

    Args:
        sample_rate: hertz.
        n_fft: points of the transform.
        n_mels: number of filters.
        f_min, f_max: range in hertz; None for half the sample rate.
    """
    triangles = mel.mel_filters(sample_rate, n_fft, n_mels, f_min, f_max)
    return torch.tensor(triangles, dtype=torch.float32, device="cpu")


class Stft(nn.Module):
    """Spectrogram whose frames tile the signal: (B, T) -> complex (B, n_fft // 2 + 1, T // hop), Hann window."""

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft, device="cpu"), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram.

        Args:
            waveform: float32 (B, T).

        Returns:
            complex64 (B, n_fft // 2 + 1, T // hop).
        """
        pad = (self.n_fft - self.hop) // 2
        mode = "reflect" if waveform.shape[-1] > pad else "constant"
        padded = nn.functional.pad(waveform[:, None], (pad, pad), mode=mode)[:, 0]
        return torch.stft(padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)


class InverseStft(nn.Module):
    """Overlap-add of a spectrogram made by :class:`Stft`: complex (B, n_fft // 2 + 1, F) -> (B, F * hop)."""

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft, device="cpu"), persistent=False)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Reconstruct the waveform by overlap-add.

        Args:
            spectrogram: complex64 (B, n_fft // 2 + 1, F).

        Returns:
            float32 (B, F * hop).
        """
        frames = torch.fft.irfft(spectrogram, self.n_fft, dim=1) * self.window[:, None]
        weight = self.window.square()[None, :, None].expand(1, -1, frames.shape[2])
        pad = (self.n_fft - self.hop) // 2
        length = frames.shape[2] * self.hop
        signal, total = self._overlap(frames), self._overlap(weight)
        return (signal / total.clamp(min=1e-3))[:, pad : pad + length]

    def _overlap(self, frames: Tensor) -> Tensor:
        size = (frames.shape[2] - 1) * self.hop + self.n_fft
        folded = nn.functional.fold(frames, (1, size), (1, self.n_fft), stride=(1, self.hop))
        return folded[:, 0, 0]


class LogMel(nn.Module):
    """log10 of the mel magnitude spectrogram with a floor: (B, T) -> (B, n_mels, T // hop)."""

    filters: Tensor

    def __init__(
        self, sample_rate: int, n_fft: int, hop: int, n_mels: int, floor: float = 1e-4, f_max: float | None = None
    ) -> None:
        super().__init__()
        self.floor = floor
        self.stft = Stft(n_fft, hop)
        self.register_buffer("filters", mel_filters(sample_rate, n_fft, n_mels, 0.0, f_max), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the log-mel spectrogram.

        Args:
            waveform: float32 (B, T).

        Returns:
            float32 (B, n_mels, T // hop).
        """
        # Half precision would round quiet bands away.
        with torch.autocast(waveform.device.type, enabled=False):
            return torch.log10((self.filters @ self.stft(waveform).abs()).clamp(min=self.floor))
