"""Read a model's configuration from the header of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from d2m.errors import D2MError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


def config_from(kind: type[Config], values: Mapping[str, Any], what: str) -> Config:
    """Return a dataclass from plain values; entries that are left out have their defaults.

    Args:
        kind: the dataclass, which raises ValueError or TypeError for values that it does not take.
        values: from the header.
        what: whose configuration it is, for messages: ``"MuseGAN"``.

    Raises:
        D2MError: if an entry is unknown, of the wrong type, or out of range.
    """
    unknown = set(values) - {entry.name for entry in fields(kind)}
    if unknown:
        raise D2MError(f"the {what}'s configuration has an unknown entry '{sorted(unknown)[0]}'; update d2m")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise D2MError(f"the {what}'s configuration is not usable: {error}") from error
