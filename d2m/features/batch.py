"""Features of many videos: existing results are kept, failures are logged, and a run can be repeated."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from d2m.errors import D2MError
from d2m.features.extract import Keys, Settings, extract, is_cached, key_in, keys_of, read_features, write_features
from d2m.features.store import StopRun
from d2m.parallel import Crash, Done, Workers

#: Endings of the files that are taken from a folder.
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp")
)
#: Endings of a list of videos.
LISTS = frozenset((".txt", ".lst"))
_LONGEST_LIST = 64_000_000
LOG, FAILED = "features.log", "failed.json"


@dataclass(frozen=True)
class Source:
    """Video and the file for its features.

    Attributes:
        video: the file.
        target: the ``.npz``, below the folder that is written to.
    """

    video: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """Result of the extraction from a video.

    Attributes:
        video: as it was named.
        file: the ``.npz``; None if it failed.
        how: ``"extracted"``, ``"cached"`` (put together from the cache), ``"unchanged"`` (the file was there) or
            ``"failed"``.
        seconds: computing time in seconds.
        error: why it failed, one line; else None.
        frames, fps: frames and frame rate of the keypoints.
        duration: seconds of video.
        found: part of the frames in which the dancer was seen.
        segments: number of visual features.
        notes: what went wrong and could be worked around.
    """

    video: str
    file: str | None
    how: str
    seconds: float
    error: str | None = None
    frames: int = 0
    fps: float = 0.0
    duration: float = 0.0
    found: float = 0.0
    segments: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return plain values; those that a failed video has if it failed."""
        if self.error is not None:
            return {"video": self.video, "error": self.error}
        return {name: value for name, value in asdict(self).items() if name != "error"}


@dataclass(frozen=True)
class _Task:
    source: Source
    target: Path
    settings: Settings
    keys: Keys


def find_sources(inputs: Iterable[str | Path]) -> list[Source]:
    """List the videos that the user gave, each once.

    A folder stands for the videos in it and below it, and its inner folders come again below the output. A ``.txt``
    file lists one video (or folder) a line, relative to its own folder; lines that start with ``#`` are skipped.

    Args:
        inputs: videos, folders or ``.txt`` lists.

    Raises:
        D2MError: if a folder or list holds no video, a list cannot be read, or two videos would be written to one
            file.
    """
    found: dict[Path, Source] = {}
    for source in _expanded(inputs):
        other = found.setdefault(source.target, source)
        if other.video != source.video:
            raise D2MError(
                f"{other.video} and {source.video} would both be written to {source.target}; run them one by one "
                "with different -o"
            )
    return list(found.values())


def extract_all(
    sources: list[Source],
    output: str | Path,
    settings: Settings,
    processes: int = 1,
    tell: Callable[[Source, float], None] = lambda source, share: None,
) -> Iterator[Outcome]:
    """Extract features of videos and write ``OUTPUT/<name>.npz`` for each.

    A file that was made from the same content, settings and models is left alone. With more than one video the work
    is done in processes of its own, so that one that crashes takes nobody along, and ``features.log`` (a line each)
    and ``failed.json`` (which and why; removed if none did) are written beside the results.

    Args:
        sources: sources from :func:`find_sources`.
        output: folder; made when there is something to write.
        settings: what to extract.
        processes: at a time.
        tell: called with a video and the part of it that is done.

    Yields:
        an outcome for each video, in the order in which they are done.

    Raises:
        D2MError: if the settings cannot be met, the weights do not fit, or the folder or cache cannot be written.
    """
    settings.check()
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise D2MError(f"{output}: this is a file; -o takes a folder")
    if len(sources) == 1:
        yield from _alone(sources[0], output, settings, tell)
        return
    failed: list[Outcome] = []
    complete = False
    try:
        for outcome in _together(sources, output, settings, processes, tell):
            _log(output, outcome)
            if outcome.error is not None:
                failed.append(outcome)
            yield outcome
        complete = True
    finally:
        if failed or complete:
            _write_failed(output, failed)


def _alone(
    source: Source, output: Path, settings: Settings, tell: Callable[[Source, float], None]
) -> Iterator[Outcome]:
    checked = _checked(source, output, settings)
    yield checked if isinstance(checked, Outcome) else _used(work(checked, lambda share: tell(source, share)))


def _together(
    sources: list[Source], output: Path, settings: Settings, processes: int, tell: Callable[[Source, float], None]
) -> Iterator[Outcome]:
    def tasks() -> Iterator[_Task | Done]:
        for source in sources:
            checked = _checked(source, output, settings)
            yield Done(checked) if isinstance(checked, Outcome) else checked

    with Workers(max(1, processes), work) as workers:
        for task, result in workers.run(tasks(), lambda task, share: tell(task.source, share)):
            yield _crashed(task, result) if isinstance(result, Crash) else _used(result)


