"""Combine the movement of several dancers for beat tracking.

Every dancer has a weight in each frame, which increases with size in the picture, confidence and amount of dancing;
people who stand still, walk through or are out of the picture have almost none. Speeds are weighted means. The low
points of all dancers are combined, and the evidence for each tempo (which is linear in the features of
:mod:`d2m.features.tempo_model`) is added, so that a movement of only one dancer has a low weight. Dancers of one
choreography are not independent, so N of them count as N / (1 + (N - 1) r), as correlated observations do (Kish,
"Survey Sampling", 1965, section 5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from d2m.features.envelope import TRUNK, MotionEvents, Speeds, body_height, body_speeds, gathered, motion_events
from d2m.features.tempo_curves import Curves, curves_of, curves_of_speeds
from d2m.types import Motion

#: Correlation of the evidence of two dancers of a group.
ALIKE = 0.5
#: Walking speed (body heights per second, over about a second) at which a dancer's weight is halved.
WALKING = 0.4
#: Seconds over which visibility and walking are smoothed.
STEADY = 0.5


@dataclass(frozen=True)
class Group:
    """Dancers of one clip.

    Attributes:
        motions: skeleton ``"mediapipe33"``, of as many frames at the same rate; the one who stands out most first.
        worlds: float (T, 33, 3) of each, metres, hips at the origin; or None.
    """

    motions: tuple[Motion, ...]
    worlds: tuple[np.ndarray | None, ...]


#: What moves: a dancer, several, or speeds from elsewhere (:func:`d2m.features.flow.picture_speeds`).
Moving: TypeAlias = Motion | Group | Speeds


def together(
    motion: Motion, world: np.ndarray | None, others: Sequence[Motion], other_worlds: Sequence[np.ndarray | None]
) -> Motion | Group:
    """Combine the main dancer and the others of a clip.

    Args:
        motion: landmarks of the main dancer.
        world: the same in metres, or None.
        others: landmarks of the others.
        other_worlds: the same in metres.

    Returns:
        A :class:`Group`, or the motion itself if there are no others.
    """
    return Group((motion, *others), (world, *other_worlds)) if others else motion


def speeds_and_events(moving: Moving, world: np.ndarray | None = None) -> tuple[Speeds, MotionEvents]:
    """Compute the speeds and motion events of one or several dancers.

    Args:
        moving: a dancer, a group, or speeds from elsewhere.
        world: landmarks in metres of one dancer, if known; a group has its own.
    """
    if not isinstance(moving, Group):
        speeds = body_speeds(moving, world) if isinstance(moving, Motion) else moving
        return speeds, motion_events(speeds)
    each = [body_speeds(*dancer) for dancer in zip(moving.motions, moving.worlds, strict=True)]
    part = shares(moving, each)
    witnesses = _witnesses(part)
    events = []
    for speeds, share in zip(each, part, strict=True):
        found = motion_events(speeds)
        counted = np.interp(found.times * speeds.rate, np.arange(len(share)), share * witnesses)
        events.append(MotionEvents(found.times, found.weights * counted))
    return _mean_speeds(each, part), gathered(events)


def curves_of_moving(moving: Moving, world: np.ndarray | None = None) -> Curves:
    """Compute the curves in which a tempo is searched.

    Args:
        moving: landmarks of the dancer or dancers.
        world: landmarks in metres, or None.
    """
    if isinstance(moving, Speeds):
        return curves_of_speeds(moving)
    if isinstance(moving, Motion):
        return curves_of(moving, world)
    part = shares(moving, [body_speeds(motion) for motion in moving.motions])
    counts = (part * _witnesses(part)).mean(axis=1)
    each = [curves_of(*dancer) for dancer in zip(moving.motions, moving.worlds, strict=True)]
    clearly = float((part.mean(axis=1) * [curves.moving for curves in each]).sum())
    first, *others = (replace(curves, share=float(count)) for curves, count in zip(each, counts, strict=True))
    return replace(first, moving=clearly, others=tuple(others))


def shares(group: Group, speeds: Sequence[Speeds]) -> np.ndarray:
    """Compute the weight of each dancer: float64 (dancers, T), with a sum of 1 in every frame.

    Args:
        group: the dancers.
        speeds: speeds of each.
    """
    weights = np.stack([_weight(motion, one) for motion, one in zip(group.motions, speeds, strict=True)])
    total = weights.sum(axis=0)
    nobody = total < 1e-6
    weights[0, nobody] = 1.0
    return weights / np.where(nobody, 1.0, total)


def _weight(motion: Motion, speeds: Speeds) -> np.ndarray:
    """Compute a dancer's weight, float64 (T,): size times confidence times the amount of dancing."""
    from scipy.ndimage import uniform_filter1d

    width = max(int(STEADY * motion.fps), 1)
    sure = motion.confidence.mean(axis=1).astype(np.float64)
    weight = np.zeros(len(sure))
    for shot in motion.shots():
        seen = sure[shot] > 0.05
        if not seen.any():
            continue
        one = replace(motion, joints=motion.joints[shot], confidence=motion.confidence[shot], cuts=())
        usual = float(np.percentile(speeds.whole[shot][seen], 75)) ** 2
        dancing = (usual / (usual + (2.0 * speeds.still) ** 2)) ** 2
        size = body_height(replace(one, joints=one.joints[seen]))
        present = uniform_filter1d(np.where(seen, sure[shot], 0.0), width, mode="nearest")
        weight[shot] = size * dancing * present * seen / (1.0 + (_travel(one, size) / WALKING) ** 4)
    return weight


def _travel(motion: Motion, size: float) -> np.ndarray:
    """Compute the speed of the trunk over about a second, float64 (T,), in body heights per second."""
    from scipy.ndimage import gaussian_filter1d

    if len(motion.joints) < 2:
        return np.zeros(len(motion.joints))
    trunk = motion.joints[:, list(TRUNK), :2].astype(np.float64).mean(axis=1) / size
    steps = np.gradient(gaussian_filter1d(trunk, STEADY * motion.fps, axis=0, mode="nearest"), axis=0)
    return np.linalg.norm(steps, axis=1) * motion.fps


def _witnesses(part: np.ndarray) -> np.ndarray:
    """Compute the effective number of independent dancers in each frame, float64 (T,), from their shares (D, T)."""
    dancers = 1.0 / (part**2).sum(axis=0)
    return dancers / (1.0 + (dancers - 1.0) * ALIKE)


def _mean_speeds(each: Sequence[Speeds], part: np.ndarray) -> Speeds:
    """Average speeds with the shares as weights; speeds in space are left out, as only the events need them."""
    first = each[0]
    falls = sum(
        share * np.diff(one.lowering, prepend=one.lowering[:1])
        for one, share in zip(each, part, strict=True)
        if one.lowering is not None
    )
    return replace(
        first,
        whole=sum(share * one.whole for one, share in zip(each, part, strict=True)),
        parts=sum(share * one.parts for one, share in zip(each, part, strict=True)),
        lowering=None if first.lowering is None else np.cumsum(falls),
        space=None,
    )
