"""Options as fields of data classes: one place for the name, default, help and limits of each.

The command line (:mod:`d2m.cli.from_dataclass`), the Python API and the tables of the documentation are made from these
data classes::

    @dataclass(frozen=True)
    class MyOptions:
        loud: float = option(-14.0, "Loudness in LUFS.", metavar="LUFS")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from d2m.errors import D2MError


@dataclass(frozen=True)
class OptionInfo:
    """Description of an option for its users.

    Attributes:
        help: noun phrase with unit and range.
        metavar: placeholder of the value in the help, or None for the type's.
        names: names on the command line, or empty for the field's name with dashes.
        minimum, maximum: limits of a number, or None.
        refused: whether the option is hidden and refused with the help as the reason.
    """

    help: str
    metavar: str | None = None
    names: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    refused: bool = False


_KEY = "d2m.option"


def option(
    default: Any,
    help: str,
    *,
    metavar: str | None = None,
    names: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare a field of a data class that is an option.

    Args:
        default: value if the option is not given; ``MISSING`` for a required option.
        help: noun phrase with unit and range.
        metavar: placeholder of the value in the help, or None for the type's.
        names: names on the command line; by default the field's name with dashes.
        minimum, maximum: limits of a number, or None.
    """
    info = OptionInfo(help, metavar, names, minimum, maximum)
    return field(metadata={_KEY: info}) if default is MISSING else field(default=default, metadata={_KEY: info})


def refused(reason: str) -> Any:
    """Declare an option that other commands have, so that its users read why this one has not.

    Args:
        reason: sentence after the name of the option in the error: why it is refused, and what to do.
    """
    return field(default=None, metadata={_KEY: OptionInfo(reason, "VALUE", refused=True)})


def check_refused(options: Any) -> None:
    """Refuse the options of a data class that are declared by :func:`refused`.

    Args:
        options: the data class with the values given.

    Raises:
        D2MError: if one of them is given.
    """
    for each, info in described(type(options)):
        if info.refused and getattr(options, each.name) is not None:
            raise D2MError(f"{flag(each.name)}: {info.help.rstrip('.')}")


def described(kind: type) -> Iterator[tuple[Field[Any], OptionInfo]]:
    """Iterate over the options of a data class with their descriptions.

    Args:
        kind: data class whose options are declared by :func:`option`.
    """
    for each in fields(kind):
        if isinstance(info := each.metadata.get(_KEY), OptionInfo):
            yield each, info


def flag(name: str) -> str:
    """Return the name of a field as on the command line: ``keep_audio`` is ``--keep-audio``.

    Args:
        name: of the field.
    """
    return f"--{name.replace('_', '-')}"


def names(text: str) -> list[str]:
    """Return the names in a list separated by commas.

    Args:
        text: value of an option.
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def pairs(text: str | None, flag: str, example: str) -> dict[str, str]:
    """Return the names and values of an option such as ``drums=-3,bass=2``.

    Args:
        text: value of the option, or None.
        flag: name of the option, for errors.
        example: a usable value, for errors.

    Raises:
        D2MError: if it is no such list.
    """
    found = {}
    for entry in names(text or ""):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not (name and equals and value):
            raise D2MError(f"{flag}: '{entry}' is no TRACK=VALUE; give, for example, {example}")
        found[name] = value
    return found
