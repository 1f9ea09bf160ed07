"""Arm movements: a library of poses, and moves that combine them on the beat."""

from __future__ import annotations

import numpy as np

from .routine import SIDE, Routine

#: Upper arm and forearm directions (out, up, forward), shrug and wrist bend.
ARM_POSES: dict[str, tuple[float, ...]] = {
    "hang": (0.20, -0.96, 0.0, 0.04, -0.80, 0.55, 0.0, 0.1),
    "ready": (0.30, -0.92, -0.15, -0.05, 0.10, 1.0, 0.0, 0.0),
    "guard": (0.45, -0.80, 0.30, -0.35, 0.70, 0.60, 0.1, 0.2),
    "box": (0.75, -0.30, 0.50, -0.90, 0.05, 0.40, 0.0, 0.0),
    "side": (1.0, 0.05, 0.05, 1.0, 0.05, 0.10, 0.1, 0.0),
    "goal": (1.0, 0.0, 0.05, 0.05, 1.0, 0.05, 0.1, 0.0),
    "scarecrow": (1.0, 0.10, 0.0, 0.10, -1.0, 0.10, 0.2, 0.3),
    "up": (0.30, 1.0, 0.05, 0.10, 1.0, 0.0, 0.2, 0.0),
    "vee": (0.70, 0.75, 0.10, 0.65, 0.80, 0.10, 0.1, -0.2),
    "front": (0.10, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    "low_front": (0.15, -0.65, 0.75, 0.0, -0.45, 0.9, 0.0, 0.0),
    "point": (0.75, 0.45, 0.35, 0.75, 0.50, 0.35, 0.1, 0.0),
    "low_point": (0.70, -0.65, 0.30, 0.70, -0.65, 0.35, 0.0, 0.0),
    "across": (-0.10, -0.30, 0.90, -1.0, -0.10, 0.35, 0.0, 0.0),
    "cross_low": (0.10, -0.85, 0.45, -0.85, -0.45, 0.35, 0.0, 0.0),
    "hip": (0.80, -0.60, -0.25, -0.65, -0.50, 0.35, 0.0, 0.5),
    "crown": (0.75, 0.65, 0.10, -0.75, 0.60, 0.10, 0.1, 0.0),
    "behind": (0.70, 0.65, 0.0, -0.60, 0.15, -0.45, 0.1, 0.3),
    "chop": (0.60, -0.55, 0.40, 0.30, -0.25, 0.95, 0.0, 0.0),
    "back": (0.35, -0.80, -0.55, 0.30, -0.75, -0.55, 0.0, 0.0),
    "face": (0.35, -0.20, 0.85, -0.50, 0.90, -0.10, 0.1, 0.2),
    "floor": (0.30, -0.75, 0.65, 0.15, -0.95, 0.40, 0.0, 0.3),
}


def arm(routine: Routine, side: int, at: float, name: str, ease: float | None = None, flow: float = 0.0) -> None:
    """Move one arm to a named pose, with a random variation and a size that follows the music.

    Args:
        routine: routine to which the pose is added.
        side: 1 for left, -1 for right.
        at: position in beats.
        name: name in :data:`ARM_POSES`.
        ease: duration of the movement in beats, or None for the genre's.
        flow: 0 stops at the pose, 1 passes through it at full speed.
    """
    target = np.array(ARM_POSES[name])
    rest = np.array(ARM_POSES["ready"])
    size = np.clip(routine.size(at), 0.45, 1.15)
    target = rest + (target - rest) * (0.45 + 0.55 * size)
    target[:6] += routine.rng.normal(0.0, 0.07, 6)
    routine.pose(SIDE[side], at, target, ease, flow)


def hits(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add a motif of two to four arm poses, one per step: both arms together, mirrored, or one after the other.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    rng = routine.rng
    motif = [poses[i] for i in rng.integers(0, len(poses), rng.integers(2, 5))]
    other = [poses[i] for i in rng.integers(0, len(poses), len(motif))]
    manner = rng.choice(["both", "alternate", "split", "one"])
    for i, position in enumerate(np.arange(at, at + beats - 1e-6, step)):
        name = motif[i % len(motif)]
        if manner == "both":
            arm(routine, 1, position, name)
            arm(routine, -1, position, name)
        elif manner == "alternate":
            lead = side if i % 2 == 0 else -side
            arm(routine, lead, position, name)
            arm(routine, -lead, position, "ready")
        elif manner == "split":
            arm(routine, side, position, name)
            arm(routine, -side, position, other[i % len(other)])
        else:
            arm(routine, side, position, name)


def swing(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add loose arms that follow the feet: one forward while the other goes back.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    high = routine.rng.random() < 0.5
    for i, position in enumerate(np.arange(at, at + beats - 1e-6, step)):
        lead = side if i % 2 == 0 else -side
        forward = "guard" if high else "chop"
        arm(routine, lead, position, forward, 0.9 * step, 0.3)
        arm(routine, -lead, position, "back" if step >= 1 else "ready", 0.9 * step, 0.3)


def wave(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add a wave that runs from one hand over the shoulders to the other.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    shapes = [
        (1.0, 0.05, 0.05, 1.0, 0.05, 0.1, 0.0, -0.6),
        (1.0, 0.0, 0.05, 0.8, 0.55, 0.1, 0.0, 0.6),
        (0.85, 0.50, 0.05, 0.90, -0.40, 0.1, 0.3, 0.3),
        (0.95, -0.15, 0.05, 1.0, 0.10, 0.1, 0.0, 0.0),
    ]
    duration = max(2.0, 2 * step)
    for n, start in enumerate(np.arange(at, at + beats - duration + 1e-6, duration)):
        lead = side if n % 2 == 0 else -side
        for i, shape in enumerate(shapes):
            routine.pose(SIDE[lead], start + i * duration / 8, shape, duration / 8, 0.6)
            late = start + duration * (0.5 + (3 - i) / 8)
            routine.pose(SIDE[-lead], late, shapes[3 - i], duration / 8, 0.6)
        routine.pose("chest", start + duration / 2, (-0.18,), duration / 4)
        routine.pose("chest", start + duration, (0.05,), duration / 3)


def circles(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add waacking arms: full circles over the head or down past the hip, stopped in a pose on the beat.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    rng = routine.rng
    while beats > 1e-6:
        down = rng.random() < 0.5
        path = ("crown", "behind", "point") if down else ("across", "up", "side")
        for i, name in enumerate(path):
            position = at + step * (i + 1) / len(path) - (0 if i == len(path) - 1 else 0.05 * step)
            arm(routine, side, position, name, step / len(path), 0.0 if i == len(path) - 1 else 0.9)
        if rng.random() < 0.6:
            arm(
                routine,
                -side,
                at + step,
                str(rng.choice(["hip", "point", "low_point", "behind"])),
                0.6 * step,
            )
        at, beats, side = at + step, beats - step, -side if rng.random() < 0.6 else side


def jabs(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add krump arms: a jab or arm swing on the beat with a chest pop, pulled back to guard in between.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    for i, position in enumerate(np.arange(at, at + beats - 1e-6, step)):
        lead = side if i % 2 == 0 else -side
        arm(
            routine,
            lead,
            position,
            str(routine.rng.choice(["front", "chop", "up", "low_front"])),
            0.35 * step,
        )
        arm(routine, lead, position + 0.5 * step, "guard", 0.4 * step)
        arm(routine, -lead, position, "guard", 0.4 * step)
        pop = -0.30 * routine.size(position)
        routine.pose("chest", position, (pop,), 0.3 * step)
        routine.pose("chest", position + 0.5 * step, (0.10,), 0.4 * step)


def locks(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add locking arms: the wrists twirl up, then the arms drop into a lock or point and stay there.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    for i, position in enumerate(np.arange(at, at + beats - 1e-6, 2 * step)):
        lead = side if i % 2 == 0 else -side
        for both in (1, -1):
            arm(routine, both, position, "face" if routine.rng.random() < 0.5 else "goal", 0.6 * step, 0.3)
        kind = routine.rng.choice(["lock", "point", "clap"])
        end = position + step
        if kind == "lock":
            arm(routine, 1, end, "scarecrow", 0.35 * step)
            arm(routine, -1, end, "scarecrow", 0.35 * step)
        elif kind == "point":
            arm(routine, lead, end, "point", 0.35 * step)
            arm(routine, -lead, end, "hip", 0.5 * step)
        else:
            arm(routine, 1, end, "low_front", 0.35 * step)
            arm(routine, -1, end, "low_front", 0.35 * step)


def carriage(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add ballet's port de bras: long curves through first, second and fifth position.

    Args:
        routine, at, beats, side, step, poses: as for :func:`hang`.
    """
    order = ["cross_low", "box", "crown", "side", "vee", "low_point"]
    start = int(routine.rng.integers(0, len(order)))
    for i, position in enumerate(np.arange(at, at + beats - 1e-6, 2 * step)):
        name = order[(start + i) % len(order)]
        arm(routine, side, position, name, 1.9 * step, 0.35)
        lag = 0.25 * step if routine.rng.random() < 0.4 else 0.0
        other = name if routine.rng.random() < 0.6 else order[(start + i + 2) % len(order)]
        arm(routine, -side, position + lag, other, 1.9 * step, 0.35)


def hang(routine: Routine, at: float, beats: float, side: int, step: float, poses: tuple[str, ...]) -> None:
    """Add resting arms while the body grooves.

    Args:
        routine: routine to which the poses are added.
        at: position of the first landing in beats.
        beats: length of the move in beats.
        side: 1 for the left side first, -1 for the right.
        step: beats from one landing to the next.
        poses: names in :data:`ARM_POSES` to choose from; used by :func:`hits` only.
    """
    for both in (1, -1):
        arm(routine, both, at, str(routine.rng.choice(["hang", "ready", "hip"])), 1.0, 0.2)


ARM_MOVES = {
    "hits": hits, "swing": swing, "wave": wave, "circles": circles, "jabs": jabs, "locks": locks,
    "carriage": carriage, "hang": hang,
}  # fmt: skip