def _used(result: Outcome | StopRun) -> Outcome:
    if isinstance(result, StopRun):
        raise result
    return result


def _checked(source: Source, output: Path, settings: Settings) -> Outcome | _Task:
    """What is known of a video without work, or the work that there is."""
    start, target = time.perf_counter(), output / source.target
    try:
        keys = keys_of(source.video, settings)
    except D2MError as error:
        return _failure(source.video, error, start)
    if not settings.force and key_in(target) == keys.all:
        with contextlib.suppress(D2MError):  # damaged: written again
            return _outcome(source.video, target, read_features(target), "unchanged", start)
    task = _Task(source, target, settings, keys)
    # Putting a file together from the cache is done before a process has started.
    return _used(work(task, lambda share: None)) if is_cached(keys, settings) else task


def work(task: _Task, tell: Callable[[float], None]) -> Outcome | StopRun:
    """Extract and write the features of one video. An error that concerns all videos is returned.

    Args:
        task: video, output and settings.
        tell: called with the share done, from 0 to 1.
    """
    start, video = time.perf_counter(), task.source.video
    try:
        features = extract(video, task.settings, task.keys, tell)
        write_features(task.target, features, task.settings)
    except StopRun as error:
        return error
    except D2MError as error:
        return _failure(video, error, start)
    except MemoryError:
        return _failure(video, D2MError(f"{video}: out of memory; use fewer processes or a smaller video"), start)
    except Exception as error:  # thousands of other videos are waiting
        return _failure(video, D2MError(f"{video}: {type(error).__name__}: {error}; this is a bug in d2m"), start)
    return _outcome(video, task.target, features, "extracted" if features.made else "cached", start)


def _outcome(video: Path, target: Path, features, how: str, start: float) -> Outcome:
    return Outcome(
        str(video), str(target), how, round(time.perf_counter() - start, 3), None, features.frames, features.fps,
        round(features.duration, 4), round(features.found, 4),
        0 if features.segments is None else len(features.segments), features.notes,
    )  # fmt: skip


def _failure(video: Path, error: D2MError, start: float) -> Outcome:
    return Outcome(str(video), None, "failed", round(time.perf_counter() - start, 3), " ".join(str(error).split()))


def _crashed(task: _Task, crash: Crash) -> Outcome:
    if crash.code is not None and crash.code < 0:
        why = f"the process that read it was ended by signal {-crash.code}"
    else:
        why = f"the process that read it ended with status {crash.code}"
    return Outcome(
        str(task.source.video), None, "failed", 0.0, f"{task.source.video}: {why}; the file is damaged or too large"
    )


def _expanded(inputs: Iterable[str | Path], from_list: bool = False) -> Iterator[Source]:
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_video(p))
            if not inside:
                raise D2MError(f"{path}: no videos in this folder")
            yield from (Source(video, video.relative_to(path).with_suffix(".npz")) for video in inside)
        elif path.suffix.lower() in LISTS and path.is_file() and not from_list:
            yield from _expanded(_listed(path), from_list=True)
        else:
            yield Source(path, Path(f"{path.stem or path.name}.npz"))


def _is_video(path: Path) -> bool:
    # macOS leaves hidden companions of files on foreign disks.
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".") and path.is_file()


def _listed(path: Path) -> list[Path]:
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise D2MError(f"{path} is far too long for a list of videos")
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"{path}: cannot be read as a list of videos, one a line ({error})") from None
    videos = [path.parent / line for line in lines if line and not line.startswith("#")]
    if not videos:
        raise D2MError(f"{path}: no videos in this list; write one a line")
    return videos


def _log(output: Path, outcome: Outcome) -> None:
    said = outcome.error or f"{outcome.frames} frames, found in {outcome.found:.1%}, {outcome.segments} segments"
    notes = "".join(f"; {note}" for note in outcome.notes)
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {outcome.how} {outcome.video}: {said}{notes} ({outcome.seconds} s)\n"
    try:
        output.mkdir(parents=True, exist_ok=True)
        # One write of one line, appended: several runs may share a log.
        with open(output / LOG, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(line)
    except OSError as error:
        raise D2MError(f"cannot write {output / LOG}: {error.strerror}; choose another folder with -o") from None


def _write_failed(output: Path, failed: list[Outcome]) -> None:
    from d2m.files.atomic import atomic_write_bytes

    if failed:
        content = json.dumps([outcome.as_json() for outcome in failed], indent=1, ensure_ascii=False)
        atomic_write_bytes(output / FAILED, f"{content}\n".encode(errors="backslashreplace"))
    else:
        (output / FAILED).unlink(missing_ok=True)
