"""``d2m data``: data sets to train and measure on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
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
    layout: Annotated[str, typer.Option("--format", help="Layout on disk: aist or tiktok.")] = "aist",
) -> None:
    """Make paired dance and music from one score, in the layout of AIST++ or TikTok, with the true beats."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from d2m.datasets.studio import make_studio, make_tiktok_studio
    from d2m.errors import D2MError

    makers = {"aist": make_studio, "tiktok": make_tiktok_studio}
    if layout not in makers:
        raise D2MError(f"there is no layout '{layout}'; choose aist or tiktok")
    columns = (TextColumn("songs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("songs", total=songs)
        makers[layout](
            out, songs, dances, seconds, seed, video, lambda done, _: bar.update(task, completed=done),
            processes=processes,
        )  # fmt: skip
    typer.echo(f"{songs} songs, {songs * dances} dances in {out}", err=True)


@app.command()
def prepare(
    kind: Annotated[str, typer.Argument(help="What the folder holds: aist, tiktok or studio.")],
    root: Annotated[Path, typer.Option(help="Folder of the raw data set.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the prepared one; an unfinished one goes on.")],
    seconds: Annotated[float, typer.Option(help="Leave out what is shorter.")] = 2.0,
    visual: Annotated[Path | None, typer.Option(help="Picture features of the videos (d2m features).")] = None,
    protocol: Annotated[str, typer.Option(help="Splits of AIST++: crossmodal or pose.")] = "crossmodal",
    processes: Annotated[int, typer.Option(help="Processes at a time; the result is the same.")] = 1,
) -> None:
    """Make what training reads from a raw data set; what cannot be used is named in skipped.json."""
    from d2m.datasets import prepare as preparing

    source = _source(kind, root, visual, protocol)
    with _bars({"music": "music", "sequences": "sequences"}) as tell:
        outcome = preparing.prepare(source, root, out, seconds=seconds, processes=processes, progress=tell)
    typer.echo(f"{outcome.line()} in {out}", err=True)
    for item in outcome.skipped[:10]:
        typer.echo(f"left out {item.name}: {item.why}", err=True)
    if len(outcome.skipped) > 10:
        typer.echo(f"and {len(outcome.skipped) - 10} more: see {out / 'skipped.json'}", err=True)


def _source(kind: str, root: Path, visual: Path | None, protocol: str):
    from d2m.datasets.prepare_aist import AistSource
    from d2m.datasets.prepare_pieces import PiecesSource, is_pieces
    from d2m.datasets.prepare_tiktok import TikTokSource
    from d2m.errors import D2MError

    if protocol not in ("crossmodal", "pose"):
        raise D2MError(f"there is no protocol '{protocol}'; choose crossmodal or pose")
    if kind in ("aist", "tiktok") and is_pieces(root):
        return PiecesSource(root, kind)
    if kind == "tiktok" or (kind == "studio" and (root / "keypoints").is_dir()):
        return TikTokSource(root, visual)
    if kind == "aist":
        return AistSource(root, visual, protocol)
    if kind == "studio":
        return AistSource(root, visual, protocol, any_fps=True)
    raise D2MError(f"there is no data set '{kind}'; choose aist, tiktok or studio")


@contextlib.contextmanager
def _bars(stages: dict[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage that appears when it begins; yields what to call with (stage, done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stages[stage], total=total)
            bars.update(tasks[stage], completed=done)

        yield tell
