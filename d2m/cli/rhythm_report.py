"""Output of ``d2m evaluate rhythm``: printed report and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from d2m.errors import D2MError

#: Options of ``d2m evaluate rhythm``.
Causal = Annotated[
    bool, typer.Option("--causal", help="Evaluate the beats of d2m live, tracked without looking ahead.")
]
Skip = Annotated[
    float, typer.Option(min=0.0, max=600.0, help="Seconds at the beginning of each clip that are not scored (0-600).")
]

Outputs = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Output file: .json for the report, .png for the reliability diagram. Repeatable.",
    ),
]


def check_outputs(outputs: list[str]) -> None:
    """Check the names of the files to write.

    Raises:
        D2MError: if one ends neither in ``.json`` nor in ``.png``.
    """
    for output in outputs:
        if Path(output).suffix.lower() not in (".json", ".png"):
            raise D2MError(f"-o {output}: give a name that ends in .json (report) or .png (reliability diagram)")


def write_outputs(report: dict[str, Any], text: str, outputs: list[str]) -> None:
    """Write the report as JSON, or its reliability diagram as a picture, by the ending of each name."""
    from d2m.evaluation.rhythm_report import draw_reliability
    from d2m.files.atomic import atomic_write

    for output in outputs:
        if Path(output).suffix.lower() == ".png":
            draw_reliability(report, output)
        else:
            with atomic_write(output) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"wrote {output}", err=True)


def tell_rhythm(report: dict[str, Any]) -> None:
    """Print a line for each clip, then means with intervals and the calibration."""
    clips = report["clips"]
    if not clips:
        return
    width = max(4, *(len(row["name"]) for row in clips))
    typer.echo(f"{'clip':<{width}}  music   found  conf  tempo   F      chance  CMLt   AMLt   phase")
    for row in clips:
        right = "right" if row["tempo_right"] else "octave" if row["octave_right"] else "wrong"
        phase = "" if row["phase_error"] is None else f"{1000 * row['phase_error']:+4.0f} ms"
        typer.echo(
            f"{row['name']:<{width}}  {row['true_tempo']:5.1f}  {row['tempo']:6.1f}  {row['confidence']:.2f}  "
            f"{right:<6}  {row['f']:.3f}  {row['f_chance']:.3f}   {row['cmlt']:.3f}  {row['amlt']:.3f}  {phase}"
        )
    typer.echo(f"\n{len(clips)} clips of {report['sources']} sources; 95 % intervals: bootstrap over sources")
    typer.echo(f"{'':<24} {'mean over clips':<27} mean over sources")
    for name, title in _titles().items():
        of = report["counted"][name]
        note = "" if of == len(clips) else f"  (of {of} clips)"
        columns = (_with_interval(report, name, suffix) for suffix in ("", "_by_source"))
        typer.echo(f"{title:<24} " + " ".join(f"{column:<27}" for column in columns).rstrip() + note)
    _tell_phase(report["phase"])
    _tell_calibration(report["calibration"])


def _titles() -> dict[str, str]:
    """Titles of the metrics by name; those that add to the one above are indented."""
    from d2m.evaluation.metrics import metrics_of

    return {metric.name: "  " * metric.indented + metric.title for metric in metrics_of("rhythm")}


def _with_interval(report: dict[str, Any], name: str, suffix: str) -> str:
    from d2m.evaluation.metrics import METRICS

    value, (low, high) = report[f"mean{suffix}"][name], report[f"intervals{suffix}"][name]
    if value is None:
        return "undefined"
    digits = METRICS.get(name).digits
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _tell_phase(phase: dict[str, Any]) -> None:
    if phase["clips"]:
        typer.echo(
            f"phase of the {phase['clips']} clips with the right tempo: mean {phase['error_beats']:+.3f} beats, "
            f"concentration {phase['concentration']:.3f}, median {phase['median_ms']:+.0f} ms"
        )


def _tell_calibration(calibration: dict[str, Any]) -> None:
    typer.echo("confidence  clips  mean confidence  share with the right tempo")
    for row in calibration["bins"]:
        bounds = f"{row['low']:.1f}-{row['high']:.1f}"
        means = "" if not row["clips"] else f"  {row['confidence']:<15.3f}  {row['right']:.3f}"
        typer.echo(f"{bounds:<10}  {row['clips']:<5}{means}")
    typer.echo(
        f"Brier score {calibration['brier']:.3f} (always saying the share of right tempos: "
        f"{calibration['brier_constant']:.3f})"
    )
