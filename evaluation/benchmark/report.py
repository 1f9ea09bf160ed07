"""Write the report as JSON, Markdown, one HTML file, CSV and LaTeX."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from d2m.datasets import dance_data
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write

from .columns import (
    Column,
    alignment_columns,
    beat_columns,
    distance_columns,
    legend,
    music_columns,
    number,
    pair_columns,
    short_columns,
    sound_columns,
)
from .formats import csv_text, latex
from .order import expectations
from .plots import all_plots

#: Formats of the report, with the ending of each file.
FORMATS: dict[str, str] = {"md": "md", "csv": "csv", "latex": "tex", "json": "json", "html": "html"}
#: Failures that are listed one by one in the readable reports; the JSON has them all.
_LISTED = 50
#: Above the figures of training, and above the answers on the baselines.
TRAINING = "The last held-out figures of each variant's training run; see docs/training.md."
ORDER = "A strict measure that is any good gives these answers; a NO says that a figure here means less than it seems."


def write_report(report: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Write ``report`` with the endings of :data:`FORMATS` and ``plots/`` (PNG and PDF), each file atomically.

    Args:
        report: the report.
        folder: output folder.

    Returns:
        What they are -> where they are.
    """
    drawn = all_plots(report["rows"])
    for name, files in drawn.items():
        for ending, content in files.items():
            with atomic_write(folder / "plots" / f"{name}.{ending}") as part:
                part.write_bytes(content)
    pictures = {name: files["png"] for name, files in drawn.items()}
    texts = {
        "json": formatted(report, "json"),
        "md": markdown(report, tuple(pictures)),
        "html": page(report, pictures),
        "csv": formatted(report, "csv"),
        "latex": formatted(report, "latex"),
    }
    paths = {}
    for kind, text in texts.items():
        paths[kind] = folder / f"report.{FORMATS[kind]}"
        with atomic_write(paths[kind]) as part:
            part.write_text(text, encoding="utf-8")
    return paths


def formatted(report: dict[str, Any], kind: str) -> str:
    """Format the report for the terminal or another program.

    Args:
        report: the report.
        kind: key of :data:`FORMATS`; Markdown is the short table alone.

    Raises:
        D2MError: if there is no such format.
    """
    makers: dict[str, Callable[[dict[str, Any]], str]] = {
        "md": lambda r: short_table(r) + "\n",
        "csv": csv_text,
        "latex": latex,
        "json": lambda r: json.dumps(r, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "html": lambda r: page(r, {name: files["png"] for name, files in all_plots(r["rows"]).items()}),
    }
    if kind not in makers:
        raise D2MError(f"there is no format '{kind}'; choose {', '.join(FORMATS)}")
    return makers[kind](report)


def markdown(report: dict[str, Any], pictures: tuple[str, ...] = ()) -> str:
    """Format the report as Markdown.

    Args:
        report: the report.
        pictures: names of files in ``plots/``.
    """
    parts = [f"# {report['title']}", *_facts(report)]
    for title, text, header, lines in tables(report):
        parts += [f"## {title}", text, _table(header, lines)]
    parts += [f"![{name}](plots/{name}.png)" for name in pictures]
    parts += ["## What the rows are", "\n".join(f"- **{title}**: {note}" for title, note in _notes(report))]
    parts += ["## What the columns are", "\n".join(f"- **{name}**: {text}" for name, text in legend().items())]
    if report["notes"]:
        parts += ["## Unusual", "\n".join(f"- {line}" for line in report["notes"])]
    if report["failed"]:
        parts += ["## Not measured", "\n".join(f"- {line}" for line in failures(report))]
    parts += ["## Sources of the published figures", "\n".join(f"- {source}" for source in _sources(report))]
    return "\n\n".join(parts) + "\n"


def short_table(report: dict[str, Any]) -> str:
    """Format the table "In short" as Markdown.

    Args:
        report: the report.
    """
    _, _, header, lines = tables(report)[0]
    return _table(header, lines)


def _table(header: list[str], lines: list[list[str]]) -> str:
    """Columns are as wide as their widest cell, so that it reads well in a terminal, too."""
    rows = [[cell.replace("|", "\\|") for cell in cells] for cells in (header, *lines)]
    wide = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in wide])
    return "\n".join("| " + " | ".join(map(str.ljust, cells, wide)) + " |" for cells in rows)


