"""Decoder from a latent vector to a melody: a conductor LSTM plans the bars, a second LSTM writes each step by step.

The conductor gets no input from the written steps (``disable_autoregression`` in Magenta's ``hierdec-mel_16bar``), and
the state of the writer is initialised in every bar from the conductor's output. So all dependence between bars goes
through the latent vector (Roberts et al. 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.symbolic.emotion.encoder import initialise, one_hot
from d2m.symbolic.emotion.forms import Forms, follow
from d2m.symbolic.melody import BARS, CLASSES, STEPS_PER_BAR

#: Function from the logits (n, 90) of a step to the input of the next step: one-hot or soft, (n, 90).
Choose = Callable[[Tensor], Tensor]


class HierarchicalDecoder(nn.Module):
    """Conductor and writer.

    Args:
        latent: size of the latent vector.
        conductor: units of the conductor.
        writer: units of the writer.
        layers: layers of both.
    """

    def __init__(self, latent: int, conductor: int, writer: int, layers: int):
        super().__init__()
        self.layers = layers
        self.conductor_start = nn.Linear(latent, 2 * layers * conductor)
        self.conductor = initialise(nn.LSTM(1, conductor, layers, batch_first=True))
        self.writer_start = nn.Linear(conductor, 2 * layers * writer)
        self.writer = initialise(nn.LSTM(CLASSES + conductor, writer, layers, batch_first=True))
        self.output = nn.Linear(writer, CLASSES)
        for start in (self.conductor_start, self.writer_start):
            # Magenta starts at a deviation of 0.001; with this one the vector takes effect sooner.
            nn.init.xavier_uniform_(start.weight)
            nn.init.zeros_(start.bias)

    def plan(self, z: Tensor) -> Tensor:
        """Compute the conductor's output for each bar.

        Args:
            z: float32 (B, latent).

        Returns:
            float32 (B, 16, conductor).
        """
        said, _ = self.conductor(z.new_zeros(len(z), BARS, 1), self._start(self.conductor_start, z))
        return said

    def forward(self, z: Tensor, melodies: Tensor, unheard: Tensor | None = None) -> Tensor:
        """Return logits of every step where the steps before it are known (teacher forcing).

        Args:
            z: (B, latent).
            melodies: classes int (B, 256).
            unheard: steps that are not told what was before them, bool (B, 256); none if not given.

        Returns:
            (B, 256, 90).
        """
        said = self.plan(z).flatten(0, 1)
        before = functional.pad(melodies[:, :-1].long(), (1, 0), value=-1)
        before = before if unheard is None else before.masked_fill(unheard, -1)
        told = one_hot(before).reshape(len(said), STEPS_PER_BAR, CLASSES)
        about = said[:, None].expand(-1, STEPS_PER_BAR, -1)
        written, _ = self.writer(torch.cat([told, about], dim=2), self._start(self.writer_start, said))
        return self.output(written).reshape(len(z), -1, CLASSES)

    def write(self, z: Tensor, choose: Choose, forms: Forms | None = None) -> tuple[Tensor, Tensor]:
        """Write melodies step by step, with the previous choice as input of each step.

        Args:
            z: (B, latent).
            choose: called 256 times with the logits of a step, (B, 90).
            forms: forms of B melodies, if their bars are to take up each other.

        Returns:
            logits and choices, (B, 256, 90) each. Gradients flow if ``choose`` lets them.
        """
        said = self.plan(z) if forms is None else follow(self.plan(z), forms)
        bars, told = [], said.new_zeros(len(z), CLASSES)
        for bar in range(BARS):
            bars.append(self._bar(said[:, bar], told, choose))
            told = bars[-1][1][:, -1]
        logits, chosen = zip(*bars, strict=True)
        return torch.cat(logits, dim=1), torch.cat(chosen, dim=1)

    def _bar(self, said: Tensor, told: Tensor, choose: Choose) -> tuple[Tensor, Tensor]:
        """One bar of every row: logits and choices (rows, 16, 90)."""
        state = self._start(self.writer_start, said)
        logits, chosen = [], []
        for _ in range(STEPS_PER_BAR):
            written, state = self.writer(torch.cat([told.to(said.dtype), said], dim=1)[:, None], state)
            logits.append(self.output(written[:, 0]))
            told = choose(logits[-1])
            chosen.append(told)
        return torch.stack(logits, dim=1), torch.stack(chosen, dim=1)

    def _start(self, layer: nn.Linear, told: Tensor) -> tuple[Tensor, Tensor]:
        """First states (layers, B, units) of h and c; the layer gives c, h of the first, c, h of the second, ..."""
        cells = torch.tanh(layer(told)).reshape(len(told), self.layers, 2, -1).permute(2, 1, 0, 3).contiguous()
        return cells[1], cells[0]
