"""``d2m models export``: weights with a card from the checkpoint of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import JSON, SEED


def export(
    run: Annotated[
        Path, typer.Argument(help="Folder of the run, whose last state is taken, or one of its checkpoints.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output .safetensors file; the card is written beside it.")],
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Kind of the run: codec, stereo-codec, generator, stereo-generator, genre, beats, vqvae, decoder, "
            "d2m-gan, musegan, bridge, musicvae or emotion. Default: as stored in the folder of the run.",
        ),
    ] = None,
    command: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Command that trained the model, for the card; several with ; between. "
            "Default: the latest command of the run."
        ),
    ] = None,
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Training data with their licences, for the card. Default: the name of their folder."),
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the card.")] = "not stated",
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help=SEED),
    ] = None,
    steps_before: Annotated[
        int, typer.Option(min=0, help="Number of steps of earlier runs that this run started from.")
    ] = 0,
    scores: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FILE|NAME=VALUE",
            help="Measured figures for the card: a pair, or a JSON file with an object of figures. Repeatable.",
        ),
    ] = None,
    codec: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME|FILE",
            help="Weights of the codec that a generator was trained on. Default: as in the latest command of the run.",
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store matrices in 16 bits, also where 8 bits are enough.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Convert the checkpoint of a training run to weights with a card, as other commands take them.

    The seed on the card is that of the run, unless --seed names another. A run of D2M-GAN becomes two files: the
    generator, and its motion encoder with -motion at the end of the name.
    """
    from d2m.training.export_run import Request, export_run, read_scores

    request = Request(
        kind=kind,
        command=command,
        data=data,
        licence=licence,
        seed=seed,
        steps_before=steps_before,
        scores=read_scores(scores or []),
        codec=codec,
        half=half,
    )
    cards = export_run(run, out, request)
    if as_json:
        import dataclasses
        import json

        written = [dataclasses.asdict(card) | {"path": str(out.with_name(card.file))} for card in cards]
        typer.echo(json.dumps({"exported": written}, indent=2, ensure_ascii=False))
        return
    for card in cards:
        path = out.with_name(card.file)
        typer.echo(f"{path}: step {card.steps}, {path.stat().st_size / 1e6:.1f} MB, sha256 {card.sha256[:12]}")
