"""Read the style of an added genre from plain values, as a data file has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from d2m.errors import D2MError
from d2m.symbolic.chords import SCALES
from d2m.symbolic.composer.harmony import read
from d2m.symbolic.composer.lines import rhythm
from d2m.symbolic.composer.style import Groove, Layer, Song, Style

Row = TypeVar("Row", Groove, Layer, Song)
_ROWS: dict[str, type[Groove] | type[Layer] | type[Song]] = {"songs": Song, "grooves": Groove, "layers": Layer}


def read_style(table: Mapping[str, Any], base: Style, genre: str) -> Style:
    """Return a style: that of another genre with some fields replaced.

    Args:
        table: fields of :class:`~d2m.symbolic.composer.style.Style` by name; ``songs``, ``grooves`` and ``layers`` are
            lists of tables.
        base: the style of the genre that it is like.
        genre: name for error messages.

    Raises:
        D2MError: for a field that does not exist, is missing or has no value of its kind.
    """
    values: dict[str, Any] = {}
    known = {entry.name for entry in fields(Style)}
    for name, value in table.items():
        if name not in known:
            raise D2MError(
                f"the style of the genre '{genre}' has no field '{name}'; choose of {', '.join(sorted(known))}"
            )
        if name in _ROWS:
            if not isinstance(value, list) or not value or not all(isinstance(row, Mapping) for row in value):
                raise D2MError(f"the {name} of the genre '{genre}' must be a list of tables, at least one")
            values[name] = tuple(_row(_ROWS[name], row, genre) for row in value)
        else:
            values[name] = _plain(value)
    style = replace(base, **values)
    try:
        _check(style)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise D2MError(f"the style of the genre '{genre}' cannot be played: {error}") from error
    return style


def _check(style: Style) -> None:
    """Read every rhythm and progression once."""
    for groove in style.grooves:
        for pattern in (groove.kick, groove.snare, groove.hats, *groove.bass, *groove.extras.values()):
            rhythm(pattern)
    for layer in style.layers:
        for pattern in layer.rhythms:
            rhythm(pattern)
    for song in style.songs:
        if song.scale not in SCALES:
            raise ValueError(f"no scale '{song.scale}'; choose of {', '.join(SCALES)}")
        for progression in (song.verse, song.chorus, song.bridge, song.home, song.cadence):
            read(progression)


def _row(kind: type[Any], row: Mapping[str, Any], genre: str) -> Any:
    values = {name: _plain(value) for name, value in row.items()}
    if isinstance(values.get("extras"), Mapping):
        values["extras"] = {int(key): rhythm for key, rhythm in values["extras"].items()}
    try:
        return kind(**values)
    except TypeError as error:
        told = str(error).replace(f"{kind.__name__}.__init__()", f"a {kind.__name__.lower()}")
        raise D2MError(f"the style of the genre '{genre}': {told}") from error


def _plain(value: Any) -> Any:
    """Lists become tuples."""
    return tuple(map(_plain, value)) if isinstance(value, list) else value
