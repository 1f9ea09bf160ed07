"""Plan of a studio: genre and split of each song, and its dancers.

Every choice depends on the seed and the number of the song only, so a larger studio contains the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.errors import D2MError
from d2m.types import GENRES

from .choreographer import DancerStyle

#: Dancers by split; no dancer is in two of them.
DANCERS: dict[str, tuple[int, ...]] = {
    "train": tuple(d for d in range(1, 91) if d % 6 in (1, 2, 4)),
    "val": tuple(d for d in range(1, 91) if d % 6 == 5),
    "test": tuple(d for d in range(1, 91) if d % 3 == 0),
}
#: Streams of random numbers, so that one choice never shifts another.
_SONG, _DANCERS, _STYLE, _DANCE, _CAMERA, _LOOK = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Song:
    """A song to be made.

    Attributes:
        index: its number in the studio, from 0.
        genre: AIST code; the ten take turns.
        music: AIST music name such as ``"mHO0"``.
        split: ``"train"``, ``"val"`` or ``"test"``: of ten songs in a row one is for validation, one for test.
        dancers: who dance to it, numbers of :data:`DANCERS`.
    """

    index: int
    genre: str
    music: str
    split: str
    dancers: tuple[int, ...]

    def sequence(self, dance: int) -> str:
        """Return the AIST name of a dance.

        Args:
            dance: its number, from 0.
        """
        return f"{self.genre}_sFM_cAll_d{self.dancers[dance]:02d}_{self.music}_ch{dance + 1:02d}"


def song(index: int, dances: int, seed: int, split: str | None = None) -> Song:
    """Return the ``index``-th song.

    Args:
        index: from 0.
        dances: how many dances to it, 1 to 15.
        seed: the studio's.
        split: overrides the split that follows from the index.

    Raises:
        D2MError: for numbers out of range.
    """
    if not 1 <= dances <= 15:
        raise D2MError(f"{dances} dances to a song is not possible; choose 1 to 15")
    if not 0 <= index < 10_000 or seed < 0:
        raise D2MError("a studio holds at most 10000 songs, and its seed is 0 or more")
    genre = list(GENRES)[index % 10]
    part = split or _split(index)
    rng = stream(seed, _DANCERS, index)
    people = rng.permutation(DANCERS[part])[:dances]
    return Song(index, genre, f"m{genre[1:]}{index // 10}", part, tuple(int(d) for d in people))


def _split(index: int) -> str:
    place, turn = index % 10, 3 * (index // 10)
    if place == (2 + turn) % 10:
        return "test"
    return "val" if place == (1 + turn) % 10 else "train"


def dancer(number: int, seed: int) -> DancerStyle:
    """Return a dancer by number.

    Args:
        number: number of the dancer.
        seed: random seed of the studio.
    """
    return DancerStyle.random(stream(seed, _STYLE, number))


def stream(seed: int, *place: int) -> np.random.Generator:
    """Return the random generator of a part of the studio.

    Args:
        seed: random seed of the studio.
    """
    return np.random.default_rng([seed, *place])


def song_stream(seed: int, index: int) -> np.random.Generator:
    """Return the random generator of the composition of a song.

    Args:
        seed: random seed of the studio.
        index: index of the song.
    """
    return stream(seed, _SONG, index)


def dance_stream(seed: int, index: int, dance: int) -> np.random.Generator:
    """Return the random generator of a dance.

    Args:
        seed: random seed of the studio.
        index: index of the song.
        dance: its number.
    """
    return stream(seed, _DANCE, index, dance)


def camera_stream(seed: int, index: int = 0, dance: int = 0) -> np.random.Generator:
    """Return the random generator of the camera of a dance.

    Args:
        seed: random seed of the studio.
        index: index of the song.
        dance: its number.
    """
    return stream(seed, _CAMERA, index, dance)


def look_stream(seed: int, number: int) -> np.random.Generator:
    """Return the random generator of the appearance of a dancer.

    Args:
        seed: random seed of the studio.
        number: number of the dancer.
    """
    return stream(seed, _LOOK, number)
