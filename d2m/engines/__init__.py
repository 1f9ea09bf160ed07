"""Engines turn a :class:`~d2m.types.Dance` into a :class:`~d2m.types.Soundtrack`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from d2m.engines.base import Engine, EngineKind
from d2m.errors import D2MError
from d2m.options import flag
from d2m.registry import Registry

#: The engines by the names that ``--engine`` takes: objects of :class:`~d2m.engines.base.EngineKind`.
ENGINES: Registry[EngineKind[Any]] = Registry(
    "engine", "d2m.engines", {"vq": "d2m.engines.kinds:VQ", "symbolic": "d2m.engines.kinds:SYMBOLIC"}
)
#: Engine that is used if none is named: the one whose music an outside judge finds nearest to that of real dance clips
#: (docs/mixing.md).
DEFAULT = "symbolic"


def load(name: str | None = None, **settings: Any) -> Engine:
    """Return an engine with its weights in memory.

    Args:
        name: name of an engine in :data:`ENGINES`, or None to choose by the options.
        settings: its options by name; see :mod:`d2m.engines.options` for this package's. Options of other engines may
            be given with their defaults.

    Raises:
        D2MError: if there is no such engine, the weights cannot be used, or an option is unknown, out of its range or
            of another engine.
    """
    name = name or choose(settings)
    kind = ENGINES.get(name)
    own = {each.name for each in fields(kind.options)}
    for option, value in settings.items():
        if option not in own:
            _refuse(name, option, value)
    return kind.load(**{option: value for option, value in settings.items() if option in own})


def choose(settings: Mapping[str, Any]) -> str:
    """Return the name of the engine that has all options that are given: the default one if it has.

    Args:
        settings: options by name; those with their defaults count as not given.
    """
    kinds = usable()
    known = {each.name: each.default for kind in kinds.values() for each in fields(kind.options)}
    given = {name for name, value in settings.items() if value != known.get(name) and (name != "weights" or value)}
    for name in (DEFAULT, *kinds):
        if given <= {each.name for each in fields(kinds[name].options)}:
            return name
    return DEFAULT


def usable() -> dict[str, EngineKind[Any]]:
    """Return the engines that can be imported, by name. Those of other packages that cannot are left out; :func:`load`
    says why if one of them is asked for."""
    kinds = {}
    for name in ENGINES:
        with suppress(D2MError):
            kinds[name] = ENGINES.get(name)
    return kinds


def _refuse(name: str, option: str, value: Any) -> None:
    """Raise an error for an option that an engine does not have, unless it has the default of the one that has it."""
    owners = []
    for other, kind in usable().items():
        defaults = {each.name: each.default for each in fields(kind.options)}
        if option in defaults:
            if value == defaults[option] or (option == "weights" and not value):
                return
            owners.append(other)
    if not owners:
        raise D2MError(f"unknown option {flag(option)} of the engine '{name}'; leave it out")
    raise D2MError(f"{flag(option)} is for --engine {' or '.join(owners)}; leave it out with --engine {name}")


__all__ = ["DEFAULT", "ENGINES", "Engine", "EngineKind", "choose", "load", "usable"]
