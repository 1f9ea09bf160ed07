"""``d2m features``: extract keypoints and visual features from videos, for training and for other programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain, videos_bar
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import JSON, OUTPUT_STORE
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.features.batch import Outcome

app = typer.Typer(add_completion=False)
#: Runs of more videos than this tell of failures and the sum only; features.log has the rest.
MOST_LINES = 20


@app.command()
def features(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO", help="Videos or folders of videos (paths or URLs), or .txt files with one per line."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_STORE)],
    keypoints: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Keypoints besides MediaPipe's 33 landmarks: body25 (OpenPose), coco17 or both."
        ),
    ] = "both",
    visual: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Visual features: i3d (I3D R50, Kinetics-400; 2048 values per segment) or none."
        ),
    ] = "none",
    i3d_weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Weights of the I3D, pytorchvideo's I3D_8x8_R50.pyth. Default: those of 'd2m models fetch "
            "i3d-r50-k400'.",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of a segment of visual features in seconds.")] = 2.0,
    fps: Annotated[float, typer.Option(help="Frame rate of the keypoints in frames per second.")] = 30.0,
    pose: Annotated[
        str, typer.Option(metavar="NAME", help="Pose model: mediapipe, or one that another package adds.")
    ] = "mediapipe",
    processes: Processes = None,
    ray: Ray = None,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Cache folder, about 20 kB per second of video. Default: d2m/features in the user's cache folder.",
        ),
    ] = None,
    keep_empty: Annotated[
        bool, typer.Option("--keep-empty", help="Write zeros with confidence 0 for videos in which nobody is found.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Extract again even if the features exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Extract keypoints and visual features from videos.

    Each VIDEO gets NAME.npz. An interrupted run is resumed: features of the same content with the same settings are
    kept. With several videos, features.log and failed.json in the output folder list the outcome of each.
    """
    from d2m.features.batch import extract_all
    from d2m.features.extract import Settings
    from d2m.features.sources import find_sources

    if visual not in ("i3d", "none"):
        raise D2MError(f"unknown visual features '{visual}'; choose i3d or none")
    sources = find_sources(videos)
    settings = Settings(fps, keypoints, visual == "i3d", seconds, i3d_weights, keep_empty, cache, force, pose)
    outcomes: list[Outcome] = []
    with videos_bar(len(sources)) as (tell, tick), executor(processes, ray, output) as places:
        for outcome in extract_all(sources, output, settings, places, lambda source, share: tell(source.name, share)):
            outcomes.append(outcome)
            tick(outcome.video)
            _say(outcome, quiet=as_json or len(sources) > MOST_LINES)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(sources) > 1:
        complain(_summary(outcomes, output))
    if as_json:
        done = [outcome for outcome in outcomes if outcome.error is None]
        _print_json({"videos": [o.as_json() for o in done], "failed": [o.as_json() for o in failed]})
    if failed:
        raise typer.Exit(1)


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
