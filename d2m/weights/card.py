"""Card of a set of weights: a small TOML file that describes them and how they were made."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: A card is a page of text; anything larger is some other file.
MAX_CARD_BYTES = 1 << 20
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
#: A key of many parts. The parser keeps every beginning of it: 400 kB take 10 GB.
_LONG_KEY = re.compile(r"(?:\.[ \t]*(?:[\w\"'-]+[ \t]*)?){20}")


@dataclass(frozen=True)
class Card:
    """Description of one set of weights.

    Attributes:
        name: how it is asked for, e.g. ``"studio-codec"``.
        kind: which model the parameters belong to, e.g. ``"spectral-codec"``; the same word as in the file's
            header.
        architecture: the model in a sentence.
        data: what it was trained on, with the licences of that data.
        licence: licence of the weights themselves (SPDX where there is one).
        command: the command that made it.
        seed: random seed of the run.
        steps: optimiser steps.
        sha256: sha256 of the weights file, lower-case hexadecimal.
        file: the weights file's name, beside the card.
        config: the model's configuration, plain values.
        scores: measured results by name, with what was measured in the name (``"log-mel L1, 10 held-out
            songs"``).
    """

    name: str
    kind: str
    architecture: str
    data: str
    licence: str
    command: str
    seed: int
    steps: int
    sha256: str
    file: str
    config: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | str) -> Card:
        """Read a card.

        Args:
            path: the TOML file.

        Raises:
            D2MError: if the file cannot be read, is not TOML, or lacks an entry.
        """
        path = Path(path)
        try:
            if path.stat().st_size > MAX_CARD_BYTES:
                raise D2MError(f"{path} is too large to be a weights card")
            text = path.read_text(encoding="utf-8")
            if _LONG_KEY.search(_TEXT.sub('""', text)):
                raise D2MError(f"the weights card {path} has a key of more parts than any card needs")
            entries = tomllib.loads(text)
        except OSError as error:
            raise D2MError(f"cannot read the weights card {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise D2MError(f"the weights card {path} is not valid TOML: {str(error)[:200]}") from error
        return cls._from_entries(entries, path)

    @classmethod
    def _from_entries(cls, entries: dict[str, Any], path: Path) -> Card:
        kinds = {"seed": int, "steps": int, "config": dict, "scores": dict}
        values: dict[str, Any] = {}
        for entry in fields(cls):
            expected = kinds.get(entry.name, str)
            value = entries.get(entry.name, {} if expected is dict else None)
            if not isinstance(value, expected):
                raise D2MError(f"the weights card {path} needs an entry '{entry.name}' of type {expected.__name__}")
            values[entry.name] = value
        card = cls(**values)
        if Path(card.file).name != card.file or not card.file:
            raise D2MError(f"the weights card {path} must name a file beside it, not '{card.file}'")
        if not re.fullmatch(r"[0-9a-f]{64}", card.sha256):
            raise D2MError(f"the weights card {path} has no valid sha256")
        return card

    def write(self, path: Path | str) -> None:
        """Write the card as TOML atomically.

        Args:
            path: the output file.
        """
        path = Path(path)
        lines = [
            f"{entry.name} = {_toml(getattr(self, entry.name))}"
            for entry in fields(self)
            if entry.name not in ("config", "scores")
        ]
        for table in ("config", "scores"):
            lines += ["", f"[{table}]"]
            lines += [f"{json.dumps(k)} = {_toml(v)}" for k, v in getattr(self, table).items() if v is not None]
        atomic_write_bytes(path, ("\n".join(lines) + "\n").encode())


def _toml(value: Any) -> str:
    """A plain value in TOML's spelling. JSON's strings, numbers and true/false are TOML's as well."""
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"a card holds plain values, not {type(value).__name__}")
