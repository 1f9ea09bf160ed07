"""``d2m generate``: generate music for videos."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain, stage_bars
from d2m.cli.from_dataclass import with_options
from d2m.cli.options import JSON, OUTPUT_FOLDER, Device
from d2m.engines import DEFAULT, usable
from d2m.errors import D2MError
from d2m.generate_options import GenerateOptions

if TYPE_CHECKING:
    from d2m.pipeline import Result

app = typer.Typer(add_completion=False)

_TITLES = ", ".join(f"{name} ({kind.title})" for name, kind in usable().items())


@app.command()
@with_options(GenerateOptions, *(kind.options for kind in usable().values()), at="engine")
def generate(
    # Plain text, since Typer's own checks of paths would answer before d2m's, in other words.
    videos: Annotated[
        list[str], typer.Argument(metavar="VIDEO", help="Dance videos (mp4, mov, mkv, webm …), or folders of them.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_FOLDER)] = ".",
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
            min=2, max=16, help="Make this many pieces to choose from, with a page that plays them; see 'd2m pick'."
        ),
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out videos that have a result in the output folder.")
    ] = False,
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
    videos = _videos(videos)
    if skip_existing and not (videos := _without_result(videos, Path(output))):
        complain(f"all videos have a result in {output}; nothing to do")
        return
    wants_video = bool(settings["write_video"])
    if candidates is not None:
        _make_candidates([Path(video) for video in videos], output, candidates, player | settings, as_json)
        return
    if len(videos) == 1:
        finish(videos[0], output, player | settings, as_json)
        return
    reports = _make_all([Path(video) for video in videos], output, player, settings, as_json)
    if as_json:
        _print_json({"videos": reports})
    if any(_failed(report, wants_video) for report in reports):
        raise typer.Exit(1)


def _videos(given: list[str]) -> list[str]:
    """Return the videos, with those of a folder in place of the folder.

    Args:
        given: files and folders.

    Raises:
        D2MError: if a folder holds no videos.
    """
    from d2m.features.batch import VIDEOS

    found: list[str] = []
    for name in given:
        folder = Path(name)
        if not folder.is_dir():
            found.append(name)
            continue
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS and path.is_file())
        own = [path for path in inside if ".d2m" not in path.suffixes]
        if not own:
            raise D2MError(f"{folder}: this is a folder without videos; give video files, or a folder of them")
        found += [str(path) for path in own]
    return found


def _without_result(videos: list[str], output: Path) -> list[str]:
    """Leave out videos with a report in the output folder, which is written together with the other files."""
    return [video for video in videos if not (output / f"{Path(video).stem}.d2m.json").is_file()]


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


def _make_candidates(videos: list[Path], output: str, count: int, settings: dict[str, Any], as_json: bool) -> None:
    """Make several pieces for one video, and print their ranking."""
    from dataclasses import asdict

    from d2m.candidates import make_candidates
    from d2m.pipeline import STAGES

    if len(videos) > 1:
        raise D2MError("--candidates are made for one video at a time; give one VIDEO")
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
    videos: list[Path], output: str, player: dict[str, Any], settings: dict[str, Any], as_json: bool
) -> list[dict[str, Any]]:
    """Generate music for several videos; an error in one of them does not stop the others."""
    from d2m.pipeline import load_engine

    if player.get("motion") or player.get("visual"):
        raise D2MError("--motion and --visual belong to one video; run the videos one by one")
    for name in ("plan", "write_plan"):
        if settings.get(name) is not None:
            raise D2MError(f"--{name.replace('_', '-')} belongs to one video; run the videos one by one")
    _refuse_same_names(videos)
    _refuse_own_results(videos, Path(output))
    # What is wrong with the options is wrong with all of them: it is said once, and the engine is loaded once.
    GenerateOptions(**settings).check()
    engine = load_engine(**player)
    reports: list[dict[str, Any]] = []
    for video in videos:
        try:
            reports.append(_make(video, output, {"engine": engine, **settings}, as_json))
            continue
        except D2MError as error:
            told = str(error)
        except MemoryError:
            told = "out of memory; close other programs or use a shorter or smaller video"
        except Exception as error:
            told = f"{type(error).__name__}: {error}; this is a bug in d2m, run this video alone with --debug"
        told = told if str(video) in told else f"{video}: {told}"
        complain(f"error: {told}")
        reports.append({"video": {"name": video.name}, "error": told})
    return reports


def _make(video: Path, output: str, settings: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Generate music for one video, write its files and return the report."""
    from d2m.pipeline import STAGES
    from d2m.pipeline import generate as make
    from d2m.results import WITHOUT_VIDEO

    with stage_bars(STAGES, video.name) as tell:
        result = make(video, output, progress=tell, **settings)
    for warning in result.report["warnings"]:
        kind = "error" if warning.startswith(WITHOUT_VIDEO) else "warning"
        complain(f"{kind}: {video}: {warning}")
    if not as_json:
        _tell(result)
    return {**result.report, "folder": str(Path(output).resolve())}


def _failed(report: dict[str, Any], write_video: bool) -> bool:
    """Tell whether something that was asked for was not written."""
    return "error" in report or (write_video and "mp4" not in report["files"])


def _refuse_same_names(videos: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for video in videos:
        if video.stem in seen:
            raise D2MError(
                f"{seen[video.stem]} and {video} would both be written to {video.stem}.d2m.wav; run them one by one "
                "with different -o"
            )
        seen[video.stem] = video


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


def _tell(result: Result) -> None:
    from d2m.report import beats_in_words

    report = result.report
    typer.echo(
        f"{report['video']['name']}: {report['genre']}; {beats_in_words(result.dance.grid)} "
        f"({report['duration']:.1f} s of music made in {sum(report['seconds'].values()):.1f} s)"
    )
    if result.plan is not None:
        from d2m.features.subject import Subject

        typer.echo(f"  {Subject(result.plan.subject, result.plan.reason or 'as the plan says').in_words}")
    for path in result.files.values():
        typer.echo(f"  {path}")


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
