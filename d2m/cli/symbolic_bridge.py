"""``d2m symbolic mixpoints`` and ``bridge``: find mix points of two songs and join them by composed bars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from d2m.cli.from_dataclass import with_options
from d2m.cli.options import BRIDGE_BARS, JSON, MIX_METHOD, SEED, WAV
from d2m.cli.symbolic_out import check_playable, midi_path
from d2m.cli.symbolic_write import check_stems, write_sound
from d2m.errors import D2MError
from d2m.symbolic.control_options import BridgeControls

SongFile = Annotated[str, typer.Argument(metavar="A", help="Song that ends: MIDI file (.mid) or piano-roll (.npz).")]
NextFile = Annotated[str, typer.Argument(metavar="B", help="Song that begins: MIDI file (.mid) or piano-roll (.npz).")]
Method = Annotated[str, typer.Option(metavar="NAME", help=MIX_METHOD)]
Transpose = Annotated[
    int, typer.Option(min=0, max=6, help="Maximum transposition of B in semitones, up or down (0-6; harmonic only).")
]
Spare = Annotated[
    float,
    typer.Option(
        "--min-play",
        min=0.0,
        max=0.9,
        help="Minimum share of A (from its beginning) and of B (to its end) that is played (0-0.9).",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help=SEED)]
AsJson = Annotated[bool, typer.Option("--json", help=JSON)]


def mixpoints(
    a: SongFile,
    b: NextFile,
    method: Method = "harmonic",
    top: Annotated[int, typer.Option(min=1, max=1000, help="Number of mix points to print, best first.")] = 5,
    transpose: Transpose = 5,
    spare: Spare = 0.3,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find mix points: bars of A that bars of B may follow."""
    songs = _read(a, b)
    points = _search(*songs, method, top, transpose, spare, seed)
    found = [_about(*songs, point) for point in points]
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, "method": method, "mix_points": found}, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{songs[0].name} ({len(songs[0])} bars) into {songs[1].name} ({len(songs[1])} bars), by {method}")
    for entry in found:
        moved = f", B {entry['transpose']:+d} semitones" if entry["transpose"] else ""
        typer.echo(
            f"after bar {entry['bar_a']} ({entry['seconds_a']:.1f} s, {entry['key_a']}) "
            f"to bar {entry['bar_b']} ({entry['seconds_b']:.1f} s, {entry['key_b']}){moved}: cost {entry['cost']:.3f}"
        )


