"""``d2m evaluate``: metrics of generated music."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from d2m.cli import listening
from d2m.cli.console import complain, counting_bar
from d2m.cli.evaluate_output import end, finish, json_text, number
from d2m.cli.evaluate_sound import list_metrics, sound
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import GENRE_NETWORK, JSON, SEED, Device
from d2m.cli.rhythm_report import Causal, Outputs, Skip
from d2m.cli.symbolic import metrics
from d2m.errors import D2MError

app = typer.Typer(help="Evaluate music: beats, alignment with the dance, sound quality, genre.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help=JSON)]
_Output = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Output JSON file for the report.")]

app.add_typer(listening.app, name="listening")


@app.callback()
def _group() -> None:
    """Evaluate music: beats, alignment with the dance, sound quality, genre."""


@app.command()
def beats(
    reference: Annotated[
        str, typer.Option(metavar="FILE|DIR", help="Original music: sound or video file, or a folder of them.")
    ],
    generated: Annotated[
        str, typer.Option(metavar="FILE|DIR", help="Music to evaluate, paired with the original by file name.")
    ],
    processes: Processes = None,
    ray: Ray = None,
    output: _Output = None,
    as_json: _Json = False,
) -> None:
    """Compare the beats with those of the original music of the same dances.

    Prints D2M-GAN's coverage and hit and LORIS's BCS, CSD, BHS, HSD and F1, computed as in their scripts; and stricter
    metrics: F-measure of onsets and of beats at 70 ms, continuity, tempo ratio.
    """
    from d2m.evaluation.beat_report import evaluate_beats

    with counting_bar("pairs") as tell, executor(processes, ray) as places:
        report = evaluate_beats(reference, generated, places, tell)
    finish(report, as_json, output)
    if not as_json and report["pairs"]:
        mean, counted = report["mean"], report["counted"]
        typer.echo(f"{len(report['pairs'])} pairs; means:")
        for key, value in mean.items():
            of = counted.get(key, len(report["pairs"]))
            note = "" if of == len(report["pairs"]) else f"  (of {of} pairs; undefined for the others)"
            _tell_score(key, value, 13, note)
    end(report, len(report["pairs"]))


@app.command()
def alignment(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO", help="Dance videos.")],
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Music that starts with the picture; for one video only. Default: the video's own sound.",
        ),
    ] = None,
    sigma: Annotated[
        float, typer.Option(help="Tolerance of the beat-align score in seconds (AIST++: 3 frames at 60 fps, 0.05 s).")
    ] = 0.05,
    window: Annotated[float, typer.Option(help="Tolerance of the hit rate in seconds.")] = 0.07,
    shifts: Annotated[int, typer.Option(min=20, help="Number of random shifts used to estimate chance.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    output: _Output = None,
    as_json: _Json = False,
) -> None:
    """Measure how well the music is aligned with the dancer.

    Prints beat-align score and hit rate of onsets and of beats, each with its chance level (the mean score of the same
    music under circular time shifts), the excess over chance and its 95 % interval.
    """
    from d2m.evaluation.alignment_report import evaluate_alignment, summary

    if audio is not None and len(videos) > 1:
        raise D2MError("--audio can be used with one video only; for several, put the music into the videos")
    reports, failed = [], []
    for video in videos:
        try:
            with counting_bar(video) as tell:
                reports.append(evaluate_alignment(video, audio, sigma, window, shifts, partial(_percent, tell)))
        except (D2MError, ValueError, OSError, MemoryError) as error:
            if len(videos) == 1:
                raise
            told = str(error) if isinstance(error, D2MError) else f"{type(error).__name__}: {error}"
            failed.append({"name": video, "error": told})
    if len(videos) == 1:
        report = reports[0]
    else:
        import numpy as np

        mean = summary(reports, np.random.default_rng(seed)) if reports else None
        report = {"videos": reports, "mean": mean, "failed": failed}
    finish(report, as_json, output)
    if not as_json:
        for each in reports:
            _tell_alignment(each)
        if len(reports) > 1:
            typer.echo(f"mean of {len(reports)} videos (interval: bootstrap over videos)")
            _tell_scores(report["mean"])
    end(report, len(reports))


@app.command()
def fidelity(
    reference: Annotated[str, typer.Option(metavar="DIR", help="Folder of real music: sound or video files.")],
    generated: Annotated[str, typer.Option(metavar="DIR", help="Folder of the music to evaluate.")],
    embedding: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Embedding for the distances, see 'd2m evaluate metrics', or package.module:name of your own.",
        ),
    ] = "log-mel",
    window: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Window of the embedding in seconds; shorter recordings are left out. Default: the embedding's own.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    processes: Processes = None,
    ray: Ray = None,
    device: Device = "auto",
    output: _Output = None,
    as_json: _Json = False,
) -> None:
    """Compare the sound of a set of recordings with that of real music.

    Prints Fréchet and kernel distance of the sets with their bias, and diversity; distances of pairs of the same file
    name; loudness, silence, clipping and spectral flatness of every recording.
    """
    from d2m.evaluation.fidelity_report import evaluate_fidelity

    with counting_bar("recordings") as tell, executor(processes, ray) as places:
        report = evaluate_fidelity(reference, generated, embedding, window, seed, places, tell)
    finish(report, as_json, output)
    if not as_json:
        _tell_fidelity(report)
    for side, rows in report["checks"].items():
        for row in rows:
            for problem in row["problems"]:
                complain(f"warning: {side} {row['name']}: {problem}")
    end(report, min(map(len, report["checks"].values())))


@app.command()
def genre(
    music: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR", help="Sound or video file, a folder of them, or a folder of training examples (.npz)."
        ),
    ],
    genre: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Genre of the dances. Default: read from the file names or reports."),
    ] = None,
    weights: Annotated[str, typer.Option(metavar="NAME|FILE", help=GENRE_NETWORK)] = "studio-genre",
    processes: Processes = None,
    ray: Ray = None,
    device: Device = "auto",
    output: _Output = None,
    as_json: _Json = False,
) -> None:
    """Measure whether the music has the genre of the dance.

    Prints the genre accuracy of the D2M-GAN paper (by the nearest song of the training set), and the accuracy and
    confusion matrix of a classifier. To evaluate the genre network itself, give the folder of songs that were held out
    from its training.
    """
    from d2m.evaluation.genre_report import evaluate_genre

    with counting_bar("recordings") as tell, executor(processes, ray) as places:
        report = evaluate_genre(music, genre, weights, places, tell)
    finish(report, as_json, output)
    if not as_json:
        _tell_genre(report)
    end(report, len(report["recordings"]))


@app.command()
def rhythm(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder of dance clips: .npz files of landmarks and beats.")
    ],
    seed: Annotated[int, typer.Option(min=0, help=SEED)] = 0,
    causal: Causal = False,
    skip: Skip = 0.0,
    output: Outputs = None,
    as_json: _Json = False,
) -> None:
    """Compare the beats found in a dancer's movement with those of the music danced to.

    Prints tempo accuracy, F-measure at 70 ms with its chance level, continuity, phase error and calibration of the
    confidence. A clip is an .npz file with landmarks (frames, 33, 3), fps, beats in seconds and, if known, world,
    confidence, duration, downbeats and group.
    """
    from d2m.cli.rhythm_report import check_outputs, tell_rhythm, write_outputs
    from d2m.evaluation.rhythm_report import evaluate_rhythm

    check_outputs(output or [])
    with counting_bar("clips") as tell:
        report = evaluate_rhythm(folder, seed, tell, causal=causal, skip=skip)
    if report["clips"]:
        write_outputs(report, json_text(report), output or [])
    if as_json:
        typer.echo(json_text(report))
    else:
        tell_rhythm(report)
    end(report, len(report["clips"]))


app.command()(sound)
app.command(name="metrics")(list_metrics)
#: The same as ``d2m symbolic metrics``, where it can also be looked for.
app.command(name="symbolic")(metrics)


def _tell_genre(report: dict[str, Any]) -> None:
    for row in report["recordings"]:
        typer.echo(
            f"{row['name']}: {row['heard']} ({row['probability']:.0%}), nearest song {row['nearest']}, "
            f"dance {row['genre'] or 'unknown'}"
        )
    if report["counted"]:
        _tell_confusion(report["confusion"])
        typer.echo(
            f"accuracy over {report['counted']}: {report['retrieval']:.3f} by retrieval, "
            f"{report['classification']:.3f} by classification (chance about 0.1)"
        )


def _tell_confusion(confusion: dict[str, Any]) -> None:
    """Print the confusion matrix as Markdown: one row per genre of the dances, one column per predicted genre."""
    genres, counts = confusion["genres"], confusion["counts"]
    typer.echo("\n| dance \\ predicted | " + " | ".join(genres) + " |\n" + "|---" * (len(genres) + 1) + "|")
    for genre, row in zip(genres, counts, strict=True):
        if any(row):
            typer.echo(f"| {genre} | " + " | ".join(str(n) if n else "" for n in row) + " |")
    typer.echo("")


def _tell_fidelity(report: dict[str, Any]) -> None:
    sets, space = report["sets"], report["embedding"]
    for side, count in sets.items():
        typer.echo(f"{side}: {count['recordings']} recordings, {count['windows']} windows of {space['window']:.2f} s")
    typer.echo(f"embedding {space['name']} {space['version']}, {space['size']} values")
    if report["frechet"]:
        typer.echo(f"  Fréchet distance      {report['frechet']['value']:.3f}")
        typer.echo(f"    per value           {report['frechet']['per_dimension']:.4f}")
    if endless := report["frechet_infinity"]:
        typer.echo(f"    infinite sets       {endless['value']:.3f} +- {endless['standard_error']:.3f}")
    if floor := report["frechet_floor"]:
        low, high = floor["interval"]
        typer.echo(
            f"    of {floor['windows']}: generated {floor['generated']:.3f}, real music {floor['reference']:.3f}, "
            f"excess {floor['excess']:.3f} ({low:.3f} to {high:.3f})"
        )
    if kernel := report["kernel"]:
        low, high = kernel["interval"]
        typer.echo(f"  kernel distance       {kernel['value']:.4f} ({number(low)} to {number(high)})")
    for side, spread in (report["diversity"] or {}).items():
        if spread:
            first, second, apart = spread["closest"]
            typer.echo(f"  diversity, {side:<10} {spread['value']:.3f} (closest: {first} and {second}, {apart:.3f})")
    _tell_added(report["scores"] or {})
    if report["pairs"]:
        typer.echo(f"{len(report['pairs'])} pairs; means:")
        for key, value in report["mean"].items():
            _tell_score(key, value, 19)
    for note in report["notes"]:
        typer.echo(f"note: {note}")


def _tell_score(name: str, score: Any, width: int, note: str = "") -> None:
    """Print a score; the values of one that has several stand in a line each.

    Args:
        name: name of the metric.
        score: number, values by name, or None.
        width: of the names.
        note: end of the line.
    """
    if isinstance(score, dict) and "excess" in score:
        typer.echo(f"  {name:<{width}} {number(score['excess'])}  chance {number(score['chance'])}{note}")
    elif isinstance(score, dict):
        for part, value in score.items():
            typer.echo(f"  {part:<{width}} {number(value)}")
    else:
        typer.echo(f"  {name:<{width}} {number(score)}{note}")


def _tell_added(scores: dict[str, Any]) -> None:
    """Print the metrics of sets that other packages add."""
    from d2m.evaluation.metrics import added
    from d2m.evaluation.metrics.base import reading

    for name in added():
        if name in scores:
            value, interval = reading(scores[name])
            ends = "" if interval is None else f" ({number(interval[0])} to {number(interval[1])})"
            typer.echo(f"  {name:<21} {number(value)}{ends}")


def _percent(tell: Callable[[int, int], None], share: float) -> None:
    tell(round(100 * share), 100)


def _tell_alignment(report: dict[str, Any]) -> None:
    typer.echo(
        f"{report['video']}: {len(report['motion_beats'])} motion beats ({report['judge']}), "
        f"{len(report['music_onsets'])} onsets, {len(report['music_beats'])} beats, {report['duration']:.2f} s"
    )
    for note in report["notes"]:
        typer.echo(f"  note: {note}")
    _tell_scores(report)


def _tell_scores(table: dict[str, Any]) -> None:
    for events in ("onsets", "beats"):
        for name, row in table[events].items():
            if isinstance(row, dict):
                low, high = row["interval"]
                typer.echo(
                    f"  {events:<7} {name:<27} {number(row['value'])}  chance {number(row['chance'])}  "
                    f"excess {number(row['excess'])} ({number(low)} to {number(high)})"
                )
