"""Losses of an emotion: one on the pitches of a melody and one on its density, with gradients for every step.

Both take steps (B, 256, 90): one-hot, soft, or one-hot with the gradient of a soft choice (:func:`straight_through`),
so that gradients reach the latent vector through the decoder.

* Pitch: distance of the mean pitch from the target, and a cost for notes that are not root, third or fifth of the bar's
  chord, which is higher on the beat.
* Density: the energy of the spectrogram bar by bar compared with that of a steady melody with the target number of
  notes, so that the density is correct in each bar and overall.

The spectrogram is computed from the steps: every note has eight partials, which decay so quickly that the energy counts
onsets rather than durations, and end with the note.

Two more losses take latent vectors: :func:`drift`, the distance from their starts, and :func:`realism_loss`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from d2m.symbolic.emotion.chords import chord_tones, estimate_chords, on_pitch_classes, step_weights
from d2m.symbolic.emotion.decoder import Choose
from d2m.symbolic.melody import CLASSES, FIRST_KEY, HIGHEST, HOLD, LOWEST, STEPS_PER_BAR

#: Energy that is left of a stroke after a sixteenth: -10 dB, -80 dB a second at 120 beats a minute.
FADE = 0.1
#: Steps after which a stroke is silent (-60 dB).
_RINGS = 6
_PARTIALS = 8
#: Energy of a bar may differ from the reference by this share of it before its unevenness costs.
_UNEVEN = 0.75


@dataclass(frozen=True)
class Scale:
    """Standard deviations of real melodies, in which distances are counted: semitones, and notes a bar."""

    pitch: float
    density: float


def straight_through(temperature: float = 1.0) -> Choose:
    """Return a function that chooses the most likely class, one-hot, with the gradient of the softmax (Bengio et al.
    2013).

    The decoder so hears what it will hear in use, where a soft choice would be a chord that no melody has.

    Args:
        temperature: temperature of the softmax.
    """

    def choose(logits: Tensor) -> Tensor:
        soft = (logits.float() / temperature).softmax(dim=-1)
        hard = functional.one_hot(soft.argmax(dim=-1), CLASSES).to(soft.dtype)
        return hard + soft - soft.detach()

    return choose


def mean_pitch(played: Tensor, silent: Tensor) -> Tensor:
    """Compute the mean pitch of the onsets.

    Args:
        played: steps (B, 256, 90).
        silent: value (B,) for melodies without onsets.

    Returns:
        float32 (B,), MIDI.
    """
    onsets = played[..., FIRST_KEY:].float().sum(dim=1)
    keys = torch.arange(LOWEST, HIGHEST + 1, device=played.device, dtype=onsets.dtype)
    count = onsets.sum(dim=1)
    return torch.where(count > 1e-3, (onsets * keys).sum(dim=1) / count.clamp_min(1e-3), silent)


def notes_a_bar(played: Tensor) -> Tensor:
    """Compute the number of onsets per bar.

    Args:
        played: steps (B, 256, 90).

    Returns:
        float32 (B,).
    """
    return played[..., FIRST_KEY:].float().sum(dim=(1, 2)) * STEPS_PER_BAR / played.shape[1]


def off_chord(played: Tensor, chords: Tensor | None = None) -> Tensor:
    """Return the share of onsets that are no root, third or fifth of their bar's chord, those on the beat counting
    double: (B,).

    Args:
        played: (B, bars * 16, 90).
        chords: int64 (B, bars) as of :func:`~d2m.symbolic.emotion.chords.estimate_chords`, or None to hear them from
            the melody itself.
    """
    played = played.float()
    chords = estimate_chords(played.detach()) if chords is None else chords
    tones = chord_tones().to(played.device)[chords].repeat_interleave(STEPS_PER_BAR, dim=1)
    onsets = on_pitch_classes(played) * step_weights(played.shape[1], played.device)[:, None]
    return (onsets * (1.0 - tones)).sum(dim=(1, 2)) / onsets.sum(dim=(1, 2)).clamp_min(1e-3)


def pitch_loss(
    played: Tensor, target: Tensor, scale: Scale, chords: Tensor | None = None, harmony: float = 0.5
) -> Tensor:
    """Return the distance to the mean pitch in standard deviations (Huber's), and ``harmony`` times the share off the
    chords.

    Args:
        played: (B, bars * 16, 90).
        target: mean pitch, MIDI (B,).
        scale: scale of real melodies.
        chords: int64 (B, bars), or None to hear them from the melody.
        harmony: weight of the chords.

    Returns:
        (B,).
    """
    return far((mean_pitch(played, target) - target) / scale.pitch) + harmony * off_chord(played, chords)


def density_loss(played: Tensor, target: Tensor, scale: Scale, evenness: float = 0.25) -> Tensor:
    """Compute the distance of the energy from the reference's, as notes per bar in standard deviations (Huber's loss),
    plus ``evenness`` times the differences of single bars above three quarters of it.

    Args:
        played: (B, bars * 16, 90).
        target: notes a bar (B,), above 0.
        scale: scale of real melodies.
        evenness: weight of the single bars.

    Returns:
        (B,).
    """
    ratio = energy(played) / reference_energy(target)[:, None]
    whole = far((ratio.mean(dim=1) - 1.0) * target / scale.density)
    return whole + evenness * ((ratio - 1.0).abs() - _UNEVEN).clamp_min(0.0).mean(dim=1)


def spectrogram(played: Tensor) -> Tensor:
    """Compute the energy at each step in bands of a semitone from MIDI 21 up; an onset has energy 1.

    Args:
        played: steps (B, steps, 90).

    Returns:
        float32 (B, steps, 124).
    """
    return _ringing(played[..., FIRST_KEY:].float(), played) @ _timbre().to(played.device)


def energy(played: Tensor, window: int = STEPS_PER_BAR) -> Tensor:
    """Compute the energy of the spectrogram in windows.

    Args:
        played: steps (B, steps, 90).
        window: number of steps.

    Returns:
        float32 (B, steps / window).
    """
    # All notes decay alike, so that bands need not be separated.
    strokes = played[..., FIRST_KEY:].float().sum(dim=2, keepdim=True)
    return _ringing(strokes, played)[..., 0].unflatten(1, (-1, window)).sum(dim=2)


def reference_energy(density: Tensor, window: int = STEPS_PER_BAR) -> Tensor:
    """Compute the energy of a window of a steady melody whose notes are held to the next.

    Args:
        density: notes per bar, of any shape.
        window: number of steps.

    Returns:
        float32, of the shape of ``density``.
    """
    strokes = density * window / STEPS_PER_BAR
    return strokes * (1.0 - FADE ** (STEPS_PER_BAR / density)) / (1.0 - FADE)


def far(difference: Tensor) -> Tensor:
    """Compute Huber's loss: quadratic within half a standard deviation, linear beyond.

    Args:
        difference: in standard deviations.
    """
    return functional.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none", beta=0.5)


def _ringing(stroke: Tensor, played: Tensor) -> Tensor:
    """Add to strokes (B, steps, n) the decaying energy of earlier strokes, as long as the note is held."""
    held = played[..., HOLD, None].float()
    ringing = stroke
    for _ in range(_RINGS):
        stroke = FADE * functional.pad(stroke, (0, 0, 1, 0))[:, :-1] * held
        ringing = ringing + stroke
    return ringing


def _timbre() -> Tensor:
    """Return the energy of a stroke of each key (88) in each band (124); partials fall by 6 dB per octave."""
    shifts = [round(12 * math.log2(partial)) for partial in range(1, _PARTIALS + 1)]
    keys = HIGHEST - LOWEST + 1
    timbre = torch.zeros(keys, keys + shifts[-1])
    for partial, shift in enumerate(shifts, 1):
        timbre[torch.arange(keys), torch.arange(keys) + shift] += 1.0 / partial**2
    return timbre / timbre.sum(dim=1, keepdim=True)


def drift(moved: Tensor, start: Tensor, sigma: Tensor) -> Tensor:
    """Compute the distance of vectors from their starts, ``log(1 + (moved - start)^2)``.

    Dimensions with a small deviation have a higher weight: a dimension of which the encoder is certain carries the
    tune; one that is only noise may move freely (Engel et al. 2017). The weights have mean 1.

    Args:
        moved, start: (B, latent).
        sigma: mean of the encoder's standard deviations over real melodies, (latent,).

    Returns:
        (B,).
    """
    weight = sigma.clamp_min(0.01) ** -2
    return (torch.log1p((moved - start).square()) * (weight / weight.mean())).mean(dim=1)


def realism_loss(real: Tensor, others: Tensor) -> Tensor:
    """Compute the cross-entropy of the critic's logits with equal weight for both classes.

    Args:
        real: logits (B,) of real melodies' vectors.
        others: logits (C,) of other vectors.
    """
    return functional.softplus(-real).mean() + functional.softplus(others).mean()
