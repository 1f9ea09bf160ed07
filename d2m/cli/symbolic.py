"""``d2m symbolic``: render, draw, measure and prepare MIDI music."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain, counted
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.from_dataclass import with_options
from d2m.cli.options import JSON, RESUMED_FOLDER, SEED, SOUNDFONT
from d2m.cli.symbolic_bridge import bridge, mixpoints
from d2m.cli.symbolic_emotion import emotion
from d2m.cli.symbolic_emotion_fit import emotion_fit
from d2m.cli.symbolic_melodies import melodies
from d2m.cli.symbolic_musegan import accompany, generate
from d2m.cli.symbolic_out import check_playable, wav_path
from d2m.cli.symbolic_stream import stream
from d2m.cli.symbolic_write import check_stems, play
from d2m.errors import D2MError
from d2m.symbolic.control_options import RenderControls

if TYPE_CHECKING:
    from d2m.symbolic.shape import Words
    from d2m.types import Score

app = typer.Typer(
    help="Compose, arrange, convert, play and measure MIDI music.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Compose, arrange, convert, play and measure MIDI music."""


@app.command()
@with_options(RenderControls, at="soundfont", build=RenderControls)
def render(
    options: RenderControls,
    music: Annotated[str, typer.Argument(metavar="FILE", help="MIDI file (.mid) or piano-roll (.npz).")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output .wav file. Default: named after FILE and numbered if it exists.",
        ),
    ] = None,
    soundfont: Annotated[str | None, typer.Option(metavar="FILE", help=SOUNDFONT)] = None,
    genre: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Dance genre whose mix settings are used, such as house. Default: neutral."),
    ] = None,
    stems: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for the stems: one .wav per mixer channel, which add up to the mix."),
    ] = None,
    dry_stems: Annotated[
        bool,
        typer.Option(
            "--dry-stems", help="Write the stems before reverberation and master bus processing (needs --stems)."
        ),
    ] = False,
    png: Annotated[
        bool, typer.Option("--png", help="Also draw the piano-roll as a .png beside the .wav file.")
    ] = False,
) -> None:
    """Render a MIDI file or piano-roll to a stereo .wav file at 44.1 kHz, mixed to -14 LUFS."""
    from dataclasses import replace

    from d2m.media.write import write_wav
    from d2m.symbolic.pianoroll import from_score
    from d2m.symbolic.sound import find_soundfont

    words = options.check()
    source = Path(music)
    out = wav_path(output, source.with_suffix(".wav"))
    if dry_stems and stems is None:
        raise D2MError("--dry-stems needs --stems; give the folder of the stems with it")
    check_stems(stems)
    code = _genre(genre)
    score = replace(shaped(read_music(source), words, source), genre=code)
    check_playable(score.duration, str(source), "cut it, or give --bars")
    roll = from_score(score, 24, source.stem) if png else None
    font = find_soundfont(soundfont)
    made = play(score, font, stems is not None, dry_stems)
    alone = {name: stem for name, stem in made.stems.items() if stem.any()}
    write_wav(out, made.mix, 44100)
    for name, stem in alone.items():
        write_wav(Path(stems or "") / f"{name}.wav", stem, 44100)
    seconds = made.mix.shape[1] / 44100
    typer.echo(f"{out}: {seconds:.1f} s, {counted(len(score.parts), 'part')}, played with {font.name}")
    if stems is not None:
        typer.echo(f"{stems}: {', '.join(alone) or 'no stems, the music is silent'}")
    if roll is not None:
        from d2m.symbolic.pianoroll_image import draw

        typer.echo(f"{draw(roll, out.with_suffix('.png'), title=source.name)}")


def shaped(score: Score, words: Words, source: Path) -> Score:
    """Return existing music as it is asked for: length, tracks, key, tempo and swing, in this order.

    Args:
        score: the music.
        words: what is asked for.
        source: its file, for errors.
    """
    from d2m.symbolic.score_edit import at_tempo, first_bars, semitones_to, transposed, without

    try:
        score = score if words.bars is None else first_bars(score, words.bars)
        score = without(score, words.without)
    except D2MError as error:
        raise D2MError(f"{source}: {error}") from None
    if words.shape.key is not None:
        score = transposed(score, semitones_to(score, words.shape.key))
    score = score if words.tempo is None else at_tempo(score, words.tempo)
    return words.shape.swung(score)


