"""Run a benchmark from a data folder to a report."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.evaluation.embeddings import load as load_embedding
from d2m.evaluation.metrics import describe
from d2m.evaluation.metrics.base import GROUPS
from d2m.files.file_log import file_log
from d2m.parallel import Parallel, count_of
from d2m.version import __version__

from .items import Item, find_items, has_music
from .outside import keep_common, outside_row
from .published import published_for
from .report import write_report
from .rows import DEFAULT_SYSTEMS, REFERENCE, Row, all_rows, without_original
from .table import summarise
from .work import Outcome, Settings, run_all

#: Remark of a report on dances without music.
NO_ORIGINAL = (
    "The dances have no music of their own: metrics that compare with the original are left out, and so are the "
    "original, reconstructions, shuffled originals and metronomes."
)
Progress = Callable[[int, int], None]
#: The genre network that is looked for when none is named.
GENRE = "studio-genre"
#: Embedding of the distances of sets where none is named.
EMBEDDING = "log-mel"


def benchmark(
    kind: str,
    data: str | Path,
    out: str | Path,
    systems: Sequence[str] | None = None,
    *,
    outside: Sequence[str] = (),
    segment: float = 6.0,
    split: str = "test",
    limit: int | None = None,
    genre: str = "given",
    genre_weights: str | None = None,
    visual: str | Path | None = None,
    seed: int = 0,
    processes: Parallel = 1,
    keep: bool = False,
    only: Sequence[str] | None = None,
    embeddings: Sequence[str] = (EMBEDDING,),
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure systems and baselines on a data set, reusing the results of an earlier run.

    Args:
        kind, data, split, limit: see :func:`~d2m.evaluation.benchmark.items.find_items`.
        out: folder of the report; ``results/`` in it is what a later run goes on from.
        systems, only: see :func:`~d2m.evaluation.benchmark.rows.all_rows`; None for the five named systems, or for
            none if there are others from elsewhere.
        outside: systems from elsewhere, see :mod:`d2m.evaluation.benchmark.outside`. Then all means are over the dances
            that could be measured for every row.
        segment: seconds that are scored at a time; music is made for whole sequences. 2 is D2M-GAN's protocol.
        genre, visual, seed: see :class:`~d2m.evaluation.benchmark.work.Settings`.
        genre_weights: genre network to judge by; None takes the shipped one if there is one.
        processes: number of local processes, or an executor.
        keep: also write all music to ``audio/ROW/NAME.wav``.
        embeddings: names of the embeddings for the distances of sets; the first is that of the short table.
        command: command for the record.
        progress: called with pieces of music done and their number.

    Returns:
        The report, plain JSON values.

    Raises:
        D2MError: for settings or data that cannot be used, or if nothing at all could be measured.
    """
    check(segment, limit, genre, processes)
    out = Path(out)
    spaces = [f"{name} {load_embedding(name).version}" for name in embeddings]
    items, silent, original = split_by_music(find_items(kind, data, split, limit))
    if systems is None:
        systems = () if outside else DEFAULT_SYSTEMS
    rows = possible(all_rows(systems, only, [outside_row(text) for text in outside]), items)
    rows = rows if original else without_original(rows)
    if not rows:
        raise D2MError("none of the chosen rows is possible without original music; name a system")
    items, missing = keep_common(items, rows)
    judge, fingerprint = genre_network(genre_weights)
    folder = None if visual is None else Path(visual)
    settings = Settings(
        segment, seed, genre, folder, judge, fingerprint, out / "audio" if keep else None, tuple(embeddings)
    )
    make_folder(out)
    with file_log(out / "benchmark.log") as log:
        log.info("%s %s: %s", kind, data, settings)
        outcome = run_all(items, rows, settings, out, processes, log, progress)
        if outside or not original:
            outcome = same_dances(outcome)
        about = {
            "kind": kind, "data": Path(data).name, "split": split, "segment": segment, "genre": genre, "seed": seed,
            "limit": limit, "processes": count_of(processes), "genre_weights": judge, "visual": visual is not None,
            "original": original, "embeddings": spaces,
        }  # fmt: skip
        report = compose_report(f"Benchmark: {kind}", items, rows, outcome, about, command)
        report["notes"] += silent + missing
        write_report(report, out)
        log.info("report written, %d failed", len(outcome.failed))
    return report


def split_by_music(items: Sequence[Item]) -> tuple[tuple[Item, ...], list[str], bool]:
    """Keep the dances that have music of their own, or all of them if none has.

    Args:
        items: all dances.

    Returns:
        Dances, a line for the report about each one that is left out, and whether the dances have music.
    """
    known = [has_music(item) for item in items]
    if not any(known):
        return tuple(items), [], False
    left_out = [item for item, music in zip(items, known, strict=True) if not music]
    why = "no music of its own, but others have; the dance is left out of all means"
    lines = [f"{item.name}: {why}" for item in left_out]
    return tuple(item for item, music in zip(items, known, strict=True) if music), lines, True


def same_dances(outcome: Outcome) -> Outcome:
    """Keep the results of dances that every row has.

    Args:
        outcome: results.
    """
    names = [{result["name"] for result in results} for results in outcome.results.values()]
    common = set.intersection(*names)
    kept = {key: [r for r in results if r["name"] in common] for key, results in outcome.results.items()}
    return Outcome(kept, outcome.failed, outcome.measured)


