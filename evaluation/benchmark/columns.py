"""Columns of the report's tables: a metric of the registry each, and what else a row has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from d2m.evaluation.metrics import metrics_of
from d2m.evaluation.metrics.base import Metric, Score, reading

from .table import FAULTS

#: Where a row keeps the scores of a group.
_PLACES = {"beats": "beats", "sets": "fidelity", "genre": "genre", "sound": "sound", "pairs": "pairs", "music": "music"}


@dataclass(frozen=True)
class Column:
    """Column of a table.

    Attributes:
        title: heading.
        text: function that formats the figure of a row.
        name: name of the metric, or ``""``.
    """

    title: str
    text: Callable[[dict[str, Any]], str]
    name: str = ""


def number(value: float | None, digits: int = 3) -> str:
    """Format a value, or mark it as undefined; large values have no decimals.

    Args:
        value: the value, or None.
        digits: decimals.
    """
    if value is None:
        return "undefined"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def spread(value: float | None, interval: list[float] | None, signed: bool = False, digits: int = 3) -> str:
    """Format a value with its interval.

    Args:
        value: the value, or None.
        interval: lower and upper end, or None.
        signed: with a plus sign.
        digits: decimals.
    """
    if value is None:
        return "undefined"
    figures = [f"{v:+.{digits}f}" if signed else number(v, digits) for v in (value, *(interval or ()))]
    return figures[0] if interval is None else f"{figures[0]} ({figures[1]} to {figures[2]})"


def score_of(row: dict[str, Any], metric: Metric, events: str = "beats") -> Score:
    """Return the score of a row.

    Args:
        row: line of the table, see :func:`~d2m.evaluation.benchmark.table.summarise`.
        metric: the metric.
        events: of alignment, ``"beats"`` or ``"onsets"``.

    Returns:
        Number, or mapping with an interval; None where it is undefined.
    """
    if metric.group == "true_beats":
        value = row[metric.name]
    elif metric.group in _PLACES:
        value = (row[_PLACES[metric.group]] or {}).get(metric.name)
    else:
        return (row["alignment"] or {events: {}})[events].get(metric.name)
    interval = row["intervals"].get(metric.name)
    if interval is None:
        return value
    return {**(value if isinstance(value, dict) else {"value": value}), "interval": interval}


def column(metric: Metric, events: str = "beats", short: bool = False) -> Column:
    """Return the column of a metric.

    Args:
        metric: the metric.
        events: of alignment, ``"beats"`` or ``"onsets"``.
        short: for the short table, with two decimals.
    """
    fit = metric.group.startswith("alignment")
    title = metric.headline if short else f"{metric.title}, {events}" if fit else metric.title
    digits = min(2, metric.digits) if short else metric.digits
    signed = fit or metric.target == 0

    def text(row: dict[str, Any]) -> str:
        value, interval = reading(score_of(row, metric, events))
        return spread(value, None if short and not metric.headline_interval else interval, signed, digits)

    return Column(title, text, metric.name)


def _chance(metric: Metric, events: str) -> Column:
    """Score and chance of a metric of alignment."""

    def text(row: dict[str, Any]) -> str:
        score = score_of(row, metric, events)
        return f"{score['value']:.3f} / {score['chance']:.3f}" if isinstance(score, dict) else "undefined"

    return Column("score / chance", text)


def _faults(row: dict[str, Any]) -> str:
    counts = {fault.replace("_", "-"): row["sound"][fault] for fault in FAULTS}
    found = [f"{count} {fault}" for fault, count in counts.items() if count]
    return ", ".join(found) + f" of {row['segments']}" if found else "none"


def _seconds(digits: int) -> Callable[[dict[str, Any]], str]:
    """Nothing for what is no system."""
    return lambda row: "" if row["seconds_per_second"] is None else number(row["seconds_per_second"], digits)


def short_columns() -> tuple[Column, ...]:
    """Return the columns of the short table."""
    chosen = [metric for metric in metrics_of(*_PLACES, "true_beats", "alignment") if metric.headline]
    return (*(column(metric, short=True) for metric in chosen), Column("s per s", _seconds(2)))


def beat_columns() -> tuple[Column, ...]:
    """Return the columns of the table of beats."""
    return _columns("beats", "true_beats")


def alignment_columns() -> tuple[Column, ...]:
    """Return the columns of the fit to the dancer: all metrics of the music's beats, then of its onsets."""
    found = []
    for group in ("alignment", "alignment_aist"):
        for events in ("beats", "onsets"):
            for metric in metrics_of(group):
                if metric.column and events in metric.events:
                    found.append(column(metric, events))
                    if metric.chance_column and events == metric.events[0]:
                        found.append(_chance(metric, events))
    return tuple(found)


def sound_columns() -> tuple[Column, ...]:
    """Return the columns of sound and genre."""
    return (*_columns("sets", "genre", "sound"), Column("faults", _faults), Column("s per s", _seconds(3)))


def music_columns() -> tuple[Column, ...]:
    """Return the columns of harmony and structure."""
    return _columns("music")


def pair_columns() -> tuple[Column, ...]:
    """Return the columns of reconstructions."""
    return _columns("pairs")


def distance_columns(embedding: str) -> tuple[Column, ...]:
    """Return the columns of the distances in another embedding than the first.

    Args:
        embedding: its name.
    """

    def made(name: str, shown: Column) -> Column:
        def text(row: dict[str, Any]) -> str:
            return shown.text({**row, "fidelity": row["embeddings"][embedding], "intervals": {}})

        return Column(shown.title, text, name)

    return tuple(made(each.name, column(each)) for each in metrics_of("sets") if each.column)


def _columns(*groups: str) -> tuple[Column, ...]:
    return tuple(column(metric) for metric in metrics_of(*groups) if metric.column)


def legend() -> dict[str, str]:
    """Return what the columns are: titles of metrics that share a description, and the description with direction,
    unit and range."""
    titles: dict[str, list[str]] = {}
    groups = ("beats", "true_beats", "alignment", "alignment_aist", "sets", "genre", "sound", "music", "pairs")
    for metric in metrics_of(*groups):
        if metric.column:
            titles.setdefault(f"{metric.about} ({metric.properties})", []).append(metric.title)
    merged = {
        ("; " if any("," in name for name in names) else ", ").join(names): text for text, names in titles.items()
    }
    return merged | {
        "fit over chance": "the beat-align score of beats, as in its own table",
        "s per s": "seconds of processor time, all cores together, to a second of music, without loading weights",
    }