@with_options(BridgeControls, at="around", build=BridgeControls)
def bridge(
    options: BridgeControls,
    a: SongFile,
    b: NextFile,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Output MIDI file. Default: joined.mid, numbered if it exists."
        ),
    ] = None,
    bars: Annotated[int, typer.Option(min=1, max=8, help=BRIDGE_BARS)] = 2,
    method: Method = "harmonic",
    choice: Annotated[
        int,
        typer.Option(
            min=1, max=1000, help="Rank of the mix point to use: 1 for the best, 2 for the second best, and so on."
        ),
    ] = 1,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="A:B", help="Bars to join without a search: last bar of A and first bar of B, counted from 1."
        ),
    ] = None,
    transpose: Transpose = 5,
    spare: Spare = 0.3,
    around: Annotated[
        int | None, typer.Option(min=1, help="Number of bars of A and of B to keep around the bridge. Default: all.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Weights of the bridge network (name or file).")
    ] = "studio-bridge",
    seed: Seed = 0,
    wav: Annotated[bool, typer.Option("--wav", help=WAV)] = False,
    png: Annotated[
        bool, typer.Option("--png", help="Also draw the bars around the bridge as a .png beside the MIDI file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Join songs A and B by a composed bridge, in which tempo, key, instruments and levels change gradually."""
    from d2m.symbolic.bridge.files import load
    from d2m.symbolic.bridge.joining import join
    from d2m.symbolic.midi import write_midi

    words = options.check()
    check_stems(options.stems)
    out = midi_path(output, "joined.mid", a, b)
    composer = load(model)
    one, other = _read(a, b)
    _check_tracks(words.without, one, other)
    songs = one.shaped(words), other.shaped(words)
    # Songs in one key stay there.
    transpose = transpose if words.shape.key is None else 0
    if at:
        point = _given(at, *songs)
    else:
        points = _search(*songs, method, choice, transpose, spare, seed)
        if len(points) < choice:
            raise D2MError(f"there are only {len(points)} mix points; choose one of them with --choice")
        point = points[-1]
    joined = join(*songs, point, composer, bars, around, words.shape.chords)
    if wav or options.stems is not None:
        remedy = "keep fewer bars with --around, or leave out --wav"
        check_playable(joined.score.duration, "the joined music", remedy)
    files = [write_midi(joined.score, out)]
    if png:
        files.append(_picture(joined, out, songs))
    if wav or options.stems is not None:
        files += write_sound(joined.score, out.with_suffix(".wav"), options.stems)
    start, end = joined.seconds
    about: dict[str, Any] = {"files": [str(file) for file in files], "model": composer.name, "bars": bars}
    about |= {"bridge_seconds": [round(start, 3), round(end, 3)], "mix_point": _about(*songs, point)}
    about |= {"seconds": round(joined.score.duration, 3)}
    if as_json:
        typer.echo(json.dumps(about, indent=2, ensure_ascii=False))
        return
    for file in files:
        typer.echo(f"{file}")
    where = about["mix_point"]
    moved = f", moved {where['transpose']:+d} semitones" if where["transpose"] else ""
    typer.echo(
        f"bar {where['bar_a']} of {songs[0].name} ({where['tempo_a']:.0f} bpm, {where['key_a']}), {bars} new bars from "
        f"{start:.1f} to {end:.1f} s, bar {where['bar_b']} of {songs[1].name} ({where['tempo_b']:.0f} bpm, "
        f"{where['key_b']}{moved})"
    )


def _check_tracks(names: tuple[str, ...], a: Any, b: Any) -> None:
    """Refuse to leave out tracks that neither song has, or all that one has."""
    from d2m.symbolic.score_edit import named, track_names, without

    parts = [*a.score.parts, *b.score.parts]
    for name in names:
        if not named(parts, name):
            known = dict.fromkeys([*track_names(a.score), *track_names(b.score)])
            raise D2MError(f"--without: the songs have no track '{name}'; choose from {', '.join(known)}")
    for song in (a, b):
        without(song.score, [name for name in names if named(song.score.parts, name)])


def _read(a: str, b: str) -> tuple[Any, Any]:
    from d2m.symbolic.bridge.song import read_song

    return read_song(a), read_song(b)


def _search(a: Any, b: Any, method: str, top: int, transpose: int, spare: float, seed: int) -> list[Any]:
    import numpy as np

    from d2m.symbolic.bridge.mixpoints import find_mix_points

    rng = np.random.default_rng(seed)
    return find_mix_points(a, b, method, top, transpose=transpose, spare=spare, rng=rng)


def _given(at: str, a: Any, b: Any) -> Any:
    from d2m.symbolic.bridge.mixpoints import MixPoint

    words = at.split(":")
    if len(words) != 2 or not all(word.strip().isdigit() for word in words):
        raise D2MError(f"'{at}' should name a bar of A and one of B, such as --at 32:9")
    bars = [int(word) for word in words]
    for song, bar in zip((a, b), bars, strict=True):
        if not 1 <= bar <= len(song):
            raise D2MError(f"{song.name} has bars 1 to {len(song)}, not {bar}; choose another --at")
    return MixPoint(bars[0] - 1, bars[1] - 1, 0, 0.0, "given")


def _about(a: Any, b: Any, point: Any) -> dict[str, Any]:
    from d2m.symbolic.bridge.mixpoints import seam
    from d2m.symbolic.keys import key_name

    found = dict(point.to_json())
    for side, song, bar in (("a", a, point.bar_a), ("b", b, point.bar_b)):
        found[f"key_{side}"] = key_name(int(song.keys[bar]))
        found[f"tempo_{side}"] = round(song.tempo(bar), 2)
        found[f"seconds_{side}"] = round(float(song.score.grid.time_of(song.position(bar + (side == "a")))), 2)
    return found | {"seam": {name: round(value, 3) for name, value in seam(a, b, point).items()}}


def _picture(joined: Any, out: Path, songs: tuple[Any, Any]) -> Path:
    """Draw the last bars of A, the bridge and the first bars of B."""
    from d2m.symbolic.pianoroll import from_score
    from d2m.symbolic.pianoroll_image import draw

    roll = from_score(joined.score, 4)
    first, last = max(joined.start - 16, 0), joined.end + 16
    title = f"{songs[0].name}  →  {songs[1].name}  ·  the bridge is shaded"
    span = [4 * (beat - first) for beat in (joined.start, joined.end)]
    return draw(roll.excerpt(4 * first, 4 * last), out.with_suffix(".png"), title, shaded=(span[0], span[1]))
