"""The engines of this package as entries of the registry; their modules are imported when one is built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.engines.base import Engine, EngineKind
from d2m.engines.options import CODECS, LEVELS, SymbolicOptions, VqOptions
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.engines.d2m_gan_files import Sorted


def _vq(options: VqOptions) -> Engine:
    """Build the vq engine, or a D2M-GAN if its files are among the weights.

    Raises:
        D2MError: if an option has another value than those it may have, is of no use here, or the weights cannot be
            used.
    """
    for what, chosen, choice in (("codec", options.codec, CODECS), ("level", options.level, LEVELS)):
        if chosen not in choice:
            raise D2MError(f"unknown {what} '{chosen}'; choose {' or '.join(choice)}")
    names = [options.weights] if isinstance(options.weights, str) else list(options.weights or [])
    if (parts := _d2m_gan(names)) is not None:
        return _build_d2m_gan(parts, options)
    for option, given in (("--motion", options.motion), ("--visual", options.visual), ("--denoise", options.denoise)):
        if given:
            raise D2MError(f"{option} is for D2M-GAN models; add their files with --weights, or leave it out")
    from d2m.engines.vq import load_engine

    if options.level != LEVELS[0] and options.codec != "jukebox":
        raise D2MError("--level low is for the JukeBox codec; add --codec jukebox, or leave out --level")
    if len(names) > 1:
        raise D2MError("several --weights are for a D2M-GAN, but the generator is missing; add netG.pt")
    return load_engine(options, names[0] if names else None)


def _build_d2m_gan(parts: Sorted, options: VqOptions) -> Engine:
    from d2m.engines.d2m_gan_files import load_engine

    for option, given in (("--sketch", options.sketch), ("--arranger", options.arranger)):
        if given is not None:
            raise D2MError(f"a D2M-GAN uses no score; leave out {option}")
    return load_engine(parts, options.level, options.motion, options.visual, options.denoise)


def _d2m_gan(names: Sequence[str]) -> Sorted | None:
    """Return the parts of a D2M-GAN among these weights, if any is a file or in the catalogue."""
    from d2m.weights.catalogue import find_entry

    if not any(Path(name).is_file() or find_entry(name) is not None for name in names):
        return None
    from d2m.engines.d2m_gan_files import sort_files

    return sort_files(names)


def _symbolic(options: SymbolicOptions) -> Engine:
    from d2m.engines.symbolic import load_engine

    return load_engine(options)


VQ = EngineKind("neural codec", VqOptions, _vq)
SYMBOLIC = EngineKind("sound library", SymbolicOptions, _symbolic)
