"""The report in its three forms: JSON for programs, Markdown for repositories, one HTML file for people."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d2m.whole_file import whole_file

from .plots import all_plots
from .table import FAULTS

Column = tuple[str, Callable[[dict[str, Any]], str]]
#: Failures that are listed one by one in the readable reports; the JSON has them all.
_LISTED = 50


def write_report(report: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Writes ``report.json``, ``report.md``, ``report.html`` and ``plots/``; each complete or absent.

    Returns:
        What they are -> where they are.
    """
    pictures = all_plots(report["rows"])
    for name, png in pictures.items():
        with whole_file(folder / "plots" / f"{name}.png") as part:
            part.write_bytes(png)
    texts = {
        "json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "md": markdown(report, tuple(pictures)),
        "html": page(report, pictures),
    }
    paths = {}
    for kind, text in texts.items():
        paths[kind] = folder / f"report.{kind}"
        with whole_file(paths[kind]) as part:
            part.write_text(text, encoding="utf-8")
    return paths


def markdown(report: dict[str, Any], pictures: tuple[str, ...] = ()) -> str:
    """The report as Markdown; ``pictures`` are names of files in ``plots/``."""
    parts = [f"# {report['title']}", *_facts(report)]
    for title, text, header, lines in tables(report):
        parts += [f"## {title}", text, "\n".join(_row(cells) for cells in (header, ["---"] * len(header), *lines))]
    parts += [f"![{name}](plots/{name}.png)" for name in pictures]
    parts += ["## What the rows are", "\n".join(f"- **{title}**: {note}" for title, note in _notes(report))]
    parts += ["## What the columns are", "\n".join(f"- **{name}**: {text}" for name, text in LEGEND.items())]
    if report["failed"]:
        parts += ["## Not measured", "\n".join(f"- {line}" for line in failures(report))]
    parts += ["## Sources of the published figures", "\n".join(f"- {source}" for source in _sources(report))]
    return "\n\n".join(parts) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(report: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """The report as one HTML file that needs nothing else."""
    body = [f"<h1>{_safe(report['title'])}</h1>", *(f"<p>{_safe(fact)}</p>" for fact in _facts(report))]
    for title, text, header, lines in tables(report):
        rows = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>" for cells in lines)
        head = "".join(f"<th>{_safe(cell)}</th>" for cell in header)
        body.append(
            f"<h2>{_safe(title)}</h2><p>{_safe(text)}</p><div class='wide'><table><tr>{head}</tr>{rows}</table></div>"
        )
    for name, png in pictures.items():
        body.append(f"<img alt='{_safe(name)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>")
    lists = {
        "What the rows are": [f"{title}: {note}" for title, note in _notes(report)],
        "What the columns are": [f"{name}: {text}" for name, text in LEGEND.items()],
        "Not measured": failures(report),
        "Sources of the published figures": _sources(report),
    }
    for title, items in lists.items():
        if items:
            body.append(f"<h2>{title}</h2><ul>{''.join(f'<li>{_safe(item)}</li>' for item in items)}</ul>")
    return _PAGE.format(title=_safe(report["title"]), body="\n".join(body))


def tables(report: dict[str, Any]) -> list[tuple[str, str, list[str], list[list[str]]]]:
    """Title, text, header and lines of each table."""
    rows = report["rows"]
    made = [
        (
            "Beats",
            "Against the original of the same dance; means over segments.",
            _lines(rows, BEATS) + _published(report),
        ),
        (
            "Fit to the dancer",
            f"Over whole dances; excess over chance, in brackets 95 % over dances. Motion beats: {report['judge']}.",
            _lines(rows, ALIGNMENT),
        ),
        ("Sound and genre", report["genre_note"], _lines(rows, SOUND)),
    ]
    headers = (BEATS, ALIGNMENT, SOUND)
    found = [
        (title, text, ["", *(name for name, _ in columns)], lines)
        for (title, text, lines), columns in zip(made, headers, strict=True)
    ]
    compared = [row for row in rows if row["pairs"]]
    if compared:
        header = ["", *(name for name, _ in PAIRS)]
        found.append(("Reconstruction", "Against the original, sample by sample.", header, _lines(compared, PAIRS)))
    return found


def _lines(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> list[list[str]]:
    return [[row["title"], *(value(row) for _, value in columns)] for row in rows]


def _published(report: dict[str, Any]) -> list[list[str]]:
    """Lines of other people's tables, with what they have."""
    keys = ("d2m_coverage", "d2m_hit", "bcs", "csd", "bhs", "hsd", "f1")
    names = {"aist": "AIST++", "tiktok": "TikTok"}
    lines = []
    for row in report["published"]:
        title = f"{row['title']} (as published: {names[row['data']]}, {row['seconds']:g} s)"
        cells = [number(row["scores"][key], 4) if key in row["scores"] else "" for key in keys]
        lines.append([title, *cells, *[""] * (len(BEATS) - len(keys))])
    return lines


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or that there is none; of large ones nobody reads the decimals."""
    if value is None:
        return "undefined"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def spread(value: float | None, interval: list[float] | None, signed: bool = False) -> str:
    """A figure with its interval."""
    if value is None:
        return "undefined"
    figures = [f"{v:+.3f}" if signed else number(v) for v in (value, *(interval or ()))]
    return figures[0] if interval is None else f"{figures[0]} ({figures[1]} to {figures[2]})"


def _beat(key: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: number(row["beats"][key])


def _over_chance(events: str, score: str) -> Callable[[dict[str, Any]], str]:
    def text(row: dict[str, Any]) -> str:
        found = (row["alignment"] or {events: {}})[events].get(score)
        return "undefined" if found is None else spread(found["excess"], found["interval"], signed=True)

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
    ("s per s", lambda row: "" if row["seconds_per_second"] is None else number(row["seconds_per_second"])),
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


def _facts(report: dict[str, Any]) -> list[str]:
    settings, machine = report["settings"], report["machine"]
    return [
        f"{report['sequences']} dances of the split '{settings['split']}', {report['segments']} segments of "
        f"{settings['segment']:g} s; genre {settings['genre']}, seed {settings['seed']}. d2m {machine['d2m']}, "
        f"{machine['cores']} cores, {settings['processes']} processes.",
        f"Made by: {report['command']}",
        *report["remarks"],
    ]


def _notes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["title"], row["note"]) for row in report["rows"] if row["note"]]


def failures(report: dict[str, Any]) -> list[str]:
    """What could not be measured, in words."""
    lines = [f"{f['name']}, {f['row'] or 'every row'}: {f['error']}" for f in report["failed"]]
    more = len(lines) - _LISTED
    return lines[:_LISTED] + ([f"and {more} more: see report.json"] if more > 0 else [])


def _sources(report: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["source"] for row in report["published"]))


def _safe(text: str) -> str:
    return html.escape(str(text))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 82rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; font-size: 13px }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }} img {{ max-width: 100%; display: block; margin: 1.5rem 0 }}
</style></head><body>
{body}
</body></html>
"""
