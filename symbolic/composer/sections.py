"""Sections of a longer piece: shared material, and a section's own notes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.symbolic.composer.style import Style
from d2m.types import ROLES, Brief, Part, Score

#: Notes that begin within so many beats of a section's end belong to the next one.
_EDGE = 0.02
#: Beats for which notes may sound on into the next section.
_RING = 0.25


@dataclass(frozen=True)
class Band:
    """General MIDI programs of a piece.

    Attributes:
        kit: of the drums.
        bass: of the bass.
        layers: of the other instruments, one for each layer of the style.
    """

    kit: int
    bass: int
    layers: tuple[int, ...]

    @classmethod
    def of(cls, style: Style, rng: np.random.Generator) -> Band:
        """Choose the instruments of a style.

        Args:
            style: the style.
            rng: makes the choices.
        """
        layers = tuple(int(rng.choice(layer.programs)) for layer in style.layers)
        return cls(int(rng.choice(style.kits)), int(rng.choice(style.bass_programs)), layers)

    def roster(self, style: Style) -> tuple[tuple[str, int], ...]:
        """Return (track, program) of all instruments, whether they play in a section or not.

        Args:
            style: the style.
        """
        others = zip((layer.track for layer in style.layers), self.layers, strict=True)
        return (("drums", self.kit), ("bass", self.bass), *others)


def generators(rng: np.random.Generator, role: str) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the random generators of a section: of the material, which all sections share, and of its details.

    Sections of one role share their details, too, so that a part that comes again is recognised.

    Args:
        rng: random generator of the piece, in its first state.
        role: role of the section.
    """
    spawned = rng.spawn(len(ROLES) + 1)
    return spawned[0], spawned[1 + ROLES.index(role)]


def section_of(score: Score, brief: Brief | None) -> Score:
    """Return a score without the notes that belong to the section after it.

    Args:
        score: a section with the bars that follow it.
        brief: its begin and end.
    """
    if brief is None or brief.end is None:
        return score
    end = float(score.grid.position_of(brief.end))
    parts = [_before(part, end) for part in score.parts]
    return replace(score, parts=tuple(part for part in parts if len(part.starts)))


def _before(part: Part, end: float) -> Part:
    """Return the notes of a part that begin before a section's end; effects may land on it and ring on."""
    keep = part.starts < end + (_EDGE if part.is_effect else -_EDGE)
    ends = part.ends if part.is_effect else np.minimum(part.ends, end + _RING)
    return replace(
        part,
        starts=part.starts[keep],
        ends=ends[keep],
        pitches=part.pitches[keep],
        velocities=part.velocities[keep],
    )
