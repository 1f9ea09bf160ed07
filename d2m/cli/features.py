"""``d2m features``: keypoints and visual features of videos, for training and for other programs."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.features.batch import Outcome, Source

app = typer.Typer(add_completion=False)
#: Runs of more videos than this tell of failures and the sum only; features.log has the rest.
MOST_LINES = 20


@app.command()
def features(
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO", help="Videos, folders of videos, or .txt files that list them, one a line."),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Folder to write NAME.npz to.")],
    keypoints: Annotated[
        str, typer.Option(metavar="NAME", help="body25 (OpenPose), coco17 or both; MediaPipe's 33 are always kept.")
    ] = "both",
    visual: Annotated[
        str, typer.Option(metavar="NAME", help="i3d: 2048 values a segment (I3D R50, Kinetics-400); or none.")
    ] = "none",
    i3d_weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="pytorchvideo's I3D_8x8_R50.pyth; else d2m models fetch i3d-r50-k400."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of a segment of visual features.")] = 2.0,
    fps: Annotated[float, typer.Option(help="Keypoint frames a second.")] = 30.0,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Videos at a time.")] = 1,
    cache: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Cache; by default d2m/features in the user's. About 20 kB a second."),
    ] = None,
    keep_empty: Annotated[
        bool, typer.Option("--keep-empty", help="Where nobody is found write zeros with confidence 0.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Extract anew what is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Extract keypoints and visual features of videos.

    Each VIDEO gets NAME.npz. Called again, it goes on where it stopped: what was made from the same content with the
    same settings is kept. With several videos, features.log and failed.json beside them tell what became of each.
    """
    from d2m.features.batch import extract_all, find_sources
    from d2m.features.extract import Settings

    if visual not in ("i3d", "none"):
        raise D2MError(f"unknown visual features '{visual}'; choose i3d or none")
    sources = find_sources(videos)
    settings = Settings(fps, keypoints, visual == "i3d", seconds, i3d_weights, keep_empty, cache, force)
    outcomes: list[Outcome] = []
    with _bar(len(sources)) as (tell, tick):
        for outcome in extract_all(sources, output, settings, processes, tell):
            outcomes.append(outcome)
            tick(outcome)
            _say(outcome, quiet=as_json or len(sources) > MOST_LINES)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(sources) > 1:
        complain(_summary(outcomes, output))
    if as_json:
        done = [outcome for outcome in outcomes if outcome.error is None]
        _print_json({"videos": [o.as_json() for o in done], "failed": [o.as_json() for o in failed]})
    if failed:
        raise typer.Exit(1)


@contextlib.contextmanager
def _bar(videos: int) -> Iterator[tuple[Callable[[Source, float], None], Callable[[Outcome], None]]]:
    """A progress bar over videos, with the parts of those in work; yields what to call for a part and an outcome."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("videos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("videos", total=videos)
        parts: dict[str, float] = {}
        done = 0

        def tell(source: Source, share: float) -> None:
            parts[str(source.video)] = share
            bar.update(task, completed=done + sum(parts.values()))

        def tick(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            parts.pop(outcome.video, None)
            bar.update(task, completed=done + sum(parts.values()))

        yield tell, tick


def _say(outcome: Outcome, quiet: bool) -> None:
    if outcome.error is not None:
        complain(f"error: {outcome.error}")
        return
    for note in outcome.notes:
        complain(f"warning: {outcome.video}: {note}")
    if quiet:
        return
    visual = f", {outcome.segments} segment{'s' if outcome.segments > 1 else ''}" if outcome.segments else ""
    typer.echo(
        f"{outcome.video}: {outcome.frames} frames at {outcome.fps:g} a second, dancer in {outcome.found:.0%}{visual}, "
        f"{outcome.how} in {outcome.seconds:.1f} s\n  {outcome.file}"
    )


def _summary(outcomes: list[Outcome], output: str) -> str:
    from d2m.features.batch import FAILED

    counts = Counter(outcome.how for outcome in outcomes)
    parts = [f"{counts[how]} {how}" for how in ("extracted", "cached", "unchanged", "failed") if counts[how]]
    which = f" (which and why: {output}/{FAILED})" if counts["failed"] else ""
    return f"{len(outcomes)} videos in {output}: {', '.join(parts)}{which}"


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
