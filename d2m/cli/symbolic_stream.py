"""``d2m symbolic stream``: an endless stream of songs with composed bridges between them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain
from d2m.cli.from_dataclass import with_options
from d2m.cli.options import BRIDGE_BARS, JSON, MIX_METHOD, SEED, SOUNDFONT
from d2m.cli.symbolic_out import named
from d2m.errors import D2MError
from d2m.symbolic.control_options import StreamControls

if TYPE_CHECKING:
    from d2m.symbolic.shape import Words
    from d2m.symbolic.stream.sections import Shown

#: Minutes of programme that are printed if nothing else is asked for.
_USUAL_MINUTES = 60.0
_MOST_MINUTES = 7 * 24 * 60.0


@with_options(StreamControls, build=StreamControls)
def stream(
    options: StreamControls,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|PLAYLIST",
            help="Folder of songs (.mid, .kar, .rmi, .npz) or a playlist (.m3u, .m3u8, .txt).",
        ),
    ],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Output .wav file; needs --minutes.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Play the stream on a web page until Ctrl-C.")] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.05, max=_MOST_MINUTES, help="Length in minutes. Default: 60 for the printed list; required with -o."
        ),
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Play the songs in a new random order in every round.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    bars: Annotated[int, typer.Option(min=1, max=8, help=BRIDGE_BARS)] = 2,
    method: Annotated[str, typer.Option(metavar="NAME", help=MIX_METHOD)] = ("harmonic"),
    spare: Annotated[
        float,
        typer.Option(
            "--min-play", min=0.0, max=0.9, help="Minimum share of each song that is played before the bridge (0-0.9)."
        ),
    ] = 0.75,
    transpose: Annotated[
        int,
        typer.Option(
            min=0, max=6, help="Maximum transposition of a song in semitones, up or down (0-6; harmonic only)."
        ),
    ] = 5,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Weights of the bridge network (name or file).")
    ] = "studio-bridge",
    soundfont: Annotated[str | None, typer.Option(metavar="FILE", help=SOUNDFONT)] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8090,
    locked: Annotated[
        bool, typer.Option("--locked", help="With --serve: only this machine may skip songs and change the queue.")
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="With --serve: file that stores the position for a restart, or none. Default: in the "
            "user's state folder.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Play songs in an endless stream with composed bridges: as a .wav file or on a web page.

    Without -o and --serve, the songs and bridges are printed as a list and nothing is played.
    """
    words = options.check()
    words.check_tracks()
    if serve and (output or minutes or as_json):
        raise D2MError("--serve plays without end; leave out -o, --minutes and --json, or leave out --serve")
    if output and minutes is None:
        raise D2MError("the stream has no end; give the length of the file with --minutes")
    out = named(output, (".wav",)) if output else None
    if serve:
        typer.echo("preparing the stream", err=True)
    programme = _programme(source, shuffle, seed, model, soundfont, bars, method, spare, transpose, words)
    if serve:
        _serve(programme, host, port, locked, _state_file(state, source))
        return
    played = _write(programme, minutes, out) if out and minutes else _outline(programme, minutes or _USUAL_MINUTES)
    if as_json:
        content: dict[str, Any] = {"source": source, "file": out and str(out), "minutes": minutes or _USUAL_MINUTES}
        content |= {"programme": played, "skipped": programme.library.left_out()}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for entry in played:
        _tell(entry)
    if out:
        typer.echo(f"{out}")


def _programme(
    source: str,
    shuffle: bool,
    seed: int,
    model: str,
    soundfont: str | None,
    bars: int,
    method: str,
    spare: float,
    transpose: int,
    words: Words,
) -> Any:
    from d2m.symbolic.bridge.files import load
    from d2m.symbolic.bridge.mixpoints import METHODS
    from d2m.symbolic.sound import find_soundfont
    from d2m.symbolic.sound.player import CACHE_BYTES
    from d2m.symbolic.sound.soundfont import SoundFont
    from d2m.symbolic.stream.library import Library
    from d2m.symbolic.stream.planning import Planner
    from d2m.symbolic.stream.programme import Programme

    if method not in METHODS:
        raise D2MError(f"no method '{method}' to find mix points; choose one of: {', '.join(METHODS)}")
    library = Library(Path(source))
    font = SoundFont(find_soundfont(soundfont), CACHE_BYTES)
    composer = load(model)
    most = composer.config.most_bars
    if bars > most or (composer.config.model == "published" and bars != most):
        raise D2MError(f"{composer.name} does not make bridges of {bars} bars; give --bars {most}")
    # Songs in one key stay there.
    transpose = transpose if words.shape.key is None else 0
    planner = Planner(composer, font, bars, method, spare, transpose, seed, words)
    return Programme(library, planner, shuffle, seed, complain)


def _write(programme: Any, minutes: float, out: Path) -> list[Shown]:
    from d2m.cli.console import stage_bars
    from d2m.symbolic.sound.player import Player
    from d2m.symbolic.stream.recording import record

    with _ended_tidily(), stage_bars({"play": "playing"}, str(out)) as tell:
        player = Player(programme.planner.font, programme)
        return record(programme, player, minutes, out, lambda share: tell("play", share))


def _outline(programme: Any, minutes: float) -> list[Shown]:
    from d2m.symbolic.stream.recording import outline

    return outline(programme, minutes)


def _serve(programme: Any, host: str, port: int, locked: bool, memory: Path | None) -> None:
    from d2m.symbolic.stream.server import StreamServer
    from d2m.symbolic.stream.station import Station

    station = Station(programme, memory, complain)
    with StreamServer(station, host, port, locked) as server:
        station.start()
        try:
            where = "continues where it stopped" if station.recalled else "starts from the beginning"
            typer.echo(f"the stream is at {server.url} and {where}; end with Ctrl-C")
            with _ended_tidily(), contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()
        finally:
            station.stop()


@contextlib.contextmanager
def _ended_tidily() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _state_file(asked: str | None, source: str) -> Path | None:
    if asked == "none":
        return None
    if asked:
        return Path(asked)
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    name = hashlib.sha256(os.fsencode(Path(source).resolve())).hexdigest()[:16]
    return Path(base) / "d2m" / f"stream-{name}.json"


def _tell(entry: Shown) -> None:
    start, end = entry["start"], entry["end"]
    clock = f"{int(start) // 3600}:{int(start) // 60 % 60:02}:{int(start) % 60:02}"
    if entry["kind"] == "bridge" and end is not None:
        typer.echo(f"{clock}  bridge of {end - start:.1f} s")
        return
    moved = f", moved {entry['transpose']:+d} semitones" if entry["transpose"] else ""
    typer.echo(f"{clock}  {entry['name']}, bars {entry['first_bar']} to {entry['last_bar']} of {entry['bars']}{moved}")
