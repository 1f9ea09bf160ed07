"""Settings of a run, stored in its folder: a run is resumed with the same settings or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Settings that may change when a run is resumed: its length and the place of its data.
FREE: tuple[str, ...] = ("steps", "train", "held_out", "data", "vqvae")
#: Differences named in the complaint.
_SHOWN = 4


def describe(settings: DataclassInstance | Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a dataclass of settings to plain values by name, nested ones with a dot (``"weights.mel"``).

    Args:
        settings: the dataclass.
    """
    values = settings if isinstance(settings, Mapping) else asdict(settings)
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": plain for inner, plain in describe(value).items()}
        elif isinstance(value, tuple | list):
            flat[name] = [str(entry) if isinstance(entry, Path) else entry for entry in value]
        else:
            flat[name] = str(value) if isinstance(value, Path) else value
    return flat


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the settings that a run was started with.

    Args:
        folder: folder of the run.

    Returns:
        The settings; empty if the run stored none.

    Raises:
        D2MError: if the file is damaged.
    """
    return dict(_read(folder).get("settings", {}))


def read_start(folder: Path) -> list[str]:
    """Read the arguments that the latest start of a run was called with, without the name of the program.

    Args:
        folder: folder of the run.

    Returns:
        The arguments; empty if the run stored none.

    Raises:
        D2MError: if the file is damaged.
    """
    words = _read(folder).get("latest start", {}).get("arguments", [])
    return [str(word) for word in words] if isinstance(words, list) else []


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the content of ``settings.json``; empty if there is none."""
    path = folder / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"settings": dict(content["settings"]), "latest start": dict(content.get("latest start", {}))}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise D2MError(f"{path} is damaged; remove it to go on without a comparison of settings") from error


def check_settings(folder: Path, now: Mapping[str, Any]) -> None:
    """Compare the settings of a call with those that the run in ``folder`` was started with.

    Args:
        folder: folder of the run.
        now: settings of the call.

    Raises:
        D2MError: if they differ in anything that changes what is trained; the message names what.
    """
    before = read_settings(folder)
    if not before:
        return
    # A setting that only one side has was added or removed by a version of d2m.
    differ = [name for name in before if name in now and name not in FREE and before[name] != _json(now[name])]
    if differ:
        told = [f"{name} is {before[name]!r}, not {_json(now[name])!r}" for name in differ[:_SHOWN]]
        more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
        raise D2MError(
            f"the run in {folder} goes on only as it began ({'; '.join(told)}{more}); "
            "give its settings, or another --run folder"
        )


def write_settings(folder: Path, settings: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
    """Write ``settings.json`` atomically: the settings, and machine and command line of the latest start.

    Args:
        folder: folder of the run.
        settings: settings of the training.
        machine: machine of the latest start.
    """
    content = {"settings": settings, "latest start": {**machine, "arguments": sys.argv[1:]}}
    atomic_write_bytes(folder / "settings.json", (json.dumps(content, indent=2) + "\n").encode())


def _json(value: Any) -> Any:
    """The value as it comes back from a file."""
    return json.loads(json.dumps(value))
