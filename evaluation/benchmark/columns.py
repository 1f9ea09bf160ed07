"""Columns of the report's tables: formatting of each metric of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .table import FAULTS

#: Title, and what writes the figure of a row.
Column = tuple[str, Callable[[dict[str, Any]], str]]


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


def _beat(key: str, digits: int = 3) -> Callable[[dict[str, Any]], str]:
    return lambda row: number(row["beats"][key], digits)


def _over_chance(events: str, score: str, digits: int = 3) -> Callable[[dict[str, Any]], str]:
    def text(row: dict[str, Any]) -> str:
        found = (row["alignment"] or {events: {}})[events].get(score)
        return "undefined" if found is None else spread(found["excess"], found["interval"], True, digits)

    return text


def _value(events: str, score: str) -> Callable[[dict[str, Any]], str]:
    def text(row: dict[str, Any]) -> str:
        found = (row["alignment"] or {events: {}})[events].get(score)
        return "undefined" if found is None else f"{found['value']:.3f} / {found['chance']:.3f}"

    return text


def _within(group: str, key: str, digits: int = 3) -> Callable[[dict[str, Any]], str]:
    return lambda row: number((row[group] or {}).get(key), digits)


def _faults(row: dict[str, Any]) -> str:
    counts = {fault.replace("_", "-"): row["sound"][fault] for fault in FAULTS}
    found = [f"{count} {fault}" for fault, count in counts.items() if count]
    return ", ".join(found) + f" of {row['segments']}" if found else "none"


def _excess_of_halves(row: dict[str, Any]) -> str:
    halves = (row["fidelity"] or {}).get("halves")
    return "undefined" if halves is None else spread(halves["excess"], halves["interval"], signed=True)


def _kernel(row: dict[str, Any]) -> str:
    kernel = (row["fidelity"] or {}).get("kernel")
    return "undefined" if kernel is None else spread(kernel["value"], kernel["interval"])


def _seconds(digits: int) -> Callable[[dict[str, Any]], str]:
    """Nothing for what is no system."""
    return lambda row: "" if row["seconds_per_second"] is None else number(row["seconds_per_second"], digits)


SHORT: tuple[Column, ...] = (
    ("hit", _beat("d2m_hit", 2)),
    ("F1", _beat("f1", 2)),
    ("onset F", _beat("onset_f", 2)),
    ("beat F", lambda row: spread(row["beats"]["beat_f"], row["intervals"]["beat_f"], digits=2)),
    ("fit over chance", _over_chance("beats", "beat_align", 2)),
    ("Fréchet", _within("fidelity", "frechet", 2)),
    ("genre", _within("genre", "retrieval", 2)),
    ("s per s", _seconds(2)),
)
BEATS: tuple[Column, ...] = (
    ("coverage", _beat("d2m_coverage")),
    ("hit", _beat("d2m_hit")),
    ("BCS", _beat("bcs")),
    ("CSD", _beat("csd")),
    ("BHS", _beat("bhs")),
    ("HSD", _beat("hsd")),
    ("F1", _beat("f1")),
    ("onset F", lambda row: spread(row["beats"]["onset_f"], row["intervals"]["onset_f"])),
    ("beat F", lambda row: spread(row["beats"]["beat_f"], row["intervals"]["beat_f"])),
    ("true beat F", lambda row: spread(row["true_beat_f"], row["intervals"]["true_beat_f"])),
    ("tempo ratio", _beat("tempo_ratio")),
)
ALIGNMENT: tuple[Column, ...] = (
    ("beat-align, beats", _over_chance("beats", "beat_align")),
    ("score / chance", _value("beats", "beat_align")),
    ("hit rate, beats", _over_chance("beats", "hit_rate")),
    ("beat-align, onsets", _over_chance("onsets", "beat_align")),
    ("AIST++ script, beats", _over_chance("beats", "aist")),
)
SOUND: tuple[Column, ...] = (
    ("Fréchet", _within("fidelity", "frechet")),
    ("over real halves", _excess_of_halves),
    ("kernel distance", _kernel),
    ("genre, classified", _within("genre", "classification")),
    ("genre, retrieved", _within("genre", "retrieval")),
    ("loudness, LUFS", _within("sound", "loudness_lufs", 1)),
    ("faults", _faults),
    ("s per s", _seconds(3)),
)
PAIRS: tuple[Column, ...] = (
    ("log-mel L1", _within("pairs", "log_mel_l1")),
    ("STFT convergence", _within("pairs", "stft_convergence")),
    ("STFT log magnitude", _within("pairs", "stft_log_magnitude")),
    ("onset correlation", _within("pairs", "onset_correlation")),
    ("SNR, dB", _within("pairs", "snr_db", 1)),
    ("SI-SDR, dB", _within("pairs", "si_sdr_db", 1)),
)
LEGEND: dict[str, str] = {
    "coverage, hit": "D2M-GAN's script: whole seconds with an onset, generated over original, and in both over "
    "original",
    "BCS, CSD, BHS, HSD, F1": "LORIS's script: means and standard deviations of coverage and hit, harmonic mean of the "
    "means",
    "onset F, beat F": "F-measure at 70 ms against onsets, and tracked beats, of the original; 95 % over dances",
    "true beat F": "tracked beats against those that the music was written on, where the data tell them",
    "tempo ratio": "tempo heard over the original's; undefined without beats",
    "fit over chance": "the beat-align score of beats, as in its own table",
    "beat-align, hit rate": "AIST++'s score with sigma 0.05 s, and motion beats with music within 70 ms; less the mean "
    "of the same music shifted round; undefined for music without beats",
    "Fréchet": "distance to the originals in the log-mel embedding, per value, of the ground truth that of its "
    "halves; biased upwards by small sets; shuffled originals are the same set",
    "over real halves": "distance to one half of the originals less that of the other half; 0 is real music",
    "kernel distance": "unbiased, squared maximum mean discrepancy with a cubic kernel; 95 %",
    "genre": "share of segments in the dance's genre, by classification and by the nearest song of the network's "
    "training",
    "s per s": "seconds of processor time, all cores together, to a second of music, without loading weights",
}  # fmt: skip
