"""Merge the scores of sections into the score of the piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from d2m.plans.types import Plan
from d2m.types import Part, Score


def merged(plan: Plan, scores: Sequence[tuple[Score, float]]) -> Score:
    """Return one score of all sections; instruments that several of them have become one part.

    Movements of the mix belong to sections and are left out.

    Args:
        plan: the plan.
        scores: score of each section, and the seconds at which it begins.
    """
    groups: dict[tuple[str, int, str, str], list[Part]] = {}
    for score, begin in scores:
        for part in score.parts:
            moved = replace(
                part,
                starts=plan.grid.position_of(score.grid.time_of(part.starts) + begin),
                ends=plan.grid.position_of(score.grid.time_of(part.ends) + begin),
                controls=None if part.controls is None else _moved(part.controls, plan, score, begin),
            )
            groups.setdefault((part.track, part.program, part.name, part.patch), []).append(moved)
    first = scores[0][0]
    parts = tuple(map(_one, groups.values()))
    parts = tuple(part for part in parts if len(part.starts))
    return Score(parts, plan.grid, plan.duration, first.genre, first.key, key_changes=_key_changes(plan, scores))


def _key_changes(plan: Plan, scores: Sequence[tuple[Score, float]]) -> tuple[tuple[float, str], ...]:
    """Return the position of each section in another key than the one before, and its key."""
    changes, key = [], scores[0][0].key
    for score, begin in scores[1:]:
        if score.key is not None and score.key != key:
            key = score.key
            # A section is played a little before its first beat.
            changes.append((float(np.ceil(plan.grid.position_of(begin) - 1e-3)), key))
    return tuple(changes)


def _moved(controls: np.ndarray, plan: Plan, score: Score, begin: float) -> np.ndarray:
    moved = np.array(controls, np.float64)
    moved[:, 0] = plan.grid.position_of(score.grid.time_of(controls[:, 0]) + begin)
    return moved


def _one(parts: list[Part]) -> Part:
    """Join parts of one instrument."""
    if len(parts) == 1:
        return parts[0]
    starts = np.concatenate([part.starts for part in parts])
    order = np.argsort(starts, kind="stable")
    controls = [part.controls for part in parts if part.controls is not None]
    return replace(
        parts[0],
        starts=starts[order],
        ends=np.concatenate([part.ends for part in parts])[order],
        pitches=np.concatenate([part.pitches for part in parts])[order],
        velocities=np.concatenate([part.velocities for part in parts])[order],
        controls=np.concatenate(controls) if controls else None,
    )
