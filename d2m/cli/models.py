"""``d2m models``: list, show, download, verify and export weights, shipped ones and those of others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.models_export import export
from d2m.cli.options import JSON
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.weights.catalogue import Entry

app = typer.Typer(
    help="List, show, download and verify weights, d2m's own and those of others; export those of a training run.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help=JSON)]


@app.command("list")
def list_models(as_json: _Json = False) -> None:
    """List the shipped weights and the weights of others that d2m can use."""
    from d2m.weights import list_cards
    from d2m.weights.catalogue import ENTRIES

    cards = list_cards()
    if as_json:
        _print_json({"models": [_plain(card) for card in cards], "external": [_entry(entry) for entry in ENTRIES]})
        return
    if not cards:
        raise D2MError("no weights are installed; install d2m again")
    from rich.console import Console
    from rich.table import Column, Table

    # Names are meant to be typed, so they are never truncated.
    table = Table(Column("name", no_wrap=True), "kind", "steps", "licence", "what it is", box=None, header_style="bold")
    for card in cards:
        table.add_row(card.name, card.kind, f"{card.steps:,}", card.licence, card.architecture)
    console = Console()
    console.print(table)
    first = Column("made by others", no_wrap=True)
    others = Table(first, "here", "what it is", "licence", box=None, header_style="bold")
    for entry in ENTRIES:
        here = "yes" if entry.present else "no, fetch" if entry.url else "no, by hand"
        others.add_row(entry.name, here, entry.what, entry.licence)
    console.print()
    console.print(others)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name from 'd2m models list', or a weights file.")], as_json: _Json = False
) -> None:
    """Show the card of a set of weights: architecture, training command or source, licence, scores."""
    from d2m.weights import find
    from d2m.weights.catalogue import find_entry

    entry = find_entry(name)
    if entry is not None:
        content = _entry(entry)
    else:
        path, card = find(name)
        if card is None:
            raise D2MError(f"{path} has no card beside it, so nothing is known about it")
        content = {**_plain(card), "path": str(path)}
    if as_json:
        _print_json(content)
        return
    width = max(len(key) for key in content)
    for key, value in content.items():
        if not isinstance(value, dict) and value not in ("", None):
            typer.echo(f"{key:<{width}}  {value}")
    for key in ("config", "scores"):
        if key in content:
            typer.echo(f"{key}:")
            for item, value in content[key].items():
                typer.echo(f"  {item}: {value}")


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names from 'd2m models list'.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licences.")] = False,
    as_json: _Json = False,
) -> None:
    """Download weights of others, verify them and store them.

    Without --yes the licence is shown and nothing is downloaded. An interrupted download is resumed.
    """
    from d2m.weights.catalogue_fetch import fetch as bring

    entries = [_named(name) for name in names]
    for entry in entries:
        if entry.present or yes:
            continue
        if not entry.url:
            raise D2MError(f"'{entry.name}' cannot be downloaded automatically; {entry.how_to_get()}")
        terms = f" ({entry.terms})" if entry.terms else ""
        raise D2MError(f"'{entry.name}': {entry.licence}{terms}; if you accept this licence, run again with --yes")
    kept = {}
    for entry in entries:
        with _bar(entry.name) as tell:
            kept[entry.name] = str(bring(entry, tell))
        if not as_json:
            typer.echo(f"{entry.name}: {kept[entry.name]}")
    if as_json:
        _print_json({"fetched": kept})


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Names from 'd2m models list'. Default: all installed weights."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Verify weights: compare checksums where they are known, and load the weights of others."""
    from d2m import weights
    from d2m.weights.catalogue import ENTRIES, find_entry
    from d2m.weights.catalogue_fetch import verify as check

    cards = [card.name for card in weights.list_cards()]
    if not cards:
        raise D2MError("no weights are installed; install d2m again")
    checked, said = {}, {}
    for name in names or [*cards, *(entry.name for entry in ENTRIES if entry.present)]:
        entry = find_entry(name)
        if entry is None:
            checked[name] = weights.verify(name).sha256
            said[name] = "checksum matches the card"
        else:
            said[name] = check(entry)
            checked[name] = weights.store.sha256_of(entry.path)
    if as_json:
        _print_json({"verified": checked})
        return
    for name, words in said.items():
        typer.echo(f"{name}: {words}")


app.command()(export)


def _named(name: str) -> Entry:
    from d2m.weights.catalogue import ENTRIES, find_entry

    entry = find_entry(name)
    if entry is None:
        raise D2MError(
            f"no weights called '{name}' to fetch; choose from: {', '.join(entry.name for entry in ENTRIES)}"
        )
    return entry


def _entry(entry: Entry) -> dict[str, Any]:
    return {**_plain(entry), "path": str(entry.path), "present": entry.present}


def _plain(record: Any) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(record)


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar of bytes on stderr if that is a terminal."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))
