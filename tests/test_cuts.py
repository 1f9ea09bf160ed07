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
    mixed = [
        ((1 - share) * a + share * b).astype(np.uint8)
        for share, a, b in zip(np.linspace(0, 1, 20), one[40:], other[:20], strict=True)
    ]
    cuts = found(one[:40] + mixed + other[20:])
    assert len(cuts) == 1
    assert 44 <= cuts[0] <= 56


@pytest.mark.parametrize("kind", ["still", "moving camera", "flash"])
def test_what_goes_on_is_no_cut(kind: str) -> None:
    pictures = scene(0, 60, drift=8 if kind == "moving camera" else 0)
    if kind == "flash":
        pictures[30] = np.full_like(pictures[30], 255)
    assert found(pictures) == []


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
