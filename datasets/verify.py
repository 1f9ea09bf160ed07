"""Verify a data set: read every file, check every name, compare every split with the others.

Raw AIST++ and TikTok folders, the authors' 2 s pieces, and prepared folders are recognised by their contents.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from d2m.datasets import all_dance_data, dance_data
from d2m.datasets.base import DanceData, Excluded, Source
from d2m.datasets.pieces import is_pieces
from d2m.datasets.prepare import read_music
from d2m.datasets.prepared import (
    SAMPLE_RATE,
    SPLITS,
    Manifest,
    find_music,
    read_entry,
    read_sequence,
    read_split,
)
from d2m.errors import D2MError
from d2m.parallel import Parallel, each
from d2m.types import GENRES

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong: with which sequence, file or list, and what."""

    name: str
    what: str


@dataclass
class Report:
    """Result of the verification.

    Attributes:
        folder: which.
        kind: name of the data set, with ``" pieces"`` after it or ``"prepared "`` before, for readers.
        sequences, seconds: by split; only what is sound.
        genres: sequences by split and genre.
        songs: pieces of music by split.
        problems: what is wrong; nothing if the data set is whole.
        notes: what is as its makers want it, but should be known.
    """

    folder: str
    kind: str
    sequences: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    genres: dict[str, dict[str, int]] = field(default_factory=dict)
    songs: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems

    def plain(self) -> dict[str, object]:
        """Return all fields and :attr:`sound` as JSON values."""
        return {**asdict(self), "sound": self.sound}


@dataclass(frozen=True)
class _Found:
    """What one sequence holds: seconds, genre index, id of its music, what is wrong with it, and why its makers exclude
    it."""

    name: str
    seconds: float
    genre: int
    music: str
    problems: tuple[str, ...]
    excluded: str = ""


def verify(folder: str | Path, *, processes: Parallel = 1, progress: Progress | None = None) -> Report:
    """Read a data set.

    Args:
        folder: raw or prepared.
        processes: number of local processes, or an executor.
        progress: called with files looked at and in all.

    Raises:
        D2MError: if the folder is none of those known, or its lists cannot be read.
    """
    folder, progress = Path(folder), progress or (lambda done, total: None)
    jobs: list[tuple]
    look: Callable[..., _Found]
    source: Source | None = None
    if (folder / "prepared.json").is_file() or (folder / "preparing.json").is_file():
        manifest = Manifest.read(folder)
        data_set, protocol = dance_data(manifest.kind), manifest.protocol
        report = Report(str(folder), f"prepared {manifest.kind}")
        splits = {split: read_split(folder, split) for split in SPLITS}
        jobs = [(folder, name, manifest) for names in splits.values() for name in dict.fromkeys(names)]
        look = _look_prepared
    else:
        source, data_set = _source(folder)
        report, protocol = Report(str(folder), source.kind + " pieces" * is_pieces(folder)), source.protocol
        splits = source.splits()
        jobs = [(source, name) for names in splits.values() for name in dict.fromkeys(names)]
        look = _look_raw
    if not jobs:
        raise D2MError(f"{folder} lists no sequences; download its lists again")
    found: dict[str, _Found] = {}
    for done, one in enumerate(each(look, jobs, processes), start=1):
        found[one.name] = one
        progress(done, len(jobs))
    _count(report, splits, found)
    _compare(report, splits, found, data_set, protocol)
    report.notes += source.notes() if source is not None else _left_out(folder)
    report.problems.sort(key=lambda problem: problem.name)
    return report


def _source(folder: Path) -> tuple[Source, DanceData]:
    if not folder.is_dir():
        raise D2MError(f"{folder}: no such folder")
    for data_set in all_dance_data():
        if data_set.recognises(folder):
            return data_set.source(folder), data_set
    raise D2MError(f"{folder} is not a data set of AIST++, TikTok or `d2m data prepare`")


