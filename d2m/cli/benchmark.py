"""``d2m benchmark``: measure systems and baselines on a data set with every metric, in one report."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from d2m.cli.console import complain, counted, counting_bar
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import GENRE_NETWORK, JSON, LEVEL, RESUMED_FOLDER, SEED, VISUAL, Device
from d2m.errors import D2MError

app = typer.Typer(help="Compare systems with baselines on a data set.", no_args_is_help=True)

_Out = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help=RESUMED_FOLDER)]
_Weights = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="SYSTEM",
        help="System to measure: studio, jukebox-high, jukebox-low, symbolic, symbolic-composer, or "
        "NAME=FILE,FILE for a generator or a D2M-GAN. Repeatable. Default: the five named "
        "systems, or none with --system.",
    ),
]
_Segment = Annotated[float, typer.Option(help="Length of the measured segments in seconds (D2M-GAN: 2).")]
_Split = Annotated[str, typer.Option(help="Split of the data set: train, val or test.")]
_Limit = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="Maximum number of dances, spread evenly over the split. Default: all."),
]
_Genre = Annotated[
    str,
    typer.Option(
        help="Genre that the systems are told: given (from the data set, as in D2M-GAN) or auto "
        "(recognised from the dance)."
    ),
]
_Judge = Annotated[Optional[str], typer.Option(metavar="NAME|FILE", help=GENRE_NETWORK)]  # noqa: UP045
_Visual = Annotated[Optional[Path], typer.Option(metavar="DIR", help=VISUAL)]  # noqa: UP045
_Seed = Annotated[int, typer.Option(min=0, help=SEED)]
_Keep = Annotated[bool, typer.Option("--keep", help="Also write all music to audio/ in the output folder.")]
_Rows = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--row", metavar="KEY", help="Row of the report to compute. Repeatable. Default: all."),
]
_Embeddings = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--embedding",
        metavar="NAME",
        help="Embedding for the distances of sets (see 'd2m evaluate metrics'). Repeatable; the first is that of "
        "the short table. Default: log-mel.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help=JSON)]
_Systems = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--system",
        metavar="NAME=SOURCE",
        help="System from elsewhere to measure: a folder of sound files or videos that are named after the dances, a "
        "command with {video} or {name} and {output}, or a Python function MODULE:FUNCTION. Repeatable.",
    ),
]
_Format = Annotated[
    str, typer.Option("--format", metavar="NAME", help="Format printed on stdout: md, csv, latex, json or html.")
]


@app.callback()
def _group() -> None:
    """Compare systems with baselines and published results on a data set."""


def _shared(
    weights: _Weights = None,
    system: _Systems = None,
    segment: _Segment = 6.0,
    split: _Split = "test",
    limit: _Limit = None,
    genre: _Genre = "given",
    genre_weights: _Judge = None,
    visual: _Visual = None,
    seed: _Seed = 0,
    processes: Processes = None,
    ray: Ray = None,
    keep: _Keep = False,
    row: _Rows = None,
    embedding: _Embeddings = None,
    device: Device = "auto",
) -> dict[str, Any]:
    """Collect the options of every benchmark: those of :func:`d2m.evaluation.benchmark.run.benchmark`, and ``ray``."""
    given = {
        "segment": segment, "split": split, "limit": limit, "genre": genre, "genre_weights": genre_weights,
        "visual": visual, "seed": seed, "processes": processes, "ray": ray, "keep": keep, "only": row or None,
        "outside": tuple(system or ()),
    }  # fmt: skip
    given |= {"embeddings": tuple(embedding)} if embedding else {}
    return given | ({"systems": weights} if weights else {})


def _measuring(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of :func:`_shared` to a command, which gets their values as ``given``."""
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
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of AIST++, raw or prepared.")],
    out: _Out,
    given: dict[str, Any],
    as_json: _Json = False,
    form: _Format = "md",
) -> None:
    """Run the benchmark on AIST++."""
    _run("aist", data, out, _form(as_json, form), given)


@app.command()
@_measuring
def tiktok(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of TikTok Dance-Music, raw or prepared.")],
    out: _Out,
    given: dict[str, Any],
    as_json: _Json = False,
    form: _Format = "md",
) -> None:
    """Run the benchmark on TikTok Dance-Music."""
    _run("tiktok", data, out, _form(as_json, form), given)


@app.command()
@_measuring
def clips(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of dance videos, with or without the music that was danced to.")
    ],
    out: _Out,
    given: dict[str, Any],
    as_json: _Json = False,
    form: _Format = "md",
) -> None:
    """Run the benchmark on a folder of videos."""
    _run("clips", data, out, _form(as_json, form), given)


def _others() -> None:
    """Add a command for each data set that another package provides (:data:`d2m.datasets.DATA_SETS`)."""
    from d2m.datasets import DATA_SETS

    for name in DATA_SETS:
        if name not in DATA_SETS.own:
            app.command(name=name, help=f"Run the benchmark on {name}.")(_measuring(_benchmark_of(name)))


