"""Output of ``d2m evaluate``: numbers, JSON reports, and what could not be measured."""

from __future__ import annotations

from typing import Any

import typer

from d2m.cli.console import complain

#: Files that are named in one line on stderr; the report has them all.
_NAMED = 20


def number(value: float | None) -> str:
    """Format a score, or mark it as undefined.

    Args:
        value: the score, or None.
    """
    return "undefined" if value is None else f"{value:.4f}"


def finish(report: dict[str, Any], as_json: bool, output: str | None) -> None:
    """Write a report as JSON to stdout and to a file, if asked for.

    Args:
        report: plain JSON values.
        as_json: write it to stdout.
        output: file, or None.
    """
    text = json_text(report)
    if output is not None:
        from d2m.files.atomic import atomic_write

        with atomic_write(output) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"wrote {output}", err=True)
    if as_json:
        typer.echo(text)


def json_text(report: dict[str, Any]) -> str:
    """Format a report as JSON.

    Args:
        report: plain JSON values.
    """
    import json

    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def end(report: dict[str, Any], measured: int) -> None:
    """Print what was left out; exit with status 1 if a file could not be measured.

    Args:
        report: with ``failed``, ``unpaired`` and ``pairs`` where there are any.
        measured: number of files that could be measured.
    """
    for side, names in report.get("unpaired", {}).items():
        if names:
            complain(f"warning: {side} files without a partner, left out: {_listed(names)}")
    noted: dict[str, list[str]] = {}
    for row in report.get("pairs", []):
        for note in row["notes"]:
            noted.setdefault(note, []).append(row["name"])
    for note, names in noted.items():
        complain(f"warning: {_listed(names)}: {note}")
    failed = report.get("failed", [])
    for failure in failed:
        # Most complaints begin with the file already.
        named = failure["error"].startswith(failure["name"])
        complain(f"error: {failure['error']}" if named else f"error: {failure['name']}: {failure['error']}")
    if failed and not measured:
        complain("error: nothing is left to measure, see above")
    if failed:
        raise typer.Exit(1)
