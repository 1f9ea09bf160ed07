"""``d2m benchmark``: systems and baselines on a data set, every metric, one report."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from d2m.cli.console import complain, counting_bar

app = typer.Typer(help="Measure systems on a data set beside baselines.", no_args_is_help=True)

_Out = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the report; a run goes on there.")]
_Weights = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="SYSTEM",
        help="studio, jukebox-high, jukebox-low, symbolic, symbolic-composer, or NAME=FILE,FILE (a generator, a "
        "D2M-GAN); repeatable. Default: the five.",
    ),
]
_Segment = Annotated[float, typer.Option(help="Seconds that are scored at a time; 2 is D2M-GAN's.")]
_Split = Annotated[str, typer.Option(help="train, val or test.")]
_Limit = Annotated[Optional[int], typer.Option(min=1, help="At most so many dances, spread evenly.")]  # noqa: UP045
_Genre = Annotated[str, typer.Option(help="given (the data's, as D2M-GAN gets it) or auto (chosen from the dance).")]
_Judge = Annotated[Optional[str], typer.Option(metavar="NAME|FILE", help="Genre network; the shipped one.")]  # noqa: UP045
_Visual = Annotated[Optional[Path], typer.Option(metavar="DIR", help="Picture features (d2m features).")]  # noqa: UP045
_Seed = Annotated[int, typer.Option(min=0, help="Every random choice follows from it.")]
_Processes = Annotated[int, typer.Option(min=1, help="Processes at a time; the figures are the same.")]
_Keep = Annotated[bool, typer.Option("--keep", help="Also write all music to audio/ in the folder.")]
_Rows = Annotated[Optional[list[str]], typer.Option("--row", metavar="KEY", help="Only these rows; repeatable.")]  # noqa: UP045
_Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object on stdout.")]


@app.callback()
def _group() -> None:
    """Measure systems on a data set beside baselines that expose a metric, and what others have published."""


def _shared(
    weights: _Weights = None,
    segment: _Segment = 6.0,
    split: _Split = "test",
    limit: _Limit = None,
    genre: _Genre = "given",
    genre_weights: _Judge = None,
    visual: _Visual = None,
    seed: _Seed = 0,
    processes: _Processes = 1,
    keep: _Keep = False,
    row: _Rows = None,
) -> dict[str, Any]:
    """The options of every benchmark, as :func:`d2m.evaluation.benchmark.run.benchmark` takes them."""
    given = {
        "segment": segment, "split": split, "limit": limit, "genre": genre, "genre_weights": genre_weights,
        "visual": visual, "seed": seed, "processes": processes, "keep": keep, "only": row or None,
    }  # fmt: skip
    return given | ({"systems": weights} if weights else {})


def _measuring(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of :func:`_shared` after its own; it gets what they say as ``given``."""
    parts = [inspect.signature(function, eval_str=True).parameters for function in (command, _shared)]
    own = [parameter for name, parameter in parts[0].items() if name != "given"]
    names = set(parts[1])

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        shared = {name: value for name, value in values.items() if name in names}
        command(**{name: value for name, value in values.items() if name not in names}, given=_shared(**shared))

    both = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *parts[1].values())]
    wrapped.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
    return wrapped


@app.command()
@_measuring
def aist(
    data: Annotated[Path, typer.Option(metavar="DIR", help="AIST++, raw or prepared.")],
    out: _Out,
    given: dict[str, Any],
    as_json: _Json = False,
) -> None:
    """On AIST++."""
    _run("aist", data, out, as_json, given)


@app.command()
@_measuring
def tiktok(
    data: Annotated[Path, typer.Option(metavar="DIR", help="TikTok Dance-Music, raw or prepared.")],
    out: _Out,
    given: dict[str, Any],
    as_json: _Json = False,
) -> None:
    """On the TikTok Dance-Music data."""
    _run("tiktok", data, out, as_json, given)


