"""MuseGAN: four-bar phrases in five tracks from random vectors, or conditioned on a given track.

After Dong, Hsiao, Yang & Yang, "MuseGAN: Multi-track Sequential Generative Adversarial Networks for Symbolic Music
Generation and Accompaniment" (AAAI 2018): the jamming, composer and hybrid models, each from scratch and with a
given track.

    muse = d2m.symbolic.musegan.load("studio-musegan")
    rolls = muse.generate(phrases=8, seed=1)              # bool (8, bars, steps, pitches, tracks)
    muse = d2m.symbolic.musegan.load("studio-musegan-piano")
    rolls = muse.accompany(piano, seed=1)                 # piano: bool (bars, steps, pitches), any number of bars

What the parts are: ``config`` (which model, how large), ``latents`` (the four kinds of random vectors), ``generator``
(temporal generators, bar generators, encoder), ``critic`` (critics and gradient penalty), ``sampler`` (music from a
trained model), ``accompaniment`` (the same with whole pieces). Training: :mod:`d2m.training.musegan`. Importing this
package loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import COMPACT, PAPER, MuseGanConfig, configure
    from .files import load, save
    from .sampler import MuseGan

_HOMES = {
    "COMPACT": "config",
    "PAPER": "config",
    "MuseGanConfig": "config",
    "configure": "config",
    "load": "files",
    "save": "files",
    "MuseGan": "sampler",
}

__all__ = ["COMPACT", "PAPER", "MuseGan", "MuseGanConfig", "configure", "load", "save"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
