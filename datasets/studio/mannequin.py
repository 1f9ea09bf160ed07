"""Draw a dancer as a shaded figure that pose estimators recognise as a person.

Every part is a blob: the convex hull of a few projected balls, painted from its dark rim to its lit side in several
tones, far parts first. There are no meshes, textures or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import skeleton as sk
from .camera import Camera

#: Where light comes from: metres of shift per metre of height for the shadow, and its direction.
_LIGHT = np.array([-0.45, 0.80, 0.40])
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False))], -1)
_SKINS = ((236, 188, 160), (214, 160, 128), (178, 120, 88), (126, 84, 62), (246, 206, 180))
_HAIRS = ((48, 34, 28), (92, 60, 36), (26, 24, 28), (150, 106, 62), (112, 44, 30))
_SHIRTS = ((208, 64, 62), (236, 178, 62), (62, 122, 186), (238, 236, 230), (78, 150, 112), (128, 84, 160))
_TROUSERS = ((46, 54, 78), (58, 58, 62), (96, 104, 122), (72, 62, 56), (34, 40, 52))
_SHOES = ((240, 240, 240), (40, 40, 44), (196, 60, 56), (236, 200, 80))
_ROOMS = (((206, 212, 220), (172, 150, 128)), ((226, 218, 206), (140, 128, 122)), ((150, 170, 190), (118, 124, 136)))


@dataclass(frozen=True)
class Look:
    """Colours of a dancer and a room, RGB 0..255 each.

    Attributes:
        skin, hair, shirt, trousers, shoes, wall, floor: colours.
        long_hair: whether hair reaches the shoulders.
        sleeves: whether sleeves reach the wrists.
    """

    skin: tuple[int, int, int] = _SKINS[0]
    hair: tuple[int, int, int] = _HAIRS[0]
    shirt: tuple[int, int, int] = _SHIRTS[0]
    trousers: tuple[int, int, int] = _TROUSERS[0]
    shoes: tuple[int, int, int] = _SHOES[0]
    wall: tuple[int, int, int] = _ROOMS[0][0]
    floor: tuple[int, int, int] = _ROOMS[0][1]
    long_hair: bool = False
    sleeves: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> Look:
        """Draw the appearance of a dancer and of the room.

        Args:
            rng: random generator.
        """

        def pick(choices: Sequence) -> tuple:
            return choices[int(rng.integers(0, len(choices)))]

        wall, floor = pick(_ROOMS)
        return cls(
            pick(_SKINS), pick(_HAIRS), pick(_SHIRTS), pick(_TROUSERS), pick(_SHOES), wall, floor,
            bool(rng.random() < 0.5), bool(rng.random() < 0.3),
        )  # fmt: skip


@dataclass(frozen=True)
class _Blob:
    """Balls in space, the convex hull of each group painted in one colour without seams between groups."""

    centres: np.ndarray
    radii: tuple[float, ...]
    colour: tuple[int, int, int]
    nearer: float = 0.0
    groups: tuple[tuple[int, ...], ...] = ()


class Painter:
    """Paints one dancer through one camera.

    Args:
        camera: its size is that of the pictures.
        look: colours.
        smooth: how many times larger the figure is painted before it is reduced; 2 gives smooth edges.
    """

    def __init__(self, camera: Camera, look: Look, smooth: int = 2):
        self.camera, self.look, self.smooth = camera, look, smooth
        self.tones = 6
        light = camera.rotation @ (_LIGHT / np.linalg.norm(_LIGHT))
        self.light = light[:2]
        self.room = _room(camera, look)

    def draw(self, joints: np.ndarray, world: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Return one picture, RGB uint8 (height, width, 3).

        Args:
            joints: (24, 3), metres.
            world: (24, 3, 3), world rotations of the joints.
            scale: the dancer's size relative to the neutral body.
        """
        width, height = self.camera.size
        canvas = self._shadow(joints, scale)
        canvas = cv2.resize(canvas, (width * self.smooth, height * self.smooth), interpolation=cv2.INTER_LINEAR)
        blobs = self._figure(joints, world, scale)
        order = [self.camera.project(b.centres)[1].mean() - b.nearer for b in blobs]
        for i in np.argsort(order)[::-1]:
            self._paint(canvas, blobs[i])
            if blobs[i].colour == self.look.skin and blobs[i].groups == _FACE:
                self._face(canvas, joints, world, scale)
        return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)

    def _figure(self, joints: np.ndarray, world: np.ndarray, scale: float) -> list[_Blob]:
        blobs = _trunk(joints, world, self.look, scale) + _head(joints, world, self.look, scale)
        for side in ("left", "right"):
            blobs += _leg(joints, world, self.look, scale, side) + _arm(joints, world, self.look, scale, side)
        return blobs

    def _paint(self, canvas: np.ndarray, blob: _Blob) -> None:
        pixels, depth = self.camera.project(blob.centres)
        radii = np.array(blob.radii) * self.camera.matrix[0, 0] / depth
        for tone in range(self.tones):
            part = tone / (self.tones - 1)
            inner = 1.0 - 0.72 * part
            shift = self.light * (radii * 0.42 * part)[:, None]
            rim = (pixels + shift)[:, None] + _CIRCLE[None] * (radii * inner)[:, None, None]
            brightness = 0.58 + 0.50 * part**0.8
            colour = tuple(float(min(255.0, c * brightness)) for c in blob.colour)
            for group in blob.groups or (tuple(range(len(radii))),):
                points = (rim[list(group)].reshape(-1, 2) * self.smooth).astype(np.float32)
                hull = np.round(cv2.convexHull(points) * 16).astype(np.int32)
                cv2.fillConvexPoly(canvas, hull, colour, cv2.LINE_AA, 4)

    def _face(self, canvas: np.ndarray, joints: np.ndarray, world: np.ndarray, scale: float) -> None:
        turn, centre = world[15], joints[15]
        towards = self.camera.position - centre
        facing = float(turn[:, 2] @ towards / np.linalg.norm(towards))
        if facing < 0.05:
            return
        size = scale * sk.STATURE
        dark = tuple(0.45 * c for c in self.look.skin)
        features = [
            ((0.0185, 0.052, 0.054), 0.0062, (250, 250, 250)), ((-0.0185, 0.052, 0.054), 0.0062, (250, 250, 250)),
            ((0.0185, 0.052, 0.058), 0.0038, (40, 30, 30)), ((-0.0185, 0.052, 0.058), 0.0038, (40, 30, 30)),
        ]  # fmt: skip
        for offset, radius, colour in features:
            pixel, depth = self.camera.project(centre + turn @ (np.array(offset) * size))
            reach = radius * size * self.camera.matrix[0, 0] / depth * self.smooth
            if turn[:, 2] @ towards > 0.25 * np.linalg.norm(towards):
                where = tuple(int(v) for v in np.round(pixel * self.smooth * 16))
                cv2.circle(canvas, where, int(max(reach, 0.6) * 16), colour, -1, cv2.LINE_AA, 4)
        lines = [
            ((0.028, 0.066, 0.052), (0.010, 0.068, 0.058), 0.0035, self.look.hair),
            ((-0.028, 0.066, 0.052), (-0.010, 0.068, 0.058), 0.0035, self.look.hair),
            ((0.0, 0.048, 0.062), (0.0, 0.030, 0.068), 0.0030, dark),
            ((0.016, 0.015, 0.054), (0.006, 0.0095, 0.058), 0.0036, (176, 74, 72)),
            ((0.006, 0.0095, 0.058), (-0.006, 0.0095, 0.058), 0.0042, (176, 74, 72)),
            ((-0.006, 0.0095, 0.058), (-0.016, 0.015, 0.054), 0.0036, (176, 74, 72)),
        ]
        for start, end, radius, ink in lines:
            ends = centre + np.array([start, end]) * size @ turn.T
            pixels, depth = self.camera.project(ends)
            thick = radius * size * self.camera.matrix[0, 0] / depth.mean() * self.smooth
            a, b = ([int(v) for v in np.round(p * self.smooth * 16)] for p in pixels)
            cv2.line(canvas, a, b, tuple(float(c) for c in ink), max(1, int(round(thick))), cv2.LINE_AA, 4)

    def _shadow(self, joints: np.ndarray, scale: float) -> np.ndarray:
        """The room with the dancer's soft shadow on the floor."""
        ground = joints - _LIGHT * (joints[:, 1:2] / _LIGHT[1])
        width, height = self.camera.size
        small = np.zeros((height // 4, width // 4), np.uint8)
        pixels, depth = self.camera.project(ground + (0.0, 0.003, 0.0))
        for j in range(1, 24):
            a, b = (tuple(int(v) for v in np.round(pixels[i] / 4 * 16)) for i in (sk.PARENTS[j], j))
            reach = (0.16 if sk.JOINTS[j] in _BROAD else 0.075) * scale * self.camera.matrix[0, 0] / depth[j] / 4
            cv2.line(small, a, b, 255, max(1, int(reach)), cv2.LINE_AA, 4)
        near = np.zeros_like(small)
        for name in ("left_ankle", "right_ankle", "left_foot", "right_foot"):
            spot, far = self.camera.project(joints[sk.INDEX[name]] * (1, 0, 1))
            strength = float(np.clip(1 - joints[sk.INDEX[name], 1] / 0.4, 0, 1))
            reach = 0.11 * self.camera.matrix[0, 0] / far / 4
            axes = (int(reach) + 1, int(0.4 * reach) + 1)
            cv2.ellipse(near, tuple(int(v) for v in spot / 4), axes, 0, 0, 360, 255 * strength, -1)
        blur = 0.006 * width
        dark = 0.34 * cv2.GaussianBlur(small, (0, 0), blur / 2) + 0.30 * cv2.GaussianBlur(near, (0, 0), blur / 2)
        dark = cv2.resize(np.minimum(dark / 255.0, 0.6).astype(np.float32), (width, height))
        return (self.room * (1.0 - dark[..., None])).astype(np.uint8)


#: Marks the blob that the features are painted on.
_FACE = ((0, 1, 2),)
_BROAD = ("spine1", "spine2", "spine3", "neck", "left_collar", "right_collar", "left_hip", "right_hip")


def _room(camera: Camera, look: Look) -> np.ndarray:
    """float32 (height, width, 3): a wall, lit in the middle, and a floor."""
    width, height = camera.size
    rays = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    rays = (rays - camera.matrix[:2, 2]) / camera.matrix[[0, 1], [0, 1]]
    rays = np.concatenate([rays, np.ones((height, width, 1))], -1) @ camera.rotation
    down = np.minimum(rays[..., 1], -1e-6)
    ground = camera.position + rays * (camera.position[1] / -down)[..., None]
    away = np.hypot(ground[..., 0], ground[..., 2])
    is_floor = np.clip((3.6 - away) / 0.10 + 0.5, 0, 1) * (rays[..., 1] < -1e-6)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    wall = (1.04 - 0.22 * (x**2 + 0.6 * (y + 0.2) ** 2))[..., None] * np.array(look.wall, float)
    spot = (1.10 * np.exp(-(away**2) / 7.0) + 0.12 * (1 - np.exp(-(away**2) / 7.0)) + 0.35)[..., None]
    boards = 1.0 - 0.05 * (np.abs((ground[..., 0] / 0.28) % 1 - 0.5) > 0.475)[..., None]
    floor = np.clip(spot * 0.80, 0, 1.12) * boards * np.array(look.floor, float)
    room = (wall + is_floor[..., None] * (floor - wall)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(room, (0, 0), 0.8), 0, 255)


def _trunk(j: np.ndarray, world: np.ndarray, look: Look, scale: float) -> list[_Blob]:
    at = sk.INDEX
    up, out = world[0][:, 1], world[0][:, 0]
    hips = [j[at["left_hip"]] + 0.05 * up, j[at["right_hip"]] + 0.05 * up]
    waist = j[at["spine1"]] + 0.02 * world[3][:, 1]
    belt = [waist + 0.055 * out, waist - 0.055 * out]
    chest, side = j[at["spine3"]], world[9][:, 0]
    ribs = [chest + 0.085 * side, chest - 0.085 * side]
    shoulders = [0.86 * j[at[f"{s}_shoulder"]] + 0.14 * chest for s in ("left", "right")]
    shirt = np.array([*shoulders, j[at["neck"]] - 0.04 * world[9][:, 1], *ribs, *belt])
    neck = np.array([j[at["neck"]], j[at["head"]] + 0.02 * world[15][:, 1]])

    def sized(*radii: float) -> tuple[float, ...]:
        return tuple(r * scale for r in radii)

    return [
        _Blob(np.array(hips + belt), sized(0.098, 0.098, 0.085, 0.085), look.trousers),
        _Blob(
            shirt,
            sized(0.062, 0.062, 0.060, 0.088, 0.088, 0.088, 0.088),
            look.shirt,
            0.02,
            ((0, 1, 2, 3, 4), (3, 4, 5, 6)),
        ),
        _Blob(neck, sized(0.052, 0.048), look.skin, 0.01),
    ]


def _head(j: np.ndarray, world: np.ndarray, look: Look, scale: float) -> list[_Blob]:
    centre, turn = j[sk.INDEX["head"]], world[15]

    def at(x: float, y: float, z: float) -> np.ndarray:
        return centre + turn @ (np.array([x, y, z]) * scale)

    face = np.array([at(0, 0.105, 0.012), at(0, 0.060, 0.026), at(0, 0.010, 0.036)])
    crown = np.array([at(0, 0.130, -0.012), at(0, 0.085, -0.040)])
    hair = [_Blob(crown, (0.094 * scale, 0.088 * scale), look.hair)]
    if look.long_hair:
        fall = np.array([at(0, 0.06, -0.06), at(0.03, -0.06, -0.075), at(-0.03, -0.06, -0.075)])
        hair.append(_Blob(fall, (0.075 * scale, 0.045 * scale, 0.0451 * scale), look.hair))
    ears = [_Blob(np.array([at(s * 0.077, 0.062, -0.005)]), (0.018 * scale,), look.skin) for s in (1, -1)]
    fringe = np.array([at(0.035, 0.158, 0.022), at(-0.035, 0.158, 0.022)])
    hair.append(_Blob(fringe, (0.052 * scale, 0.052 * scale), look.hair, 0.012))
    return [_Blob(face, (0.079 * scale, 0.077 * scale, 0.053 * scale), look.skin, groups=_FACE), *hair, *ears]


def _leg(j: np.ndarray, world: np.ndarray, look: Look, scale: float, side: str) -> list[_Blob]:
    hip, knee, ankle = (j[sk.INDEX[f"{side}_{p}"]] for p in ("hip", "knee", "ankle"))
    turn = world[sk.INDEX[f"{side}_ankle"]]

    def sole(x: float, y: float, z: float) -> np.ndarray:
        return ankle + turn @ (np.array([x, y, z]) * scale)

    cuff = knee + 0.90 * (ankle - knee)
    shoe = np.array([sole(0, -0.030, -0.045), sole(0, -0.022, 0.03), sole(0.008, -0.036, 0.135)])
    tread = np.array([sole(0, -0.052, -0.050), sole(0.008, -0.054, 0.145)])
    red, green, blue = (min(255, int(c * 0.55 + 100)) for c in look.shoes)
    white = (red, green, blue)
    return [
        _Blob(
            np.array([hip, knee, cuff]),
            (0.092 * scale, 0.064 * scale, 0.048 * scale),
            look.trousers,
            groups=((0, 1), (1, 2)),
        ),
        _Blob(np.array([cuff, ankle]), (0.040 * scale, 0.040 * scale), look.skin, -0.01),
        _Blob(tread, (0.022 * scale, 0.020 * scale), white, 0.0),
        _Blob(shoe, (0.038 * scale, 0.040 * scale, 0.030 * scale), look.shoes, 0.005),
    ]


def _arm(j: np.ndarray, world: np.ndarray, look: Look, scale: float, side: str) -> list[_Blob]:
    shoulder, elbow, wrist = (j[sk.INDEX[f"{side}_{p}"]] for p in ("shoulder", "elbow", "wrist"))
    turn, way = world[sk.INDEX[f"{side}_wrist"]], 1.0 if side == "left" else -1.0

    def hand(x: float, y: float, z: float) -> np.ndarray:
        return wrist + turn @ (np.array([way * x, y, z]) * scale)

    cuff = shoulder + 0.72 * (elbow - shoulder)
    below = look.shirt if look.sleeves else look.skin
    palm = np.array([hand(0.015, 0, 0), hand(0.065, 0, 0.016), hand(0.065, 0, -0.016)])
    fingers = np.array([hand(0.075, 0, 0.012), hand(0.135, -0.012, 0.004)])
    thumb = np.array([hand(0.03, 0, 0.025), hand(0.075, -0.004, 0.048)])
    return [
        _Blob(np.array([shoulder, elbow]), (0.050 * scale, 0.042 * scale), below),
        _Blob(np.array([shoulder, cuff]), (0.060 * scale, 0.054 * scale), look.shirt, 0.03),
        _Blob(np.array([elbow, wrist]), (0.043 * scale, 0.029 * scale), below, 0.002),
        _Blob(palm, (0.028 * scale, 0.0251 * scale, 0.025 * scale), look.skin, 0.004),
        _Blob(fingers, (0.024 * scale, 0.013 * scale), look.skin, 0.004),
        _Blob(thumb, (0.014 * scale, 0.011 * scale), look.skin, 0.005),
    ]
