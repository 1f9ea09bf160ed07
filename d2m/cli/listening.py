"""``d2m evaluate listening``: blinded listening tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from d2m.cli.console import counted, stage_bars
from d2m.cli.options import JSON, OUTPUT_FOLDER, SEED
from d2m.errors import D2MError

app = typer.Typer(help="Run listening tests: make a page, serve it, analyse the answers.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help=JSON)]
_Test = Annotated[str, typer.Argument(metavar="TEST", help="Folder of the listening test.")]


@app.command()
def make(
    systems: Annotated[
        list[str],
        typer.Option(
            "--system",
            metavar="NAME=DIR",
            help="Name of a system and the folder with its clips. Repeat the option for each system.",
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_FOLDER)],
    questions: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Questions to listeners: dance, sound, music, or a TOML file. Default: dance for videos, sound for "
            "clips without a picture.",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=DIR",
            help="Name and folder of the original music. It is hidden among the systems, and the anchors are made "
            "from it.",
        ),
    ] = None,
    anchors: Annotated[
        bool, typer.Option(help="Hide low-quality anchors among the systems (needs --reference).")
    ] = True,
    trials: Annotated[int, typer.Option(min=0, help="Number of clips per listener; 0 for all.")] = 0,
    checks: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of attention checks: clips with 2 to 5 beeps over the music, which listeners count in place "
            "of a rating. Who miscounts more than half of them is left out of the analysis.",
        ),
    ] = 2,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Listening test",
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
) -> None:
    """Make the page of a listening test with blinded clips of equal loudness.

    Clips for the same dance must have the same file name in the folder of every system.
    """
    from d2m.evaluation.listening.make import ListeningTest, have_pictures, make_test
    from d2m.evaluation.listening.questions import default_questions, read_questions

    folders: dict[str, Path] = {}
    # A name alone is one of the systems, as in earlier versions.
    original = [reference] if reference is not None and "=" in reference else []
    for system in [*original, *systems]:
        name, equals, folder = system.partition("=")
        if not name or not equals or not folder or name in folders:
            raise D2MError(f"'{system}' is not NAME=DIR, or its name is given twice; give each system a different name")
        folders[name] = Path(folder)
    reference = reference.partition("=")[0] if reference is not None else None
    pictures = have_pictures(folders)
    asked = questions or default_questions(pictures)
    if asked == "dance" and not pictures:
        raise D2MError(
            "some clips have no picture, so nobody can tell whether the music fits the dance; give videos, or leave "
            "out --questions"
        )
    test = ListeningTest(title, read_questions(asked), trials, checks, anchors, seed)
    with stage_bars({"clips": "clips"}, "listening test") as tell:
        made = make_test(folders, Path(output), test, reference, lambda done, of: tell("clips", done / of))
    if made["left_out"]:
        typer.echo(f"left out, not in every folder: {', '.join(made['left_out'])}", err=True)
    typer.echo(f"questions: {asked}; attention checks: {checks}")
    items, clips = counted(made["items"], "item"), counted(made["clips"], "clip")
    typer.echo(f"{items}, {clips}: open {Path(output) / 'page' / 'index.html'}, or run")
    typer.echo(f"  d2m evaluate listening serve {output}")


@app.command()
def serve(
    test: _Test,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8080,
) -> None:
    """Serve the page to listeners and store their answers in TEST/answers, until Ctrl-C."""
    from d2m.evaluation.listening.server import ListeningServer

    with ListeningServer(Path(test), host, port) as server:
        typer.echo(f"listening test at {server.url}, answers go to {server.answers}; end with Ctrl-C")
        server.serve_forever()


@app.command()
def analyse(
    test: _Test,
    answers: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the answers. Default: TEST/answers.")
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Include listeners who failed the attention checks.")
    ] = False,
    form: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="Format: text, or a table for a paper: md or latex."),
    ] = "text",
    as_json: _Json = False,
) -> None:
    """Compute mean ratings with 95 % intervals, tests between systems and the agreement of the listeners."""
    from d2m.evaluation.listening.analysis import analyse as judge
    from d2m.evaluation.listening.analysis import read_answers
    from d2m.evaluation.listening.answers import read_key

    if form not in ("text", "md", "latex"):
        raise D2MError(f"there is no format '{form}'; choose text, md, latex")
    listeners, refused = read_answers(Path(test), Path(answers) if answers else None)
    report = judge(listeners, keep_all) | {"refused": refused, "reference": read_key(Path(test))["reference"]}
    if as_json:
        import json

        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    if form == "text":
        _tell(report)
    else:
        from d2m.evaluation.listening import tables

        typer.echo((tables.markdown if form == "md" else tables.latex)(report), nl=False)


def _tell(report: dict[str, Any]) -> None:
    typer.echo(counted(report["listeners"], "listener"))
    for name, why in {**report["left_out"], **report["refused"]}.items():
        typer.echo(f"  left out: {name}, {why}")
    for question, found in report["questions"].items():
        reliability = found["reliability"]
        typer.echo(
            f"\n{question} (alpha {_figure(reliability['alpha'])}, agreement {_figure(reliability['agreement'])})"
        )
        for system, score in sorted(found["scores"].items(), key=lambda entry: -entry[1]["mean"]):
            between = f"{_figure(score['low'])} to {_figure(score['high'])}"
            typer.echo(f"  {system:<28} {score['mean']:.2f}  ({between}; {counted(score['clips'], 'rating')})")
        for pair in found["pairs"]:
            typer.echo(
                f"  {pair['first']} - {pair['second']}: {_figure(pair['difference'], '+.2f')}, "
                f"preferred by {_figure(pair['preference'], '.0%')}, p = {pair['p_holm']:.3g} (Holm)"
            )


def _figure(value: float | None, form: str = ".2f") -> str:
    return "unknown" if value is None else format(value, form)
