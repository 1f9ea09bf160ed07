"""``d2m symbolic generate`` and ``accompany``: music from a trained MuseGAN."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from d2m.cli.symbolic_out import check_playable, midi_path
from d2m.errors import D2MError

Seed = Annotated[int, typer.Option(min=0, help="The same seed makes the same music.")]
Binarise = Annotated[
    str, typer.Option(metavar="NAME", help="threshold (clean) or bernoulli (notes are drawn by their chances).")
]
Wav = Annotated[bool, typer.Option("--wav", help="Also play it into a .wav beside the MIDI file.")]
Png = Annotated[bool, typer.Option("--png", help="Also draw the piano-roll beside the MIDI file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def generate(
    model: Annotated[str, typer.Option(metavar="NAME|FILE", help="Weights.")] = "studio-musegan",
    phrases: Annotated[int, typer.Option(min=1, max=500, help="Phrases of four bars.")] = 4,
    tempo: Annotated[float, typer.Option(min=20.0, max=400.0, help="Quarter notes a minute.")] = 110.0,
    seed: Seed = 0,
    binarise: Binarise = "threshold",
    unrelated: Annotated[bool, typer.Option("--unrelated", help="Phrases that do not belong to one piece.")] = False,
    to: Annotated[
        int | None,
        typer.Option(
            "--interpolate",
            metavar="SEED",
            min=0,
            help="Go from the phrase of --seed to that of this seed, --phrases long.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The MIDI file; musegan.mid, musegan-2.mid … if not given."
        ),
    ] = None,
    wav: Wav = False,
    png: Png = False,
    as_json: AsJson = False,
) -> None:
    """Make phrases of five tracks from random vectors."""
    from d2m.symbolic.musegan.accompaniment import generate_roll, way_roll
    from d2m.symbolic.musegan.files import load

    out = midi_path(output, "musegan.mid")
    if to is not None and unrelated:
        raise D2MError("--interpolate and --unrelated exclude each other; leave one out")
    muse = load(model)
    about = {"model": muse.name, "phrases": phrases, "seed": seed}
    if to is None:
        roll = generate_roll(muse, phrases, seed, binarise, tempo, related=not unrelated)
    else:
        roll = way_roll(muse, seed, to, phrases, binarise, tempo)
        about["interpolate"] = to
    _write(roll, out, wav, png, as_json, about)


def accompany(
    music: Annotated[str, typer.Argument(metavar="FILE", help="A MIDI file (.mid) or a piano-roll (.npz).")],
    track: Annotated[
        str, typer.Option(metavar="NAME", help="The track that is accompanied; weights come with d2m for piano only.")
    ] = "piano",
    model: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights; studio-musegan-TRACK if not given.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Leave out everything but that track, and make the four others.")
    ] = False,
    seed: Seed = 0,
    binarise: Binarise = "threshold",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The MIDI file; FILE_band.mid, FILE_band-2.mid … if not given."
        ),
    ] = None,
    wav: Wav = False,
    png: Png = False,
    as_json: AsJson = False,
) -> None:
    """Add a band to a track of a piece of any length: those of the five tracks that are missing, all else as it is."""
    from d2m.symbolic.musegan.accompaniment import accompany_roll
    from d2m.symbolic.musegan.beside import accompany_file
    from d2m.symbolic.musegan.files import load
    from d2m.symbolic.pianoroll import plays
    from d2m.symbolic.pianoroll_file import load_npz
    from d2m.types import TRACKS

    source = Path(music)
    out = midi_path(output, source.with_name(f"{source.stem}_band.mid"), source)
    if track not in TRACKS:
        raise D2MError(f"no track called '{track}'; choose one of: {', '.join(TRACKS)}")
    is_roll = source.suffix.lower() == ".npz"
    roll = load_npz(source) if is_roll else None
    muse = load(model or _weights_for(track))
    if muse.config.conditional and TRACKS[muse.config.condition] != track:
        needed = TRACKS[muse.config.condition]
        raise D2MError(f"{muse.name} accompanies {needed}, not {track}; give --track {needed} or another --model")
    about: dict[str, Any] = {"model": muse.name, "track": track, "seed": seed}
    if roll is None:
        found = accompany_file(muse, source, seed, binarise, anew)
        _write(found.roll, out, wav, png, as_json, about | {"added": list(found.added)}, found.data)
        return
    made = accompany_roll(muse, roll, seed, binarise, anew)
    before = [track] if anew else plays(roll)
    _write(made, out, wav, png, as_json, about | {"added": [name for name in plays(made) if name not in before]})


def _weights_for(track: str) -> str:
    """The name of the weights that accompany a track."""
    from d2m.weights import list_cards

    beginning = "studio-musegan-"
    known = [card.name.removeprefix(beginning) for card in list_cards() if card.name.startswith(beginning)]
    if track not in known:
        raise D2MError(
            f"d2m comes with weights that accompany {' or '.join(known)}, none for {track}; give --track {known[0]}, "
            f"or --model with weights of your own (d2m train musegan --condition {track})"
        )
    return f"{beginning}{track}"


def _write(
    roll: Any, out: Path, wav: bool, png: bool, as_json: bool, about: dict[str, Any], data: bytes | None = None
) -> None:
    """Write a roll, or ``data`` instead of it, and what is wanted beside it; and say so."""
    from d2m.symbolic.midi import read_midi
    from d2m.symbolic.pianoroll import plays, to_score
    from d2m.symbolic.pianoroll_midi import write_roll
    from d2m.whole_file import write_whole

    if not roll.held.any() or not about.get("added", True):
        raise D2MError("the model made only silence, so nothing was written; take another --seed or other weights")
    if wav:
        check_playable(float(roll.seconds()[-1]))
    if data is None:
        write_roll(roll, out)
    else:
        write_whole(out, data)
    files = [out]
    if png:
        from d2m.symbolic.pianoroll_image import draw

        files.append(draw(roll, out.with_suffix(".png"), title=out.stem))
    if wav:
        from d2m.media_write import write_wav
        from d2m.symbolic.sound import render

        score = to_score(roll) if data is None else read_midi(out)
        files.append(out.with_suffix(".wav"))
        write_wav(files[-1], render(score, 44100, stereo=True), 44100)
    about |= {"files": [str(file) for file in files], "seconds": round(float(roll.seconds()[-1]), 2)}
    about |= {"tracks": plays(roll)}
    if as_json:
        import json

        typer.echo(json.dumps(about, indent=2, ensure_ascii=False))
        return
    for file in files:
        typer.echo(f"{file}")
    new = f"; new: {', '.join(about['added'])}" if "added" in about else ""
    typer.echo(f"{about['seconds']:.1f} s of {', '.join(about['tracks'])}, by {about['model']}{new}")
