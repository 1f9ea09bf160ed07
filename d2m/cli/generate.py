"""``d2m generate``: generate music for videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain, stage_bars
from d2m.cli.options import JSON, LEVEL, OUTPUT_FOLDER, SEED, SOUNDFONT
from d2m.errors import D2MError
from d2m.types import GENRES

if TYPE_CHECKING:
    from d2m.pipeline import Result

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    # Plain text, since Typer's own checks of paths would answer before d2m's, in other words.
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO", help="Dance videos (mp4, mov, mkv, webm …).")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_FOLDER)] = ".",
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Engine that plays the music: vq (neural codec) or symbolic (sound library)."
        ),
    ] = "vq",
    genre: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"Dance genre: {', '.join(GENRES.values())}; or auto, recognised from the dance."
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    codec: Annotated[
        str, typer.Option(metavar="NAME", help="Codec of the vq engine: spectral or jukebox.")
    ] = "spectral",
    level: Annotated[str, typer.Option(metavar="NAME", help=LEVEL)] = "high",
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Weights of the generator (name or file). Default: the shipped ones. Repeat the option "
            "for the files of a D2M-GAN, in any order: mencoder.pt, netG.pt, vqvae_high.pt and the "
            "I3D weights.",
        ),
    ] = None,
    motion: Annotated[
        str | None, typer.Option(metavar="FILE", help="Motion for a D2M-GAN: AIST++ motion (.pkl) or keypoints (.npz).")
    ] = None,
    visual: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Visual features for a D2M-GAN: .npy or .npz of shape (segments, 2048)."),
    ] = None,
    denoise: Annotated[
        bool, typer.Option("--denoise", help="Reduce stationary noise in the music of a D2M-GAN, as its authors do.")
    ] = False,
    soundfont: Annotated[str | None, typer.Option(metavar="NAME|FILE", help=SOUNDFONT)] = None,
    sketch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Source of the notes: composer (default), musegan, or a MIDI file (.mid), which is fitted to the "
            "beats of the dancer.",
        ),
    ] = None,
    beats: Annotated[
        str,
        typer.Option(
            metavar="auto|dance|sound|BPM",
            help="Source of the beats: sound (the clip's own sound), dance (the movement), a tempo in "
            "beats per minute (placed by the movement), or auto (the sound if its beat is clear, "
            "otherwise the movement).",
        ),
    ] = "auto",
    offset: Annotated[
        float, typer.Option(metavar="MS", help="Shift of all beats in milliseconds (-2000 to 2000); positive is later.")
    ] = 0.0,
    downbeat: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Time of one downbeat (first beat of a bar) in seconds. Default: estimated."
        ),
    ] = None,
    no_video: Annotated[bool, typer.Option("--no-video", help="Do not write the video.")] = False,
    keep_audio: Annotated[
        bool, typer.Option("--keep-audio", help="Keep the clip's own sound and duck the music under it.")
    ] = False,
    reencode: Annotated[
        bool, typer.Option("--reencode", help="Encode the picture as H.264 in an .mp4 instead of copying it.")
    ] = False,
    crf: Annotated[
        int, typer.Option(metavar="0-51", help="Quality of --reencode as x264's CRF: 0 (lossless) to 51 (worst).")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Generate music for dance videos.

    Each VIDEO gets four files: .d2m.wav (the music), .d2m.mp4 (the video with the music and an unchanged picture; .mkv
    if an mp4 cannot hold the picture), .d2m.json (report: tempo, beats, genre …) and .d2m.png (plot of motion, waveform
    and spectrogram). The symbolic engine also writes .d2m.mid (the notes).
    """
    player: dict[str, Any] = {"engine": engine, "codec": codec, "level": level, "weights": weights}
    player |= {"motion": motion, "visual": visual, "denoise": denoise, "soundfont": soundfont, "sketch": sketch}
    settings: dict[str, Any] = {"beats": beats, "offset": offset, "downbeat": downbeat}
    settings |= {"genre": genre, "seed": seed, "write_video": not no_video, "keep_audio": keep_audio}
    settings |= {"reencode": reencode, "crf": crf}
    if len(videos) == 1:
        content = _make(Path(videos[0]), output, player | settings, as_json)
        failed = _failed(content, not no_video)
    else:
        reports = _make_all([Path(video) for video in videos], output, player, settings, as_json)
        content, failed = {"videos": reports}, any(_failed(report, not no_video) for report in reports)
    if as_json:
        _print_json(content)
    if failed:
        raise typer.Exit(1)


def _make_all(
    videos: list[Path], output: str, player: dict[str, Any], settings: dict[str, Any], as_json: bool
) -> list[dict[str, Any]]:
    """Generate music for several videos; an error in one of them does not stop the others."""
    from d2m.pipeline import check, load_engine

    if player["motion"] or player["visual"]:
        raise D2MError("--motion and --visual belong to one video; run the videos one by one")
    _refuse_same_names(videos)
    _refuse_own_results(videos, Path(output))
    # What is wrong with the options is wrong with all of them: it is said once, and the engine is loaded once.
    check(**settings)
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
    from d2m.pipeline import STAGES, WITHOUT_VIDEO
    from d2m.pipeline import generate as make

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
    for path in result.files.values():
        typer.echo(f"  {path}")


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
