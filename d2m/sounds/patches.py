"""Patches of the sound library by name, and the patches that fit each dance genre (``patches.toml``)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.genres import added_genre

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

#: What a genre names patches for: the five tracks of a score, with pads for the strings, and beside them lead and
#: effects.
SLOTS: tuple[str, ...] = ("drums", "piano", "guitar", "bass", "pads", "lead", "effects")


@dataclass(frozen=True)
class Patch:
    """Preset of the sound library and its use.

    Attributes:
        name: such as ``"bass.sub"``.
        bank, program: where it is; drum kits are in bank 128.
        track: which of :data:`d2m.types.TRACKS` it serves.
        low, high: lowest and highest playable key.
        fallback: the General MIDI program (for drums the kit) that stands for it in MIDI files and other soundfonts;
            None for effects, which are left out there.
        alternates: programs of the same bank with another take of the same sounds.
        seconds: length of an effect at its own speed (key 60), 0 for what goes on.
        leads: whether an effect ends on the beat that it leads to, instead of beginning on it.
    """

    name: str
    bank: int
    program: int
    track: str
    low: int
    high: int
    fallback: int | None = None
    alternates: tuple[int, ...] = ()
    seconds: float = 0.0
    leads: bool = False

    @property
    def is_drum(self) -> bool:
        return self.track == "drums"

    @property
    def is_effect(self) -> bool:
        return self.fallback is None

    def take(self, number: int, seed: int = 0) -> int:
        """Return the program of a take: the takes alternate with ``number``.

        SoundFont files know no round robin; the takes of a patch are presets of their own.

        Args:
            number: number of the note.
            seed: shifts the alternation.
        """
        takes = (self.program, *self.alternates)
        return takes[(number + seed) % len(takes)]


@dataclass(frozen=True)
class GenreSound:
    """Patches of a genre.

    Attributes:
        about: its sound in a few words.
        weights: slot (:data:`SLOTS`) -> name of a patch -> how often it is chosen against the others.
    """

    about: str
    weights: dict[str, dict[str, float]]

    def choose(self, slot: str, rng: np.random.Generator) -> Patch:
        """Draw a patch for a slot according to the weights.

        Args:
            slot: one of :data:`SLOTS`.
            rng: random generator.
        """
        return patches()[drawn(self.weights[slot], rng)]


def drawn(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """Draw a name with a probability proportional to its weight.

    Args:
        weights: name -> weight.
        rng: random generator.
    """
    names, shares = list(weights), np.array(list(weights.values()), dtype=np.float64)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    with (Path(__file__).parent / "patches.toml").open("rb") as file:
        return tomllib.load(file)


@lru_cache(maxsize=1)
def patches() -> dict[str, Patch]:
    """Return every patch by name."""
    rows = _table()["patches"]
    return {name: Patch(name, **row | {"alternates": tuple(row.get("alternates", ()))}) for name, row in rows.items()}


@lru_cache(maxsize=1)
def patches_with_takes() -> dict[tuple[int, int], Patch]:
    """Return the patches that have more than one take, by bank and program."""
    return {(patch.bank, patch.program): patch for patch in patches().values() if patch.alternates}


@lru_cache(maxsize=1)
def genre_sounds() -> dict[str, GenreSound]:
    """Return the patches of each genre of :data:`d2m.types.GENRES`, by its code."""
    return {
        genre: GenreSound(row["about"], {slot: dict(row[slot]) for slot in SLOTS})
        for genre, row in _table()["genres"].items()
    }


def genre_sound(genre: str) -> GenreSound:
    """Return the patches of a genre.

    Args:
        genre: AIST code, or name of a genre that another package adds (:mod:`d2m.genres`).

    Raises:
        D2MError: if an added genre names a slot or patch that does not exist.
    """
    added = added_genre(genre)
    if added is None:
        return genre_sounds()[genre]
    base = genre_sounds()[added.like]
    for slot, weights in added.sounds.items():
        if slot not in SLOTS:
            raise D2MError(f"the sounds of the genre '{genre}' have no '{slot}'; choose of {', '.join(SLOTS)}")
        unknown = [name for name in weights if name not in patches()]
        if unknown or not weights or not all(isinstance(w, (int, float)) and w > 0 for w in weights.values()):
            named = f"no patch '{unknown[0]}'" if unknown else "weights that are not above 0"
            raise D2MError(f"the {slot} of the genre '{genre}' have {named}; see d2m/sounds/patches.toml")
    return GenreSound(added.name, base.weights | added.sounds)
