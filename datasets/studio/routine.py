"""Routine under construction: poses at musical positions, converted to smooth motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .body import NEUTRAL
from .skeleton import unit

ARMS = ("left", "right")
#: Body parts of a side's sign: +1 moves to the dancer's left.
SIDE = {1: "left", -1: "right"}


@dataclass(frozen=True)
class Key:
    """A pose of one body part.

    Attributes:
        at: musical position of the arrival, beats.
        values: the part's controls (see :data:`~d2m.datasets.studio.body.NEUTRAL`).
        ease: beats that the movement before it takes; the part rests until then.
        flow: 0 stops at the pose, 1 passes through it at full speed.
        lift: metres a foot rises on the way.
    """

    at: float
    values: np.ndarray
    ease: float
    flow: float = 0.0
    lift: float = 0.0


@dataclass
class Routine:
    """Poses of a dancer's parts over time, written move by move.

    Attributes:
        rng: the dancer's choices.
        attack: beats that a typical hit of the genre takes to arrive.
        flow: 0..1, how little the genre stops between poses.
        size: function of a position in beats: how large movement is there, about 1.
        stance: metres from the middle to each foot.
        keys: part -> keys in the order they were written.
    """

    rng: np.random.Generator
    attack: float
    flow: float
    size: Callable[[float], float]
    stance: float = 0.14
    keys: dict[str, list[Key]] = field(default_factory=dict)
    still: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = {part: [Key(-64.0, np.array(value), 1.0)] for part, value in NEUTRAL.items()}
        self.place = np.zeros(3)
        for side in (1, -1):
            self.step(side, -48.0)

    def pose(self, part: str, at: float, values: object, ease: float | None = None, flow: float = 0.0) -> None:
        """Bring a part of the body to given values.

        Args:
            part: its name.
            at: position in beats.
            values: values of its controls.
            ease: duration of the movement in beats, or None for the genre's.
            flow: 0 stops at the pose, 1 passes through it at full speed.
        """
        flow = max(flow, self.flow)
        ease = self.attack * self.rng.uniform(0.8, 1.2) if ease is None else ease
        self.keys[part].append(Key(at, np.asarray(values, dtype=np.float64), ease, flow))

    def move_to(self, at: float, dx: float = 0.0, dz: float = 0.0, turn: float = 0.0, ease: float = 1.0) -> None:
        """Move and turn the dancer.

        Args:
            at: position in beats.
            dx: metres to the dancer's left.
            dz: metres forward.
            turn: to the left, radians.
            ease: duration in beats.
        """
        heading = self.place[2]
        x = self.place[0] + np.cos(heading) * dx + np.sin(heading) * dz
        z = self.place[1] - np.sin(heading) * dx + np.cos(heading) * dz
        # dancers stay in view of the cameras: one and a half metres of stage
        self.place = np.array([np.clip(x, -0.7, 0.7), np.clip(z, -0.6, 0.6), heading + turn])
        self.pose("base", at, self.place, ease)

    def face_front(self, at: float) -> None:
        """Turn the dancer to the front camera the shorter way, with steps, if necessary.

        Args:
            at: position in beats.
        """
        away = (self.place[2] + np.pi) % (2 * np.pi) - np.pi
        if abs(away) > 0.15:
            self.move_to(at, turn=-away)
            self.step(1, at - 0.45, ease=0.5)
            self.step(-1, at, ease=0.5)

    def step(
        self,
        side: int,
        at: float,
        out: float = 0.0,
        forward: float = 0.0,
        height: float = 0.0,
        heel: float = 0.0,
        toe_out: float = 0.3,
        ease: float = 0.5,
        lift: float = 0.05,
    ) -> None:
        """Put a foot down beside where the dancer will stand.

        Args:
            side: 1 for left, -1 for right.
            at: position in beats.
            out: metres wider than the stance.
            forward: metres.
            height: height of the foot in metres.
            heel: pitch of the foot.
            toe_out: yaw of the foot.
            ease: duration in beats.
            lift: lift of the foot on the way.
        """
        x0, z0, heading = self.place
        x, z = side * (self.stance + out), forward
        values = (
            x0 + np.cos(heading) * x + np.sin(heading) * z,
            height,
            z0 - np.sin(heading) * x + np.cos(heading) * z,
            heading + side * toe_out,
            heel,
        )
        self.keys[f"{SIDE[side]}_foot"].append(Key(at, np.array(values), ease, 0.0, lift))

    def home(self, at: float, ease: float = 0.5) -> None:
        """Put both feet under the body.

        Args:
            at: position in beats.
            ease: duration in beats.
        """
        self.step(1, at, ease=ease)
        self.step(-1, at, ease=ease)


def play(keys: list[Key], when: Callable[[np.ndarray], np.ndarray], times: np.ndarray, arm: bool) -> np.ndarray:
    """Return the values (T, n) of one part over time.

    Minimum-jerk transitions (Flash and Hogan 1985), blended towards constant speed by each key's flow.

    Args:
        keys: the part's poses.
        when: seconds of positions in beats, as this dancer performs them.
        times: (T,) seconds.
        arm: whether the values are arm directions, which swing around the body rather than through it.
    """
    keys = sorted(keys, key=lambda key: key.at)
    keys = [k for k, after in zip(keys, keys[1:], strict=False) if after.at - k.at > 0.12] + keys[-1:]
    arrive = when(np.array([k.at for k in keys]))
    arrive = np.maximum.accumulate(arrive + 1e-4 * np.arange(len(arrive)))
    leave = when(np.array([k.at - k.ease for k in keys]))
    flow = np.array([k.flow for k in keys])
    lift = np.array([k.lift for k in keys])
    values = np.stack([k.values for k in keys])
    if arm:
        values[:, 0:3], values[:, 3:6] = unit(values[:, 0:3]), unit(values[:, 3:6])
    leave = _within_strength(values, arrive, leave, 5.0 if arm else 3.5)
    i = np.clip(np.searchsorted(arrive, times), 1, len(keys) - 1)
    start = np.maximum(np.minimum(leave[i], arrive[i] - 0.05), arrive[i - 1])
    u = np.clip((times - start) / np.maximum(arrive[i] - start, 1e-3), 0.0, 1.0)
    smooth = u**3 * (10 - 15 * u + 6 * u**2)
    s = ((1 - flow[i]) * smooth + flow[i] * (0.4 * smooth + 0.6 * u))[:, None]
    before, after = values[i - 1], values[i]
    result = before + s * (after - before)
    arch = np.sin(np.pi * smooth)
    if arm:
        for part in (slice(0, 3), slice(3, 6)):
            result[:, part] = _swing_round(before[:, part], after[:, part], s)
    if values.shape[1] == 5:
        travelled = np.linalg.norm(after[:, :3] - before[:, :3], axis=-1)
        result[:, 1] += lift[i] * arch**2 * np.clip(travelled / 0.15, 0.0, 1.0)
    return result


def _within_strength(values: np.ndarray, arrive: np.ndarray, leave: np.ndarray, rate: float) -> np.ndarray:
    """Gives long ways more time and, where there is none, shortens the way, as people do at high tempo.

    ``values`` is changed in place; ``rate`` is how much the largest control may change in a second, on average.
    """
    leave = leave.copy()
    for i in range(1, len(values)):
        needed = float(np.max(np.abs(values[i] - values[i - 1]))) / rate
        leave[i] = max(min(leave[i], arrive[i] - needed), arrive[i - 1])
        if needed > arrive[i] - leave[i] and values.shape[1] != 5:
            part = (arrive[i] - leave[i]) / needed
            values[i] = values[i - 1] + max(part, 0.25) * (values[i] - values[i - 1])
    return leave


def _swing_round(before: np.ndarray, after: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Unit directions (T, 3) a part ``s`` (T, 1) of the way along the arc, which keeps to the body's outside."""
    cosine = np.clip(np.sum(before * after, axis=-1, keepdims=True), -1, 1)
    outside = unit(before + after + np.array([0.30, 0.0, 0.50]) * (1 - cosine))
    # through a middle direction, so that opposite ends have a way round as well
    early, late = np.minimum(2 * s, 1.0), np.maximum(2 * s - 1, 0.0)
    return np.where(s < 0.5, _arc(before, outside, early), _arc(outside, after, late))


def _arc(a: np.ndarray, b: np.ndarray, s: np.ndarray) -> np.ndarray:
    angle = np.arccos(np.clip(np.sum(a * b, axis=-1, keepdims=True), -0.9999, 0.9999))
    return unit(np.sin((1 - s) * angle) * a + np.sin(s * angle) * b)
