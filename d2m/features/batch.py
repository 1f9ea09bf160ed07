"""Features of many videos: existing results are kept, failures are logged, and a run can be repeated."""

from __future__ import annotations

import contextlib
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from d2m.errors import D2MError
from d2m.features.extract import (
    FORMAT,
    Features,
    Keys,
    Settings,
    extract,
    is_cached,
    key_in,
    keys_of,
    read_features,
    visual_model,
    write_features,
)
from d2m.features.pose_models import pose_model
from d2m.features.sources import Source
from d2m.features.store import StopRun, key_of
from d2m.files.manifest import Manifest, Record
from d2m.files.store import FolderStore, Store, open_store
from d2m.files.url import absolute, identity_of, is_url, local_copy
from d2m.parallel import Crash, Done, Executor, Parallel, ProcessPool

LOG, FAILED = "features.log", "failed.json"


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
        key: hash of the video's content, the settings and the models.
        host: name of the machine that did the work.
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
    key: str = ""
    host: str = ""

    def as_json(self) -> dict[str, object]:
        """Return plain values; those that a failed video has if it failed."""
        if self.error is not None:
            return {"video": self.video, "error": self.error}
        return {name: value for name, value in asdict(self).items() if name not in ("error", "key", "host")}


@dataclass(frozen=True)
class _Task:
    """Unit of work; its keys are found where it is done if they are None."""

    source: Source
    store: Store
    settings: Settings
    keys: Keys | None = None

    @property
    def name(self) -> str:
        return self.source.target.as_posix()


def extract_all(
    sources: list[Source],
    output: str | Path,
    settings: Settings,
    processes: Parallel = 1,
    tell: Callable[[Source, float], None] = lambda source, share: None,
) -> Iterator[Outcome]:
    """Extract features of videos and write ``OUTPUT/<name>.npz`` for each.

    A file that was made from the same content, settings and models is left alone. With more than one video the work
    is done in processes of its own, so that one that crashes takes nobody along, and ``features.log`` (a line each)
    and ``failed.json`` (which and why; removed if none did) are written beside the results. On other machines or to a
    URL, the manifest of the output (:mod:`d2m.files.manifest`) takes the place of the log.

    Args:
        sources: sources from :func:`find_sources`.
        output: folder, made when there is something to write, or URL.
        settings: what to extract.
        processes: number of local processes, or an executor.
        tell: called with a video and the part of it that is done.

    Yields:
        an outcome for each video, in the order in which they are done.

    Raises:
        D2MError: if the settings cannot be met, the weights do not fit, or the folder or cache cannot be written.
    """
    settings.check()
    store = open_store(output)
    executor = processes if isinstance(processes, Executor) else ProcessPool(max(1, processes))
    if len(sources) == 1 and not executor.remote:
        yield from _alone(sources[0], store, settings, tell)
        return
    failed: list[Outcome] = []
    complete = False
    try:
        for outcome in _together(sources, store, settings, executor, tell):
            if outcome.error is not None:
                failed.append(outcome)
            yield outcome
        complete = True
    finally:
        if failed or complete:
            _write_failed(store, failed)


def _alone(
    source: Source, store: Store, settings: Settings, tell: Callable[[Source, float], None]
) -> Iterator[Outcome]:
    checked = _checked(source, store, settings)
    yield checked if isinstance(checked, Outcome) else _used(work(checked, lambda share: tell(source, share)))


def _together(
    sources: list[Source],
    store: Store,
    settings: Settings,
    executor: Executor,
    tell: Callable[[Source, float], None],
) -> Iterator[Outcome]:
    if not executor.remote and isinstance(store, FolderStore):
        checked = (_checked(source, store, settings) for source in sources)
        tasks = (Done(each) if isinstance(each, Outcome) else each for each in checked)
        for outcome in _run(executor, tasks, tell):
            _log(Path(store.place), outcome)
            yield outcome
        return
    manifest, fingerprint = Manifest(store), _fingerprint(settings)
    known = {} if settings.force else manifest.known(fingerprint)
    given = {source.name: (absolute(source.video), source.identity or identity_of(source.video)) for source in sources}

    def unfinished() -> Iterator[_Task | Done]:
        for source in sources:
            record = known.get(given[source.name])
            done = record and Outcome(source.name, store.path(record.output), "unchanged", record.seconds)
            yield Done(done) if done else _Task(source, store, settings)

    try:
        for outcome in _run(executor, unfinished(), tell):
            if outcome.key or outcome.error is not None:
                how = {"extracted": "made", "cached": "made"}.get(outcome.how, outcome.how)
                name = "" if outcome.file is None else outcome.file.removeprefix(store.path("")).lstrip("/")
                manifest.add(
                    Record(
                        *(outcome.key, *given[outcome.video], fingerprint, how, outcome.error or "", outcome.seconds),
                        host=outcome.host,
                        output=name,
                    )
                )
            yield outcome
    finally:
        manifest.flush()


