"""Verify a data set: read every file, check every name, compare every split with the others.

Raw AIST++ and TikTok folders, the authors' 2 s pieces, and prepared folders are recognised by their contents.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from d2m.datasets import aist
from d2m.datasets.aist import AistName
from d2m.datasets.jobs import each
from d2m.datasets.prepare import SAMPLE_RATE, Skip, Source, read_music
from d2m.datasets.prepared import SPLITS, Manifest, find_music, read_entry, read_sequence, read_split
from d2m.errors import D2MError
from d2m.types import GENRES

Progress = Callable[[int, int], None]
#: Microseconds between pictures at 60 a second.
_STEP = 1e6 / aist.FPS


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
        kind: ``"aist"`` or ``"tiktok"``, with ``" pieces"`` after it or ``"prepared "`` before.
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
        """As JSON values."""
        return {**asdict(self), "sound": self.sound}


@dataclass(frozen=True)
class _Found:
    """What one sequence holds: seconds, genre index, id of its music, and what is wrong with it."""

    name: str
    seconds: float
    genre: int
    music: str
    problems: tuple[str, ...]
    ignored: bool = False


def verify(folder: str | Path, *, processes: int = 1, progress: Progress | None = None) -> Report:
    """Read a data set.

    Args:
        folder: raw or prepared.
        processes: how many work at a time.
        progress: called with files looked at and in all.

    Raises:
        D2MError: if the folder is none of those known, or its lists cannot be read.
    """
    folder, progress = Path(folder), progress or (lambda done, total: None)
    jobs: list[tuple]
    look: Callable[..., _Found]
    if (folder / "prepared.json").is_file() or (folder / "preparing.json").is_file():
        manifest = Manifest.read(folder)
        report, protocol = Report(str(folder), f"prepared {manifest.kind}"), manifest.protocol
        splits = {split: read_split(folder, split) for split in SPLITS}
        jobs = [(folder, name, manifest) for names in splits.values() for name in dict.fromkeys(names)]
        look = _look_prepared
    else:
        source, kind = _source(folder)
        report, protocol = Report(str(folder), kind), source.protocol
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
    _compare(report, splits, found, protocol)
    if report.kind == "aist":
        _check_aist_lists(report, folder)
    if report.kind.startswith("prepared ") and (left_out := _left_out(folder)):
        report.notes.append(f"{left_out} sequences were left out when it was prepared: see skipped.json")
    report.problems.sort(key=lambda problem: problem.name)
    return report


def _source(folder: Path) -> tuple[Source, str]:
    from d2m.datasets.prepare_aist import AistSource
    from d2m.datasets.prepare_pieces import PiecesSource, is_pieces
    from d2m.datasets.prepare_tiktok import TikTokSource

    if not folder.is_dir():
        raise D2MError(f"{folder}: no such folder")
    if is_pieces(folder):
        kind = "aist" if (folder / "aist_motion_train_segment.txt").is_file() else "tiktok"
        return PiecesSource(folder, kind), f"{kind} pieces"
    if (folder / "keypoints").is_dir():
        return TikTokSource(folder), "tiktok"
    try:
        aist.Aist(folder)
    except D2MError as error:
        raise D2MError(f"{folder} is not a data set of AIST++, TikTok or `d2m data prepare`") from error
    # a studio has a manifest, and videos at 30 frames per second
    return AistSource(folder, any_fps=(folder / "manifest.json").is_file()), "aist"


def _look_raw(source: Source, name: str) -> _Found:
    problems: list[str] = []
    seconds, genre, music = 0.0, -1, ""
    try:
        music = source.music(name)
    except Skip as skip:
        if skip.what == "in ignore_list":
            return _Found(name, 0.0, -1, "", (), ignored=True)
        return _Found(name, 0.0, -1, "", (str(skip),))
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
    if source.kind == "aist" and hasattr(source, "data"):
        problems += _look_annotations(source.data, name)
    return _Found(name, seconds, genre, music, tuple(problems))


@functools.lru_cache(maxsize=512)
def _music(path: Path) -> tuple[float, bool]:
    """Seconds of music, and whether it is silent; many sequences are danced to the same."""
    sound = read_music(path)
    return len(sound) / SAMPLE_RATE, not sound.any()


def _look_annotations(data: aist.Aist, name: str) -> list[str]:
    """What is wrong with the keypoints and cameras of a sequence, as far as they are there."""
    problems = []
    frames = None
    with contextlib.suppress(D2MError):  # already reported
        frames = len(data.motion(name).poses)
    if (data.annotations / "keypoints2d").is_dir():
        try:
            points = data.keypoints2d(name)
            steps = np.diff(points.timestamps.astype(np.float64))
            # a faulty clock shows in the median, a lost picture does not
            if len(steps) and np.median(steps) > 1000 and abs(np.median(steps) - _STEP) > 20:
                problems.append(f"its 2-D keypoints run at {1e6 / np.median(steps):.2f} fps, not at 60")
        except D2MError as error:
            problems.append(str(error))
    if (data.annotations / "keypoints3d").is_dir():
        try:
            count = len(data.keypoints3d(name))
            if frames is not None and abs(count - frames) > 1:
                problems.append(f"it has {frames} frames of motion and {count} of 3-D keypoints")
        except D2MError as error:
            problems.append(str(error))
    if (data.annotations / "cameras").is_dir():
        try:
            if len(data.cameras(name)) != 9:
                problems.append("its cameras are not nine")
        except D2MError as error:
            problems.append(str(error))
    return problems


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
        sound = [one for one in sound if not one.ignored]
        report.sequences[split] = len(sound)
        report.seconds[split] = round(sum(one.seconds for one in sound), 2)
        report.songs[split] = len({one.music for one in sound})
        names = Counter(list(GENRES)[one.genre] for one in sound if one.genre >= 0)
        report.genres[split] = {code: names[code] for code in GENRES if names[code]}
    report.problems += [Problem(one.name, why) for one in found.values() for why in one.problems]
    if ignored := [one.name for one in found.values() if one.ignored]:
        report.notes.append(f"{len(ignored)} listed sequences are in ignore_list.txt and will be left out")


def _compare(report: Report, splits: dict[str, tuple[str, ...]], found: dict[str, _Found], protocol: str) -> None:
    """Names and music that are in more than one split."""
    for split, names in splits.items():
        for name, count in Counter(names).items():
            if count > 1:
                report.problems.append(Problem(name, f"it is listed {count} times in {split}"))
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        both = set(splits.get(first, ())) & set(splits.get(second, ()))
        report.problems += [Problem(name, f"it is in {first} and in {second}") for name in sorted(both)]
        songs = [{_song(report.kind, found[n].music) for n in splits.get(s, ())} - {""} for s in (first, second)]
        shared = sorted(songs[0] & songs[1])
        if shared and not both:
            listed = ", ".join(shared[:5]) + (" …" if len(shared) > 5 else "")
            text = f"{len(shared)} pieces of music are in {first} and in {second}: {listed}"
            # that validation and test share music is how AIST++ splits it; another protocol keeps dancers apart
            if protocol != "crossmodal" or (
                first == "val" and report.kind.removeprefix("prepared ").startswith("aist")
            ):
                report.notes.append(text)
            else:
                report.problems.append(Problem("splits", text))


def _song(kind: str, music: str) -> str:
    """What is the same for all takes of a song."""
    from d2m.datasets.tiktok import TikTokName, whole_name

    if not music:
        return ""
    whole = whole_name(music)
    if "tiktok" in kind:
        return f"song {TikTokName.parse(whole).music}"
    return whole if whole == music and "_" not in music else f"m{AistName.parse(whole).music}"


def _left_out(folder: Path) -> int:
    try:
        return len(json.loads((folder / "skipped.json").read_text(encoding="utf-8"))["skipped"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def _check_aist_lists(report: Report, folder: Path) -> None:
    """Motions that no split lists."""
    data = aist.Aist(folder)
    listed = {name for split in aist.SPLITS for name in data.listed(split)}
    if spare := set(data.listed()) - listed - data.ignored():
        report.notes.append(f"{len(spare)} sequences are in no crossmodal split")
