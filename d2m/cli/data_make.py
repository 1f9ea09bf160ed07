"""``d2m data music`` and ``d2m data beats``: music that codecs, generators and the beat tracker are trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import OUTPUT_STORE, RESUMED_FOLDER, SEED
from d2m.cli.stage_bars import stage_bars

_POP909 = "Folder of POP909 with the songs 001 to 909."
_FONT = "Soundfont that plays songs (name or file). Repeatable. Default: only d2m's own."


def music(
    out: Annotated[Path, typer.Argument(help=RESUMED_FOLDER)],
    hours: Annotated[float, typer.Option(help="Length of the training part in hours (0-1000).")] = 8.0,
    pop909: Annotated[Path | None, typer.Option(help=_POP909)] = None,
    font: Annotated[list[str] | None, typer.Option(help=_FONT)] = None,
    own: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the songs in d2m's own sound and mix (0-1).")
    ] = 0.5,
    held_out: Annotated[int, typer.Option(min=0, help="Number of held-out songs of each kind.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of each song in seconds (4-600).")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 1,
    processes: Processes = None,
    ray: Ray = None,
) -> None:
    """Make stereo music and examples for 'd2m train stereo-codec' and for a generator that plays through it."""
    from d2m.datasets.music_make import Players, make_music
    from d2m.symbolic.sound.fonts import LIBRARY

    players = Players((LIBRARY.stem, *(font or ())), own)
    with stage_bars({"songs": "songs"}) as tell, executor(processes, ray, out) as places:
        count = make_music(
            out, players, hours=hours, pop909=pop909, held_out=held_out, seconds=seconds, seed=seed,
            processes=places, progress=lambda done, total: tell("songs", done, total),
        )  # fmt: skip
    typer.echo(f"{count} songs in {out}", err=True)


def beats(
    out: Annotated[Path, typer.Argument(help=RESUMED_FOLDER)],
    songs: Annotated[int, typer.Option(min=1, help="Number of songs; five of each hundred are held out.")] = 1000,
    font: Annotated[list[str] | None, typer.Option(help=_FONT)] = None,
    samples: Annotated[list[Path] | None, typer.Option(help="Folder of drum samples. Repeatable.")] = None,
    pop909: Annotated[Path | None, typer.Option(help=_POP909)] = None,
    empty: Annotated[float, typer.Option(min=0, max=0.9, help="Share of sound without a beat (0-0.9).")] = 0.06,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 1,
    processes: Processes = None,
    ray: Ray = None,
) -> None:
    """Make music with exact beats for 'd2m train beats'."""
    from d2m.datasets.beats_make import Sources, make_beats
    from d2m.datasets.pop909 import song_folders
    from d2m.symbolic.sound import find_soundfont

    pop = tuple(song_folders(pop909)) if pop909 else ()
    fonts = tuple(map(find_soundfont, font)) if font else (find_soundfont(),)
    sources = Sources(fonts, tuple(samples or ()), pop, empty)
    with stage_bars({"songs": "songs"}) as tell, executor(processes, ray, out) as places:
        count = make_beats(
            out, sources, songs=songs, seed=seed, processes=places,
            progress=lambda done, total: tell("songs", done, total),
        )  # fmt: skip
    typer.echo(f"{count} songs in {out}", err=True)


def shards(
    source: Annotated[
        Path, typer.Argument(metavar="EXAMPLES", help="Folder made by 'd2m data examples' or 'd2m data music'.")
    ],
    out: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=OUTPUT_STORE)],
    megabytes: Annotated[int, typer.Option(min=1, max=1024, help="Size of a shard in MB (1-1024).")] = 128,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
) -> None:
    """Pack training examples into shards, which 'd2m train generator' reads a few at a time."""
    from d2m.datasets.shards import write_shards
    from d2m.files.store import open_store

    with stage_bars({"examples": "examples"}) as tell:
        counts = write_shards(
            source, open_store(out), megabytes << 20, seed, lambda done, total: tell("examples", done, total)
        )
    train, held_out = counts["train"], counts["held_out"]
    typer.echo(f"{train} shard{'s' * (train != 1)} for training and {held_out} held out in {out}", err=True)