def _genre(name: str | None) -> str | None:
    """Return the code of a genre given by name.

    Raises:
        D2MError: if there is no genre of that name.
    """
    from d2m.types import genre_code

    try:
        return None if name is None else genre_code(name)
    except ValueError as error:
        raise D2MError(str(error)) from error


def read_music(source: Path) -> Score:
    """Read the score of a MIDI or piano-roll file.

    Args:
        source: the file.
    """
    from d2m.symbolic.midi import read_midi
    from d2m.symbolic.pianoroll import to_score
    from d2m.symbolic.pianoroll_file import load_npz
    from d2m.symbolic.tracks import playing_track

    if source.suffix.lower() == ".npz":
        return to_score(load_npz(source, playing_track))
    return read_midi(source)


@app.command()
def metrics(
    music: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR", help="MIDI file, piano-roll (.npz), a folder of them, or a folder of phrases."
        ),
    ],
    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="Resolution for files: paper (96 steps per bar) or compact (16).")
    ] = "paper",
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Compute MuseGAN's metrics of five-track music: EB, UPC, QN, DP, TD; and polyphony, scale, pitch range,
    pitch-class entropy (PCE) and groove consistency (GC).
    """
    from d2m.symbolic.pianoroll_tensor import resolution_named

    source, steps = Path(music), resolution_named(resolution).steps
    found: dict[str, Any] = {}
    skipped: list[str] = []
    if source.is_dir() and any(source.glob("*/*.npz")) and (source / "made.json").is_file():
        found = _measure_phrases(source)
    elif _is_shard(source):
        found["music"] = _measure_shard(source)
    else:
        found["music"], skipped = _measure_files(source, steps)
    for line in skipped:
        complain(f"warning: {line}")
    if as_json:
        content = {name: figures.to_json() for name, figures in found.items()}
        if list(content) == ["music"]:
            content = content["music"] | ({"skipped": skipped} if skipped else {})
        _print_json({"source": str(source), **content})
        return
    for name, figures in found.items():
        _show(source.name if name == "music" else f"{source.name}, {name}", figures)


def _measure_files(source: Path, steps: int) -> tuple[Any, list[str]]:
    from d2m.datasets.lpd import song_files
    from d2m.symbolic.metrics import Tally, count_roll
    from d2m.symbolic.pianoroll_file import load_npz
    from d2m.symbolic.pianoroll_midi import read_roll

    tally = Tally(steps)
    paths = [file.path for file in song_files(source)] if source.is_dir() else [source]
    if not paths:
        raise D2MError(f"{source} holds no .mid or .npz files; give a folder with music")
    skipped = []
    for path in paths:
        try:
            roll = load_npz(path) if path.suffix.lower() == ".npz" else read_roll(path, steps // 4)
            try:
                added, bars = count_roll(roll, tally)
            except D2MError as error:
                raise D2MError(f"{path}: {error}") from None
        except D2MError as error:
            if len(paths) == 1:
                raise
            skipped.append(str(error))
            continue
        if added < bars:
            skipped.append(f"{path}: {bars - added} of {bars} bars are not in 4/4 and were left out")
    if not tally.sums:
        raise D2MError(f"none of the {len(paths)} files in {source} can be measured; the first: {skipped[0]}")
    return tally.metrics(), skipped


def _is_shard(source: Path) -> bool:
    """Tell whether a file is a shard of phrases, by the names of its arrays."""
    import zipfile

    try:
        with zipfile.ZipFile(source) as archive:
            return "held.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _measure_shard(source: Path) -> Any:
    from d2m.datasets.phrases import articulated_bits, load_phrases, unpack
    from d2m.symbolic.metrics import Tally

    shard = load_phrases(source)
    if not len(shard):
        raise D2MError(f"{source} holds no phrases; prepare more music")
    bits, tally = articulated_bits(shard), Tally(shard.resolution.steps)
    for start in range(0, len(bits), 64):
        tally.add(unpack(bits[start : start + 64], shard.resolution), shard.resolution.lowest)
    return tally.metrics()


def _measure_phrases(source: Path) -> dict[str, Any]:
    from d2m.datasets.phrases import SPLITS, Phrases
    from d2m.symbolic.metrics import Tally

    found = {}
    for split in SPLITS:
        if any((source / split).glob("*.npz")):
            phrases = Phrases(source, split)
            tally = Tally(phrases.resolution.steps)
            for start in range(0, len(phrases), 64):
                tally.add(phrases[start : start + 64], phrases.resolution.lowest)
            found[split] = tally.metrics()
    return found


def _show(title: str, figures: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = {
        "EB %": ("empty_bars", 1), "UPC": ("used_pitch_classes", 2), "QN %": ("qualified_notes", 1),
        "poly %": ("polyphony", 1), "keys": ("keys_at_once", 2), "scale %": ("in_scale", 1),
        "PCE": ("pitch_class_entropy", 2), "GC %": ("groove_consistency", 1),
        "notes": ("notes_per_bar", 1), "lowest": ("lowest", 0), "highest": ("highest", 0),
    }  # fmt: skip
    table = Table("track", *columns, box=None, header_style="bold")
    for track in figures.empty_bars:
        table.add_row(track, *(_number(getattr(figures, name)[track], digits) for name, digits in columns.values()))
    console = Console()
    head = f"{title}: {counted(figures.bars, 'bar')} of {figures.steps} steps"
    console.print(head, style="bold", markup=False, highlight=False)
    console.print(table)
    distances = "  ".join(f"{pair} {_number(value, 2)}" for pair, value in figures.tonal_distance.items())
    console.print(f"DP {_number(figures.drum_pattern, 1)} %   TD {distances}", markup=False, highlight=False)


def _number(value: float, digits: int) -> str:
    return "-" if value != value else f"{value:.{digits}f}"


@app.command()
def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="POP909, LPD or any folder of .npz or .mid files; or studio:COUNT for composed songs.",
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=RESUMED_FOLDER)],
    resolution: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Resolution (bars x steps x keys x tracks): compact (4 x 16 x 72 x 5) or paper (4 x 96 x 84 x 5).",
        ),
    ] = "compact",
    processes: Processes = None,
    ray: Ray = None,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    any_genre: Annotated[
        bool, typer.Option("--any-genre", help="LPD: use songs of all genres, not only those tagged as rock.")
    ] = False,
    least_confidence: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="LPD: minimum confidence of the match between MIDI file and recording (0-1)."
        ),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Cut songs into four-bar phrases of five tracks for training, split by song into train and held_out."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from d2m.datasets.lpd import Rules
    from d2m.datasets.phrases_make import Settings
    from d2m.datasets.phrases_make import prepare as make

    columns = (TextColumn("groups of songs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars as bar, executor(processes, ray, output) as places:
        task = bar.add_task("", total=None)
        made = make(
            sources,
            output,
            Settings(resolution=resolution, seed=seed),
            rules=Rules(rock=not any_genre, least_confidence=least_confidence),
            processes=places,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        _print_json({"folder": str(Path(output).resolve()), **made.to_json()})
        return
    for split, count in made.phrases.items():
        typer.echo(f"{split}: {count} phrases of {made.songs[split]} songs")
        if made.metrics[split] is not None:
            _show(split, made.metrics[split])
    for reason, count in made.skipped.items():
        typer.echo(f"left out: {count} songs, {reason}")
    typer.echo(f"{output}")


def _print_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


app.command()(generate)
app.command()(accompany)
app.command()(melodies)
app.command()(mixpoints)
app.command()(bridge)
app.command()(stream)
app.command()(emotion)
app.command("emotion-fit")(emotion_fit)