def check(segment: float, limit: int | None, genre: str, processes: Parallel) -> None:
    """Check the settings of a benchmark.

    Args:
        segment: seconds.
        limit: number of dances, or None.
        genre: ``"given"`` or ``"auto"``.
        processes: number of local processes, or an executor.

    Raises:
        D2MError: if a setting is out of range.
    """
    if not 1 <= segment <= 600:
        raise D2MError(f"a segment of {segment:g} s is not possible; choose 1 to 600")
    if limit is not None and limit < 1 or count_of(processes) < 1:
        raise D2MError("a benchmark needs at least one sequence and one process")
    if genre not in ("given", "auto"):
        raise D2MError(f"genre is given or auto, not '{genre}'")


def make_folder(out: Path) -> None:
    """Create the folder of the report.

    Args:
        out: the folder.

    Raises:
        D2MError: if it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise D2MError(f"cannot write into {out}: {error.strerror or error}; choose another folder") from error


def possible(rows: Sequence[Row], items: Sequence[Item]) -> tuple[Row, ...]:
    """Return the rows that are possible: without a second song there are no shuffled originals.

    Args:
        rows: all rows.
        items: items of the benchmark.
    """
    several = len({item.music for item in items}) > 1
    return tuple(row for row in rows if several or row.key != "shuffled")


def genre_network(name: str | None) -> tuple[str | None, str]:
    """Find the genre network and its fingerprint; a missing one is an error only if it was requested.

    Args:
        name: name or file, or None for the shipped one.
    """
    from d2m import weights
    from d2m.files.download import sha256_of

    try:
        path, _ = weights.find(name or GENRE, "genre")
    except D2MError:
        if name is not None:
            raise
        return None, ""
    return name or GENRE, sha256_of(path)[:16]


def compose_report(
    title: str, items: Sequence[Item], rows: Sequence[Row], outcome: Outcome, about: dict[str, Any], command: str
) -> dict[str, Any]:
    """Compose the report.

    Args:
        title: title of the report.
        items: items of the benchmark.
        rows: rows of the table.
        outcome: results.
        about: settings.
        command: command line.

    Raises:
        D2MError: if no dance could be measured.
    """
    original = about.get("original", True)
    dances = outcome.results[REFERENCE if original else rows[0].key]
    if not dances:
        raise D2MError(_nothing(rows, outcome.failed))
    known = any(item.genre for item in items)
    if about["genre_weights"] is None:
        note = "No genre weights: genre accuracy is undefined (train them with d2m train genre)."
    else:
        note = f"Genre network: {about['genre_weights']}." if known else "The data tell no genres."
    judges = {"space": "low points of the joints' mean speed in space", "picture": "the same in the picture"}
    judge = dances[0]["alignment"]["judge"]
    remarks = [] if original else [NO_ORIGINAL]
    if outcome.failed:
        remarks.append(f"{len(outcome.failed)} could not be measured and are in no mean; they are named below.")
    if any(row.source != "engine" for row in rows) or not original:
        remarks.append("All means are over the same dances: those that could be measured for every row.")
    if original and len({item.music for item in items}) == 1:
        remarks.append("All dances are to one song: there are no shuffled originals.")
    if any(item.prepared for item in items) or judge == "picture":
        remarks.append("The dancer is judged by the same motion that the engines see: fit to the dancer is flattering.")
    return {
        "title": title,
        "command": command,
        "settings": about,
        "machine": {
            "d2m": __version__,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "processor": platform.machine(),
        },
        "sequences": len(dances),
        "segments": sum(len(result["segments"]) for result in dances),
        "judge": judges[judge],
        "genre_note": note,
        "remarks": remarks,
        "notes": _notes(rows, outcome, dances),
        "metrics": describe(*(group for group in GROUPS if group != "rhythm")),
        "rows": summarise(rows, outcome.results, about["seed"], about.get("embeddings", [EMBEDDING])),
        "published": [row.plain() for row in published_for(about["kind"])],
        "failed": outcome.failed,
        "results": {key: [_brief(r) for r in found] for key, found in outcome.results.items()},
    }  # fmt: skip


def _nothing(rows: Sequence[Row], failed: Sequence[dict[str, Any]]) -> str:
    """Say why nothing was measured: by the failure of a system from elsewhere, if there is one."""
    if not failed:
        return "nothing could be measured: no dance has results in every row; remove results/ and run again"
    titles = {row.key: row.title for row in rows if row.source != "engine"}
    first = next((failure for failure in failed if failure["row"] in titles), failed[0])
    told = titles.get(first["row"])
    more = f" (and {len(failed) - 1} more, see benchmark.log)" if len(failed) > 1 else ""
    return f"nothing could be measured; {first['name']}{f', {told}' if told else ''}: {first['error']}{more}"


def _notes(rows: Sequence[Row], outcome: Outcome, results: Sequence[dict[str, Any]]) -> list[str]:
    """Unusual properties of the dances, and of music from elsewhere."""
    dances = [f"{result['name']}: {note}" for result in results for note in result.get("notes", ())]
    music = [
        f"{result['name']}, {row.title}: {result['details']['note']}"
        for row in rows
        for result in outcome.results[row.key]
        if "note" in result["details"]
    ]
    return dances + music


def _brief(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the embedding's vectors, which ``results/`` has."""
    segments = [{key: value for key, value in s.items() if key != "vectors"} for s in result["segments"]]
    return {**result, "segments": segments}
