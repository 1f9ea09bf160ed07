"""From one song into the next: where two songs fit, the bars between them, and the joined music.

After Smootify (Kwon, Kim, Ahn, Hwang and Kim, ToBig's 15/16), which looks for mix points by dynamic time warping and by
Jensen-Shannon divergence, and composes a bridge of two bars with a U-Net. Its own report found neither search better
than chance and named harmony as the thing to try; so here a third one looks at harmony, groove, register and phrases.

    a, b = read_song("a.mid"), read_song("b.mid")
    point = find_mix_points(a, b, "harmonic", top=5)[0]
    joined = join(a, b, point, load("studio-bridge"), bars=2)
    write_midi(joined.score, "joined.mid")

What the parts are: ``song`` (any file as five tracks, bars, keys), ``tracks`` (which track an instrument is), ``keys``
(key finding), ``bars`` (what a bar is made of), ``matching`` (the searches), ``mixpoints`` (the best of their finds),
``config``, ``network``, ``published`` (the two networks), ``composer`` (bars from a network), ``measure`` (figures of
bridges), ``files`` (weights), ``joining`` (the joined score). Training: :mod:`d2m.training.bridge`. Importing this
package loads nothing heavy.
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
