"""Dance genres: the ten of AIST, which the networks know, and those that other packages add.

An added genre is a :class:`Genre`, usually read from one TOML file: tempos, style of the composer, patches, production
and mix. It declares itself with an entry point of the group ``d2m.genres`` (:mod:`d2m.registry`). Networks get no genre
for its music (their genre input takes none), and it is never recognised from a dance: it has to be asked for.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.registry import Registry

#: The AIST dance genres, by the code used in AIST file names. The order is that of the D2M-GAN one-hot.
GENRES: dict[str, str] = {
    "gBR": "break",
    "gPO": "pop",
    "gLO": "lock",
    "gMH": "middle-hip-hop",
    "gLH": "la-hip-hop",
    "gHO": "house",
    "gWA": "waack",
    "gKR": "krump",
    "gJS": "street-jazz",
    "gJB": "ballet-jazz",
}
_NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")
_TABLES = ("style", "sounds", "production", "mix")
#: Largest file of a genre, bytes.
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Genre:
    """A genre besides those of AIST.

    Attributes:
        name: its code and name: lower-case letters, digits and dashes.
        like: code of the AIST genre whose values stand in for those that are not given.
        tempos: lowest and highest tempo that it is danced to in beats per minute; None for those of ``like``.
        style: fields of :class:`d2m.symbolic.composer.style.Style` that differ; lists and tables of plain values.
        sounds: for slots of :data:`d2m.sounds.patches.SLOTS`, patches and their weights.
        production: fields of :class:`d2m.symbolic.composer.production.Taste` that differ.
        mix: ``strips``, ``bus``, ``space`` and ``characters`` as in ``d2m/audio/presets.toml``; what is not given is
            that of ``like``.
    """

    name: str
    like: str
    tempos: tuple[float, float] | None = None
    style: dict[str, Any] = field(default_factory=dict)
    sounds: dict[str, dict[str, float]] = field(default_factory=dict)
    production: dict[str, Any] = field(default_factory=dict)
    mix: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in GENRES.values():
            raise D2MError(f"'{self.name}' cannot be the name of a genre; use lower-case letters, digits and dashes")
        if self.like not in GENRES:
            raise D2MError(f"the genre '{self.name}' is like '{self.like}'; it must be one of {', '.join(GENRES)}")
        if self.tempos is not None and not 20 <= self.tempos[0] < self.tempos[1] <= 400:
            raise D2MError(f"the tempos of the genre '{self.name}' must be two rising numbers from 20 to 400")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Genre:
        """Read a genre from a TOML file, with the keys ``name``, ``like`` and ``tempos``, and a table of each kind.

        Args:
            path: the file.

        Raises:
            D2MError: if it cannot be read, or holds something else.
        """
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib

        path = Path(path)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise D2MError(f"{path} is far too long for a genre")
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise D2MError(f"cannot read the genre in {path}: {error}") from error
        if unknown := set(content) - {"name", "like", "tempos", *_TABLES}:
            raise D2MError(f"{path}: a genre has no '{sorted(unknown)[0]}'; remove it")
        tempos = content.get("tempos")
        good = all(isinstance(content.get(key), str) for key in ("name", "like"))
        good &= all(isinstance(content.get(key, {}), dict) for key in _TABLES)
        good &= tempos is None or (
            isinstance(tempos, list) and len(tempos) == 2 and all(isinstance(value, (int, float)) for value in tempos)
        )
        if not good:
            raise D2MError(f"{path}: a genre needs 'name' and 'like'; 'tempos' are two numbers, the rest are tables")
        pair = None if tempos is None else (float(tempos[0]), float(tempos[1]))
        return cls(content["name"], content["like"], pair, *(content.get(key, {}) for key in _TABLES))


@lru_cache(maxsize=1)
def _added() -> Registry[Genre]:
    from d2m.registry import Registry

    return Registry("genre", "d2m.genres", {})


def added_genre(code: str | None) -> Genre | None:
    """Return a genre that another package adds, or None if there is none of that name.

    Args:
        code: name of a genre, or AIST code.

    Raises:
        D2MError: if it cannot be imported, or is no :class:`Genre` of that name.
    """
    if code is None or code in GENRES or code not in _added():
        return None
    found = _added().get(code)
    if not isinstance(found, Genre) or found.name != code:
        raise D2MError(f"the genre '{code}' must be a d2m.genres.Genre of that name")
    return found


def genre_names() -> tuple[str, ...]:
    """Return the names of all genres: those of AIST, then those that other packages add."""
    return (*GENRES.values(), *_added())


def genre_title(code: str) -> str:
    """Return the name of a genre by its code; the code of a genre of another package is its name.

    Args:
        code: code of a genre.
    """
    return GENRES.get(code, code)


def genre_code(name: str) -> str:
    """Return the code of a genre given as a code or a name, in any case.

    Args:
        name: code or name of a genre.

    Returns:
        AIST code such as ``"gBR"``, or the name of a genre that another package adds.

    Raises:
        ValueError: if no genre has that name; the message lists those that exist.
    """
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    for code, title in GENRES.items():
        if wanted in (code.lower(), title):
            return code
    if added_genre(wanted) is not None:
        return wanted
    raise ValueError(f"unknown genre '{name}'; choose one of {', '.join(genre_names())}")
