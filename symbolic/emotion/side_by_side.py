"""Compact size of MusicVAE: bars are encoded and decoded in parallel, so that 16 steps follow each other, not 256.

The hierarchy of ``hierdec-mel_16bar`` is kept (Roberts et al. 2018): a bidirectional LSTM encodes, a conductor plans
the bars, an LSTM writes each one from a new state, and bars depend on each other only through the latent vector. Three
things differ, for a training of hours on one core instead of days on a GPU:

* A bar is encoded at once: two dense layers over its 16 steps replace an LSTM.
* The encodings of all bars are concatenated into the input of the latent vector, and each bar of the conductor has its
  own projection of the vector. The last state of an LSTM alone would have to represent 16 bars, which takes tens of
  thousands of steps to learn.
* The conductor's output for a bar is expanded into an input for each step, so that the writer need not count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.symbolic.emotion.decoder import Choose
from d2m.symbolic.emotion.encoder import initialise, one_hot
from d2m.symbolic.emotion.forms import Forms, follow
from d2m.symbolic.melody import BARS, CLASSES, STEPS_PER_BAR

#: Size of the input of a step from the conductor, and of that from the step before.
_HINT, _TOLD = 64, 64


class BarReader(nn.Module):
    """Reads each bar at a glance, then the sequence of bars in both directions.

    Args:
        units: number of units of each direction; the layers in front have four and two times as many.
    """

    def __init__(self, units: int):
        super().__init__()
        self.glance = nn.Sequential(
            nn.Linear(STEPS_PER_BAR * CLASSES, 4 * units), nn.SiLU(), nn.Linear(4 * units, 2 * units)
        )
        #: Off in use; a training may set its share.
        self.dropout = nn.Dropout(0.0)
        self.bars = initialise(nn.LSTM(2 * units, units, batch_first=True, bidirectional=True))
        self.narrow = nn.Linear(2 * units, max(units // 2, 1))
        self.size = BARS * self.narrow.out_features

    def forward(self, melodies: Tensor) -> Tensor:
        """Encode the bars of melodies.

        Args:
            melodies: int64 (B, 256), classes.

        Returns:
            float32 (B, size).
        """
        first, bend, second = self.glance
        seen = second(self.dropout(bend(first(one_hot(melodies).reshape(len(melodies), BARS, -1)))))
        understood, _ = self.bars(seen)
        return functional.silu(self.narrow(understood)).flatten(1)


class BarWriter(nn.Module):
    """Conductor and writer of all bars in parallel.

    Args:
        latent: size of the latent vector.
        conductor: units of the conductor.
        writer: units of the writer.
    """

    def __init__(self, latent: int, conductor: int, writer: int):
        super().__init__()
        self.views = nn.Linear(latent, BARS * conductor)
        self.conductor_start = nn.Linear(latent, 2 * conductor)
        self.conductor = initialise(nn.LSTM(conductor, conductor, batch_first=True))
        self.word = nn.Linear(2 * conductor, 2 * conductor)
        #: Off in use; a training may set its share.
        self.dropout = nn.Dropout(0.0)
        self.hints = nn.Linear(2 * conductor, STEPS_PER_BAR * _HINT)
        self.writer_start = nn.Linear(2 * conductor, 2 * writer)
        self.told = nn.Linear(CLASSES, _TOLD, bias=False)
        self.writer = initialise(nn.LSTM(_TOLD + _HINT, writer, batch_first=True))
        self.output = nn.Linear(writer + _HINT, CLASSES)

    def plan(self, z: Tensor) -> Tensor:
        """Compute the conductor's output for each bar.

        Args:
            z: float32 (B, latent).

        Returns:
            float32 (B, 16, 2 * conductor).
        """
        views = self.views(z).unflatten(1, (BARS, -1))
        going, _ = self.conductor(views, _start(self.conductor_start, z))
        return self.dropout(functional.silu(self.word(torch.cat([going, views], dim=2))))

    def forward(self, z: Tensor, melodies: Tensor, unheard: Tensor | None = None) -> Tensor:
        """Return logits of every step where the steps before it are known (teacher forcing).

        Args:
            z: (B, latent).
            melodies: classes int (B, 256).
            unheard: steps that are not told what was before them, bool (B, 256); none if not given.

        Returns:
            (B, 256, 90).
        """
        word, hints = self._words(z)
        before = functional.pad(melodies.unflatten(1, (BARS, -1))[:, :, :-1].long(), (1, 0), value=-1).flatten(1)
        before = before if unheard is None else before.masked_fill(unheard, -1)
        # The last row of the table stands for no input.
        table = functional.pad(self.told.weight.T, (0, 0, 0, 1))
        told = functional.embedding(before % (CLASSES + 1), table).reshape(len(hints), STEPS_PER_BAR, -1)
        written, _ = self.writer(torch.cat([told.to(hints.dtype), hints], dim=2), _start(self.writer_start, word))
        return self.output(torch.cat([written, hints], dim=2)).reshape(len(z), -1, CLASSES)

    def write(self, z: Tensor, choose: Choose, forms: Forms | None = None) -> tuple[Tensor, Tensor]:
        """Write melodies step by step, with the previous choice as input of each step.

        Args:
            z: (B, latent).
            choose: called 16 times with the logits (B * 16, 90) of a step of all bars; row ``i`` is bar ``i % 16``.
            forms: forms of B melodies, if their bars are to take up each other.

        Returns:
            logits and choices, (B, 256, 90) each. Gradients flow if ``choose`` lets them.
        """
        word, hints = self._words(z, forms)
        state, told = _start(self.writer_start, word), hints.new_zeros(len(hints), CLASSES)
        logits, chosen = [], []
        for hint in hints.unbind(1):
            written, state = self.writer(torch.cat([self.told(told.to(hint.dtype)), hint], dim=1)[:, None], state)
            logits.append(self.output(torch.cat([written[:, 0], hint], dim=1)))
            told = choose(logits[-1])
            chosen.append(told)
        shape = (len(z), -1, CLASSES)
        return torch.stack(logits, dim=1).reshape(shape), torch.stack(chosen, dim=1).reshape(shape)

    def _words(self, z: Tensor, forms: Forms | None = None) -> tuple[Tensor, Tensor]:
        """The word on each bar (B * 16, 2 * conductor), and the hints (B * 16, 16, 64)."""
        said = self.plan(z)
        word = (said if forms is None else follow(said, forms)).flatten(0, 1)
        return word, self.hints(word).unflatten(1, (STEPS_PER_BAR, _HINT))


def _start(layer: nn.Linear, told: Tensor) -> tuple[Tensor, Tensor]:
    """First states (1, B, units) of h and c."""
    h, c = torch.tanh(layer(told))[None].chunk(2, dim=2)
    return h.contiguous(), c.contiguous()
