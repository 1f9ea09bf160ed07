"""``d2m models``: the weights that are installed, and whether they are whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from d2m.errors import D2MError

app = typer.Typer(help="List, show and check the installed weights.", no_args_is_help=True, add_completion=False)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command("list")
def list_models(as_json: _Json = False) -> None:
    """List the weights that came with the package."""
    from d2m.weights import list_cards

    cards = list_cards()
    if as_json:
        _print_json({"models": [_plain(card) for card in cards]})
        return
    if not cards:
        raise D2MError("no weights are installed; install d2m again")
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "steps", "licence", "what it is", box=None, header_style="bold")
    for card in cards:
        table.add_row(card.name, card.kind, f"{card.steps:,}", card.licence, card.architecture)
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name from the list, or a weights file.")], as_json: _Json = False
) -> None:
    """Show the card of a set of weights: what it is, how it was made, how well it does."""
    from d2m.weights import find

    path, card = find(name)
    if card is None:
        raise D2MError(f"{path} has no card beside it, so nothing is known about it")
    content = {**_plain(card), "path": str(path)}
    if as_json:
        _print_json(content)
        return
    width = max(len(key) for key in content)
    for key, value in content.items():
        if not isinstance(value, dict):
            typer.echo(f"{key:<{width}}  {value}")
    for key in ("config", "scores"):
        typer.echo(f"{key}:")
        for entry, value in content[key].items():
            typer.echo(f"  {entry}: {value}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All, if none is given.")] = None,
    as_json: _Json = False,
) -> None:
    """Check weights files against the checksums on their cards."""
    from d2m import weights

    wanted = names or [card.name for card in weights.list_cards()]
    if not wanted:
        raise D2MError("no weights are installed; install d2m again")
    checked = {name: weights.verify(name).sha256 for name in wanted}
    if as_json:
        _print_json({"verified": checked})
        return
    for name in checked:
        typer.echo(f"{name}: as its card says")


def _plain(card) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(card)


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))
