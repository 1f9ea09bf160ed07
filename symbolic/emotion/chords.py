"""Estimate the chord of each bar from a melody alone.

A bar's onsets, weighted by duration and metrical position, are compared with the 24 major and minor triads; the Viterbi
algorithm finds the best sequence with a cost for changes that is lower for near chords (Papadopoulos and Peeters 2007
use this on audio). The chord of a bar without notes follows from its neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from d2m.symbolic.melody import CLASSES, FIRST_KEY, HOLD, LOWEST, STEPS_PER_BAR, STEPS_PER_BEAT

#: Root and quality of chord ``i``: ``i % 12`` and ``i // 12``, 0 for major, 1 for minor.
CHORDS = 24
_THIRDS = (4, 3)
#: What a note weighs off the quarter, and what a step of holding adds.
_OFF_BEAT, _HELD = 0.5, 0.125
#: A change of chord costs this, of one without common tones twice as much; in shares of a bar's notes.
_CHANGE = 0.1


def chord_tones() -> Tensor:
    """Return which pitch classes are the root, third and fifth of each chord: float32 (24, 12) of 0 and 1."""
    tones = torch.zeros(CHORDS, 12)
    for chord in range(CHORDS):
        for step in (0, _THIRDS[chord // 12], 7):
            tones[chord, (chord % 12 + step) % 12] = 1.0
    return tones


def on_pitch_classes(played: Tensor) -> Tensor:
    """Sum onsets by pitch class.

    Args:
        played: steps (..., 90), one-hot or soft.

    Returns:
        float32 (..., 12).
    """
    return played[..., FIRST_KEY:] @ _classes(played)


def step_weights(steps: int, device: torch.device) -> Tensor:
    """Return the weight of an onset on each step of a bar; steps between the beats have a lower weight.

    Args:
        steps: number of steps of a bar.
        device: device of the result.

    Returns:
        float32 (steps,).
    """
    on_beat = torch.arange(steps, device=device) % STEPS_PER_BEAT == 0
    return torch.where(on_beat, 1.0, _OFF_BEAT)


@torch.no_grad()
def estimate_chords(played: Tensor) -> Tensor:
    """Return the chords of melodies.

    Args:
        played: (B, bars * 16, 90), one-hot or soft.

    Returns:
        int64 (B, bars), 0 to 11 for C to B major, 12 to 23 for C to B minor.
    """
    fit = _fit(played.float())
    cost = _change_costs(fit.device)
    best, back = fit[:, 0], []
    for bar in range(1, fit.shape[1]):
        through, origin = (best[:, :, None] - cost).max(dim=1)
        best = through + fit[:, bar]
        back.append(origin)
    chords = [best.argmax(dim=1)]
    for origin in reversed(back):
        chords.append(origin.gather(1, chords[-1][:, None])[:, 0])
    return torch.stack(chords[::-1], dim=1)


def _fit(played: Tensor) -> Tensor:
    """How well each chord fits each bar, (B, bars, 24)."""
    weight = step_weights(played.shape[1], played.device) + _HELD * _length(played[..., HOLD])
    notes = (on_pitch_classes(played) * weight[..., None]).reshape(len(played), -1, STEPS_PER_BAR, 12).sum(dim=2)
    notes = notes / notes.sum(dim=2, keepdim=True).clamp_min(1e-6)
    # Of two triads that hold the same notes the one whose root sounds most.
    tones = chord_tones().to(played.device)
    tones[torch.arange(CHORDS), torch.arange(CHORDS) % 12] += 0.1
    return notes @ tones.T


def _length(held: Tensor) -> Tensor:
    """How many steps after each one hold on, at most a bar: (B, steps)."""
    going, length = torch.ones_like(held), torch.zeros_like(held)
    for step in range(1, STEPS_PER_BAR + 1):
        going = going * functional.pad(held, (0, step))[:, step:]
        length = length + going
    return length


def _change_costs(device: torch.device) -> Tensor:
    tones = chord_tones()
    cost = torch.where(tones @ tones.T > 0, _CHANGE, 2 * _CHANGE)
    return cost.fill_diagonal_(0.0).to(device)


def _classes(played: Tensor) -> Tensor:
    keys = torch.arange(CLASSES - FIRST_KEY, device=played.device) + LOWEST
    return functional.one_hot(keys % 12, 12).to(played.dtype)
