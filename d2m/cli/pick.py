"""``d2m pick``: finish one of the candidates of a video."""

from __future__ import annotations

from typing import Annotated

import typer

from d2m.cli.generate import finish
from d2m.cli.options import JSON, OUTPUT_FOLDER

app = typer.Typer(add_completion=False)


@app.command()
def pick(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="Video whose candidates were made.")],
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Number of the candidate.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_FOLDER)] = ".",
    keep_audio: Annotated[
        str, typer.Option(metavar="voice|all|none", help="Keep the clip's own sound: all, the voice or none.")
    ] = "",
    stems: Annotated[bool, typer.Option("--stems", help="Also write each channel of the mix as a .wav file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Finish one of the candidates of 'd2m generate VIDEO --candidates N'.

    The files are those of 'd2m generate', with its options of the files as they were given there. DIR is the folder in
    which the candidates were made.
    """
    from d2m.candidates import pick as picked

    given = {name: value for name, value in (("keep_audio", keep_audio), ("stems", stems)) if value}
    finish(video, output, picked(video, number, output) | given, as_json)
