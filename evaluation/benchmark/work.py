"""Work of a benchmark: every row for every item, in any number of processes, stored piece by piece.

Each result is a file, ``results/ROW/NAME-KEY.json``, whose key depends on all inputs: the item's files, weights,
settings, and the version of the measurements. Existing results are reused; a failure leaves no file, is listed, and
is tried again by the next run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.embeddings import load as load_embedding
from d2m.evaluation.metrics import added
from d2m.files.atomic import atomic_write
from d2m.parallel import Parallel, each
from d2m.time_left import TimeLeft
from d2m.version import __version__

from .items import Item, item_files, picture_name
from .outside import recording_of
from .rows import Row

#: Raised whenever the same music would get other figures than before.
FORMAT = 2
#: Scenes to other music that are tried for a shuffled original.
_CANDIDATES = 3


@dataclass(frozen=True)
class Settings:
    """Settings on which the results depend, besides data and weights.

    Attributes:
        segment: seconds that are scored at a time.
        seed: random seed of the music, the noise and the shuffling.
        genre: ``"given"`` or ``"auto"``, see :func:`~d2m.evaluation.benchmark.inputs.read_inputs`.
        visual: folder of visual features of the videos, or None.
        genre_weights: name or file of the genre network, or None where there is none.
        genre_fingerprint: fingerprint of that file.
        keep: folder that the music is written to, or None.
        embeddings: names of the embeddings for the distances of sets.
    """

    segment: float = 6.0
    seed: int = 0
    genre: str = "given"
    visual: Path | None = None
    genre_weights: str | None = None
    genre_fingerprint: str = ""
    keep: Path | None = None
    embeddings: tuple[str, ...] = ("log-mel",)


@dataclass(frozen=True)
class Outcome:
    """Results of a benchmark.

    Attributes:
        results: for each row's key what :func:`~d2m.evaluation.benchmark.measure.measure` gave, in the order of the
            items, with ``name``, ``music`` and ``genre`` of the item.
        failed: ``name`` of the item, ``row`` (None for all of them) and ``error`` of what could not be measured.
        measured: pieces of music that were made now; the others were there.
    """

    results: dict[str, list[dict[str, Any]]]
    failed: list[dict[str, Any]]
    measured: int


def run_all(
    items: Sequence[Item],
    rows: Sequence[Row],
    settings: Settings,
    folder: Path,
    processes: Parallel,
    log: logging.Logger,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Compute all missing results.

    Args:
        items, rows: items and rows of the table.
        settings: see there.
        folder: that holds ``results/``.
        processes: number of local processes, or an executor.
        log: is told what is done.
        progress: called with pieces of music done and their number.

    Raises:
        D2MError: if results cannot be written, or a process dies.
    """
    tell = progress or (lambda done, total: None)
    others = {item.name: others_for(item, items, settings.seed) for item in items}
    places = {
        item.name: {row: _place(folder, item, row, others[item.name], settings) for row in rows} for item in items
    }
    missing = {name: [(row, path) for row, path in table.items() if not _there(path)] for name, table in places.items()}
    total = len(items) * len(rows)
    done = total - sum(map(len, missing.values()))
    log.info("%d items, %d rows, %d of %d there already", len(items), len(rows), done, total)
    tell(done, total)
    jobs = [(s, missing[s.name], others[s.name], settings) for s in items if missing[s.name]]
    failed, measured, left = [], 0, TimeLeft(done)
    for name, good, bad in each(_measure_item, jobs, processes):
        done += len(missing[name])
        measured += good
        failed += [{"name": name, "row": row, "error": error} for row, error in bad]
        log.info("%s: %d measured; %d of %d, %s", name, good, done, total, left.text(done, total))
        for row, error in bad:
            log.info("%s, %s: failed: %s", name, row or "every row", error)
        tell(done, total)
    order = {item.name: place for place, item in enumerate(items)}
    failed.sort(key=lambda failure: (order[failure["name"]], failure["row"] or ""))
    results: dict[str, list[dict[str, Any]]] = {row.key: [] for row in rows}
    for item in items:
        for row, path in places[item.name].items():
            if path.is_file():
                results[row.key].append({"name": item.name, "music": item.music, "genre": item.genre, **_read(path)})
    return Outcome(results, failed, measured)


