"""Options for the source and the correction of beats: ``--beats``, ``--offset`` and ``--downbeat``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from d2m.errors import D2MError

#: Words that ``--beats`` takes besides a number.
MODES: tuple[str, ...] = ("auto", "dance", "sound")
#: Tempos that may be given, beats a minute, and the largest offset, milliseconds.
SLOWEST, FASTEST = 30.0, 300.0
LARGEST_OFFSET = 2000.0


@dataclass(frozen=True)
class BeatOptions:
    """Options for the source and the correction of beats.

    Attributes:
        mode: one of :data:`MODES`, or ``"given"``.
        tempo: beats per minute; None unless the mode is ``"given"``.
        offset: shift of all beats in milliseconds; positive is later.
        downbeat: time in seconds of a beat that is the first of a bar, or None to estimate the bars.
    """

    mode: str = "auto"
    tempo: float | None = None
    offset: float = 0.0
    downbeat: float | None = None

    @classmethod
    def read(
        cls, beats: str | float | BeatOptions = "auto", offset: float = 0.0, downbeat: float | None = None
    ) -> BeatOptions:
        """Read the values of ``--beats``, ``--offset`` and ``--downbeat``.

        Args:
            beats: where the beats come from: ``"auto"`` (the clip's own sound where it has a clear beat, else the
                dancer's movement, else the motion of the picture), ``"sound"``, ``"dance"`` (the movement, whatever the
                sound), or a tempo in beats a minute, also as text, whose beats the movement places. Options that were
                read already come back as they are.
            offset: milliseconds by which all beats are moved, above 0 to later.
            downbeat: seconds of a beat that is the first of a bar; the nearest beat is taken.

        Raises:
            D2MError: if a value is not one of these or out of range.
        """
        if isinstance(beats, BeatOptions):
            return beats
        if not abs(offset) <= LARGEST_OFFSET:
            raise D2MError(f"offset {offset:g} ms is not usable; give {-LARGEST_OFFSET:g} to {LARGEST_OFFSET:g} ms")
        if downbeat is not None and not (math.isfinite(downbeat) and downbeat >= 0.0):
            raise D2MError(f"downbeat {downbeat:g} s is not usable; give the seconds of a beat in the clip, from 0 on")
        word = str(beats).strip().lower()
        if word in MODES:
            return cls(word, None, float(offset), downbeat)
        try:
            tempo = float(word)
        except ValueError:
            raise D2MError(
                f"no source of beats '{beats}'; choose {', '.join(MODES)} or give a tempo in bpm, such as 128"
            ) from None
        if not SLOWEST <= tempo <= FASTEST:
            raise D2MError(f"a tempo of {word} is not usable; give {SLOWEST:g} to {FASTEST:g} beats a minute")
        return cls("given", tempo, float(offset), downbeat)
