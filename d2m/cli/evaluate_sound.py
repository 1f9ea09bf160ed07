"""``d2m evaluate sound`` and ``d2m evaluate metrics``: music without a reference, and the list of all metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from d2m.cli.console import counting_bar
from d2m.cli.evaluate_output import end, finish, number
from d2m.cli.executors import Processes, Ray, executor
from d2m.cli.options import JSON
from d2m.errors import D2MError


def sound(
    music: Annotated[str, typer.Argument(metavar="FILE|DIR", help="Sound or video file, or a folder of them.")],
    processes: Processes = None,
    ray: Ray = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Output JSON file for the report.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Measure music without a reference: loudness and faults, key and harmony, structure.

    Structure (repetition, section contrast) needs pieces of 20 s or more.
    """
    from d2m.evaluation.sound_report import evaluate_sound

    with counting_bar("recordings") as tell, executor(processes, ray) as places:
        report = evaluate_sound(music, places, tell)
    finish(report, as_json, output)
    if not as_json:
        for row in report["recordings"]:
            key = f", key {row['key']}" if row["key"] else ""
            problems = ", ".join(row["problems"]) or "no faults"
            typer.echo(f"{row['name']}: {row['duration']:.1f} s{key}; {problems}")
        if report["recordings"]:
            typer.echo("means:")
            for name, value in report["mean"].items():
                typer.echo(f"  {report['metrics'][name]['title']:<24} {number(value)}")
    end(report, len(report["recordings"]))


def list_metrics(
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Group of metrics, such as beats, sets or sound. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """List all metrics with unit, direction, range, source and weaknesses, and the embeddings for distances of sets."""
    from d2m.evaluation.embeddings import availability
    from d2m.evaluation.metrics import metrics_of
    from d2m.evaluation.metrics.base import GROUPS

    if group is not None and group not in GROUPS:
        raise D2MError(f"there is no group of metrics '{group}'; choose {', '.join(GROUPS)}")
    groups = (group,) if group else tuple(GROUPS)
    if as_json:
        import json

        found = {metric.name: {"group": metric.group, **metric.plain()} for metric in metrics_of(*groups)}
        typer.echo(json.dumps({"metrics": found, "embeddings": availability()}, indent=2, ensure_ascii=False))
        return
    for each in groups:
        typer.echo(f"\n{each}: {GROUPS[each]}")
        for metric in metrics_of(each):
            typer.echo(f"  {metric.name}: {metric.title} ({metric.properties})")
            typer.echo(f"      {metric.about}")
            typer.echo(f"      source: {metric.reference}")
            typer.echo(f"      fooled by: {metric.fooled_by or 'nothing known'}")
    if group in (None, "sets"):
        typer.echo("\nembeddings")
        for name, problem in availability().items():
            typer.echo(f"  {name}: {problem or 'available'}")
