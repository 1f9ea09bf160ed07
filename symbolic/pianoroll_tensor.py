"""Piano-rolls as the tensors that MuseGAN is made of: bars x steps x pitches x tracks.

Two resolutions are in use: the paper's 4 x 96 x 84 x 5 (Dong et al., AAAI 2018, "Data Preprocessing") and the compact
4 x 16 x 72 x 5 of the authors' ISMIR 2019 tutorial. Both begin at C1, MIDI key 24, and know 4/4 bars only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.pianoroll import PITCHES, Metre, PianoRoll, struck
from d2m.symbolic.tracks import DRUMS, PROGRAMS
from d2m.types import TRACKS


@dataclass(frozen=True)
class Resolution:
    """Resolution of phrases: steps and pitches.

    Attributes:
        name: name of the resolution.
        steps: in a bar of 4/4.
        pitches: how many keys.
        lowest: MIDI key of the first.
    """

    name: str
    steps: int
    pitches: int
    lowest: int = 24

    @property
    def steps_per_beat(self) -> int:
        return self.steps // 4

    @property
    def strikes_only(self) -> bool:
        """Whether steps are so long (a sixteenth or more) that every step of a drum is a stroke of its own."""
        return self.steps_per_beat <= 4

    def shape(self, bars: int = 4) -> tuple[int, int, int, int]:
        """Return the shape of a phrase.

        Args:
            bars: its length.

        Returns:
            (bars, steps, pitches, tracks).
        """
        return bars, self.steps, self.pitches, len(TRACKS)


PAPER = Resolution("paper", 96, 84)
COMPACT = Resolution("compact", 16, 72)
RESOLUTIONS: dict[str, Resolution] = {r.name: r for r in (COMPACT, PAPER)}


def resolution_named(name: str) -> Resolution:
    """Return the resolution of a name.

    Args:
        name: ``"paper"`` or ``"compact"``.

    Raises:
        D2MError: if there is none of that name.
    """
    if name not in RESOLUTIONS:
        raise D2MError(f"unknown resolution '{name}'; choose {' or '.join(RESOLUTIONS)}")
    return RESOLUTIONS[name]


def in_fours(roll: PianoRoll) -> tuple[PianoRoll, np.ndarray]:
    """Join bars of one and two quarter notes to bars of four.

    Args:
        roll: piano-roll.

    Returns:
        The music, and which bars have four quarter notes: bool (B,).
    """
    beat = roll.steps_per_beat
    groups: list[list[int]] = []
    for length in roll.bar_lengths.tolist():
        joins = length in (beat, 2 * beat) and groups and set(groups[-1]) <= {beat, 2 * beat}
        if joins and sum(groups[-1]) + length <= 4 * beat:
            groups[-1].append(length)
        else:
            groups.append([length])
    lengths = [sum(group) for group in groups]
    if set(groups[-1]) <= {beat, 2 * beat}:
        # Music that ends within a bar is taken to the end of it.
        lengths[-1] = 4 * beat
    lines = np.cumsum([0, *map(sum, groups[:-1])]).astype(np.int64)
    return replace(roll, downbeats=lines, metres=(Metre(0, 4, 4),)), np.array(lengths) == 4 * beat


def to_tensor(roll: PianoRoll, resolution: Resolution, first: int, bars: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return bars of a roll as ``held`` and ``onsets``, both bool (bars, steps, pitches, 5).

    Notes outside the pitches are left out; what still sounds from before begins with the first bar. At four steps a
    beat and fewer a drum sounds for one step, since how long it is written means nothing.

    Args:
        roll: at the resolution's own steps a beat (:meth:`PianoRoll.resampled`).
        resolution: resolution of the tensor.
        first: number of the first bar; silence follows where the roll ends early.
        bars: how many.

    Raises:
        ValueError: if the roll has other steps, or one of the bars is not in 4/4.
    """
    if roll.steps_per_beat != resolution.steps_per_beat:
        raise ValueError(f"{roll.steps_per_beat} steps a beat instead of {resolution.steps_per_beat}")
    if not np.all(roll.bar_lengths[first : first + bars] == resolution.steps):
        raise ValueError(f"bars {first} to {first + bars - 1} are not all in 4/4")
    start = int(roll.downbeats[first])
    count = bars * resolution.steps
    keys = slice(resolution.lowest, resolution.lowest + resolution.pitches)
    held = roll.held[:, start : start + count, keys]
    onsets = struck(held, roll.onsets[:, start : start + count, keys])
    if resolution.strikes_only:
        # Ringing on from before the first bar is no stroke in it.
        onsets[DRUMS, 0] &= roll.onsets[DRUMS, start, keys]
        held = held.copy()
        held[DRUMS] = onsets[DRUMS]
    out = []
    for array in (held, onsets):
        padded = np.pad(array, ((0, 0), (0, count - array.shape[1]), (0, 0)))
        out.append(np.ascontiguousarray(padded.transpose(1, 2, 0)).reshape(resolution.shape(bars)))
    return out[0], out[1]


