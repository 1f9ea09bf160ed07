"""A bank of sine oscillators at the notes of the equal-tempered scale.

The codes of the spectral codec carry no phase, and a network that sees half a second cannot invent one that
stays coherent over a long bass note: bins blur and the note beats against itself. Oscillators are coherent
for ever; the network has only to say how loud each one is (the idea of differentiable synthesis, Engel et al. 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ToneBank(nn.Module):
    """Sines at MIDI notes ``low`` to ``high`` (A4 = 440 Hz), ``per_semitone`` of them a semitone.

    Args:
        sample_rate: hertz.
        hop: samples between two gains.
        low, high: first and last MIDI note.
        per_semitone: oscillators a semitone.
    """

    def __init__(self, sample_rate: int, hop: int, low: int = 23, high: int = 83, per_semitone: int = 1) -> None:
        super().__init__()
        count = (high - low) * per_semitone + 1
        notes = low + torch.arange(count, dtype=torch.float64) / per_semitone
        self.hop = hop
        self.count = count
        # Cycles a sample in double precision: after an hour a float32 phase would be off by cycles.
        self.cycles = (440.0 * 2 ** ((notes - 69) / 12) / sample_rate).tolist()
        # Golden-ratio start phases keep the tones from peaking together.
        self.start_phase = [(k * 0.6180339887498949) % 1.0 for k in range(count)]

    def forward(self, gains: Tensor, start: Tensor) -> Tensor:
        """The sum of all tones.

        Args:
            gains: (B, F, tones), amplitude at the middle of each frame, interpolated in between.
            start: (B,) int64, the sample at which each item begins, on the clock of the oscillators.

        Returns:
            (B, F * hop)
        """
        batch, frames, _ = gains.shape
        length = frames * self.hop
        amplitude = nn.functional.interpolate(gains.transpose(1, 2), size=length, mode="linear", align_corners=False)
        cycles = torch.tensor(self.cycles, dtype=torch.float64, device=gains.device)
        first = torch.tensor(self.start_phase, dtype=torch.float64, device=gains.device)
        offset = (start.double()[:, None] * cycles + first) % 1.0
        within = (torch.arange(length, device=gains.device, dtype=torch.float64)[None] * cycles[:, None]) % 1.0
        angle = 2 * math.pi * within.float()
        # sin(a + b) from one table shared by the batch.
        turn = (2 * math.pi * offset.float())[:, :, None]
        table = torch.stack([angle.sin(), angle.cos()])
        weights = torch.stack([(amplitude * turn.cos()), (amplitude * turn.sin())])
        return torch.einsum("sbkt,skt->bt", weights, table)