def _run(executor: Executor, tasks: Iterable[_Task | Done], tell: Callable[[Source, float], None]) -> Iterator[Outcome]:
    for task, result in executor.run(work, tasks, lambda task, share: tell(task.source, share)):
        yield _crashed(task, result) if isinstance(result, Crash) else _used(result)


def _fingerprint(settings: Settings) -> str:
    """Return a hash of all that the features depend on besides the video."""
    options = {name: getattr(settings, name) for name in ("fps", "keypoints", "visual", "seconds", "keep_empty")}
    models = [pose_model(settings.pose).identity(), visual_model(settings.weights) if settings.visual else ""]
    return key_of(part="features", format=FORMAT, options=options, models=models)


def _used(result: Outcome | StopRun) -> Outcome:
    if isinstance(result, StopRun):
        raise result
    return result


def _checked(source: Source, store: Store, settings: Settings) -> Outcome | _Task:
    """What is known of a video without work, or the work that there is."""
    start = time.perf_counter()
    task = _Task(source, store, settings)
    if is_url(source.video) or not isinstance(store, FolderStore):
        return task
    try:
        task = replace(task, keys=keys_of(source.video, settings))
    except D2MError as error:
        return _failure(source.name, error, start)
    assert task.keys is not None
    if (unchanged := _unchanged(task, task.keys, start)) is not None:
        return unchanged
    # Putting a file together from the cache is done before a process has started.
    return _used(work(task, lambda share: None)) if is_cached(task.keys, settings) else task


def _unchanged(task: _Task, keys: Keys, start: float) -> Outcome | None:
    """Return the outcome for features that are there, or None."""
    if task.settings.force:
        return None
    with contextlib.suppress(D2MError), local_copy(task.store.path(task.name)) as path:  # damaged: written again
        if key_in(path) == keys.all:
            return _outcome(task, read_features(path), "unchanged", start)
    return None


def work(task: _Task, tell: Callable[[float], None]) -> Outcome | StopRun:
    """Extract and write the features of one video. An error that concerns all videos is returned.

    Args:
        task: video, output and settings.
        tell: called with the share done, from 0 to 1.
    """
    start, video = time.perf_counter(), task.source.name
    try:
        with local_copy(video) as path:
            keys = task.keys or keys_of(path, task.settings)
            if task.keys is None and (unchanged := _unchanged(task, keys, start)) is not None:
                return unchanged
            features = extract(path, task.settings, keys, tell)
            _write(task, features)
    except StopRun as error:
        return error
    except D2MError as error:
        return _failure(video, error, start)
    except MemoryError:
        return _failure(video, D2MError(f"{video}: out of memory; use fewer processes or a smaller video"), start)
    except Exception as error:  # thousands of other videos are waiting
        return _failure(video, D2MError(f"{video}: {type(error).__name__}: {error}; this is a bug in d2m"), start)
    return _outcome(task, features, "extracted" if features.made else "cached", start)


def _write(task: _Task, features: Features) -> None:
    """Write features to the store."""
    if isinstance(task.store, FolderStore):
        write_features(task.store.path(task.name), features, task.settings)
        return
    with tempfile.TemporaryDirectory(prefix="d2m-") as folder:
        write_features(Path(folder) / task.name, features, task.settings)
        task.store.put_files(Path(folder), [task.name])


def _outcome(task: _Task, features: Features, how: str, start: float) -> Outcome:
    return Outcome(
        task.source.name, task.store.path(task.name), how, round(time.perf_counter() - start, 3), None,
        features.frames, features.fps, round(features.duration, 4), round(features.found, 4),
        0 if features.segments is None else len(features.segments), features.notes, features.key, platform.node(),
    )  # fmt: skip


def _failure(video: str, error: D2MError, start: float) -> Outcome:
    seconds = round(time.perf_counter() - start, 3)
    return Outcome(video, None, "failed", seconds, " ".join(str(error).split()), host=platform.node())


def _crashed(task: _Task, crash: Crash) -> Outcome:
    video = task.source.name
    told = f"{video}: the process that read it {crash.in_words}; the file is damaged or too large"
    return Outcome(video, None, "failed", 0.0, told)


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


def _write_failed(store: Store, failed: list[Outcome]) -> None:
    if failed:
        content = json.dumps([outcome.as_json() for outcome in failed], indent=1, ensure_ascii=False)
        store.put(FAILED, f"{content}\n".encode(errors="backslashreplace"))
    else:
        store.remove(FAILED)
