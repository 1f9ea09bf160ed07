"""Bank of sine oscillators at the notes of the equal-tempered scale.

The codes of the spectral codec contain no phase, and a network with a receptive field of half a second cannot generate
a phase that stays coherent over a long bass note, so bins blur and the note beats against itself. Oscillators stay
coherent; the network only predicts their gains (differentiable synthesis, Engel et al. 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ToneBank(nn.Module):
    """Sines at MIDI notes ``low`` to ``high`` (A4 = 440 Hz).

    Args:
        sample_rate: hertz.
        hop: samples between two gains; a multiple of ``decimation``.
        low, high: first and last MIDI note; the last must lie below ``sample_rate / (2.5 * decimation)``.
        decimation: the tones are made at this fraction of the sample rate, then interpolated, to save work.
    """

    interpolator: Tensor

    def __init__(self, sample_rate: int, hop: int, low: int = 23, high: int = 83, decimation: int = 8) -> None:
        super().__init__()
        self.decimation = decimation
        self.hop = hop
        self.count = high - low + 1
        # Cycles a sample, in double precision: after an hour a float32 phase would be off by whole cycles.
        self.cycles = [440.0 * 2 ** ((note - 69) / 12) / sample_rate for note in range(low, high + 1)]
        # Golden-ratio start phases keep the tones from peaking together.
        self.start_phase = [(k * 0.6180339887498949) % 1.0 for k in range(self.count)]
        taps = torch.arange(-8 * decimation, 8 * decimation + 1, dtype=torch.float64, device="cpu")
        window = torch.hann_window(len(taps), periodic=False, dtype=torch.float64, device="cpu")
        filter_ = torch.sinc(0.92 * taps / decimation) * window
        self.register_buffer("interpolator", (0.92 * filter_).float()[None, None], persistent=False)

    def forward(self, gains: Tensor, start: Tensor) -> Tensor:
        """Return the sum of all tones.

        Args:
            gains: (B, F, tones), amplitude at the middle of each frame, interpolated in between.
            start: (B,) int64, the sample at which each item begins, on the clock of the oscillators.

        Returns:
            (B, F * hop)
        """
        # Phases of long pieces need all digits, also while training in mixed precision.
        with torch.autocast(gains.device.type, enabled=False):
            return self._sum(gains, start)

    def _sum(self, gains: Tensor, start: Tensor) -> Tensor:
        length = gains.shape[1] * self.hop // self.decimation
        amplitude = nn.functional.interpolate(gains.transpose(1, 2), size=length, mode="linear", align_corners=False)
        cycles = torch.tensor(self.cycles, dtype=torch.float64, device=gains.device)
        first = torch.tensor(self.start_phase, dtype=torch.float64, device=gains.device)
        samples = torch.arange(length, dtype=torch.float64, device=gains.device) * self.decimation
        turn = 2 * math.pi * ((start.double()[:, None] * cycles + first) % 1.0)
        angle = 2 * math.pi * ((samples[None] * cycles[:, None]) % 1.0)
        # sin(a + b) from one table of sin(a) and cos(a), shared by the batch.
        in_phase = torch.einsum("bkt,kt,bk->bt", amplitude, angle.sin().float(), turn.cos().float())
        quadrature = torch.einsum("bkt,kt,bk->bt", amplitude, angle.cos().float(), turn.sin().float())
        pad = (self.interpolator.shape[-1] - 1) // 2
        return nn.functional.conv_transpose1d(
            (in_phase + quadrature)[:, None],
            self.interpolator,
            stride=self.decimation,
            padding=pad,
            output_padding=self.decimation - 1,
        )[:, 0]
