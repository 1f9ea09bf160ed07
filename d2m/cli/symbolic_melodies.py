"""``d2m symbolic melodies``: cut melodies of 16 bars out of MIDI files, to train a MusicVAE."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from d2m.cli.options import JSON, OUTPUT_FOLDER


def melodies(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of POP909, or any folder of MIDI files.")],
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_FOLDER)],
    stride: Annotated[int, typer.Option(min=1, help="Distance between the starts of windows in bars.")] = 1,
    least_notes: Annotated[int, typer.Option(min=1, help="Minimum number of notes in a window.")] = 32,
    longest_rest: Annotated[
        int, typer.Option(min=0, help="Maximum number of consecutive silent bars in a window.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Cut the melodies of POP909 or of a folder of MIDI files into windows of 16 bars in 4/4."""
    from d2m.datasets.melodies import PARTS, is_pop909, load_melodies, make_melodies, midi_melodies, pop909_melodies
    from d2m.symbolic.emotion.statistics import summary
    from d2m.symbolic.melody_extract import WindowRules

    if is_pop909(source):
        songs, told = pop909_melodies(source), "POP909 (Wang et al. 2020, MIT licence), MELODY track"
    else:
        songs, told = midi_melodies(source), f"MIDI files of {source.resolve().name}"
    rules = WindowRules(stride=stride, least_notes=least_notes, longest_rest=longest_rest)
    with _counter() as tell:
        record = make_melodies(out, songs, told, rules, tell)
    record["figures"] = {part: summary(load_melodies(out, part).spread(1000)) for part in PARTS}
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    _show(out, record)


def _counter():
    """Show the number of songs on stderr if that is a terminal."""
    import contextlib

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    @contextlib.contextmanager
    def counter():
        console = Console(file=sys.stderr)
        columns = (SpinnerColumn(), TextColumn("{task.completed} songs"))
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("songs", total=None)
            yield lambda done: bar.update(task, completed=done)

    return counter()


def _show(out: Path, record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = record["figures"]
    table = Table(title=str(out))
    for column in ("", *figures):
        table.add_column(column, justify="left" if not column else "right")
    for count in ("songs", "windows"):
        table.add_row(count, *(str(record[part][count]) for part in figures))
    for name in next(iter(figures.values())):
        table.add_row(name, *(f"{figures[part][name]:.3g}" for part in figures))
    Console().print(table)
