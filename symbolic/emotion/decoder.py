"""From a latent vector to a melody: a conductor says what each bar is about, a second LSTM writes it out step by step.

The conductor hears nothing of what is written (``disable_autoregression`` in Magenta's ``hierdec-mel_16bar``), and the
state of the writer starts anew in every bar, from the conductor's output. So all that one bar knows of another comes
from the latent vector (Roberts et al. 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.symbolic.emotion.encoder import initialise, one_hot
from d2m.symbolic.emotion.melody import BARS, CLASSES, STEPS_PER_BAR

#: Takes logits (n, 90) of a step, gives what the writer is told has been played: one-hot or soft, (n, 90).
Choose = Callable[[Tensor], Tensor]


class HierarchicalDecoder(nn.Module):
    """Conductor and writer.

    Args:
        latent: size of the latent vector.
        conductor: units of the conductor.
        writer: units of the writer.
        layers: of both.
        linked: the first step of a bar is told the last of the bar before, as Magenta's is; else it is told nothing,
            and all bars can be written at the same time.
        reminded: the conductor is told the latent vector in every bar; else only in its first state, as Magenta's is.
    """

    def __init__(self, latent: int, conductor: int, writer: int, layers: int, linked: bool, reminded: bool):
        super().__init__()
        self.layers, self.linked, self.reminded = layers, linked, reminded
        self.conductor_start = nn.Linear(latent, 2 * layers * conductor)
        self.conductor = initialise(nn.LSTM(latent if reminded else 1, conductor, layers, batch_first=True))
        self.writer_start = nn.Linear(conductor, 2 * layers * writer)
        self.writer = initialise(nn.LSTM(CLASSES + conductor, writer, layers, batch_first=True))
        self.output = nn.Linear(writer, CLASSES)
        for start in (self.conductor_start, self.writer_start):
            # Magenta starts at a deviation of 0.001; this way the vector is heard sooner.
            nn.init.xavier_uniform_(start.weight)
            nn.init.zeros_(start.bias)

    def plan(self, z: Tensor) -> Tensor:
        """Latent vectors (B, latent) -> what the conductor says of each bar, (B, 16, conductor)."""
        told = z[:, None].expand(-1, BARS, -1) if self.reminded else z.new_zeros(len(z), BARS, 1)
        said, _ = self.conductor(told, self._start(self.conductor_start, z))
        return said

    def forward(self, z: Tensor, melodies: Tensor) -> Tensor:
        """Logits of every step where the steps before it are known (teacher forcing).

        Args:
            z: (B, latent).
            melodies: classes int (B, 256).

        Returns:
            (B, 256, 90).
        """
        said = self.plan(z).flatten(0, 1)
        told = one_hot(self.before(melodies)).reshape(len(said), STEPS_PER_BAR, CLASSES)
        about = said[:, None].expand(-1, STEPS_PER_BAR, -1)
        written, _ = self.writer(torch.cat([told, about], dim=2), self._start(self.writer_start, said))
        return self.output(written).reshape(len(z), -1, CLASSES)

    def before(self, melodies: Tensor) -> Tensor:
        """The class that each step is told of the one before it, -1 for nothing: int (B, 256)."""
        previous = functional.pad(melodies[:, :-1].long(), (1, 0), value=-1)
        if not self.linked:
            previous[:, ::STEPS_PER_BAR] = -1
        return previous

    def write(self, z: Tensor, choose: Choose) -> tuple[Tensor, Tensor]:
        """Write melodies step by step, each step told what was chosen before.

        Args:
            z: (B, latent).
            choose: called once a step with the logits of all rows: 16 times with (B * 16, 90) where bars are written at
                the same time (row ``i`` is bar ``i % 16``), 256 times with (B, 90) where they are linked.

        Returns:
            logits and choices, (B, 256, 90) each. Gradients flow if ``choose`` lets them.
        """
        said = self.plan(z)
        if not self.linked:
            logits, chosen = self._bar(said.flatten(0, 1), None, choose)
            return logits.reshape(len(z), -1, CLASSES), chosen.reshape(len(z), -1, CLASSES)
        bars, told = [], None
        for bar in range(BARS):
            bars.append(self._bar(said[:, bar], told, choose))
            told = bars[-1][1][:, -1]
        logits, chosen = zip(*bars, strict=True)
        return torch.cat(logits, dim=1), torch.cat(chosen, dim=1)

    def _bar(self, said: Tensor, told: Tensor | None, choose: Choose) -> tuple[Tensor, Tensor]:
        """One bar of every row: logits and choices (rows, 16, 90)."""
        state = self._start(self.writer_start, said)
        told = said.new_zeros(len(said), CLASSES) if told is None else told
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
