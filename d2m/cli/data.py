"""``d2m data``: data sets to train and measure on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make and check data sets.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make and check data sets."""


@app.command()
def studio(
    out: Annotated[Path, typer.Argument(help="Folder to make the studio in; an unfinished one goes on.")],
    songs: Annotated[int, typer.Option(help="Songs; the ten genres take turns.")] = 20,
    dances: Annotated[int, typer.Option(help="Dancers to each song, 1 to 15.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each song, 4 to 600.")] = 24.0,
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    video: Annotated[bool, typer.Option("--video", help="Also film a mannequin, one view of each dance.")] = False,
    processes: Annotated[int, typer.Option(help="Processes at a time; the result is the same.")] = 1,
) -> None:
    """Make paired dance and music from one score, in the layout of AIST++, with the true beats."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from d2m.datasets.studio import make_studio

    columns = (TextColumn("songs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("songs", total=songs)
        make_studio(
            out, songs, dances, seconds, seed, video, lambda done, _: bar.update(task, completed=done),
            processes=processes,
        )  # fmt: skip
    typer.echo(f"{songs} songs, {songs * dances} dances in {out}", err=True)
