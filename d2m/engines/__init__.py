"""Engines turn a :class:`~d2m.types.Dance` into a :class:`~d2m.types.Soundtrack`."""

from __future__ import annotations

from d2m.engines.base import Engine
from d2m.errors import D2MError


def load(
    name: str = "vq",
    *,
    codec: str = "spectral",
    level: str = "high",
    weights: str | None = None,
    soundfont: str | None = None,
) -> Engine:
    """An engine with its weights in memory.

    Args:
        name: ``"vq"`` or ``"symbolic"``.
        codec: ``"spectral"`` or ``"jukebox"``, which codec makes the sound of the vq engine.
        level: ``"high"`` or ``"low"``, for the JukeBox codec: hop 128 or 32.
        weights: name or file of other generator weights than the shipped ones, for the vq engine.
        soundfont: name or path of a .sf2 file, for the symbolic engine; None for the default.

    Raises:
        D2MError: if there is no such engine, codec, level or soundfont, or the weights cannot be used.
    """
    if name not in ("vq", "symbolic"):
        raise D2MError(f"unknown engine '{name}'; choose vq or symbolic")
    if name == "symbolic":
        from d2m.engines import symbolic

        return symbolic.load_engine(soundfont)
    from d2m.engines.vq import load_engine

    return load_engine(codec, level, weights)


__all__ = ["Engine", "load"]
