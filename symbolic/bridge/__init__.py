"""Bridges between two songs: mix points, the bars between them, and the joined score.

After Smootify (Kwon, Kim, Ahn, Hwang and Kim, ToBig's 15/16), which finds mix points by dynamic time warping and by
Jensen-Shannon divergence, and composes a bridge of two bars with a U-Net. Its own report found neither search better
than chance and suggested harmony; the third search of this package uses harmony, groove, register and phrases.

    a, b = read_song("a.mid"), read_song("b.mid")
    point = find_mix_points(a, b, "harmonic", top=5)[0]
    joined = join(a, b, point, load("studio-bridge"), bars=2)
    write_midi(joined.score, "joined.mid")

Modules: ``song`` (any file as five tracks, bars, keys), ``tracks`` (the track of an instrument), ``keys`` (key
finding), ``bars`` (features of bars), ``matching`` (Smootify's searches), ``expectation`` (terms of the harmonic
search), ``mixpoints`` (all searches), ``config``, ``network``, ``published`` (the two networks), ``composer`` (bars
from a network), ``measure`` (metrics of bridges), ``files`` (weights), ``joining`` (the joined score). Training:
:mod:`d2m.training.bridge`. Importing this package loads no heavy package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .composer import Composer
    from .files import load
    from .joining import Joined, join
    from .mixpoints import METHODS, MixPoint, find_mix_points
    from .song import Song, read_song

_HOMES = {
    "METHODS": "mixpoints",
    "Composer": "composer",
    "Joined": "joining",
    "MixPoint": "mixpoints",
    "Song": "song",
    "find_mix_points": "mixpoints",
    "join": "joining",
    "load": "files",
    "read_song": "song",
}

__all__ = ["METHODS", "Composer", "Joined", "MixPoint", "Song", "find_mix_points", "join", "load", "read_song"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
