"""Engines turn a :class:`~d2m.types.Dance` into a :class:`~d2m.types.Soundtrack`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.engines.base import Engine
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.engines.d2m_gan_files import Sorted

#: Values of ``--engine``, ``--codec`` and ``--level``; the first is the default.
ENGINES, CODECS, LEVELS = ("vq", "symbolic"), ("spectral", "jukebox"), ("high", "low")


def load(
    name: str = "vq",
    *,
    codec: str = "spectral",
    level: str = "high",
    weights: str | Sequence[str] | None = None,
    soundfont: str | None = None,
    sketch: str | None = None,
    motion: str | None = None,
    visual: str | None = None,
    denoise: bool = False,
) -> Engine:
    """Return an engine with its weights in memory.

    Args:
        name: ``"vq"`` or ``"symbolic"``.
        codec: ``"spectral"`` or ``"jukebox"``, which codec makes the sound of the vq engine.
        level: ``"high"`` or ``"low"``, for the JukeBox codec: hop 128 or 32.
        weights: name or file of other generator weights than the shipped ones, for the vq engine; or the files of a
            D2M-GAN, in any order, which tell codec and level themselves.
        soundfont: name or path of a .sf2 file, for the symbolic engine; None for the default.
        sketch: who writes the music: ``"composer"`` (None), ``"musegan"`` or a MIDI file
            (:mod:`d2m.engines.sketches`). A D2M-GAN takes none.
        motion: file of the dance's motion, for a D2M-GAN.
        visual: file of visual features, for a D2M-GAN.
        denoise: take steady noise out of the music of a D2M-GAN.

    Raises:
        D2MError: if there is no such engine, codec, level or soundfont, the weights cannot be used, or an option is of
            no use to the engine.
    """
    for what, chosen, choice in (("engine", name, ENGINES), ("codec", codec, CODECS), ("level", level, LEVELS)):
        if chosen not in choice:
            raise D2MError(f"unknown {what} '{chosen}'; choose {' or '.join(choice)}")
    if name == "vq" and soundfont is not None:
        raise D2MError("--soundfont is for --engine symbolic; the vq engine plays through its codec")
    names = [weights] if isinstance(weights, str) else list(weights or [])
    gan = _d2m_gan(names) if name == "vq" else None
    if gan is not None:
        from d2m.engines.d2m_gan_files import load_engine as load_gan

        if sketch is not None:
            raise D2MError("a D2M-GAN uses no score; leave out --sketch")
        return load_gan(gan, level, motion, visual, denoise)
    for option, given in (("--motion", motion), ("--visual", visual), ("--denoise", denoise)):
        if given:
            raise D2MError(f"{option} is for D2M-GAN models; add their files with --weights, or leave it out")
    if name == "symbolic":
        from d2m.engines import symbolic

        for option, asked in (("--weights", names), ("--codec", codec != CODECS[0]), ("--level", level != LEVELS[0])):
            if asked:
                raise D2MError(f"{option} is for the vq engine; leave it out with --engine symbolic")
        return symbolic.load_engine(soundfont, sketch or "composer")
    from d2m.engines.vq import load_engine

    if level != LEVELS[0] and codec != "jukebox":
        raise D2MError("--level low is for the JukeBox codec; add --codec jukebox, or leave out --level")
    if len(names) > 1:
        raise D2MError("several --weights are for a D2M-GAN, but the generator is missing; add netG.pt")
    return load_engine(codec, level, names[0] if names else None, sketch or "composer")


def _d2m_gan(names: Sequence[str]) -> Sorted | None:
    """The parts of a D2M-GAN among these weights. What is neither a file nor in the catalogue is no part of one."""
    from d2m.weights.catalogue import find_entry

    if not any(Path(name).is_file() or find_entry(name) is not None for name in names):
        return None
    from d2m.engines.d2m_gan_files import sort_files

    return sort_files(names)


__all__ = ["Engine", "load"]
