"""Check that the baselines rank as expected. If they do not, the metric or the data has a fault."""

from __future__ import annotations

from typing import Any

from .rows import REFERENCE

#: Baselines that do not depend on the dance's beats.
UNRELATED: tuple[str, ...] = ("shuffled", "metronome-wrong", "noise")


def expectations(lines: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Check the expected order of the rows that there are: a description and the result of each check.

    Args:
        lines: lines of the table, see :func:`~d2m.evaluation.benchmark.table.summarise`.
    """
    by_key = {line["key"]: line for line in lines}
    beat_f = _known({key: line["beats"]["beat_f"] for key, line in by_key.items()})
    fits = {key: _fit(line) for key, line in by_key.items()}
    fit = _known({key: None if found is None else found["excess"] for key, found in fits.items()})
    frechet = _known({key: (line["fidelity"] or {}).get("frechet") for key, line in by_key.items()})
    systems = [key for key, line in by_key.items() if line["kind"] in ("system", "reconstruction")]
    return [
        *_all_below("beat F: nothing is better than the original", beat_f, beat_f, [REFERENCE]),
        *_all_below(
            "beat F: other music, a wrong tempo and noise are below a metronome on the beat",
            beat_f,
            UNRELATED,
            ["metronome"],
        ),
        *_all_below("beat F: clicks half a beat late are below all of these", beat_f, ["metronome-late"], UNRELATED),
        *_all_below("beat F: silence scores least", beat_f, ["silence"], beat_f),
        *_all_below("fit: other music, a wrong tempo and noise are below the original", fit, UNRELATED, [REFERENCE]),
        *_all_below("fit: clicks half a beat late are below those on the beat", fit, ["metronome-late"], ["metronome"]),
        *_chance(fits),
        *_all_below(
            "sound: every system is nearer to the originals than metronomes and noise",
            frechet,
            systems,
            ["metronome", "metronome-late", "metronome-wrong", "noise"],
        ),
    ]


def _all_below(text: str, values: dict[str, float], low: Any, high: Any) -> list[tuple[str, bool]]:
    """Whether each of the low rows is at or below each of the high ones; nothing where either side has no figures."""
    lows, highs = ([values[key] for key in keys if key in values] for keys in (low, high))
    return [(text, max(lows) <= min(highs) + 1e-9)] if lows and highs else []


def _chance(fits: dict[str, dict[str, Any] | None]) -> list[tuple[str, bool]]:
    """Music for another dance is at chance, where there are several dances to say so."""
    found = fits.get("shuffled")
    if found is None or found["interval"] is None:
        return []
    low, high = found["interval"]
    return [("fit: the originals of other dances are at chance (their interval holds 0)", low <= 0 <= high)]


def _fit(line: dict[str, Any]) -> dict[str, Any] | None:
    return (line["alignment"] or {"beats": {}})["beats"].get("beat_align")


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {key: value for key, value in values.items() if value is not None}
