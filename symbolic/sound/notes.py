"""Notes of scores at sample positions, as input of the player."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from d2m.symbolic.controls import automation, rings
from d2m.symbolic.sound.channels import channels_of
from d2m.symbolic.sound.fonts import balance
from d2m.types import TRACKS, Part

#: Maximum length of a note: a file may contain notes of hours, and a tone is kept in memory as long as it sounds.
LONGEST_NOTE = 30.0
_SHORTEST_NOTE = 0.03
#: Marks presets that only the sound library has.
EFFECT = 1 << 20


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes by start; arrays of ``N``.

    Attributes:
        starts, ends: int64, samples from the beginning of the programme.
        tracks: int64, index into :data:`d2m.types.TRACKS`.
        channels: int64, index into :data:`d2m.audio.presets.CHANNELS`.
        programs, keys, velocities: int64, as in MIDI.
        presets: int64, 128 * bank + program of a patch of the sound library, or -1; for an effect, which other
            soundfonts do not play, ``EFFECT`` is added.
        left, right: float32, what the tone is multiplied by.
        moves: object, the :class:`~d2m.symbolic.controls.Automation` of each note's part, or None.
        origins: int64, the samples from which ``moves`` counts.
    """

    starts: np.ndarray
    ends: np.ndarray
    tracks: np.ndarray
    channels: np.ndarray
    programs: np.ndarray
    presets: np.ndarray
    keys: np.ndarray
    velocities: np.ndarray
    left: np.ndarray
    right: np.ndarray
    moves: np.ndarray
    origins: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def within(self, first: int, stop: int) -> Notes:
        """Select the notes that start in a range.

        Args:
            first, stop: range of samples.
        """
        return self.chosen(slice(*np.searchsorted(self.starts, (first, stop)).tolist()))

    def chosen(self, which: slice | np.ndarray) -> Notes:
        """Select some of the notes.

        Args:
            which: rows.
        """
        return Notes(*(getattr(self, entry.name)[which] for entry in fields(self)))


class FixedNotes:
    """Notes that are all known, for the player.

    Args:
        notes: by start.
    """

    def __init__(self, notes: Notes) -> None:
        self._all = notes

    def notes(self, first: int, stop: int) -> Notes:
        """Return the notes that start in a range.

        Args:
            first, stop: range of samples.
        """
        return self._all.within(first, stop)


def joined(parts: list[Notes]) -> Notes:
    """Merge notes by their starts.

    Args:
        parts: several notes.
    """
    if not parts:
        return NONE
    arrays = [np.concatenate([getattr(part, entry.name) for part in parts]) for entry in fields(Notes)]
    order = np.argsort(arrays[0], kind="stable")
    return Notes(*(array[order] for array in arrays))


_KINDS = (*(np.int64,) * 8, np.float32, np.float32, object, np.int64)
NONE = Notes(*(np.zeros(0, kind) for kind in _KINDS))


def notes_of(
    parts: Iterable[tuple[Part, float]],
    sample_of: Callable[[np.ndarray], np.ndarray],
    gain_of: Callable[[np.ndarray], np.ndarray],
    rate: int,
    spread: Sequence[float] | None = None,
) -> Notes:
    """Return notes of parts.

    Args:
        parts: parts in beats, each with its stereo place, -1 to 1.
        sample_of: samples of beats.
        gain_of: decibels at beats, of the song.
        rate: samples a second.
        spread: by channel of the mixer, what stereo places are multiplied by; None leaves them.
    """
    found = []
    for part, pan in parts:
        starts = sample_of(part.starts)
        ends = np.maximum(sample_of(rings(part)), starts + int(_SHORTEST_NOTE * rate))
        ends = np.minimum(ends, starts + int(LONGEST_NOTE * rate))
        level = 10.0 ** (gain_of(part.starts) / 20.0) * (part.velocities / 127.0) ** 2
        channels = channels_of(part)
        place = pan * (np.ones(1) if spread is None else np.asarray(spread)[channels])
        left, right = (np.asarray(level * side, np.float32) for side in balance(np.clip(place, -1.0, 1.0)))
        count = len(part.starts)
        moves = np.full(count, automation(part, sample_of, rate), dtype=object)
        values = (TRACKS.index(part.track), part.program, _preset(part))
        track, program, chosen = (np.full(count, value, np.int64) for value in values)
        arrays = (starts, ends, track, channels, program, chosen, part.pitches, part.velocities, left, right, moves)
        found.append(Notes(*arrays, np.zeros(count, np.int64)))
    return joined(found)


def _preset(part: Part) -> int:
    from d2m.sounds.patches import patches

    found = patches().get(part.patch)
    if found is None:
        return -1
    return 128 * found.bank + found.program + EFFECT * found.is_effect