def others_for(item: Item, items: Sequence[Item], seed: int) -> tuple[Item, ...]:
    """Choose items with other music for the shuffled original: the next songs in a random cyclic order.

    Args:
        item: the item.
        items: all items.
        seed: random seed.

    Returns:
        Scenes in order; later ones are used if the music of the first cannot be read.
    """
    first = {other.music: other for other in reversed(items)}
    songs = sorted(first)
    ring = [songs[int(i)] for i in np.random.default_rng([seed, 5]).permutation(len(songs))]
    place = ring.index(item.music)
    return tuple(first[song] for song in (ring[place + 1 :] + ring[:place])[:_CANDIDATES])


def _place(folder: Path, item: Item, row: Row, others: Sequence[Item], settings: Settings) -> Path:
    content: dict[str, Any] = {
        "format": FORMAT, "version": __version__, "scene": item.name, "files": _stamps(item), "row": row.key,
        "weights": row.fingerprint, "segment": settings.segment, "seed": settings.seed, "genre": settings.genre,
        "visual": str(settings.visual or ""), "judge": settings.genre_fingerprint, "kept": settings.keep is not None,
        "embeddings": [[name, load_embedding(name).version] for name in settings.embeddings],
    }  # fmt: skip
    if names := added():
        content["metrics"] = names
    if settings.visual is not None:
        from d2m.datasets.visuals import Visuals

        content["pictures"] = _stamp(Visuals(settings.visual).path(picture_name(item)))
    if row.key == "shuffled":
        content["others"] = [[other.name, _stamps(other)] for other in others]
    if row.source == "folder":
        recording = recording_of(row, item)
        content["recording"] = [row.weights[0], _stamp(recording) if recording is not None else None]
    digest = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    return folder / "results" / row.key / f"{item.name}-{digest}.json"


def _stamps(item: Item) -> list[list[Any]]:
    return [_stamp(path) for path in item_files(item)]


def _stamp(path: Path) -> list[Any]:
    """What changes when a file does; of one that is not there only its name."""
    try:
        found = path.stat()
    except OSError:
        return [path.name]
    return [path.name, found.st_size, found.st_mtime_ns]


def _there(path: Path) -> bool:
    """Whether a result is there; a damaged one is made again."""
    try:
        return "segments" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, TypeError):
        return False


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _measure_item(
    item: Item, rows: list[tuple[Row, Path]], others: tuple[Item, ...], settings: Settings
) -> tuple[str, int, list[tuple[str | None, str]]]:
    """Makes and measures the rows that are missing; the number that worked, and what did not."""
    import warnings

    from .inputs import read_inputs
    from .measure import Original, measure
    from .systems import play

    good = 0
    bad: list[tuple[str | None, str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            inputs = read_inputs(item, settings.genre, settings.visual)
            original = Original.of(inputs, settings.segment)
        except Exception as error:  # An error in one file does not stop the others.
            return item.name, 0, [(None, _line(error))]
        for row, path in rows:
            try:
                played = play(row, inputs, original.whole, others, settings.seed)
                paired = row.kind == "reconstruction"
                found = measure(inputs, original, played, paired, settings.genre_weights, settings.embeddings)
                text = json.dumps(found, allow_nan=False)
            except Exception as error:
                bad.append((row.key, _line(error)))
                continue
            # Outside: a full disk is no fault of the music, and stops the run.
            if settings.keep is not None:
                from d2m.media.write import write_wav

                with atomic_write(settings.keep / row.key / f"{item.name}.wav") as part:
                    write_wav(part, played.waveform, played.sample_rate)
            with atomic_write(path) as part:
                part.write_text(text, encoding="utf-8")
            good += 1
    return item.name, good, bad


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, D2MError) else f"{type(error).__name__}: {text}"
