"""``d2m symbolic emotion``: melodies with an emotion, new ones or a song's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from d2m.cli.from_dataclass import with_options
from d2m.cli.options import JSON, PNG, SEED, WAV
from d2m.cli.symbolic_out import midi_paths
from d2m.cli.symbolic_write import check_stems, write_sound
from d2m.errors import D2MError
from d2m.symbolic.control_options import EmotionControls

if TYPE_CHECKING:
    from d2m.symbolic.emotion.actor_critic import EmotionModel
    from d2m.symbolic.emotion.emotions import Emotion
    from d2m.symbolic.shape import Words
    from d2m.types import Score

#: Bars of a new melody.
_BARS = 16
_TEMPERATURE = 0.5


@with_options(EmotionControls, at="band", build=EmotionControls)
def emotion(
    options: EmotionControls,
    name: Annotated[
        str,
        typer.Option(
            "--emotion",
            "-e",
            metavar="NAME",
            help="Emotion: intense, bright, lively, peaceful, refreshing, mysterious, melancholic, clear, "
            "gloomy; or its Korean name, such as 우울함.",
        ),
    ],
    source: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--from", metavar="FILE", help="MIDI file whose melody is changed. Default: a new melody."),
    ] = None,
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="Strength of the emotion: 0 (unchanged) to 1 (full).")
    ] = 1.0,
    count: Annotated[
        int, typer.Option(min=1, max=500, help="Number of melodies (1-500); the files of more than one are numbered.")
    ] = 1,
    temperature: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            max=5.0,
            help="Sampling temperature (0-5). Default: 0.5; with --from, 0 for the first melody and 0.5 "
            "for the others.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    skyline: Annotated[
        bool,
        typer.Option("--skyline", help="With --from: use the highest notes as the melody if all tracks play chords."),
    ] = False,
    accompany: Annotated[
        bool, typer.Option("--accompany", help="Add an accompaniment by MuseGAN to the harmonised melody.")
    ] = False,
    band: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Weights of the MuseGAN for --accompany (name or file); it must be conditioned on the piano.",
        ),
    ] = "studio-musegan-piano",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Output MIDI file. Default: emotion.mid, numbered if it exists."
        ),
    ] = None,
    wav: Annotated[bool, typer.Option("--wav", help=WAV)] = False,
    png: Annotated[bool, typer.Option("--png", help=PNG)] = False,
    weights: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Weights of the actor (name or file).")
    ] = "studio-emotion",
    vae: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="Weights of the MusicVAE that the actor was trained on (name or file)."),
    ] = "studio-musicvae",
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Generate melodies of 16 bars with an emotion, or change the emotion of a song's melody of any length."""
    from d2m.symbolic.emotion.emotions import check_strength, load_emotions

    found = load_emotions().find(name)
    check_strength(strength)
    files = midi_paths(output, "emotion.mid", count, source)
    words = options.check()
    _check_words(words, source, accompany)
    check_stems(options.stems)
    if skyline and source is None:
        raise D2MError("--skyline needs a song; give one with --from, or leave out --skyline")
    muse = _band(band) if accompany else None
    model = _model(weights, vae)
    scores, about = _made(model, found, source, strength, len(files), temperature, seed, skyline)
    written = []
    for number, (plain, path) in enumerate(zip(scores, files, strict=True)):
        score = _shaped(plain, words)
        if muse is not None:
            from d2m.symbolic.emotion.band import with_band

            score = with_band(score, found, muse, seed + number, words)
        score = words.shape.swung(score)
        stems = None if options.stems is None else Path(options.stems) / (path.stem if count > 1 else "")
        about[number] |= {"files": [str(file) for file in _write(score, path, wav, png, stems)]}
        about[number] |= {"seconds": round(score.duration, 2), "parts": [part.track for part in score.parts]}
        written.append(about[number])
    _tell(found, strength, seed, source, written, as_json)


def _check_words(words: Words, source: Path | None, accompany: bool) -> None:
    """Refuse what the other options leave no place for."""
    words.check_tracks()
    if words.without and not accompany:
        raise D2MError("--without leaves out tracks of the accompaniment; give --accompany, or leave out --without")
    if words.bars is not None and source is not None:
        raise D2MError("the melody of --from keeps its length; leave out --bars, or give a shorter song")
    if words.bars is not None and words.bars > _BARS:
        raise D2MError(f"--bars {words.bars}: new melodies have {_BARS} bars; give 1 to {_BARS}")


