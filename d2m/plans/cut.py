"""Cut the dance of a plan into the pieces of its sections, each with what it needs of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from d2m.plans.types import SAME, Plan, Section
from d2m.types import BeatGrid, Brief, Dance, genre_code

#: Seconds that a section which follows another is played before it begins: the attacks of its first notes.
LEAD = 0.1
#: Bars that the arranger knows of the next section, and seconds for which a section sounds on under it (of two bars at
#: most).
TAIL_BARS, TAIL_SECONDS = 2, 1.5


@dataclass(frozen=True)
class Piece:
    """A section as it is played.

    Attributes:
        section: of the plan.
        begin: seconds of the piece at which its dance begins.
        length: seconds from there to where the next section begins, or to its end.
        dance: dance of the section, with what it needs before and after.
    """

    section: Section
    begin: float
    length: float
    dance: Dance


def pieces_of(plan: Plan, dance: Dance | None) -> Iterator[Piece]:
    """Yield the sections with their dances.

    Args:
        plan: the plan.
        dance: the dance that the plan was made for, or None for what the plan says of it.
    """
    grid = plan.grid.covering(plan.duration + 60.0 / plan.tempo * plan.beats_per_bar * (TAIL_BARS + 1))
    bar = plan.beats_per_bar * float(np.median(np.diff(plan.beats)))
    for index, section in enumerate(plan.sections):
        last = index == len(plan.sections) - 1
        followed = plan.follows(index + 1) if not last else plan.loop
        lead = LEAD if plan.follows(index) else 0.0
        begin = max(section.start - lead, 0.0)
        lead = section.start - begin if plan.follows(index) else 0.0
        begin = section.start - lead
        length = section.end - begin
        tail = (TAIL_BARS + 0.02) * bar if followed else 0.0
        brief = Brief(
            begin=lead,
            end=length if followed else None,
            role=section.role,
            key=section.key or None,
            hits=tuple(
                (hit.time - begin, hit.strength)
                for hit in plan.hits
                if section.start - 1e-6 <= hit.time < section.end - 1e-6
            ),
        )
        yield Piece(section, begin, length, _cut(plan, grid, dance, section, begin, length + tail, brief))


def _cut(
    plan: Plan, grid: BeatGrid, dance: Dance | None, section: Section, begin: float, duration: float, brief: Brief
) -> Dance:
    """Return the dance from ``begin`` on."""
    whole = begin == 0.0 and abs(duration - plan.duration) < SAME
    shifted = plan.grid if whole else replace(grid, beats=grid.beats - begin).covering(duration)
    times = shifted.beats + begin
    at = np.clip(np.round(plan.grid.position_of(times)).astype(int), 0, len(plan.beats) - 1)
    inside = (times >= section.start - 1e-3) & (times < section.end - 1e-3)
    energy = np.asarray(plan.energy, np.float64)[at]
    if inside.any():
        # What lies outside belongs to other sections, which this one must not depend on.
        energy = np.where(inside, energy, energy[inside].mean()) if not whole else energy
        moved = section.energy - round(float(energy[inside].mean()), 4)
        energy = np.clip(energy + (moved if abs(moved) > 1e-3 else 0.0), 0.0, 1.0)
    accents = np.zeros(len(at), np.float32)
    for time, strength in brief.hits or ():
        accents[int(np.abs(shifted.beats - time).argmin())] = strength
    base = dance or Dance(plan.duration, None, plan.grid, energy, accents)
    if dance is not None and whole and len(dance.accents) == len(accents):
        accents = np.asarray(dance.accents)
    return replace(
        base,
        duration=duration,
        motion=_motion(base, begin, duration),
        visual=base.visual if whole else None,
        grid=shifted,
        energy=energy.astype(np.float32),
        accents=accents,
        genre=genre_code(section.genre),
        forgiving=plan.forgiving,
        brief=brief,
    )


def _motion(dance: Dance, begin: float, duration: float) -> Any:
    """Return the motion from ``begin`` on, for as long as there is any."""
    motion = dance.motion
    if motion is None or begin == 0.0:
        return motion
    first, last = round(begin * motion.fps), round((begin + duration) * motion.fps)
    if first >= len(motion.joints) - 2:
        return None
    cuts = tuple(cut - first for cut in motion.cuts if first < cut < last)
    return replace(motion, joints=motion.joints[first:last], confidence=motion.confidence[first:last], cuts=cuts)
