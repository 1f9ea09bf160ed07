"""Print which baselines fool which metric, from the report of a benchmark: the table of docs/metrics.md.

    d2m benchmark studio -o full --weights symbolic-composer
    python scripts/reproduce/metric_baselines.py full

The report must contain the spectral codec's reconstruction and all baselines. *Real music* is the reconstruction for
metrics that compare with the original, since the original agrees with itself perfectly, and the original for the
others. A baseline fools a metric if it comes as near to the best value as real music does, within a twentieth of the
range of all rows; a distance or another metric that is to be low, if it is at most 1.5 times that of real music. The
last column says whether the metric declares all baselines that fool it
(:class:`d2m.evaluation.metrics.base.Metric`, ``fools``); the exit status is 1 where one does not.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.evaluation.benchmark.columns import score_of
from d2m.evaluation.benchmark.rows import BASELINES
from d2m.evaluation.metrics import metrics_of
from d2m.evaluation.metrics.base import Metric, reading

#: Groups whose values for the original compare it with itself.
_PAIRED = ("beats", "sets")
_GROUPS = ("beats", "true_beats", "alignment", "alignment_aist", "sets", "genre", "sound", "music")
_MARGIN, _RATIO = 0.05, 1.5


def values_of(report: dict[str, Any], metric: Metric) -> dict[str, float]:
    """Return the values of a metric by the key of the row, where it is defined.

    Args:
        report: a benchmark's report.
        metric: the metric.
    """
    found = {}
    for row in report["rows"]:
        value, _ = reading(score_of(row, metric))
        if isinstance(value, (int, float)):
            found[row["key"]] = float(value)
    return found


def fooling(values: dict[str, float], metric: Metric) -> list[str]:
    """Return the baselines that reach real music.

    Args:
        values: of :func:`values_of`.
        metric: the metric.
    """
    real = values.get("vq-spectral" if metric.group in _PAIRED else "ground-truth")
    if real is None or metric.better == "neither":
        return []
    signs = {"higher": lambda v: -v, "lower": lambda v: v, "nearer": lambda v: abs(v - (metric.target or 0.0))}
    away = {key: signs[metric.better](value) for key, value in values.items()}
    margin = _MARGIN * (max(away.values()) - min(away.values()))
    limit = _RATIO * real + 1e-9 if metric.better == "lower" else signs[metric.better](real) + margin
    return [key for key in BASELINES if key in away and away[key] <= limit]


def table(report: dict[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Return the lines of the table, its header first, and what is not declared.

    Args:
        report: a benchmark's report.
    """
    keys = ["vq-spectral", *BASELINES]
    lines = [["metric", "best", "original", "codec", *BASELINES, "fooled by", "declared"]]
    undeclared = []
    for metric in metrics_of(*_GROUPS):
        values = values_of(report, metric)
        if len(values) < 3:
            continue
        found = fooling(values, metric)
        missing = [key for key in found if key not in metric.fools]
        undeclared += [f"{metric.name}: {key}" for key in missing]
        cells = [f"{values[key]:.4g}" if key in values else "–" for key in ("ground-truth", *keys)]
        verdict = "no order" if metric.better == "neither" else "NO" if missing else "yes"
        best = {"higher": "high", "lower": "low", "nearer": f"{metric.target or 0:g}", "neither": "–"}[metric.better]
        lines.append(
            [metric.title, best, *cells, ", ".join(found) or ("" if verdict == "no order" else "none"), verdict]
        )
    return lines, undeclared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="folder of the report of d2m benchmark")
    path = parser.parse_args().report / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise D2MError(f"{path}: cannot be read ({error}); run d2m benchmark studio first") from error
    lines, undeclared = table(report)
    lines.insert(1, ["---"] * len(lines[0]))
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))
    for line in undeclared:
        print(f"not declared: {line}", file=sys.stderr)
    sys.exit(1 if undeclared else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from one_line import run_main

    run_main(main)
