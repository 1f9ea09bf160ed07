"""Read and write plans as TOML files; errors name the line."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.plans.types import Hit, Mix, Plan, PlanError, Section

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

#: Version of the format.
VERSION = 1
#: Bytes of a file above which it is no plan.
LARGEST = 20_000_000
#: Largest whole number, and most characters of a text, in a plan.
LARGEST_NUMBER, LONGEST_TEXT = 2**63 - 1, 1000

_HEAD = """# Plan of a piece for d2m. Change what you like and play it:
#   d2m generate VIDEO --plan THIS_FILE
# Times are in seconds. docs/plan.md explains every line.

"""
_TEMPO = {"bpm": "tempo", **{name: name for name in ("source", "confidence", "beats_per_bar")}}
_TOP = ("duration", "subject", "reason", "forgiving", "fade_in", "fade_out", "loop")


def write_plan(plan: Plan, path: str | Path) -> None:
    """Write a plan as a TOML file.

    Args:
        plan: the plan.
        path: the file; replaced if it exists.

    Raises:
        D2MError: if it cannot be written.
    """
    try:
        content = plan_text(plan).encode()
    except UnicodeEncodeError:
        raise D2MError("a plan cannot name a file whose name is not valid Unicode; rename the MIDI file") from None
    atomic_write_bytes(path, content)


def check_plan_path(path: str | Path) -> None:
    """Check that a plan can be written to a path, before the work begins.

    Args:
        path: of the file.

    Raises:
        D2MError: if its name does not end in ``.toml``, or it is a folder or in one that is not writable.
    """
    file = Path(path)
    if file.suffix.lower() != ".toml":
        raise D2MError(f"{file}: a plan is a TOML file; give --write-plan a name that ends in .toml")
    if file.is_dir():
        raise D2MError(f"cannot write {file}: it is a folder; give --write-plan the name of a file")
    folder = next((each for each in file.absolute().parents if each.exists()), Path("/"))
    if not folder.is_dir():
        raise D2MError(f"cannot write {file}: {folder} is a file; choose another folder for --write-plan")
    if not os.access(folder, os.W_OK):
        raise D2MError(f"cannot write {file}: no permission to write in {folder}; choose another folder")


def plan_text(plan: Plan) -> str:
    """Return a plan as TOML.

    Args:
        plan: the plan.
    """
    import tomli_w

    sections = [asdict(section) for section in plan.sections]
    mix: dict[str, Any] = {**plan.mix.gains}
    if plan.mix.without:
        mix["without"] = list(plan.mix.without)
    if plan.mix.instruments:
        mix["instruments"] = dict(plan.mix.instruments)
    content: dict[str, Any] = {"version": VERSION, **{name: getattr(plan, name) for name in _TOP}}
    content |= {"section": sections, "hit": [asdict(hit) for hit in plan.hits], "mix": mix}
    content = {name: value for name, value in content.items() if value != [] and value != {}}
    tempo = {name: getattr(plan, attribute) for name, attribute in _TEMPO.items()}
    text = _HEAD + tomli_w.dumps(content) + "\n" + tomli_w.dumps({"tempo": tempo})
    # Long rows of numbers, which nobody edits by hand, stand at the end, each on one line.
    rows = {"beats": plan.beats, "downbeats": plan.downbeats, "energy": plan.energy}
    return text + "".join(f"{name} = [{', '.join(repr(v) for v in row.tolist())}]\n" for name, row in rows.items())


def read_plan(path: str | Path) -> Plan:
    """Read a plan.

    Args:
        path: a TOML file as of :func:`write_plan`.

    Raises:
        D2MError: if it cannot be read or is no plan; the message names the line.
    """
    file = Path(path)
    try:
        with file.open("rb") as source:
            data = source.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise D2MError(f"{file}: too large for a plan; give a file that 'd2m generate --write-plan' wrote")
        # Editors on Windows put a byte order mark first, and write CR LF.
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise D2MError(f"cannot read the plan {file}: {reason}") from error
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise D2MError(f"{file}: not a TOML file ({error}); correct that line") from error
    except ValueError as error:
        # Python converts whole numbers of some thousand digits neither from text nor to text.
        raise D2MError(f"{file}: a number has too many digits; give a shorter one") from error
    try:
        return plan_of(content).check()
    except PlanError as error:
        raise D2MError(f"{file}, line {line_of(text, error)}: {error}") from None


def line_of(text: str, error: PlanError) -> int:
    """Return the line of a plan's text that an error is about.

    Args:
        text: the file.
        error: the error.
    """
    lines = text.splitlines()
    begin, end = 0, len(lines)
    if error.table:
        heads = [i for i, line in enumerate(lines) if re.match(rf"\s*\[{{1,2}}\s*{error.table}\b", line)]
        begin = heads[min(error.index or 0, len(heads) - 1)] if heads else 0
    if error.table == "hit" and (rows := [i for i, line in enumerate(lines) if re.match(r"\s*hit\s*=", line)]):
        # The writer gives each hit one line of its own.
        return rows[0] + 2 + (error.index or 0)
    for number in range(begin, end):
        if error.key and re.match(rf"\s*\"?{re.escape(error.key)}\"?\s*=", lines[number]):
            return number + 1
        if number > begin and lines[number].lstrip().startswith("["):
            break
    return begin + 1


def plan_of(content: dict[str, Any]) -> Plan:
    """Build a plan from a file's content; its values are checked later, but for their kinds.

    Args:
        content: tables of the file as dictionaries.

    Raises:
        PlanError: if something has the wrong kind.
    """
    if content.get("version") != VERSION:
        raise PlanError("", None, "version", f"this d2m reads plans of version {VERSION}")
    _known("", None, content, {"version", *_TOP, "tempo", "section", "hit", "mix"})
    _refuse_huge(content)
    tempo = _table(content, "tempo")
    _known("tempo", None, tempo, {*_TEMPO, "beats", "downbeats", "energy"})
    top = {name: content[name] for name in _TOP if name in content}
    for name in ("forgiving", "loop"):
        if not isinstance(top.get(name, False), bool):
            raise PlanError("", None, name, "give true or false")
    for name in ("subject", "reason"):
        if not isinstance(top.get(name, ""), str):
            raise PlanError("", None, name, f"{top[name]!r} is not a text")
    if "duration" not in top:
        raise PlanError("", None, "duration", "the duration in seconds is missing; add it")
    beats = _row(tempo, "beats", float)
    return Plan(
        beats=beats,
        downbeats=_row(tempo, "downbeats", int),
        energy=_row(tempo, "energy", float) if "energy" in tempo else np.full(len(beats), 0.5),
        sections=[_record(Section, "section", i, each) for i, each in enumerate(_tables(content, "section"))],
        hits=[_record(Hit, "hit", i, each) for i, each in enumerate(_tables(content, "hit"))],
        mix=_mix(_table(content, "mix")),
        tempo=tempo.get("bpm", 120.0),
        **{name: tempo[name] for name in ("source", "confidence", "beats_per_bar") if name in tempo},
        **top,
    )


def _refuse_huge(content: dict[str, Any]) -> None:
    """Refuse numbers and texts that no plan needs, before they are converted or shown in a message."""
    left: list[tuple[str, int | None, str, Any]] = [("", None, "", content)]
    while left:
        table, index, key, value = left.pop()
        if isinstance(value, dict):
            inner = table or key
            left += [(inner, index, name, each) for name, each in value.items()]
        elif isinstance(value, list):
            rows = key in ("section", "hit") and not table
            left += [(key, i, key, each) if rows else (table, index, key, each) for i, each in enumerate(value)]
        elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise PlanError(table, index, key, "the number is too large; give a smaller one")
        elif isinstance(value, str) and (len(value) > LONGEST_TEXT or any(category(sign) == "Cc" for sign in value)):
            raise PlanError(table, index, key, "the text is too long, or contains control characters; correct it")


def _mix(table: dict[str, Any]) -> Mix:
    without, instruments = table.get("without", []), table.get("instruments", {})
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise PlanError("mix", None, "without", 'give a list of tracks, such as ["drums"]')
    if not isinstance(instruments, dict):
        raise PlanError("mix", None, "instruments", "give a table of tracks, such as { bass = 38 }")
    gains = {name: value for name, value in table.items() if name not in ("without", "instruments")}
    for name, value in instruments.items():
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise PlanError("mix", None, name, "give a program, 0-127, or the name of a patch")
    return Mix(tuple(without), gains, {name: str(value) for name, value in instruments.items()})


def _record(kind: type[Any], table: str, index: int, values: dict[str, Any]) -> Any:
    """Build a section or a hit from its table."""
    known = {each.name: each for each in fields(kind)}
    _known(table, index, values, set(known))
    for name, value in values.items():
        text = known[name].type == "str"
        if text != isinstance(value, str) or (not text and isinstance(value, bool)):
            raise PlanError(table, index, name, f"{value!r} is not {'a text' if text else 'a number'}")
        if known[name].type == "int" and not isinstance(value, int):
            raise PlanError(table, index, name, f"{value!r} is not a whole number")
    needed = ("start", "end", "genre") if kind is Section else ("time",)
    for name in needed:
        if name not in values:
            raise PlanError(table, index, "", f"'{name}' is missing; add it")
    return kind(**values)


def _known(table: str, index: int | None, values: dict[str, Any], names: set[str]) -> None:
    for name in values:
        if name not in names:
            raise PlanError(table, index, name, f"unknown; choose {', '.join(sorted(names))}")


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise PlanError("", None, name, f"give a table, [{name}]")
    return table


def _tables(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    tables = content.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise PlanError("", None, name, f"give tables, [[{name}]]")
    return tables


def _row(tempo: dict[str, Any], name: str, kind: type) -> np.ndarray:
    row = tempo.get(name)
    allowed = (int,) if kind is int else (int, float)
    if not isinstance(row, list) or not all(isinstance(v, allowed) and not isinstance(v, bool) for v in row):
        raise PlanError("tempo", None, name, "give a list of numbers")
    return np.array(row, np.int64 if kind is int else np.float64)
