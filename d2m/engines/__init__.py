"""Engines turn a :class:`~d2m.types.Dance` into a :class:`~d2m.types.Soundtrack`."""

from __future__ import annotations

from d2m.engines.base import Engine
from d2m.errors import D2MError


def load(name: str = "vq", *, codec: str = "spectral", level: str = "high", weights: str | None = None) -> Engine:
    """An engine with its weights in memory.

    Args:
        name: ``"vq"``.
        codec: ``"spectral"`` or ``"jukebox"``, which codec makes the sound.
        level: ``"high"`` or ``"low"``, for the JukeBox codec: hop 128 or 32.
        weights: name or file of other generator weights than the shipped ones.

    Raises:
        D2MError: if there is no such engine, codec or level, or the weights cannot be used.
    """
    if name != "vq":
        raise D2MError(f"unknown engine '{name}'; choose vq")
    from d2m.engines.vq import load_engine

    return load_engine(codec, level, weights)


__all__ = ["Engine", "load"]
