"""Command-line options from data classes (:mod:`d2m.options`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_type_hints

import typer

from d2m.options import OptionInfo, described, flag

_PLAIN = (str, int, float, bool, Path)


def with_options(
    *kinds: type, at: str | None = None, build: Callable[..., Any] = dict
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command so that it takes the fields of data classes as options.

    The function gets their values as its argument ``options``. A field that several classes have is one option. The
    attribute ``PANEL`` of a class is the heading above its options in the help.

    Args:
        kinds: data classes.
        at: name of the parameter after which the options stand in the help; None for after all.
        build: makes ``options`` from the values by name; by default a dictionary.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            entry.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, entry in inspect.signature(function, eval_str=True).parameters.items()
            if name != "options"
        ]
        shared = {entry.name: entry for kind in kinds for entry in _parameters(kind)}
        place = len(own) if at is None else [entry.name for entry in own].index(at) + 1
        parameters = [*own[:place], *shared.values(), *own[place:]]

        def command(**values: Any) -> None:
            function(options=build(**{name: values.pop(name) for name in shared}), **values)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        # Typer reads the signature, and the annotations beside it.
        command.__dict__["__signature__"] = inspect.Signature(parameters)
        command.__annotations__ = {entry.name: entry.annotation for entry in parameters}
        return command

    return decorate


def _parameters(kind: type) -> Iterator[inspect.Parameter]:
    """Iterate over the parameters of a command that stand for the options of a data class."""
    types = get_type_hints(kind)
    for each, info in described(kind):
        yield inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=Annotated[_on_the_command_line(types[each.name]), _option(each, info, _panel(kind, each.name))],
        )


def _on_the_command_line(kind: Any) -> Any:
    """Return the type of an option for Typer: a list of texts for sequences, text for anything it does not know."""
    parts = [part for part in get_args(kind) if part is not NoneType] or [kind]
    if any(getattr(part, "__origin__", part) in (list, tuple, Sequence) for part in parts):
        return Union[list[str], None]  # noqa: UP007 - Typer reads this form
    if len(parts) == 1 and parts[0] in _PLAIN:
        return kind
    return Union[str, None] if NoneType in get_args(kind) else str  # noqa: UP007


def _panel(kind: type, name: str) -> str | None:
    """Return the heading of the class that declares a field."""
    owner = next(base for base in kind.__mro__ if name in base.__dict__.get("__annotations__", {}))
    return getattr(owner, "PANEL", None)


def _option(each: Field[Any], info: OptionInfo, panel: str | None) -> Any:
    """Return Typer's description of an option."""
    names = info.names or ((flag(each.name),) if isinstance(each.default, bool) else ())
    return typer.Option(
        *names,
        help=info.help,
        metavar=info.metavar,
        min=info.minimum,
        max=info.maximum,
        rich_help_panel=panel,
        show_default=not isinstance(each.default, bool),
        hidden=info.refused,
    )