@app.command()
@_measuring
def studio(
    out: _Out,
    given: dict[str, Any],
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="A studio; without one it is made in the report's folder."),
    ] = None,
    songs: Annotated[int, typer.Option(min=1, help="Songs of a new studio; the ten genres take turns.")] = 10,
    dances: Annotated[int, typer.Option(min=1, max=15, help="Dances to each song of a new studio.")] = 1,
    seconds: Annotated[float, typer.Option(help="Length of each song of a new studio.")] = 24.0,
    studio_seed: Annotated[int, typer.Option(min=0, help="Of a new studio.")] = 20_000,
    as_json: _Json = False,
) -> None:
    """On synthetic dances whose true beats are known; without --data from nothing."""
    from d2m.evaluation.benchmark.studio import make_test_studio

    if data is None:
        data = out / "studio"
        with counting_bar("songs") as tell:
            make_test_studio(data, songs, dances, seconds, studio_seed, given["processes"], tell)
    _run("studio", data, out, as_json, given)


@app.command()
def ablation(
    data: Annotated[Path, typer.Option(metavar="DIR", help="A prepared data set (d2m data prepare).")],
    table: Annotated[
        str, typer.Option(metavar="NAME", help="length, modality, losses or architecture: tables 3 to 6.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the runs and the report.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps that each variant is trained.")] = 10_000,
    level: Annotated[str, typer.Option(metavar="NAME", help="high (hop 128) or low (hop 32).")] = "high",
    batch: Annotated[int, typer.Option(min=1, help="Segments a step.")] = 16,
    vqvae: Annotated[str, typer.Option(help="JukeBox VQ-VAE, name or file.")] = "studio-vqvae",
    held_out: Annotated[int, typer.Option(min=1, help="Held-out segments that training looks at.")] = 64,
    accelerator: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, mps.")] = "auto",
    segment: _Segment = 2.0,
    limit: _Limit = None,
    seed: _Seed = 0,
    processes: _Processes = 1,
    as_json: _Json = False,
) -> None:
    """Train the variants of one of D2M-GAN's tables 3 to 6, and measure them side by side."""
    from d2m.evaluation.benchmark.ablation import Recipe
    from d2m.evaluation.benchmark.ablation import ablation as run

    recipe = Recipe(data, steps, level, batch, vqvae, seed, held_out, accelerator)
    with contextlib.ExitStack() as stack:
        bars: list[Callable[[int, int], None]] = []

        def tell(done: int, total: int) -> None:
            # Training shows a bar of its own; two at a time do not go together.
            if not bars:
                bars.append(stack.enter_context(counting_bar("pieces of music")))
            bars[0](done, total)

        def told(title: str, place: int, count: int) -> None:
            complain(f"{place} of {count}: {title}")

        report = run(
            *(table, recipe, out),
            segment=segment,
            limit=limit,
            processes=processes,
            command=_command(),
            training=told,
            progress=tell,
        )
    finish(report, out / table, as_json)


def _run(kind: str, data: Path, out: Path, as_json: bool, given: dict[str, Any]) -> None:
    from d2m.evaluation.benchmark.run import benchmark

    with counting_bar("pieces of music") as tell:
        report = benchmark(kind, data, out, command=_command(), progress=tell, **given)
    finish(report, out, as_json)


def finish(report: dict[str, Any], out: Path, as_json: bool) -> None:
    """Tells what came of it; exit status 1 if something could not be measured."""
    import json

    from d2m.evaluation.benchmark.report import failures, short_table

    if as_json:
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(short_table(report))
        typer.echo(f"{report['segments']} segments of {report['sequences']} dances: {out / 'report.html'}")
    for line in report["notes"]:
        complain(f"warning: {line}")
    for line in failures(report):
        complain(f"error: {line}")
    if report["failed"]:
        raise typer.Exit(1)


def _command() -> str:
    """The command line for the record, without machine paths of the program."""
    import shlex
    import sys

    return " ".join(["d2m", *map(shlex.quote, sys.argv[1:])]) if Path(sys.argv[0]).name in ("d2m", "main.py") else ""
