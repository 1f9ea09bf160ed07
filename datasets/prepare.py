"""Convert raw data sets to prepared ones (:mod:`d2m.datasets.prepared`), and list what cannot be used.

A raw data set is a :class:`~d2m.datasets.base.Source`: its sequences, and how one is read. The rest is common: several
processes, resuming of interrupted runs, and a line in ``skipped.json`` for everything that is left out.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.base import Skip, Source
from d2m.datasets.prepared import (
    SAMPLE_RATE,
    SPLITS,
    Entry,
    Manifest,
    checked_id,
    find_music,
    read_entry,
    write_music,
    write_sequence,
    write_split,
)
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.files.file_log import file_log
from d2m.parallel import Parallel, count_of, each
from d2m.version import __version__

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Skipped:
    """A sequence that was left out: its name, split, the kind of trouble and the details."""

    name: str
    split: str
    what: str
    why: str


@dataclass(frozen=True)
class Outcome:
    """Result of the preparation.

    Attributes:
        sequences: names by split.
        songs: pieces of music.
        seconds: length of the motion in seconds, by split.
        skipped: what was left out.
    """

    sequences: dict[str, list[str]]
    songs: int
    seconds: dict[str, float]
    skipped: list[Skipped]

    def line(self) -> str:
        """Return the outcome in one line."""
        counts = ", ".join(f"{len(self.sequences[s])} {s}" for s in SPLITS)
        total = sum(len(names) for names in self.sequences.values())
        text = f"{total} sequences ({counts}), {sum(self.seconds.values()) / 60:.1f} min, {self.songs} pieces of music"
        if self.skipped:
            kinds = Counter(item.what for item in self.skipped)
            text += f"; {len(self.skipped)} left out: " + ", ".join(f"{n} {what}" for what, n in kinds.most_common())
        return text


def prepare(
    source: Source,
    root: str | Path,
    out: str | Path,
    *,
    seconds: float = 2.0,
    processes: Parallel = 1,
    progress: Progress | None = None,
) -> Outcome:
    """Prepare a data set, or complete it.

    ``prepared.json`` is written last: a folder without it is unfinished. ``prepare.log`` tells what was done.

    Args:
        source: the raw data set.
        root: its folder, for the record.
        out: folder, created if need be.
        seconds: shorter sequences are left out.
        processes: number of local processes, or an executor.
        progress: called with the stage (``"music"`` or ``"sequences"``), how many are done, and of how many.

    Raises:
        D2MError: for lists that cannot be used, a folder that holds something else, no space, or if nothing is left.
    """
    if count_of(processes) < 1 or not 0.1 <= seconds <= 600:
        raise D2MError("preparing needs at least one process, and sequences of 0.1 to 600 s")
    out, progress = Path(out), progress or (lambda stage, done, total: None)
    splits = source.splits()
    _check_lists(splits)
    skipped: list[Skipped] = []
    music = _wanted_music(source, splits, skipped)
    _claim(out, source, root, seconds)
    with file_log(out / "prepare.log") as log:
        log.info("%s from %s: %s", source.kind, root, {split: len(names) for split, names in splits.items()})
        songs, trouble = _all_music(source, out, sorted(set(music.values())), processes, progress, log)
        jobs = []
        for split, names in splits.items():
            for name in names:
                if (song := music.get(name)) in trouble:
                    skipped.append(Skipped(name, split, *trouble[song]))
                elif song is not None:
                    jobs.append((source, name, out, seconds, songs[song]))
        frames, failed = _all_sequences(jobs, processes, progress, log)
        where = {name: split for split, names in splits.items() for name in names}
        skipped += [Skipped(name, where[name], *reason) for name, reason in failed.items()]
        for item in skipped:
            log.info("left out %s (%s): %s", item.name, item.split, item.why)
        kept = {split: [name for name in splits.get(split, ()) if name in frames] for split in SPLITS}
        outcome = Outcome(
            kept,
            len({music[name] for name in frames}),
            {split: sum(frames[n] for n in names) / source.motion_fps for split, names in kept.items()},
            skipped,
        )
        _write_index(out, source, root, seconds, outcome)
        log.info("%s", outcome.line())
    return outcome


def _check_lists(splits: dict[str, tuple[str, ...]]) -> None:
    if not any(splits.values()):
        raise D2MError("the lists of the splits are empty; download them again")
    times = Counter(name for names in splits.values() for name in names)
    if twice := [name for name, count in times.items() if count > 1]:
        raise D2MError(f"{twice[0]} and {len(twice) - 1} more are listed twice or in two splits; correct the lists")


def _wanted_music(source: Source, splits: dict[str, tuple[str, ...]], skipped: list[Skipped]) -> dict[str, str]:
    """Sequence -> id of its music, for those that may be used; the others go to ``skipped``."""
    music = {}
    for split, names in splits.items():
        for name in names:
            try:
                music[checked_id(name)] = checked_id(source.music(name))
            except D2MError as error:
                skipped.append(Skipped(name, split, getattr(error, "what", "with a name of another form"), str(error)))
    return music


def _claim(out: Path, source: Source, root: str | Path, seconds: float) -> None:
    """Notes what a folder is for, so that it never holds a mixture."""
    if out.exists() and not out.is_dir():
        raise D2MError(f"{out} is not a folder; choose another place")
    wanted = {"kind": source.kind, "root": str(Path(root).resolve()), "visual_size": source.visual_size}
    wanted["protocol"] = source.protocol
    claim = out / "preparing.json"
    if claim.exists():
        try:
            found = json.loads(claim.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        if found != wanted:
            raise D2MError(f"{out} was prepared from other data; choose an empty folder")
    elif out.exists() and any(out.iterdir()):
        raise D2MError(f"{out} is not empty; choose an empty folder")
    with atomic_write(claim) as part:
        part.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    (out / "prepared.json").unlink(missing_ok=True)


def _all_music(source, out, ids, processes, progress, log) -> tuple[dict[str, int], dict[str, tuple[str, str]]]:
    """Samples of each piece, and what is wrong with those that cannot be had."""
    songs, trouble = {}, {}
    jobs = [(source, music, out) for music in ids]
    for done, (music, samples, reason) in enumerate(each(_make_music, jobs, processes), start=1):
        if reason is None:
            songs[music] = samples
        else:
            trouble[music] = reason
        log.info("music %s: %s", music, f"{samples} samples" if reason is None else reason[1])
        progress("music", done, len(jobs))
    return songs, trouble


def _all_sequences(jobs, processes, progress, log) -> tuple[dict[str, int], dict[str, tuple[str, str]]]:
    """Frames of each sequence, and what is wrong with those that cannot be used."""
    frames, failed = {}, {}
    for done, (name, count, reason) in enumerate(each(_make_sequence, jobs, processes), start=1):
        if reason is None:
            frames[name] = count
            log.info("%s: %d frames", name, count)
        else:
            failed[name] = reason
        progress("sequences", done, len(jobs))
    return frames, failed


def _make_music(source: Source, music: str, out: Path) -> tuple[str, int, tuple[str, str] | None]:
    try:
        file, made = source.music_file(music), out / "music" / f"{music}.npy"
        if _newer(made, (file,)):
            with contextlib.suppress(D2MError):  # a damaged one is made again
                return music, find_music(out, music).shape[0], None
        waveform = source.finish_music(read_music(file))
    except D2MError as error:
        return music, 0, (getattr(error, "what", "with damaged music"), str(error))
    # outside: that there is no space left is no fault of the music
    write_music(out, music, waveform)
    return music, len(waveform), None


def read_music(path: Path) -> np.ndarray:
    """Read the sound of a file.

    Args:
        path: the file.

    Returns:
        int16 (T,), one channel at 22,050 Hz.

    Raises:
        D2MError: if it cannot be read, is cut short, or is not finite.
    """
    from d2m.datasets.riff import check_whole
    from d2m.media import read_audio

    check_whole(path)
    sound = read_audio(path, SAMPLE_RATE)[0]
    if not np.isfinite(sound).all():
        raise D2MError(f"{path} holds numbers that are not finite; download it again")
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)


def _make_sequence(
    source: Source, name: str, out: Path, seconds: float, samples: int
) -> tuple[str, int, tuple[str, str] | None]:
    made = out / "sequences" / f"{name}.npz"
    try:
        if _newer(made, source.files(name)) and (entry := _entry(source, name, out, seconds)) is not None:
            visual = None if entry.visual is None else entry.visual.shape[0] * entry.visual_seconds
            _check_length(entry.motion.shape[0], samples - entry.offset, visual, source, seconds)
            return name, entry.motion.shape[0], None
        sequence = source.sequence(name)
        if not np.isfinite(sequence.motion).all():
            raise Skip("with numbers that are not finite", f"the motion of {name} holds numbers that are not finite")
        visual = None if sequence.visual is None else len(sequence.visual) * sequence.visual_seconds
        _check_length(len(sequence.motion), samples - sequence.offset, visual, source, seconds)
    except D2MError as error:
        return name, 0, (getattr(error, "what", "that cannot be read"), str(error))
    write_sequence(out, name, sequence)
    return name, len(sequence.motion), None


def _entry(source: Source, name: str, out: Path, seconds: float) -> Entry | None:
    """What an earlier run made, or None if it is damaged."""
    try:
        return read_entry(out, name, _manifest(source, "", seconds))
    except D2MError:
        return None


def _check_length(frames: int, samples: int, visual: float | None, source: Source, seconds: float) -> None:
    lengths = {"motion": frames / source.motion_fps, "music": samples / SAMPLE_RATE, "visual features": visual}
    for what, length in lengths.items():
        if length is not None and length < seconds - 1e-6:
            raise Skip("too short", f"{length:.2f} s of {what} are less than a segment of {seconds:g} s")


def _newer(made: Path, files: Iterable[Path]) -> bool:
    try:
        time = made.stat().st_mtime
        return all(path.stat().st_mtime <= time for path in files)
    except OSError:
        return False


def _manifest(source: Source, root: str | Path, seconds: float) -> Manifest:
    return Manifest(
        source.kind, SAMPLE_RATE, source.motion_fps, source.motion_size, source.visual_size, seconds, str(root),
        __version__, protocol=source.protocol,
    )  # fmt: skip


def _write_index(out: Path, source: Source, root: str | Path, seconds: float, outcome: Outcome) -> None:
    with atomic_write(out / "skipped.json") as part:
        entries = {"skipped": [asdict(item) for item in outcome.skipped]}
        part.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not any(outcome.sequences.values()):
        raise D2MError(f"no sequence of {root} can be used, the first because: {outcome.skipped[0].why}")
    for split in SPLITS:
        write_split(out, split, outcome.sequences[split])
    _manifest(source, Path(root).name, seconds).write(out)
