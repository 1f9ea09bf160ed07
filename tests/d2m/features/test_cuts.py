"""Cuts and dissolves in made pictures, and what only looks like one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from d2m.features.cuts import with_cuts
from d2m.features.read_ahead import read_ahead
from d2m.media import Frame


def scene(seed: int, count: int, drift: int = 0) -> list[np.ndarray]:
    """A still background in which a block moves; or the whole of which moves ``drift`` pixels a frame."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(0, 255, (6, 40, 3)), np.ones((24, 32, 1))).astype(np.uint8)
    pictures = []
    for index in range(count):
        picture = wide[:, drift * index : drift * index + 256].copy()
        picture[40:120, 60 + 2 * index : 90 + 2 * index] = 20
        pictures.append(picture)
    return pictures


def frames(pictures: list[np.ndarray]) -> list[Frame]:
    return [Frame(index / 30.0, picture) for index, picture in enumerate(pictures)]


def found(pictures: list[np.ndarray]) -> list[int]:
    given = frames(pictures)
    passed = list(with_cuts(given))
    assert [frame for frame, _ in passed] == given
    return [index for index, (_, cut) in enumerate(passed) if cut]


def test_a_hard_cut_is_found_at_its_frame() -> None:
    assert found(scene(0, 30) + scene(1, 25) + scene(2, 4)) == [30, 55]


def test_a_dissolve_is_cut_once_in_its_middle() -> None:
    one, other = scene(0, 60), scene(1, 60)
    cuts = found(mixed(one, other, 20))
    assert len(cuts) == 1
    assert 44 <= cuts[0] <= 56


@pytest.mark.parametrize("length", [8, 15, 30])
def test_dissolves_of_a_quarter_to_one_second_are_told_from_cuts(length: int) -> None:
    pictures = mixed(scene(0, 60), scene(1, 60), length)
    kinds = [(index, kind) for index, (_, kind) in enumerate(with_cuts(frames(pictures))) if kind]
    assert len(kinds) == 1
    assert kinds[0][1] == "dissolve"
    assert abs(kinds[0][0] - (60 - length / 2)) <= 4


@pytest.mark.parametrize("colour", [0, 255])
def test_a_fade_through_one_colour_is_a_dissolve_where_another_shot_follows(colour: int) -> None:
    plain = [np.full((144, 256, 3), colour, np.uint8)] * 3
    one, other = mixed(scene(0, 60), plain, 0), scene(1, 60)
    fade = [blend(a, plain[0], share) for a, share in zip(one[40:49], np.linspace(0.1, 0.9, 9), strict=True)]
    rise = [blend(plain[0], b, share) for b, share in zip(other, np.linspace(0.1, 0.9, 9), strict=False)]
    back = [blend(plain[0], b, share) for b, share in zip(one[49:], np.linspace(0.1, 0.9, 9), strict=False)]
    pictures = one[:40] + fade + plain
    assert len(found(pictures + rise + other[9:])) == 1
    assert found(pictures + back + one[58:]) == []


@pytest.mark.parametrize(
    "kind",
    ["still", "moving camera", "flash", "slow flash", "half flash", "strobe", "coloured light", "dimmer", "zoom"],
)
def test_what_goes_on_is_no_cut(kind: str) -> None:
    pictures = scene(0, 60, drift=8 if kind == "moving camera" else 0)
    if kind == "flash":
        pictures[30] = np.full_like(pictures[30], 255)
    changed = [changes(kind, index, picture) for index, picture in enumerate(pictures)]
    assert found(changed) == []


def changes(kind: str, index: int, picture: np.ndarray) -> np.ndarray:
    """The picture with one of the things that happen on a dance floor."""
    light = picture.astype(np.float64)
    if kind == "slow flash" and 30 <= index < 36:
        light = 0.25 * light + 190 * (36 - index) / 6
    elif kind == "half flash" and index == 30:
        light[:, :128] += 170
    elif kind == "strobe" and index % 6 >= 3:
        light *= 0.25
    elif kind == "coloured light":
        light *= [(1.0, 0.4, 0.4), (0.4, 1.0, 0.4), (0.4, 0.4, 1.0)][index // 15 % 3]
    elif kind == "dimmer":
        light *= 0.6 + 0.4 * np.cos(index / 12)
    elif kind == "zoom":
        import cv2

        size = 1 + 0.8 * np.clip((index - 25) / 5, 0, 1)
        width, height = int(256 / size), int(144 / size)
        x, y = (256 - width) // 2, (144 - height) // 2
        light = cv2.resize(light[y : y + height, x : x + width], (256, 144))
    return np.clip(light, 0, 255).astype(np.uint8)


def blend(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return ((1 - share) * one + share * other.astype(np.float64)).astype(np.uint8)


def mixed(one: list[np.ndarray], other: list[np.ndarray], length: int) -> list[np.ndarray]:
    """One scene dissolved into another over ``length`` frames."""
    shares = (np.arange(length) + 1) / (length + 1)
    start = len(one) - length
    between = [blend(a, b, share) for a, b, share in zip(one[start:], other, shares, strict=False)]
    return one[:start] + between + other[length:] if length else list(one)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_short_videos_pass_through(count: int) -> None:
    assert found(scene(0, count)) == []


def test_reading_ahead_changes_nothing_and_passes_errors_on() -> None:
    def broken() -> Iterator[int]:
        yield from range(3)
        raise ValueError("broken")

    assert list(read_ahead(iter(range(20)), 3)) == list(range(20))
    passed = []
    with pytest.raises(ValueError, match="broken"):
        passed.extend(value for value in read_ahead(broken()))
    closed = read_ahead(iter(range(10**9)))
    assert next(closed) == 0
    closed.close()
