"""The benchmark's table for papers and for other programs: LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from d2m.evaluation.latex import escape as escape
from d2m.evaluation.metrics import metrics_of
from d2m.evaluation.metrics.base import Metric, reading

from .columns import number, score_of

#: Groups of metrics in the order of the tables.
_GROUPS = ("beats", "true_beats", "alignment", "alignment_aist", "sets", "genre", "sound", "music", "pairs")
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}


def tidy(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one record for each figure of each row.

    Args:
        report: the report.

    Yields:
        ``row``, ``title``, ``kind``, ``metric``, ``events`` (of alignment), ``unit``, ``better``, ``value``, ``low``
        and ``high`` (95 % interval), ``chance``, ``dances``, ``segments``.
    """
    for row in report["rows"]:
        for metric, events in _metrics():
            score = score_of(row, metric, events or "beats")
            value, interval = reading(score)
            if not isinstance(value, (int, float)):
                continue
            yield {
                "row": row["key"], "title": row["title"], "kind": row["kind"], "metric": metric.name, "events": events,
                "unit": metric.unit, "better": metric.better, "value": value,
                "low": interval[0] if interval else "", "high": interval[1] if interval else "",
                "chance": score.get("chance", "") if isinstance(score, dict) else "",
                "dances": row["sequences"], "segments": row["segments"],
            }  # fmt: skip


def csv_text(report: dict[str, Any]) -> str:
    """Format all figures of a report as CSV, one line a figure (:func:`tidy`).

    Args:
        report: the report.
    """
    buffer = io.StringIO()
    records = list(tidy(report))
    writer = csv.DictWriter(buffer, list(records[0]) if records else ["row"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()


def latex(report: dict[str, Any]) -> str:
    """Format the main figures as a LaTeX table (packages booktabs and graphicx), one row a system.

    Intervals stand below their values, and the best value of the systems is bold. Reference, reconstructions and
    baselines have blocks of their own.

    Args:
        report: the report.
    """
    rows = report["rows"]
    main = [(metric, events) for metric, events in _metrics() if metric.headline and events in ("", "beats")]
    columns = [(m, e) for m, e in main if any(_value(row, m, e) is not None for row in rows)]
    best = {(m.name, e): _best([row for row in rows if row["kind"] == "system"], m, e) for m, e in columns}
    head = " & ".join(["", *(_heading(metric) for metric, _ in columns)])
    lines = [
        f"% {_one_line(report['title'])}: {_one_line(report['command'])}",
        r"\begin{table*}",
        r"\centering",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{l{'c' * len(columns)}}}",
        r"\toprule",
        rf"{head} \\",
    ]
    kind = ""
    for row in rows:
        if row["kind"] != kind:
            lines.append(r"\midrule")
            kind = row["kind"]
        cells = [_cell(row, metric, events, best[metric.name, events]) for metric, events in columns]
        lines.append(rf"{escape(row['title'])} & {' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}}", rf"\caption{{{_caption(report)}}}", r"\end{table*}"]
    return "\n".join(lines) + "\n"


def _metrics() -> list[tuple[Metric, str]]:
    """Metrics with the events that they have a column for; no events outside alignment."""
    found = []
    for group in _GROUPS:
        for metric in metrics_of(group):
            found += [(metric, events) for events in (metric.events if group.startswith("alignment") else ("",))]
    return found


def _value(row: dict[str, Any], metric: Metric, events: str) -> float | None:
    value, _ = reading(score_of(row, metric, events or "beats"))
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def _best(rows: list[dict[str, Any]], metric: Metric, events: str) -> float | None:
    """The best value as it is printed, so that what reads the same is bold together."""
    known = [value for row in rows if (value := _value(row, metric, events)) is not None]
    if len(known) < 2 or metric.better == "neither":
        return None
    target = metric.target or 0.0
    order = {"higher": lambda v: -v, "lower": lambda v: v, "nearer": lambda v: abs(v - target)}[metric.better]
    return round(min(known, key=order), _digits(metric))


def _digits(metric: Metric) -> int:
    return min(metric.digits, 3)


def _cell(row: dict[str, Any], metric: Metric, events: str, best: float | None) -> str:
    value, digits = _value(row, metric, events), _digits(metric)
    if value is None:
        return "--"
    _, interval = reading(score_of(row, metric, events or "beats"))
    text = number(value, digits).replace(",", r"\,")
    if row["kind"] == "system" and best is not None and round(value, digits) == best:
        text = rf"\textbf{{{text}}}"
    if interval is None:
        return text
    return rf"\shortstack{{{text}\\{{\scriptsize [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]}}}}"


def _heading(metric: Metric) -> str:
    arrow = _ARROWS.get(metric.better, "")
    if metric.better == "nearer" and metric.target is not None:
        arrow = f"$\\to{metric.target:g}$"
    return f"{escape(metric.headline)} {arrow}".strip()


def _caption(report: dict[str, Any]) -> str:
    settings = report["settings"]
    return escape(
        f"Dances: {report['sequences']}; segments: {report['segments']}, of {settings['segment']:g} s; 95 % intervals "
        f"by bootstrap over dances. Measured with d2m {report['machine']['d2m']}."
    )


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
