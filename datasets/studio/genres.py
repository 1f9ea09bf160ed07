"""Movement styles of the ten AIST genres: moves, sharpness and bounce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GenreStyle:
    """One genre's way of moving.

    Attributes:
        steps: move in :data:`~d2m.datasets.studio.steps.STEPS` -> how often, relative.
        arms: move in :data:`~d2m.datasets.studio.arms.ARM_MOVES` -> how often, relative.
        poses: arm poses that its hits use.
        attack: beats that a hit takes to arrive; small is sharp.
        flow: 0 stops at each pose, towards 1 passes through.
        bounce: depth of the knees' bounce, metres.
        slow, fast: probability that a phrase goes at half or at double time.
        rest: probability that a phrase ends in a freeze or a pause.
    """

    steps: dict[str, float]
    arms: dict[str, float]
    poses: tuple[str, ...]
    attack: float
    flow: float
    bounce: float
    slow: float = 0.15
    fast: float = 0.10
    rest: float = 0.12


STYLES: dict[str, GenreStyle] = {
    "gBR": GenreStyle(
        {"toprock": 5, "kicks": 2, "floor": 2.5, "step_touch": 1, "turn": 0.7, "freeze": 0.8},
        {"swing": 4, "hits": 2, "hang": 1},
        ("guard", "across", "side", "box", "ready", "point"),
        0.45, 0.10, 0.035, slow=0.10, rest=0.20,
    ),
    "gPO": GenreStyle(
        {"groove": 3, "glide": 3, "step_touch": 1.5, "facings": 2, "freeze": 0.8, "turn": 0.5},
        {"hits": 5, "wave": 3, "hang": 0.5},
        ("goal", "scarecrow", "box", "front", "side", "chop", "guard", "face"),
        0.28, 0.0, 0.034, slow=0.12, rest=0.15,
    ),
    "gLO": GenreStyle(
        {"groove": 2, "kicks": 2, "step_touch": 2, "lunge": 1.5, "jump": 0.7, "march": 1.5, "freeze": 0.6},
        {"locks": 5, "hits": 2, "swing": 1},
        ("point", "scarecrow", "hip", "up", "low_front", "face"),
        0.35, 0.05, 0.036, rest=0.18,
    ),
    "gMH": GenreStyle(
        {"groove": 3, "step_touch": 3, "march": 2, "facings": 1.5, "body_roll": 1, "lunge": 1, "kicks": 1},
        {"hits": 3, "swing": 3, "hang": 1, "wave": 0.5},
        ("chop", "guard", "low_front", "across", "ready", "box"),
        0.50, 0.10, 0.050, slow=0.20,
    ),
    "gLH": GenreStyle(
        {
            "groove": 2, "step_touch": 2, "lunge": 2, "facings": 2, "stomp": 1, "body_roll": 1.5, "turn": 0.6,
            "jump": 0.5,
        },
        {"hits": 5, "wave": 1, "swing": 1, "circles": 0.7},
        ("box", "guard", "up", "point", "across", "chop", "crown", "face"),
        0.38, 0.05, 0.040, slow=0.15, fast=0.15,
    ),
    "gHO": GenreStyle(
        {"shuffle": 5, "step_touch": 2, "march": 2, "kicks": 1, "grapevine": 1.5, "turn": 0.7, "groove": 1},
        {"swing": 4, "hang": 2, "hits": 1.5, "circles": 0.5},
        ("ready", "guard", "low_point", "chop", "side"),
        0.50, 0.15, 0.045, slow=0.05, rest=0.06,
    ),
    "gWA": GenreStyle(
        {"groove": 3, "step_touch": 2, "facings": 2, "lunge": 1, "turn": 1, "grapevine": 1},
        {"circles": 6, "hits": 2},
        ("up", "point", "behind", "crown", "low_point", "side", "hip"),
        0.40, 0.12, 0.030, fast=0.12,
    ),
    "gKR": GenreStyle(
        {"stomp": 5, "groove": 2, "lunge": 1.5, "jump": 1, "facings": 1, "march": 1},
        {"jabs": 6, "hits": 2},
        ("guard", "front", "up", "across", "low_front", "chop"),
        0.30, 0.0, 0.045, slow=0.20, rest=0.15,
    ),
    "gJS": GenreStyle(
        {"grapevine": 2, "kicks": 1.5, "turn": 1.2, "lunge": 2, "extension": 1.2, "step_touch": 2, "body_roll": 1},
        {"hits": 4, "carriage": 1.5, "swing": 1, "circles": 0.7},
        ("vee", "side", "up", "hip", "box", "low_point", "crown", "across"),
        0.50, 0.12, 0.030, slow=0.20,
    ),
    "gJB": GenreStyle(
        {"extension": 2.5, "rise": 3, "turn": 1.5, "lunge": 1.5, "grapevine": 1.5, "facings": 1},
        {"carriage": 6, "hits": 1},
        ("crown", "vee", "side", "box", "low_point", "up"),
        0.75, 0.20, 0.020, slow=0.30, fast=0.02,
    ),
}  # fmt: skip