def page(report: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """Format the report as one self-contained HTML file.

    Args:
        report: the report.
        pictures: PNG by name.
    """
    body = [f"<h1>{_safe(report['title'])}</h1>", *(f"<p>{_safe(fact)}</p>" for fact in _facts(report))]
    for title, text, header, lines in tables(report):
        rows = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>" for cells in lines)
        head = "".join(f"<th>{_safe(cell)}</th>" for cell in header)
        body.append(
            f"<h2>{_safe(title)}</h2><p>{_safe(text)}</p><div class='wide'><table><tr>{head}</tr>{rows}</table></div>"
        )
    for name, png in pictures.items():
        body.append(f"<img alt='{_safe(name)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>")
    lists = {
        "What the rows are": [f"{title}: {note}" for title, note in _notes(report)],
        "What the columns are": [f"{name}: {text}" for name, text in legend().items()],
        "Unusual": report["notes"],
        "Not measured": failures(report),
        "Sources of the published figures": _sources(report),
    }
    for title, items in lists.items():
        if items:
            body.append(f"<h2>{title}</h2><ul>{''.join(f'<li>{_safe(item)}</li>' for item in items)}</ul>")
    return _PAGE.format(title=_safe(report["title"]), body="\n".join(body))


def tables(report: dict[str, Any]) -> list[tuple[str, str, list[str], list[list[str]]]]:
    """Return the title, text, header and lines of each table.

    Args:
        report: the report.
    """
    rows = report["rows"]
    found = [
        _of(
            rows, "In short", "The figures that tell most; every one of them and the rest stand below.", short_columns()
        ),
    ]
    if report["settings"].get("original", True):
        found.append(
            _of(
                rows,
                "Beats",
                "Against the original of the same dance; means over segments.",
                beat_columns(),
                _published(report, beat_columns()),
            )
        )
    found += [
        _of(
            rows,
            "Fit to the dancer",
            f"Over whole dances; excess over chance, in brackets 95 % over dances. Motion beats: {report['judge']}.",
            alignment_columns(),
        ),
        _of(rows, "Sound and genre", report["genre_note"], sound_columns()),
    ]
    for name in rows[0]["embeddings"]:
        text = "Distances of the sets in another embedding."
        found.append(_of(rows, f"Distances: {name}", text, distance_columns(name)))
    text = "Of whole pieces, without a reference; structure from 20 s on."
    found.append(_of(rows, "Harmony and structure", text, music_columns()))
    if compared := [row for row in rows if row["pairs"]]:
        found.append(_of(compared, "Reconstruction", "Against the original, sample by sample.", pair_columns()))
    if report.get("training"):
        found.append(("Training", TRAINING, *_training(report)))
    if ordered := expectations(rows):
        answers = [[text, "yes" if holds else "NO"] for text, holds in ordered]
        found.append(("Do the baselines stand where they should?", ORDER, ["", ""], answers))
    return found


def _training(report: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of what the variants of an ablation reached in training."""
    known = {row["title"]: report["training"].get(row["key"]) for row in report["rows"]}
    known = {title: figures for title, figures in known.items() if figures}
    names = [name for name in next(iter(known.values()), {}) if name not in ("step", "held_out")]
    lines = [[title, str(f["step"]), *(number(f.get(name), 4) for name in names)] for title, f in known.items()]
    return ["", "steps", *names], lines


def _of(
    rows: list[dict[str, Any]],
    title: str,
    text: str,
    columns: tuple[Column, ...],
    more: Sequence[list[str]] = (),
) -> tuple[str, str, list[str], list[list[str]]]:
    """A table with a line of each row, and more lines; without columns that are undefined for every row."""
    lines = [[row["title"], *(column.text(row) for column in columns)] for row in rows] + list(more)
    kept = [i for i, cells in enumerate(zip(*lines, strict=True)) if i == 0 or set(cells) - {"undefined", ""}]
    header = ["", *(column.title for column in columns)]
    return title, text, [header[i] for i in kept], [[cells[i] for i in kept] for cells in lines]


def _published(report: dict[str, Any], columns: tuple[Column, ...]) -> list[list[str]]:
    """Lines of other people's tables, with what they have."""
    lines = []
    for row in report["published"]:
        title = (
            f"{row['title']} (as published in {row['table']}: {dance_data(row['data']).title}, {row['seconds']:g} s)"
        )
        scores = row["scores"]
        lines.append([title, *(number(scores[c.name], 4) if c.name in scores else "" for c in columns)])
    return lines


def _facts(report: dict[str, Any]) -> list[str]:
    settings, machine = report["settings"], report["machine"]
    return [
        f"{report['sequences']} dances of the split '{settings['split']}', {report['segments']} segments of "
        f"{settings['segment']:g} s; genre {settings['genre']}, seed {settings['seed']}. d2m {machine['d2m']}, "
        f"{machine['cores']} cores, {settings['processes']} processes.",
        f"Made by: {report['command']}",
        *report["remarks"],
    ]


def _notes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["title"], row["note"]) for row in report["rows"] if row["note"]]


def failures(report: dict[str, Any]) -> list[str]:
    """Describe what could not be measured.

    Args:
        report: the report.
    """
    lines = [f"{f['name']}, {f['row'] or 'every row'}: {f['error']}" for f in report["failed"]]
    more = len(lines) - _LISTED
    return lines[:_LISTED] + ([f"and {more} more: see report.json"] if more > 0 else [])


def _sources(report: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["source"] for row in report["published"]))


def _safe(text: str) -> str:
    return html.escape(str(text))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 82rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; font-size: 13px }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }} img {{ max-width: 100%; display: block; margin: 1.5rem 0 }}
p, li {{ overflow-wrap: anywhere }}
.wide td:first-child, .wide th:first-child {{ position: sticky; left: 0; background: #fff }}
@media (max-width: 40rem) {{ .wide td:first-child {{ white-space: normal; min-width: 7rem; max-width: 9rem }} }}
</style></head><body>
{body}
</body></html>
"""
