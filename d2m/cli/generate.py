"""``d2m generate``: generate music for videos."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain, stage_bars, videos_bar
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.from_dataclass import with_options
from d2m.cli.options import JSON, OUTPUT_STORE, Device
from d2m.engines import DEFAULT, usable
from d2m.errors import D2MError
from d2m.files.url import files_at, is_url
from d2m.generate_options import GenerateOptions

if TYPE_CHECKING:
    from d2m.generate_all import Outcome
    from d2m.parallel import Parallel

app = typer.Typer(add_completion=False)

#: Most processes for candidates, unless the user asks for more.
_MOST_MAKERS = 4
_TITLES = ", ".join(f"{name} ({kind.title})" for name, kind in usable().items())


@app.command()
@with_options(GenerateOptions, *(kind.options for kind in usable().values()), at="engine")
def generate(
    # Plain text, since Typer's own checks of paths would answer before d2m's, in other words.
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO", help="Dance videos (mp4, mov, mkv, webm …), or folders of them, as paths or URLs."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_STORE)] = ".",
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Engine that plays the music: {_TITLES}. Default: {DEFAULT}, unless an option needs another one.",
        ),
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=16,
            help="Make this many pieces to choose from, with a page that plays them; see 'd2m pick'. They are made in "
            "up to 4 processes unless --processes is given.",
        ),
    ] = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Keep results in the output folder that were made from the same videos with the same options.",
        ),
    ] = False,
    processes: Processes = None,
    ray: Ray = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
    *,
    options: dict[str, Any],
) -> None:
    """Generate music for dance videos.

    Each VIDEO gets four files: .d2m.wav (the music), .d2m.mp4 (the video with the music and an unchanged picture; .mkv
    if an mp4 cannot hold the picture), .d2m.json (report: tempo, beats, genre …) and .d2m.png (plot of motion, waveform
    and spectrogram). Engines that play a score also write .d2m.mid (the notes).
    """
    names = {each.name for each in fields(GenerateOptions)}
    settings = {name: value for name, value in options.items() if name in names}
    player = {"engine": engine} | {name: value for name, value in options.items() if name not in names}
    identities = _videos(videos)
    if candidates is not None:
        if ray is not None:
            raise D2MError("--candidates are made on this machine; leave out --ray")
        from d2m.parallel import cores

        settings["processes"] = processes or min(cores(), _MOST_MAKERS, (candidates + 1) // 2)
        _make_candidates(list(identities), output, candidates, player | settings, as_json)
        return
    local = not any(map(is_url, (*identities, output)))
    if len(identities) == 1 and local and ray is None and not skip_existing:
        finish(next(iter(identities)), output, player | settings, as_json)
        return
    with executor(processes, ray, output) as places:
        _make_all(identities, output, player, settings, as_json, places, skip_existing)


def _videos(given: list[str]) -> dict[str, str]:
    """Return the videos, with those of a folder in place of the folder.

    Args:
        given: files and folders, as paths or URLs.

    Returns:
        What the file system of a URL says about the content, or "", by video.

    Raises:
        D2MError: if a folder holds no videos.
    """
    from d2m.features.sources import VIDEOS

    found: dict[str, str] = {}
    for name in given:
        if is_url(name):
            found |= {url: identity for url, identity in files_at(name, VIDEOS).items() if not _is_result(Path(url))}
            continue
        folder = Path(name)
        if not folder.is_dir():
            found[name] = ""
            continue
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS and path.is_file())
        own = [path for path in inside if not _is_result(path)]
        if not own:
            raise D2MError(f"{folder}: this is a folder without videos; give video files, or a folder of them")
        found |= {str(path): "" for path in own}
    return found


def _is_result(path: Path) -> bool:
    return ".d2m" in path.suffixes


def finish(video: str, output: str, settings: dict[str, Any], as_json: bool) -> None:
    """Generate music for one video, write its files and print the result.

    Args:
        video: the video file.
        output: the output folder.
        settings: arguments of :func:`d2m.generate`.
        as_json: print the report as JSON.

    Raises:
        typer.Exit: if the video could not be written.
    """
    report = _make(Path(video), output, settings, as_json)
    if as_json:
        _print_json(report)
    if _failed(report, bool(settings.get("write_video", True))):
        raise typer.Exit(1)


def _make_candidates(given: list[str], output: str, count: int, settings: dict[str, Any], as_json: bool) -> None:
    """Make several pieces for one video, and print their ranking."""
    from dataclasses import asdict

    from d2m.candidates import make_candidates
    from d2m.pipeline import STAGES

    videos = [Path(video) for video in given]
    if len(videos) > 1:
        raise D2MError("--candidates are made for one video at a time; give one VIDEO")
    if any(map(is_url, (*given, output))):
        raise D2MError("--candidates need a local video and folder; download the video first")
    with stage_bars(STAGES, videos[0].name) as tell:
        folder, made = make_candidates(videos[0], output, count, progress=tell, **settings)
    if as_json:
        _print_json({"folder": str(folder), "candidates": [asdict(each) for each in made]})
        return
    for each in made:
        typer.echo(
            f"{each.number}: {each.described}; fit {each.fit:+.2f}, "
            f"variety {each.variety:.2f} (notes {each.notes:.2f}, sound {each.sound:.2f}); "
            f"{', '.join(each.instruments)}"
        )
    typer.echo(f"Listen in {folder / 'index.html'}, then run: d2m pick {videos[0]} NUMBER -o {output}")


def _make_all(
    identities: dict[str, str],
    output: str,
    player: dict[str, Any],
    settings: dict[str, Any],
    as_json: bool,
    places: Parallel,
    skip: bool,
) -> None:
    """Generate music for several videos; an error in one of them does not stop the others."""
    from d2m.generate_all import generate_all

    videos = list(identities)
    if len(videos) > 1:
        if player.get("motion") or player.get("visual"):
            raise D2MError("--motion and --visual belong to one video; run the videos one by one")
        for name in ("plan", "write_plan"):
            if settings.get(name) is not None:
                raise D2MError(f"--{name.replace('_', '-')} belongs to one video; run the videos one by one")
    _refuse_same_names(videos)
    if not is_url(output):
        _refuse_own_results([Path(video) for video in videos if not is_url(video)], Path(output))
    GenerateOptions(**settings).check()
    reports: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    with videos_bar(len(videos)) as (tell, tick):
        for outcome in generate_all(
            videos, output, player, settings, processes=places, skip=skip, reports=as_json, identities=identities,
            tell=tell,
        ):  # fmt: skip
            tick(outcome.video)
            _say(outcome, as_json)
            whole = outcome.error is None and (outcome.has_video or not settings["write_video"])
            counts.update((outcome.how, "whole" if whole else "incomplete"))
            if outcome.error is not None:
                reports[outcome.video] = {"video": {"name": Path(outcome.video).name}, "error": outcome.error}
            elif outcome.report is not None:
                folder = output if is_url(output) else str(Path(output).resolve())
                reports[outcome.video] = {**outcome.report, "folder": folder}
    if counts["unchanged"] == len(videos):
        complain(f"all videos have a result in {output}; nothing to do")
    elif counts["unchanged"]:
        complain(f"{counts['unchanged']} of {len(videos)} videos have a result in {output} and were left alone")
    if as_json:
        _print_json({"videos": [reports[video] for video in videos if video in reports]})
    if counts["incomplete"]:
        raise typer.Exit(1)


def _say(outcome: Outcome, quiet: bool) -> None:
    """Print the outcome for one of several videos."""
    if outcome.error is not None:
        complain(f"error: {outcome.error}")
    for warning in outcome.warnings:
        _warn(outcome.video, warning)
    if not quiet:
        for line in outcome.lines:
            typer.echo(line)


def _warn(video: str | Path, warning: str) -> None:
    from d2m.results import WITHOUT_VIDEO

    kind = "error" if warning.startswith(WITHOUT_VIDEO) else "warning"
    complain(f"{kind}: {video}: {warning}")


def _make(video: Path, output: str, settings: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Generate music for one video, write its files and return the report."""
    from d2m.generate_all import fingerprint_of, lines_of, unit_key
    from d2m.pipeline import STAGES
    from d2m.pipeline import generate as make

    names = {each.name for each in fields(GenerateOptions)}
    player = {name: value for name, value in settings.items() if name not in names}
    options = {name: value for name, value in settings.items() if name in names}
    with stage_bars(STAGES, video.name) as tell:
        # A video that cannot be read is described by what opens it.
        unit = unit_key(video, fingerprint_of(player, options)) if video.is_file() else None
        result = make(video, output, progress=tell, unit=unit, **settings)
    for warning in result.report["warnings"]:
        _warn(video, warning)
    if not as_json:
        for line in lines_of(result):
            typer.echo(line)
    return {**result.report, "folder": str(Path(output).resolve())}


def _failed(report: dict[str, Any], write_video: bool) -> bool:
    """Tell whether something that was asked for was not written."""
    return "error" in report or (write_video and "mp4" not in report["files"])


def _refuse_same_names(videos: list[str]) -> None:
    seen: dict[str, str] = {}
    for video in videos:
        stem = Path(video).stem
        if stem in seen:
            raise D2MError(
                f"{seen[stem]} and {video} would both be written to {stem}.d2m.wav; run them one by one "
                "with different -o"
            )
        seen[stem] = video


def _refuse_own_results(videos: list[Path], output: Path) -> None:
    """Refuse videos that are results of others, as in a second run of ``d2m generate *.mp4``."""
    read = {video.resolve(): video for video in videos}
    for video in videos:
        for ending in (".mp4", ".mkv"):
            result = read.get((output / f"{video.stem}.d2m{ending}").resolve())
            if result is not None:
                raise D2MError(
                    f"the result for {video} would overwrite {result}, which is another input; leave one of "
                    "them out, or choose another folder with -o"
                )


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