def _look_raw(source: Source, name: str) -> _Found:
    problems: list[str] = []
    seconds, genre, music = 0.0, -1, ""
    try:
        music = source.music(name)
    except Excluded as excluded:
        return _Found(name, 0.0, -1, "", (), excluded.what)
    except D2MError as error:
        return _Found(name, 0.0, -1, "", (str(error),))
    try:
        sequence = source.sequence(name)
        genre, seconds = sequence.genre, len(sequence.motion) / source.motion_fps
        if not np.isfinite(sequence.motion).all():
            problems.append("its motion holds numbers that are not finite")
    except D2MError as error:
        problems.append(str(error))
    try:
        length, silent = _music(source.music_file(music))
        if silent:
            problems.append(f"its music {music} is silent")
        elif length < seconds - 0.5:
            problems.append(f"its music {music} lasts {length:.1f} s, its motion {seconds:.1f} s")
    except D2MError as error:
        problems.append(str(error))
    problems += source.problems(name)
    return _Found(name, seconds, genre, music, tuple(problems))


@functools.lru_cache(maxsize=512)
def _music(path: Path) -> tuple[float, bool]:
    """Seconds of music, and whether it is silent; many sequences are danced to the same."""
    sound = read_music(path)
    return len(sound) / SAMPLE_RATE, not sound.any()


def _look_prepared(folder: Path, name: str, manifest: Manifest) -> _Found:
    try:
        sequence = read_sequence(folder, name, manifest)
        entry = read_entry(folder, name, manifest)
        music = find_music(folder, entry.music)
        music.rows(0, music.shape[0])
    except D2MError as error:
        return _Found(name, 0.0, -1, "", (str(error),))
    problems = []
    arrays = [sequence.motion] if sequence.visual is None else [sequence.motion, sequence.visual]
    if not all(np.isfinite(array).all() for array in arrays):
        problems.append("it holds numbers that are not finite")
    seconds = len(sequence.motion) / manifest.motion_fps
    length = min(seconds, (music.shape[0] - entry.offset) / manifest.sample_rate)
    if length < manifest.seconds - 1e-6:
        problems.append(f"it is {length:.2f} s long, shorter than {manifest.seconds:g} s")
    return _Found(name, seconds, sequence.genre, entry.music, tuple(problems))


def _count(report: Report, splits: dict[str, tuple[str, ...]], found: dict[str, _Found]) -> None:
    for split in SPLITS:
        sound = [found[name] for name in dict.fromkeys(splits.get(split, ())) if not found[name].problems]
        sound = [one for one in sound if not one.excluded]
        report.sequences[split] = len(sound)
        report.seconds[split] = round(sum(one.seconds for one in sound), 2)
        report.songs[split] = len({one.music for one in sound})
        names = Counter(list(GENRES)[one.genre] for one in sound if one.genre >= 0)
        report.genres[split] = {code: names[code] for code in GENRES if names[code]}
    report.problems += [Problem(one.name, why) for one in found.values() for why in one.problems]
    for what, count in Counter(one.excluded for one in found.values() if one.excluded).items():
        report.notes.append(f"{count} listed sequences are {what} and will be left out")


def _compare(
    report: Report, splits: dict[str, tuple[str, ...]], found: dict[str, _Found], data_set: DanceData, protocol: str
) -> None:
    """Names and music that are in more than one split."""
    for split, names in splits.items():
        for name, count in Counter(names).items():
            if count > 1:
                report.problems.append(Problem(name, f"it is listed {count} times in {split}"))
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        both = set(splits.get(first, ())) & set(splits.get(second, ()))
        report.problems += [Problem(name, f"it is in {first} and in {second}") for name in sorted(both)]
        songs = [{data_set.song(found[n].music) for n in splits.get(s, ())} - {""} for s in (first, second)]
        shared = sorted(songs[0] & songs[1])
        if shared and not both:
            listed = ", ".join(shared[:5]) + (" …" if len(shared) > 5 else "")
            text = f"{len(shared)} pieces of music are in {first} and in {second}: {listed}"
            # another protocol keeps dancers apart
            if protocol != "crossmodal" or (first, second) in data_set.shared_music:
                report.notes.append(text)
            else:
                report.problems.append(Problem("splits", text))


def _left_out(folder: Path) -> list[str]:
    """A note on the sequences that were left out of a prepared folder."""
    try:
        count = len(json.loads((folder / "skipped.json").read_text(encoding="utf-8"))["skipped"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [f"{count} sequences were left out when it was prepared: see skipped.json"] if count else []