def articulate(held: np.ndarray, onsets: np.ndarray, drums: bool = True) -> np.ndarray:
    """Return ``held`` with a gap of one step before every note that repeats its key at once, as LPD writes it.

    Without it repeated notes of a binary roll melt into one. A note of a single step cannot give one up.

    Args:
        held, onsets: bool (..., steps, pitches, tracks), time on the third axis from the end and in one piece.
        drums: also for the first track.
    """
    out = held.copy()
    gap = held[..., :-1, :, :] & ~onsets[..., :-1, :, :] & onsets[..., 1:, :, :]
    if not drums:
        gap[..., DRUMS] = False
    out[..., :-1, :, :] &= ~gap
    return out


def from_tensor(
    tensor: np.ndarray,
    resolution: Resolution,
    tempo: float = 120.0,
    programs: tuple[int, ...] = PROGRAMS,
    onsets: np.ndarray | None = None,
    name: str = "",
) -> PianoRoll:
    """Return a tensor as a roll in 4/4 at a steady tempo.

    Args:
        tensor: bool, or numbers of which those above 0.5 sound: (bars, steps, pitches, 5), or with phrases in front
            (phrases, bars, ...), which follow one another.
        resolution: resolution of the tensor.
        tempo: quarter notes a minute.
        programs: programs of the tracks.
        onsets: bool, as ``tensor``; None strikes a key where it starts to sound, and a drum of a coarse tensor
            (:attr:`Resolution.strikes_only`) at every step.
        name: name of the piece.

    Raises:
        ValueError: if the tensor has another shape.
    """
    tensor = np.asarray(tensor)
    if tensor.ndim not in (4, 5) or tensor.shape[-3:] != resolution.shape()[1:]:
        raise ValueError(f"a tensor of shape {tensor.shape} is not at the {resolution.name} resolution")
    flat = _timed(tensor, resolution)
    held = np.zeros((len(TRACKS), flat.shape[1], PITCHES), dtype=bool)
    keys = slice(resolution.lowest, resolution.lowest + resolution.pitches)
    held[:, :, keys] = flat
    marks = np.zeros_like(held)
    if onsets is not None:
        marks[:, :, keys] = _timed(np.asarray(onsets), resolution)
    elif resolution.strikes_only:
        marks[DRUMS] = held[DRUMS]
    steps = held.shape[1]
    return PianoRoll(
        held, struck(held, marks), resolution.steps_per_beat, np.full(steps, float(tempo)),
        np.arange(0, steps, resolution.steps), (Metre(0, 4, 4),), tuple(programs), name,
    )  # fmt: skip


def _timed(tensor: np.ndarray, resolution: Resolution) -> np.ndarray:
    """bool (5, time, pitches)."""
    binary = tensor if tensor.dtype == bool else tensor > 0.5
    return binary.reshape(-1, resolution.pitches, len(TRACKS)).transpose(2, 0, 1)
