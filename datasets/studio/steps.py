"""Movements of feet, hips and trunk: steps, turns, jumps and low moves, each a sequence of poses on the beat.

Every move has the same form, ``move(routine, at, beats, side, step)``: it starts after position ``at - step``,
lands on ``at``, ``at + step``, ... and ends before ``at + beats``, so that moves follow each other freely.
"""

from __future__ import annotations

import numpy as np

from .arms import arm
from .routine import Routine


def _landings(at: float, beats: float, step: float) -> np.ndarray:
    return np.arange(at, at + beats - 1e-6, step)


def _weight(routine: Routine, at: float, side: float, drop: float = 0.05, ease: float = 0.6) -> None:
    """Shift the hips over one leg, with the trunk leaning slightly the other way."""
    size = routine.size(at)
    shift = 0.075 * side * size
    roll = -0.05 * side * size
    routine.pose("pelvis", at, (shift, -0.03 - drop * size, 0.0, 0.03, roll, 0.06 * side), ease, 0.2)
    routine.pose("spine", at, (0.08 + 0.05 * size, -1.2 * roll, -0.12 * side * size), ease, 0.2)


def groove(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a groove: the feet stay, and the weight shifts from one foot to the other.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    routine.home(at, 0.5 * step)
    for i, position in enumerate(_landings(at, beats, step)):
        _weight(routine, position, side if i % 2 == 0 else -side, 0.06, 0.7 * step)


def step_touch(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a step touch: one foot steps to the side, the other closes; then back.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    far = 0.34 * routine.size(at)
    routine.home(at - 0.5 * step, 0.4 * step)
    for i, position in enumerate(_landings(at, beats, step)):
        way = side if i % 4 < 2 else -side
        if i % 2 == 0:
            routine.move_to(position, dx=way * far, ease=0.8 * step)
            routine.step(way, position, 0.03, ease=0.6 * step)
            _weight(routine, position, way, 0.05, 0.7 * step)
        else:
            routine.step(-way, position, -0.05, ease=0.6 * step, heel=0.25)
            _weight(routine, position, 0.4 * way, 0.02, 0.7 * step)


def march(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a march: the knees come up in turn and go down on the beat, as in the running man.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    height = 0.16 + 0.14 * routine.size(at)
    for i, position in enumerate(_landings(at, beats, step)):
        foot = side if i % 2 == 0 else -side
        routine.step(foot, position - 0.5 * step, -0.03, 0.12, height, 0.3, 0.1, 0.42 * step, 0.0)
        routine.step(foot, position, -0.02, 0.04, ease=0.42 * step, toe_out=0.15, lift=0.0)
        _weight(routine, position, 0.7 * foot, 0.06, 0.5 * step)


def kicks(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add kicks forward or to the side on one beat, with the foot back down on the next.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    high = routine.rng.uniform(0.15, 0.35) * (0.5 + 0.6 * routine.size(at))
    for i, position in enumerate(_landings(at, beats, step)):
        foot = side if (i // 2) % 2 == 0 else -side
        if i % 2 == 0:
            out = routine.rng.uniform(0.0, 0.35)
            routine.step(foot, position, out, 0.45, high, -0.2, 0.2, 0.55 * step, 0.0)
            _weight(routine, position, -foot, 0.03, 0.6 * step)
        else:
            routine.step(foot, position, 0.02, 0.0, ease=0.55 * step, lift=0.0)
            _weight(routine, position, 0.5 * foot, 0.07, 0.6 * step)


def shuffle(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add house footwork: quick steps on the beat and in between, forward, back and across.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    rng = routine.rng
    spots = rng.uniform((-0.12, -0.22), (0.14, 0.22), (4, 2)) * routine.size(at)
    for i, position in enumerate(_landings(at, beats, step / 2)):
        foot = side if i % 2 == 0 else -side
        on_beat = i % 2 == 0
        out, forward = spots[i % 4] * (1.0 if on_beat else 0.55)
        routine.step(foot, position, out, forward, ease=0.42 * step, heel=0.0 if on_beat else 0.3, lift=0.07)
        if on_beat:
            _weight(routine, position, 0.6 * foot, 0.075, 0.5 * step)
        else:
            routine.pose("pelvis", position, (0.0, -0.015, 0.0, 0.0, 0.0, 0.0), 0.45 * step, 0.2)


def grapevine(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a grapevine: side, behind, side, touch; and back.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    far = 0.26 * routine.size(at)
    for i, position in enumerate(_landings(at, beats, step)):
        way = side if (i // 4) % 2 == 0 else -side
        foot = way if i % 2 == 0 else -way
        routine.move_to(position, dx=way * far * (0.3 if i % 4 == 3 else 1.0), ease=0.9 * step)
        behind = -0.22 if i % 4 == 1 else 0.0
        routine.step(foot, position, -0.3 if i % 4 == 1 else 0.0, behind, ease=0.6 * step, toe_out=0.2)
        _weight(routine, position, 0.8 * way, 0.05, 0.7 * step)


def lunge(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a lunge: a wide, low step to one side that is held, then pulled back in.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    size = routine.size(at)
    for i, position in enumerate(_landings(at, beats, 2 * step)):
        foot = side if i % 2 == 0 else -side
        routine.step(foot, position, 0.38 * size, 0.05, ease=0.6 * step, toe_out=0.6)
        hips = (0.16 * foot * size, -0.20 * size, 0.0, 0.1, -0.1 * foot, 0.15 * foot)
        routine.pose("pelvis", position, hips, 0.6 * step)
        routine.pose("spine", position, (0.15, 0.18 * foot, 0.15 * foot), 0.6 * step)
        if position + step < at + beats - 1e-6:
            routine.step(foot, position + step, ease=0.6 * step)
            _weight(routine, position + step, -0.3 * foot, 0.03, 0.6 * step)


def turn(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a full turn in four steps, with weight shifts for the remaining beats.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i in range(4):
        position = at + i * step
        if position > at + beats - 1e-6:
            break
        routine.move_to(position, turn=side * np.pi / 2, ease=0.95 * step)
        foot = side if i % 2 == 0 else -side
        routine.step(foot, position, 0.0, ease=0.5 * step, lift=0.04)
        routine.step(-foot, position + 0.4 * step, -0.01, ease=0.35 * step, lift=0.04)
        _weight(routine, position, 0.5 * foot, 0.05, 0.6 * step)
    if beats > 4 * step:
        groove(routine, at + 4 * step, beats - 4 * step, side, step)


def facings(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add turns to one diagonal, then to the other.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, 2 * step)):
        way = side if i % 2 == 0 else -side
        goal = way * routine.rng.uniform(0.3, 0.8) + 2 * np.pi * np.round(routine.place[2] / (2 * np.pi))
        routine.move_to(position, turn=goal - routine.place[2], ease=0.9 * step)
        routine.step(way, position, 0.06, ease=0.5 * step)
        routine.step(-way, position + step, 0.04, ease=0.5 * step)
        _weight(routine, position, way, 0.06, 0.7 * step)
        _weight(routine, position + step, -way, 0.04, 0.7 * step)


def toprock(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a toprock of breaking: one foot crosses in front and the chest opens, then it returns.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, step)):
        foot = side if (i // 2) % 2 == 0 else -side
        if i % 2 == 0:
            routine.step(foot, position, -0.30, 0.26, heel=0.1, toe_out=0.1, ease=0.6 * step, lift=0.10)
            hips = (-0.05 * foot, -0.07 * routine.size(position), 0.06, 0.12, 0.0, -0.35 * foot)
            routine.pose("pelvis", position, hips, 0.6 * step)
            routine.pose("spine", position, (0.18, 0.05 * foot, -0.15 * foot), 0.6 * step)
        else:
            routine.step(foot, position, 0.04, 0.0, ease=0.6 * step, lift=0.06)
            routine.step(-foot, position + 0.05, 0.02, ease=0.4 * step, lift=0.03)
            _weight(routine, position, 0.4 * foot, 0.02, 0.6 * step)


def stomp(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a krump stomp: the knee comes high and the foot hits the floor, wide and low.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, 2 * step)):
        foot = side if i % 2 == 0 else -side
        size = routine.size(position)
        routine.step(foot, position - 0.5 * step, 0.1, 0.18, 0.32 * size, 0.1, 0.3, 0.45 * step, 0.0)
        routine.step(foot, position, 0.14, 0.06, ease=0.35 * step, toe_out=0.5, lift=0.0)
        hips = (0.06 * foot, -0.13 - 0.08 * size, 0.0, 0.12, 0.0, 0.1 * foot)
        routine.pose("pelvis", position, hips, 0.4 * step)
        routine.pose("spine", position, (0.32 * size, 0.0, 0.1 * foot), 0.4 * step)
        _weight(routine, position + step, -0.4 * foot, 0.10, 0.6 * step)


def jump(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a hop that lands on the beat with soft knees.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for position in _landings(at, beats, 2 * step):
        up = 0.12 * routine.size(position)
        out = routine.rng.uniform(0.0, 0.16)
        routine.pose("pelvis", position - 0.95 * step, (0, -0.11, 0, 0.1, 0, 0), 0.5 * step)
        routine.pose("pelvis", position - 0.45 * step, (0, 0.02 + up, 0, 0, 0, 0), 0.45 * step)
        routine.pose("pelvis", position, (0, -0.12, 0, 0.15, 0, 0), 0.42 * step)
        routine.pose("pelvis", position + 0.8 * step, (0, -0.04, 0, 0.03, 0, 0), 0.7 * step)
        for foot in (1, -1):
            routine.step(foot, position - 0.75 * step, ease=0.3 * step, lift=0.0)
            routine.step(foot, position - 0.45 * step, out, 0.0, up, 0.5, 0.2, 0.27 * step, 0.0)
            routine.step(foot, position, out, ease=0.3 * step, lift=0.0)


def extension(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a jazz extension: a leg swings high and is drawn back, and the standing leg stretches.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, 2 * step)):
        foot = side if i % 2 == 0 else -side
        size = routine.size(position)
        sideways = routine.rng.random() < 0.5
        out, forward = (0.55, 0.1) if sideways else (0.05, 0.65)
        routine.step(foot, position, out, forward, 0.55 * size, 0.5, 0.4, 0.8 * step, 0.0)
        hips = (-0.05 * foot, -0.01, 0.0, -0.1, 0.12 * foot, 0.0)
        routine.pose("pelvis", position, hips, 0.8 * step)
        routine.pose("spine", position, (-0.05, -0.15 * foot, 0.0), 0.8 * step)
        routine.step(foot, position + step, 0.02, ease=0.7 * step, lift=0.0)
        _weight(routine, position + step, 0.5 * foot, 0.06, 0.7 * step)


def rise(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add plié and relevé: down on one beat, up on the toes on the next.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, step)):
        size = routine.size(position)
        heel = 0.0 if i % 2 == 0 else 0.55
        for foot in (1, -1):
            routine.step(foot, position, 0.0, 0.0, 0.0, heel, 0.7, 0.8 * step, 0.0)
        routine.pose("pelvis", position, (0, -0.16 * size if i % 2 == 0 else 0.05, 0, 0, 0, 0), 0.85 * step, 0.2)
        routine.pose("spine", position, (0.03, 0.10 * side * (-1) ** i, 0.1 * side), 0.85 * step, 0.2)


def body_roll(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add body rolls from the head through the chest to the hips, one every two steps.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    routine.home(at, 0.5 * step)
    for position in _landings(at, beats, 2 * step):
        size = routine.size(position)
        routine.pose("head", position, (-0.30, 0, 0), 0.6 * step, 0.4)
        routine.pose("chest", position + 0.5 * step, (-0.28 * size,), 0.6 * step, 0.4)
        routine.pose("head", position + step, (0.25, 0, 0), 0.6 * step, 0.4)
        routine.pose("chest", position + step, (0.22 * size,), 0.5 * step, 0.2)
        routine.pose("pelvis", position, (0, -0.03, -0.06 * size, 0.15, 0, 0), 0.7 * step, 0.2)
        routine.pose("pelvis", position + step, (0, -0.10 * size, 0.08 * size, -0.2, 0, 0), 0.7 * step, 0.2)
        routine.pose("spine", position + step, (0.25 * size, 0, 0), 0.8 * step, 0.2)
        routine.pose("spine", position + 1.6 * step, (0.04, 0, 0), 0.6 * step, 0.2)


def glide(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add a popping glide: the feet slide, alternating between heel and toe, and the trunk ticks.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    for i, position in enumerate(_landings(at, beats, step)):
        foot = side if i % 2 == 0 else -side
        far = 0.2 * routine.size(position)
        if i % 2 == 0:
            routine.move_to(position, dx=far * (side if (i // 4) % 2 == 0 else -side), ease=0.7 * step)
        routine.step(foot, position, 0.05, 0.0, 0.0, 0.0, 0.5, 0.5 * step, 0.0)
        routine.step(-foot, position, -0.03, 0.05, 0.0, 0.45, -0.1, 0.5 * step, 0.0)
        hips = (0.05 * foot, -0.06, 0, 0, 0.05 * foot, 0.2 * foot)
        routine.pose("pelvis", position, hips, 0.35 * step)
        routine.pose("spine", position, (0.05, -0.12 * foot, -0.25 * foot), 0.3 * step)


def floor(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add low footwork of breaking: a crouch on one hand, legs circling, and up again at the end.

    Args:
        routine, at, beats, side, step: as for :func:`freeze`.
    """
    down, lows = at, _landings(at, beats - step, step)
    for i, position in enumerate(lows):
        foot = side if i % 2 == 0 else -side
        routine.pose("pelvis", position, (0.05 * foot, -0.48, -0.12, 0.55, 0.1 * foot, 0.2 * foot), 0.7 * step)
        routine.pose("spine", position, (0.75, 0.12 * foot, 0.2 * foot), 0.7 * step)
        routine.pose("head", position, (-0.5, 0, 0), 0.7 * step)
        out, forward = [(0.35, 0.25), (0.02, -0.10), (0.10, 0.40), (0.25, -0.20)][i % 4]
        routine.step(foot, position, out, forward, ease=0.6 * step, lift=0.06, toe_out=0.4)
        arm(routine, -foot, position, "floor", 0.6 * step)
        arm(routine, foot, position, "floor" if i == 0 else "side", 0.6 * step)
    end = down + beats - step
    routine.home(end, 0.7 * step)
    _weight(routine, end, 0.0, 0.05, 0.9 * step)
    routine.pose("head", end, (0, 0, 0), 0.8 * step)


def freeze(routine: Routine, at: float, beats: float, side: int, step: float) -> None:
    """Add one strong pose on the beat, then stillness.

    Args:
        routine: routine to which the poses are added.
        at: position of the first landing in beats.
        beats: length of the move in beats.
        side: 1 for the left foot first, -1 for the right.
        step: beats from one landing to the next.
    """
    rng = routine.rng
    size = routine.size(at)
    hips = rng.uniform((-0.1, -0.22, -0.05, -0.1, -0.15, -0.3), (0.1, -0.03, 0.05, 0.25, 0.15, 0.3)) * size
    routine.pose("pelvis", at, hips, 0.5, -routine.flow)
    routine.pose("spine", at, rng.uniform((-0.1, -0.3, -0.35), (0.4, 0.3, 0.35)), 0.5)
    routine.pose("head", at, rng.uniform((-0.3, -0.2, -0.6), (0.2, 0.2, 0.6)), 0.4)
    routine.step(side, at, rng.uniform(0, 0.3) * size, rng.uniform(-0.1, 0.2), ease=0.5)
    routine.step(-side, at, rng.uniform(0, 0.15), ease=0.5)
    for both in (1, -1):
        arm(
            routine,
            both,
            at,
            str(rng.choice(["box", "hip", "point", "guard", "up", "scarecrow", "across"])),
            0.5,
        )
    routine.still.append((at, at + beats - 0.8))


STEPS = {
    "groove": groove, "step_touch": step_touch, "march": march, "kicks": kicks, "shuffle": shuffle,
    "grapevine": grapevine, "lunge": lunge, "turn": turn, "facings": facings, "toprock": toprock, "stomp": stomp,
    "jump": jump, "extension": extension, "rise": rise, "body_roll": body_roll, "glide": glide, "floor": floor,
    "freeze": freeze,
}  # fmt: skip
#: Moves that use the arms too.
WHOLE = ("floor", "freeze")
