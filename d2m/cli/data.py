"""``d2m data``: data sets for training and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from d2m.cli.data_make import beats, music, shards
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import JSON, RESUMED_FOLDER, SEED, VISUAL
from d2m.cli.stage_bars import stage_bars, transfer_bars

if TYPE_CHECKING:
    from d2m.datasets.base import Source

app = typer.Typer(help="Download, make, prepare and verify data sets.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Download, make, prepare and verify data sets."""


@app.command()
def studio(
    out: Annotated[Path, typer.Argument(help=RESUMED_FOLDER)],
    songs: Annotated[int, typer.Option(help="Number of songs, spread over the ten genres.")] = 20,
    dances: Annotated[int, typer.Option(help="Number of dances per song (1-15).")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each song in seconds (4-600).")] = 24.0,
    seed: Annotated[int, typer.Option(help=SEED)] = 0,
    video: Annotated[
        bool, typer.Option("--video", help="Also render one video of each dance, danced by a mannequin.")
    ] = False,
    processes: Processes = None,
    ray: Ray = None,
    layout: Annotated[str, typer.Option("--format", help="Folder layout: aist or tiktok.")] = "aist",
) -> None:
    """Make a synthetic data set of paired dance and music with exact beats, in the layout of AIST++ or TikTok."""
    from d2m.datasets.studio import make_studio, make_tiktok_studio
    from d2m.errors import D2MError

    makers = {"aist": make_studio, "tiktok": make_tiktok_studio}
    if layout not in makers:
        raise D2MError(f"there is no layout '{layout}'; choose aist or tiktok")
    with stage_bars({"songs": "songs"}) as tell, executor(processes, ray, out) as places:
        makers[layout](
            out, songs, dances, seconds, seed, video, lambda done, total: tell("songs", done, total),
            processes=places,
        )  # fmt: skip
    typer.echo(f"{songs} songs, {songs * dances} dances in {out}", err=True)


@app.command()
def examples(
    out: Annotated[Path, typer.Argument(help=RESUMED_FOLDER)],
    studio_songs: Annotated[
        int, typer.Option(min=0, help="Number of songs of the studio with a dance to each, spread over the ten genres.")
    ] = 0,
    pop_songs: Annotated[int, typer.Option(min=0, help="Number of songs of POP909, without a dance.")] = 0,
    pop909: Annotated[Path | None, typer.Option(help="Folder of POP909 with the songs 001 to 909.")] = None,
    held_out: Annotated[int, typer.Option(min=0, help="Number of held-out songs of each kind.")] = 20,
    seconds: Annotated[float, typer.Option(help="Maximum length of an example in seconds (2-600).")] = 24.0,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 1,
    vocals: Annotated[
        bool,
        typer.Option(
            "--vocals",
            help="Keep the effects of studio songs, and the voices of half of them, for 'd2m train genre'.",
        ),
    ] = False,
    processes: Processes = None,
    ray: Ray = None,
) -> None:
    """Make examples of music, score and dance for 'd2m train codec', 'vqvae', 'decoder', 'generator' and 'genre'."""
    from d2m.datasets.examples_make import make_examples

    with stage_bars({"examples": "examples"}) as tell, executor(processes, ray, out) as places:
        count = make_examples(
            out, studio_songs, pop_songs, pop909, held_out=held_out, seconds=seconds, seed=seed, vocals=vocals,
            processes=places, progress=lambda done, total: tell("examples", done, total),
        )  # fmt: skip
    typer.echo(f"{count} examples in {out}", err=True)


app.command()(music)
app.command()(beats)
app.command()(shards)


@app.command()
def prepare(
    kind: Annotated[str, typer.Argument(help="Data set in the folder: aist, tiktok, studio, or an added one.")],
    root: Annotated[Path, typer.Option(help="Folder of the raw data set.")],
    out: Annotated[Path, typer.Option("-o", "--out", help=RESUMED_FOLDER)],
    seconds: Annotated[
        float, typer.Option(help="Minimum length of a sequence in seconds; shorter ones are left out.")
    ] = 2.0,
    visual: Annotated[Path | None, typer.Option(help=VISUAL)] = None,
    protocol: Annotated[str, typer.Option(help="Splits of AIST++: crossmodal or pose.")] = "crossmodal",
    processes: Processes = None,
    ray: Ray = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Convert a raw data set to the format that training reads; unusable sequences are listed in skipped.json."""
    from d2m.datasets import prepare as preparing

    source = _source(kind, root, visual, protocol)
    bars = {"music": "music", "sequences": "sequences"}
    with stage_bars(bars) as tell, executor(processes, ray, out) as places:
        outcome = preparing.prepare(source, root, out, seconds=seconds, processes=places, progress=tell)
    if as_json:
        import dataclasses
        import json

        typer.echo(json.dumps({"out": str(out), **dataclasses.asdict(outcome)}, indent=2, ensure_ascii=False))
    typer.echo(f"{outcome.line()} in {out}", err=True)
    for item in outcome.skipped[:10]:
        typer.echo(f"left out {item.name}: {item.why}", err=True)
    if len(outcome.skipped) > 10:
        typer.echo(f"and {len(outcome.skipped) - 10} more: see {out / 'skipped.json'}", err=True)


@app.command()
def verify(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of AIST++, TikTok Dance-Music, the 2 s pieces of D2M-GAN's authors, or a prepared data set."
        ),
    ],
    processes: Processes = None,
    ray: Ray = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Check all files of a data set and its splits for overlap. The exit status is 1 if anything is wrong."""
    import json

    from d2m.datasets.verify import verify as read_all

    with stage_bars({"sequences": "sequences"}) as tell, executor(processes, ray) as places:
        report = read_all(folder, processes=places, progress=lambda done, total: tell("sequences", done, total))
    if as_json:
        typer.echo(json.dumps(report.plain(), indent=2, ensure_ascii=False))
    else:
        _tell_report(report)
    if not report.sound:
        typer.echo(f"error: {len(report.problems)} things are wrong in {folder}; they are listed above", err=True)
        raise typer.Exit(1)


def _tell_report(report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("split", "sequences", "minutes", "music", "genres", box=None, header_style="bold")
    for split, count in report.sequences.items():
        genres = " ".join(f"{code[1:]} {number}" for code, number in report.genres[split].items())
        table.add_row(split, f"{count:,}", f"{report.seconds[split] / 60:.1f}", str(report.songs[split]), genres)
    typer.echo(f"{report.folder}: {report.kind}")
    Console().print(table)
    for note in report.notes:
        typer.echo(f"note: {note}")
    for problem in report.problems:
        typer.echo(f"{problem.name}: {problem.what}")


@app.command("download")
def download_data(
    what: Annotated[str | None, typer.Argument(help="Name from --list, or a URL.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Output folder; for a URL, output file or folder.")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Part of the data set to download, or all. Repeatable. Default: the required parts."),
    ] = None,
    camera: Annotated[int, typer.Option(help="Camera whose videos are downloaded (1-9).")] = 1,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 checksum of the file at the URL.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accept the terms of use.")] = False,
    show: Annotated[
        bool, typer.Option("--list", help="List the data sets with source, licence and terms of use.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Download and unpack a data set. Complete parts are skipped, interrupted downloads are resumed."""
    from d2m.datasets.catalogue import offer
    from d2m.datasets.download import agreed, fetch
    from d2m.errors import D2MError
    from d2m.files.download import download, file_name

    if show:
        _list_offers(as_json)
        return
    if what is None:
        raise D2MError("name what to download; 'd2m data download --list' lists the data sets")
    if "://" in what:
        name = file_name(what) if out is None or out.is_dir() else out.name
        target = Path(name) if out is None else out / name if out.is_dir() else out
        with transfer_bars() as tell:
            path = download(what, target, sha256=sha256, progress=lambda *n: tell(name, *n))
        typer.echo(f"{path}: {path.stat().st_size:,} bytes", err=True)
        return
    wanted = offer(what)
    agreed(wanted, yes)
    if out is None:
        raise D2MError(f"no output folder for {what}; give one with -o FOLDER")
    with transfer_bars() as tell:
        there = fetch(wanted, out, part, accept=yes, camera=camera, progress=tell)
    typer.echo(f"{wanted.title} in {out}: {len(there)} files or parts; licence: {wanted.licence}", err=True)


def _list_offers(as_json: bool) -> None:
    import dataclasses
    import json

    from d2m.datasets.catalogue import offers as known

    if as_json:
        offers = [dataclasses.asdict(offer) for offer in known().values()]
        typer.echo(json.dumps({"data_sets": offers}, indent=2, ensure_ascii=False))
        return
    for offer in known().values():
        typer.echo(f"{offer.name}: {offer.title}")
        typer.echo(f"  licence: {offer.licence} ({offer.terms})")
        for part in offer.parts:
            size = f", about {part.size / 1e6:,.0f} MB" if part.size >= 1e6 else ""
            typer.echo(f"  part {part.name}{size}{'' if part.needed else ', optional'}")
        if offer.note:
            typer.echo(f"  {offer.note}")


def _source(kind: str, root: Path, visual: Path | None, protocol: str) -> Source:
    from d2m.datasets import dance_data
    from d2m.errors import D2MError

    data_set = dance_data(kind)
    if protocol not in data_set.protocols:
        raise D2MError(f"{kind} has no protocol '{protocol}'; choose {' or '.join(data_set.protocols)}")
    return data_set.source(root, visual, protocol)