def _shaped(score: Score, words: Words) -> Score:
    """Return a melody with the length, tempo, key and chords that are asked for."""
    from d2m.symbolic.score_edit import at_tempo, first_bars

    score = score if words.bars is None else first_bars(score, words.bars)
    score = score if words.tempo is None else at_tempo(score, words.tempo)
    if not score.parts:
        raise D2MError(f"the melody is silent in its first {words.bars} bars; give more --bars, or another --seed")
    return words.shape.fit(score)


def _made(
    model: EmotionModel,
    found: Emotion,
    source: Path | None,
    strength: float,
    count: int,
    temperature: float | None,
    seed: int,
    skyline: bool,
) -> tuple[list[Score], list[dict[str, Any]]]:
    """Generate or change the melodies; return scores to play and their attributes."""
    import numpy as np

    from d2m.symbolic.emotion.emotions import attributes
    from d2m.symbolic.emotion.performance import perform
    from d2m.symbolic.emotion.song import perform_song, read_song, recolour_song

    scores: list[Score] = []
    about: list[dict[str, Any]] = []
    if source is None:
        warmth = _TEMPERATURE if temperature is None else temperature
        melodies = model.compose(found, count, seed, strength, warmth)
        scores = [perform(melody, found, strength) for melody in melodies]
        about = [_likeness(values) for values in attributes(melodies)]
    else:
        song = read_song(source, skyline)
        before = _likeness(attributes(np.concatenate(song.melodies)))
        for number in range(count):
            warmth = (_TEMPERATURE if number else 0.0) if temperature is None else temperature
            changed = recolour_song(model, song, found, strength, warmth, np.random.default_rng([seed, number]))
            scores.append(perform_song(changed, found, strength))
            about.append(_likeness(attributes(np.concatenate(changed.melodies))) | {"before": before})
    silent = [number for number, score in enumerate(scores, 1) if not len(score.parts[0].starts)]
    if silent:
        raise D2MError(f"melody {silent[0]} is silent, so nothing was written; choose another --seed")
    return scores, about


def _likeness(values: Any) -> dict[str, float | None]:
    pitch, density = (round(float(value), 2) for value in values)
    return {"mean_pitch": pitch if pitch == pitch else None, "notes_a_bar": density}


def _model(weights: str, vae: str) -> EmotionModel:
    from d2m.symbolic.emotion import load, load_emotion

    return load_emotion(weights, load(vae))


def _band(name: str) -> Any:
    """Load the MuseGAN of the accompaniment."""
    from d2m.symbolic.musegan.files import load
    from d2m.types import TRACKS

    try:
        muse = load(name)
    except D2MError as error:
        raise D2MError(f"--accompany needs weights of a MuseGAN that is given the piano: {error}") from None
    if not muse.config.conditional or TRACKS[muse.config.condition] != "piano":
        given = f"is given the {TRACKS[muse.config.condition]}" if muse.config.conditional else "is given nothing"
        raise D2MError(f"--accompany needs a MuseGAN that is given the piano, and {muse.name} {given}; choose a --band")
    return muse


def _write(score: Score, path: Path, wav: bool, png: bool, stems: Path | None) -> list[Path]:
    from d2m.symbolic.midi import write_midi

    files = [write_midi(score, path)]
    if png:
        from d2m.symbolic.pianoroll_image import draw
        from d2m.symbolic.pianoroll_midi import read_roll
        from d2m.symbolic.tracks import playing_track

        files.append(draw(read_roll(path, 24, playing_track), path.with_suffix(".png"), title=path.stem))
    if wav or stems is not None:
        files += write_sound(score, path.with_suffix(".wav"), stems)
    return files


def _tell(
    found: Emotion, strength: float, seed: int, source: Path | None, written: list[dict[str, Any]], as_json: bool
) -> None:
    target = {"mean_pitch": found.pitch, "notes_a_bar": found.density}
    if as_json:
        import json

        content = {"emotion": found.name, "korean": found.korean, "strength": strength, "seed": seed}
        content |= {"from": str(source) if source else None, "target": target, "melodies": written}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for melody in written:
        for file in melody["files"]:
            typer.echo(file)
        pitch = f"mean pitch {melody['mean_pitch']:.1f} (aim {found.pitch:.1f}"
        density = f"{melody['notes_a_bar']:.1f} notes a bar (aim {found.density:.1f}"
        if "before" in melody:
            pitch += f", was {melody['before']['mean_pitch']:.1f}"
            density += f", was {melody['before']['notes_a_bar']:.1f}"
        typer.echo(f"{melody['seconds']:.1f} s, {found.name} {found.korean}: {pitch}), {density})")