def _benchmark_of(name: str) -> Callable[..., None]:
    def command(
        data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the data set, raw or prepared.")],
        out: _Out,
        given: dict[str, Any],
        as_json: _Json = False,
        form: _Format = "md",
    ) -> None:
        _run(name, data, out, _form(as_json, form), given)

    return command


_others()


@app.command()
@_measuring
def studio(
    out: _Out,
    given: dict[str, Any],
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Folder of a studio data set. Default: a new one, made in the output folder."),
    ] = None,
    songs: Annotated[
        int, typer.Option(min=1, help="Number of songs of a new studio data set, spread over the ten genres.")
    ] = 10,
    dances: Annotated[
        int, typer.Option(min=1, max=15, help="Number of dances per song of a new studio data set (1-15).")
    ] = 1,
    seconds: Annotated[float, typer.Option(help="Length of each song of a new studio data set in seconds.")] = 24.0,
    studio_seed: Annotated[int, typer.Option(min=0, help="Random seed of a new studio data set.")] = 20_000,
    as_json: _Json = False,
    form: _Format = "md",
) -> None:
    """Run the benchmark on synthetic dances whose true beats are known. Without --data they are made first."""
    from d2m.evaluation.benchmark.studio import make_test_studio

    if data is None:
        data = out / "studio"
        with counting_bar("songs") as tell, executor(given["processes"], given["ray"], data) as places:
            make_test_studio(data, songs, dances, seconds, studio_seed, places, tell)
    _run("studio", data, out, _form(as_json, form), given)


@app.command()
def ablation(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of a prepared data set (see 'd2m data prepare').")],
    table: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Table of the D2M-GAN paper: length (3), modality (4), losses (5) or architecture (6)."
        ),
    ],
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help=RESUMED_FOLDER)],
    steps: Annotated[int, typer.Option(min=1, help="Number of training steps per variant.")] = 10_000,
    level: Annotated[str, typer.Option(metavar="NAME", help=LEVEL)] = "high",
    batch: Annotated[int, typer.Option(min=1, help="Batch size: segments per training step.")] = 16,
    vqvae: Annotated[str, typer.Option(help="Weights of the JukeBox VQ-VAE (name or file).")] = "studio-vqvae",
    held_out: Annotated[int, typer.Option(min=1, help="Number of held-out segments evaluated during training.")] = 64,
    device: Device = "auto",
    segment: _Segment = 2.0,
    limit: _Limit = None,
    seed: _Seed = 0,
    processes: Processes = None,
    ray: Ray = None,
    as_json: _Json = False,
    form: _Format = "md",
) -> None:
    """Train the variants of one of the D2M-GAN paper's tables 3 to 6 and compare them."""
    from d2m.evaluation.benchmark.ablation import Recipe
    from d2m.evaluation.benchmark.ablation import ablation as run

    recipe = Recipe(data, steps, level, batch, vqvae, seed, held_out, device)
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
            processes=stack.enter_context(executor(processes, ray, out)),
            command=_command(),
            training=told,
            progress=tell,
        )
    finish(report, out / table, _form(as_json, form))


def _form(as_json: bool, form: str) -> str:
    """Return the format to print."""
    from d2m.evaluation.benchmark.report import FORMATS

    if form not in FORMATS:
        raise D2MError(f"there is no format '{form}'; choose {', '.join(FORMATS)}")
    return "json" if as_json else form


def _run(kind: str, data: Path, out: Path, form: str, given: dict[str, Any]) -> None:
    from d2m.evaluation.benchmark.run import benchmark

    with counting_bar("pieces of music") as tell, executor(given["processes"], given["ray"], out) as places:
        settings = {name: value for name, value in given.items() if name != "ray"} | {"processes": places}
        report = benchmark(kind, data, out, command=_command(), progress=tell, **settings)
    finish(report, out, form)


def finish(report: dict[str, Any], out: Path, form: str) -> None:
    """Print the result; exit with status 1 if something could not be measured.

    Args:
        report: of :func:`d2m.evaluation.benchmark.run.benchmark`.
        out: folder of the report.
        form: format to print.
    """
    from d2m.evaluation.benchmark.report import failures, formatted

    typer.echo(formatted(report, form), nl=False)
    if form == "md":
        segments, dances = counted(report["segments"], "segment"), counted(report["sequences"], "dance")
        typer.echo(f"{segments} of {dances}: {out / 'report.html'}")
    for line in report["remarks"]:
        complain(f"note: {line}")
    for line in report["notes"]:
        complain(f"warning: {line}")
    for line in failures(report):
        complain(f"error: {line}")
    if report["failed"]:
        raise typer.Exit(1)


def _command() -> str:
    """Return the command line for the report, without the path of the program."""
    import shlex
    import sys

    return " ".join(["d2m", *map(shlex.quote, sys.argv[1:])]) if Path(sys.argv[0]).name in ("d2m", "main.py") else ""
