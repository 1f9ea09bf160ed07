"""What the generator plays of a score: its instruments, with General MIDI programs that the generator has learned."""

from __future__ import annotations

from dataclasses import replace

from d2m.symbolic.composer.style import PROGRAMS
from d2m.types import Score


def band_of(score: Score) -> Score:
    """Return the score that the generator plays, without effects and voices.

    Args:
        score: the score.
    """
    return score.instruments().without_vocals()


def playable(score: Score) -> Score:
    """Return the band, with instruments that the generator has not learned replaced by the nearest of its track.

    Args:
        score: the score.
    """
    parts = []
    for part in band_of(score).parts:
        known = PROGRAMS[part.track]
        parts.append(replace(part, program=min(known, key=lambda p: (p != part.program, abs(p - part.program)))))
    return replace(score, parts=tuple(parts))
