"""Prepare phrases: songs of any source are cut and packed by several processes; an interrupted run is resumed."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from d2m.datasets.lpd import Rules
from d2m.datasets.phrase_sources import Song, songs_of
from d2m.datasets.phrases import BARS, SPLITS, PhraseSet, articulated_bits, pack, save_phrases, unpack
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.parallel import Parallel, each
from d2m.symbolic.metrics import Metrics, Tally
from d2m.symbolic.phrases import phrase_starts
from d2m.symbolic.pianoroll import PianoRoll
from d2m.symbolic.pianoroll_tensor import Resolution, resolution_named, to_tensor

#: Songs in a shard: small enough that an interruption costs little, large enough that 174,000 songs are 2,800 files.
SONGS_IN_SHARD = 64


@dataclass(frozen=True)
class Settings:
    """Settings that determine the phrases.

    Attributes:
        resolution: ``"compact"`` or ``"paper"``.
        seed: random seed of what is drawn for arranged and composed songs.
        least_tracks: in a phrase that many tracks play, or it is left out.
        most_off_grid: songs in which a larger share of notes begins between the steps of the resolution are left out
            (triplets do not fit 16 steps).
    """

    resolution: str = "compact"
    seed: int = 0
    least_tracks: int = 3
    most_off_grid: float = 0.15


@dataclass(frozen=True)
class Made:
    """Result of :func:`prepare`.

    Attributes:
        phrases, songs: split -> how many.
        skipped: reason -> songs without phrases or left out.
        metrics: split -> figures of its phrases, repeated notes set off; None for a split without phrases.
    """

    phrases: dict[str, int]
    songs: dict[str, int]
    skipped: dict[str, int]
    metrics: dict[str, Metrics | None]

    def to_json(self) -> dict[str, Any]:
        figures = {split: m.to_json() if m else None for split, m in self.metrics.items()}
        return {"phrases": self.phrases, "songs": self.songs, "skipped": self.skipped, "metrics": figures}


def prepare(
    sources: Sequence[str],
    out: str | Path,
    settings: Settings | None = None,
    *,
    rules: Rules | None = None,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Made:
    """Make training phrases of all songs of the sources.

    Songs are worked on in groups of 64; each group is one shard per split (:mod:`d2m.datasets.phrases`), and a record
    in ``parts/`` that tells it is done. A second run with the same settings makes only what is missing, or what sources
    have gained. Songs that cannot be read are skipped and counted.

    Args:
        sources: folders (POP909; LPD or any piano-rolls and MIDI files) or ``studio:COUNT`` (composed songs).
        out: folder, made if need be.
        settings: see :class:`Settings`.
        rules: which files of a data set to take; None takes LPD's cleansing rules.
        processes: number of local processes, or an executor.
        progress: called with (groups done, groups in all).

    Raises:
        D2MError: if a source is not there or empty, ``out`` was made with other settings, or cannot be written.
    """
    settings = settings or Settings()
    resolution_named(settings.resolution)
    out = Path(out)
    groups: list[tuple[str, tuple[Song, ...]]] = []
    left_out: Counter[str] = Counter()
    for source in sources:
        name, songs, missing = songs_of(source, rules or Rules())
        left_out += missing
        for start in range(0, len(songs), SONGS_IN_SHARD):
            groups.append((f"{name}-{start // SONGS_IN_SHARD:05d}", tuple(songs[start : start + SONGS_IN_SHARD])))
    if not groups:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "no music files"
        raise D2MError(f"nothing to prepare in {', '.join(sources)} ({reasons}); choose other rules or sources")
    _claim(out, settings)
    todo = [(name, songs) for name, songs in groups if not _record(out, name, songs)]
    done = len(groups) - len(todo)
    for _ in each(make_group, [(name, songs, out, settings) for name, songs in todo], processes):
        done += 1
        if progress:
            progress(done, len(groups))
    records = [_record(out, name, songs) for name, songs in groups]
    made = _sum_up(records, left_out)
    _write_json(out / "made.json", {"settings": vars(settings), "sources": list(sources), **made.to_json()})
    return made


def _claim(out: Path, settings: Settings) -> None:
    """The folder belongs to its settings, so that no two kinds of phrases mix."""
    path = out / "settings.json"
    try:
        if path.is_file() and json.loads(path.read_text()) != vars(settings):
            raise D2MError(f"{out} was made with other settings ({path}); choose another folder")
    except (OSError, ValueError, RecursionError) as error:
        raise D2MError(f"cannot read {path} ({error}); choose another folder") from None
    if not path.is_file():
        _write_json(path, vars(settings))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _fingerprint(songs: Sequence[Song]) -> str:
    return hashlib.sha256(os.fsencode("\n".join(f"{s.kind} {s.name}" for s in songs))).hexdigest()[:16]


def _record(out: Path, name: str, songs: Sequence[Song]) -> dict[str, Any] | None:
    """What was noted about a finished group, or None if it is unfinished or was made of other songs."""
    try:
        record = json.loads((out / "parts" / f"{name}.json").read_text())
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and record.get("songs_of") == _fingerprint(songs)
    shards = [out / split / f"{name}.npz" for split in SPLITS if whole and record["phrases"][split]]
    return record if whole and all(path.is_file() for path in shards) else None


def make_group(name: str, songs: Sequence[Song], out: Path, settings: Settings) -> None:
    """Make the shards and the record of one group of songs.

    Args:
        name: name of the group.
        songs: songs of the group.
        out: output folder.
        settings: settings of the phrases.
    """
    resolution = resolution_named(settings.resolution)
    found: dict[str, list[tuple[int, int, float, np.ndarray, np.ndarray]]] = {split: [] for split in SPLITS}
    skipped: Counter[str] = Counter()
    failures: list[str] = []
    with_phrases: Counter[str] = Counter()
    for number, song in enumerate(songs):
        try:
            phrases = song_phrases(song.load(settings.seed), resolution, settings, check_grid=not song.on_grid)
        except D2MError as error:
            skipped["cannot be read"] += 1
            failures.append(f"{song.name}: {error}")
            continue
        if isinstance(phrases, str):
            skipped[phrases] += 1
            continue
        split = "held_out" if song.held_out else "train"
        with_phrases[split] += 1
        found[split] += [(number, *phrase) for phrase in phrases]
    record: dict[str, Any] = {"songs_of": _fingerprint(songs), "skipped": skipped, "failures": failures}
    record |= {"songs": {s: with_phrases[s] for s in SPLITS}, "phrases": {s: len(found[s]) for s in SPLITS}}
    record["tallies"] = {}
    for split, rows in found.items():
        if rows:
            record["tallies"][split] = _save(out / split / f"{name}.npz", rows, songs, resolution)
    _write_json(out / "parts" / f"{name}.json", record)


def _save(path: Path, rows: list, songs: Sequence[Song], resolution: Resolution) -> dict[str, Any]:
    numbers, bars, tempos, held, onsets = zip(*rows, strict=True)
    shard = PhraseSet(
        pack(np.stack(held)), pack(np.stack(onsets)), np.array(numbers), np.array(bars), np.array(tempos),
        tuple(song.name for song in songs), resolution,
    )  # fmt: skip
    save_phrases(path, shard)
    tally = Tally(resolution.steps)
    bits = articulated_bits(shard)
    for start in range(0, len(bits), 64):
        tally.add(unpack(bits[start : start + 64], resolution), resolution.lowest)
    return tally.to_json()


def song_phrases(
    roll: PianoRoll, resolution: Resolution, settings: Settings, check_grid: bool = True
) -> list[tuple[int, float, np.ndarray, np.ndarray]] | str:
    """Cut a song into phrases; exact repetitions are left out, so that loops do not count several times.

    A phrase that has been in the song before, note for note, is left out, so that loops do not count many times over.

    Args:
        roll: the song.
        resolution: resolution of the phrases.
        settings: settings of the phrases.
        check_grid: refuse songs with too many notes off the grid.

    Returns:
        (first bar, tempo, held, onsets) of each phrase, or the reason why there are none.
    """
    if check_grid and off_grid(roll, resolution) > settings.most_off_grid:
        return "does not fit the grid"
    roll = roll.resampled(resolution.steps_per_beat)
    starts = phrase_starts(roll, BARS)
    if not len(starts):
        return "no four bars in 4/4"
    found, seen = [], set()
    for first in starts.tolist():
        held, onsets = to_tensor(roll, resolution, first, BARS)
        if int(held.any(axis=(0, 1, 2)).sum()) < settings.least_tracks:
            continue
        name = zlib.crc32(onsets.tobytes()), zlib.crc32(held.tobytes())
        if name in seen:
            continue
        seen.add(name)
        at = int(roll.downbeats[first])
        tempo = float(np.median(roll.tempo[at : at + BARS * resolution.steps]))
        found.append((first, tempo, held, onsets))
    return found or "too few tracks play"


def off_grid(roll: PianoRoll, resolution: Resolution) -> float:
    """Compute the share of notes that begin nearer to the middle between two steps than to a step.

    Args:
        roll: the song.
        resolution: resolution of the grid.
    """
    coarse = roll.steps_per_beat / resolution.steps_per_beat
    if coarse <= 1:
        return 0.0
    steps = np.nonzero(roll.onsets.any(axis=2))[1] / coarse
    counts = roll.onsets.sum(axis=2)[roll.onsets.any(axis=2)]
    return float(counts[np.abs(steps - np.round(steps)) > 0.3].sum() / max(counts.sum(), 1))


def _sum_up(records: Sequence[dict[str, Any] | None], left_out: Counter[str]) -> Made:
    kept = [record for record in records if record]
    skipped = Counter(left_out)
    for record in kept:
        skipped.update(record["skipped"])
    metrics: dict[str, Metrics | None] = {}
    for split in SPLITS:
        tallies = [Tally.from_json(r["tallies"][split]) for r in kept if split in r["tallies"]]
        for other in tallies[1:]:
            tallies[0].merge(other)
        metrics[split] = tallies[0].metrics() if tallies else None
    counts = {key: {s: sum(r[key][s] for r in kept) for s in SPLITS} for key in ("phrases", "songs")}
    return Made(counts["phrases"], counts["songs"], dict(skipped), metrics)
