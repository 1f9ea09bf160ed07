"""Registries of interchangeable parts: names that stand for objects in this package or in others.

Another package adds a part without changing this one: it declares an entry point in the registry's group, for example
in its ``setup.cfg``::

    [options.entry_points]
    d2m.codecs =
        my-codec = my_package.my_module:build
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from d2m.errors import D2MError

T = TypeVar("T")


class Registry(Generic[T]):
    """Objects by name, imported when they are asked for.

    Args:
        what: noun for error messages, as ``"codec"``.
        group: group of entry points that adds to the registry, as ``"d2m.codecs"``.
        own: ``"module:attribute"`` of each name that this package provides. No entry point replaces one of them.
    """

    def __init__(self, what: str, group: str, own: Mapping[str, str]) -> None:
        self.what, self.group = what, group
        self._own = {name: EntryPoint(name, target, group) for name, target in own.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._own or any(point.name == name for point in _points(self.group))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names: this package's in their order, then those of other packages, sorted."""
        yield from self._own
        yield from sorted({point.name for point in _points(self.group)} - set(self._own))

    @property
    def own(self) -> tuple[str, ...]:
        """Names that this package provides, in their order."""
        return tuple(self._own)

    def get(self, name: str) -> T:
        """Import the object that a name stands for.

        Args:
            name: name in the registry.

        Returns:
            The object, such as a class or a function.

        Raises:
            D2MError: if there is no such name, or another package's object cannot be imported.
        """
        if name in self._own:
            point = self._own[name]
            return cast(T, getattr(import_module(point.module), point.attr))
        for point in _points(self.group):
            if point.name == name:
                return cast(T, _loaded(point, self.what))
        raise D2MError(f"unknown {self.what} '{name}'; choose {_listed(list(self))}")


def _points(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group in all packages on the current search path."""
    return _read_points(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _read_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Read the entry points once for each search path: it takes milliseconds for every installed package."""
    return tuple(entry_points(group=group))


def _loaded(point: EntryPoint, what: str) -> object:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise D2MError(f"the {what} '{point.name}' cannot be imported ({error}); install its package again") from error


def _listed(names: list[str]) -> str:
    """Join names with commas and a last "or"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
