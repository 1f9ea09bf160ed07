"""Print the reference of the command line as Markdown: every command with its arguments and options.

    python scripts/make_command_reference.py > commands.md

The documentation contains this page; ``scripts/docs_pages.py`` makes it from the installed commands.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from d2m.cli.main import COMMANDS, app

HEAD = """# Commands

`d2m COMMAND --help` prints the same text. Every command ends with status 0 if it succeeded, 1 after an error (one
line on stderr), 2 after wrong usage, and 130 after Ctrl-C.
"""

#: Typer's names of values -> the usual placeholders of usage lines.
_KINDS = {"int": "N", "float": "X", "str": "TEXT", "path": "PATH", "list[str]": "...", "list[path]": "..."}


def main() -> None:
    print(reference())


def reference() -> str:
    """Return the page: options of ``d2m`` itself, then a section for each command."""
    parts = [HEAD, _table(typer.main.get_command(app), "Options of d2m")]
    for name, (module, line) in COMMANDS.items():
        command = typer.main.get_command(importlib.import_module(module).app)
        parts.append(f"## d2m {name}\n\n{_text(command.help or line)}")
        # A group that holds a single command is that command.
        for path, leaf in leaves(command, (name,)):
            if len(path) > 1:
                parts.append(f"### d2m {' '.join(path)}\n\n{_text(leaf.help or '')}")
            parts.append(_usage(path, leaf))
            parts.append(_table(leaf, "Arguments and options"))
    return "\n\n".join(part for part in parts if part) + "\n"


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return the commands of a group that can be run, with their names."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


def _usage(path: tuple[str, ...], command: Any) -> str:
    context = typer.Context(command, info_name=f"d2m {' '.join(path)}")
    return f"    {command.get_usage(context).removeprefix('Usage: ')}"


def _table(command: Any, title: str) -> str:
    context = typer.Context(command)
    rows = []
    for parameter in command.params:
        record = None if parameter.name in ("install_completion", "show_completion") else _row(parameter, context)
        if record is not None:
            rows.append(f"| {record[0]} | {record[1]} |")
    return "\n".join([f"| {title} | |", "|---|---|", *rows]) if rows else ""


def _row(parameter: Any, context: typer.Context) -> tuple[str, str] | None:
    if getattr(parameter, "hidden", False):
        return None
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    name = re.sub(r"<([^>]*)>", lambda kind: _KINDS.get(kind[1].removesuffix(" range"), kind[1].upper()), record[0])
    return f"`{name.strip()}`", _cell(record[1])


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _text(text: str) -> str:
    """Return a docstring as Markdown paragraphs."""
    return html.escape(inspect.cleandoc(text), quote=False).replace("*", "\\*").replace("\f", "")


if __name__ == "__main__":
    main()
