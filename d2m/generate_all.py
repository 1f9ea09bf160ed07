"""Music for many videos: each video is a unit of work, which any process or node can do, and do again.

The key of a unit is a hash of the video's content, the options, the content of the files that they name, and the
version. The report of a result holds it as ``unit`` and is written last, so that it proves the other files.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from d2m.engines import Engine
from d2m.errors import D2MError
from d2m.features.store import content_of, key_of
from d2m.files.manifest import Manifest, Record
from d2m.files.staging import LONGEST_REPORT
from d2m.files.store import FolderStore, Store, open_store
from d2m.files.url import absolute, identity_of, is_url, local_copy
from d2m.parallel import Crash, Done, Parallel, Serial, executor_of
from d2m.pipeline import Result, generate, load_engine, plain
from d2m.version import __version__

#: Raised when the same video and options give other files than before within a version.
FORMAT = 1
#: Share of the work that is done before and after each stage.
_SHARES = {"watch": (0.0, 0.7), "compose": (0.7, 0.85), "write": (0.85, 1.0)}


@dataclass(frozen=True)
class Outcome:
    """Result of a unit.

    Attributes:
        video: path or URL of the video.
        unit: key of the unit; "" if the video could not be read.
        how: ``"made"``, ``"unchanged"`` (it was there), ``"failed"`` or ``"crashed"``.
        seconds: computing time in seconds.
        error: why it failed, else None.
        report: report, if it was asked for.
        lines: the result in words, one line each.
        warnings: what was worked around.
        has_video: whether the video was written.
        host: name of the machine that did the work.
    """

    video: str
    unit: str
    how: str
    seconds: float
    error: str | None = None
    report: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    has_video: bool = False
    host: str = field(default_factory=platform.node)


@dataclass(frozen=True)
class _Task:
    """A unit of work.

    Attributes:
        video: path or URL.
        output: path or URL of the store.
        player: engine and its options, or an engine that is loaded.
        settings: the other options.
        fingerprint: hash of all options.
        skip: whether a result with the same key is kept.
        reports: whether the report is sent back.
        identity: of the video; "" if it is not known.
    """

    video: str
    output: str
    player: dict[str, Any]
    settings: dict[str, Any]
    fingerprint: str
    skip: bool
    reports: bool
    identity: str = ""


def fingerprint_of(player: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return a hash of all options and of the content of the files that they name.

    Args:
        player: engine and its options.
        settings: fields of :class:`~d2m.generate_options.GenerateOptions`.
    """
    options = {name: _content(plain(value)) for name, value in {**player, **settings}.items() if name != "write_plan"}
    return key_of(part="generate", format=FORMAT, version=__version__, options=options)


def unit_key(video: str | Path, fingerprint: str) -> str:
    """Return the key of a unit; the video is read once.

    Args:
        video: path of the video.
        fingerprint: of :func:`fingerprint_of`.

    Raises:
        D2MError: if the video cannot be read.
    """
    return key_of(part="unit", content=content_of(video), options=fingerprint)


def _content(value: Any) -> Any:
    """Return what stands for a value in a key: of files the content, also of several separated by commas."""
    if isinstance(value, (list, tuple)):
        return [_content(each) for each in value]
    if isinstance(value, str) and value:
        if os.path.isfile(value):
            return f"content {content_of(value)}"
        if "," in value:
            return [_content(each) for each in value.split(",")]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def generate_all(
    videos: Sequence[str],
    output: str,
    player: dict[str, Any],
    settings: dict[str, Any],
    *,
    processes: Parallel = 1,
    skip: bool = False,
    reports: bool = False,
    identities: dict[str, str] | None = None,
    tell: Callable[[str, float], None] = lambda video, share: None,
) -> Iterator[Outcome]:
    """Generate music for videos; an error in one of them does not stop the others.

    With an executor on other machines or an output at a URL, what was done is written to the manifest of the output
    (:mod:`d2m.files.manifest`), and results that it lists are found without reading their videos.

    Args:
        videos: paths or URLs.
        output: path or URL of the folder for the results.
        player: ``engine`` and its options, as :func:`d2m.pipeline.load_engine` takes them.
        settings: fields of :class:`~d2m.generate_options.GenerateOptions`.
        processes: number of local processes, or an executor.
        skip: keep results with the same key.
        reports: return the reports.
        identities: identity by URL, as :func:`d2m.files.store.files_at` returns it.
        tell: called with a video and the share of it that is done.

    Yields:
        An outcome for each video, in the order in which they are done.

    Raises:
        D2MError: if an option cannot be met or the output cannot be used.
    """
    store, executor = open_store(output), executor_of(processes, len(videos))
    # What is wrong with the options is wrong with all videos: it is said once, before the work.
    fingerprint = fingerprint_of(player, settings)
    engine = load_engine(**player)
    if isinstance(executor, Serial):
        player = {"engine": engine}
    base = _Task("", output, player, settings, fingerprint, skip, reports)
    manifest = Manifest(store) if executor.remote or is_url(output) else None
    known = manifest.known(fingerprint) if manifest is not None and skip and not reports else {}

    def tasks() -> Iterator[_Task | Done]:
        for video in videos:
            task = replace(base, video=video, identity=(identities or {}).get(video) or identity_of(video))
            record = known.get((absolute(video), task.identity))
            done = record and Outcome(video, record.unit, "unchanged", record.seconds, host=record.host, has_video=True)
            yield Done(done) if done else task

    try:
        for task, result in executor.run(work, tasks(), lambda task, share: tell(task.video, share)):
            if isinstance(task, Done):
                yield result
                continue
            outcome = _crashed(task, result) if isinstance(result, Crash) else result
            if manifest is not None:
                manifest.add(_record(task, outcome))
            yield outcome
    finally:
        if manifest is not None:
            manifest.flush()


def work(task: _Task, tell: Callable[[float], None]) -> Outcome:
    """Make the music for one video, unless it is there. An error becomes an outcome.

    Args:
        task: the unit.
        tell: called with the share done, from 0 to 1.
    """
    start = time.perf_counter()

    def progress(stage: str, share: float) -> None:
        first, last = _SHARES.get(stage, (0.0, 1.0))
        tell(first + (last - first) * share)

    try:
        with local_copy(task.video) as path:
            unit = unit_key(path, task.fingerprint)
            store = open_store(task.output)
            if task.skip and existing_report(store, path.stem, unit) is not None:
                return Outcome(task.video, unit, "unchanged", round(time.perf_counter() - start, 3), has_video=True)
            return _made(task, path, store, unit, progress, start)
    except D2MError as error:
        told = str(error)
    except MemoryError:
        told = "out of memory; close other programs or use a shorter or smaller video"
    except Exception as error:  # the other videos are waiting
        told = f"{type(error).__name__}: {error}; this is a bug in d2m, run this video alone with --debug"
    told = told if task.video in told else f"{task.video}: {told}"
    return Outcome(task.video, "", "failed", round(time.perf_counter() - start, 3), told)


def existing_report(store: Store, stem: str, unit: str) -> dict[str, Any] | None:
    """Return the report of a complete result with this key, or None.

    Args:
        store: store of the results.
        stem: name of the video without its ending.
        unit: key of the unit.
    """
    content = store.read(f"{stem}.d2m.json", LONGEST_REPORT)
    try:
        report = json.loads(content or b"null")
        files = list(report["files"].values()) if report["unit"] == unit else []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # Uploads are complete when the report is there; in a folder, somebody may have removed a file.
    if isinstance(store, FolderStore) and not all(Path(store.path(str(name))).is_file() for name in files):
        return None
    return report if files else None


def _made(
    task: _Task, path: Path, store: Store, unit: str, progress: Callable[[str, float], None], start: float
) -> Outcome:
    with contextlib.ExitStack() as stack:
        local = isinstance(store, FolderStore)
        folder = task.output if local else stack.enter_context(tempfile.TemporaryDirectory(prefix="d2m-"))
        result = generate(path, folder, engine=_engine(task.player), progress=progress, unit=unit, **task.settings)
        lines = lines_of(result)
        if not local:
            names = result.report["files"]
            store.put_files(Path(folder), [*(name for kind, name in names.items() if kind != "json"), names["json"]])
            lines = [line.replace(f"  {folder}{os.sep}", f"  {store.path('')}") for line in lines]
    return Outcome(
        task.video, unit, "made", round(time.perf_counter() - start, 3),
        report=result.report if task.reports else None, lines=tuple(lines),
        warnings=tuple(result.report["warnings"]), has_video="mp4" in result.report["files"],
    )  # fmt: skip


def lines_of(result: Result) -> list[str]:
    """Describe a result in a line, its subject and the paths of its files.

    Args:
        result: the result.
    """
    from d2m.report import beats_in_words

    report = result.report
    lines = [
        f"{report['video']['name']}: {report['genre']}; {beats_in_words(result.dance.grid)} "
        f"({report['duration']:.1f} s of music made in {sum(report['seconds'].values()):.1f} s)"
    ]
    if result.plan is not None:
        from d2m.features.subject import Subject

        lines.append(f"  {Subject(result.plan.subject, result.plan.reason or 'as the plan says').in_words}")
    return lines + [f"  {path}" for path in result.files.values()]


#: The engine of this process, and the options that it was loaded with.
_LOADED: dict[str, Engine] = {}


def _engine(player: dict[str, Any]) -> Engine:
    """Return the engine for a unit, loaded once in each process of a run."""
    if not isinstance(player.get("engine"), (str, type(None))):
        return player["engine"]
    key = json.dumps(player, sort_keys=True, default=repr)
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = load_engine(**player)
    return _LOADED[key]


def _crashed(task: _Task, crash: Crash) -> Outcome:
    told = f"{task.video}: the process that made its music {crash.in_words}; the video is damaged or too large"
    return Outcome(task.video, "", "crashed", 0.0, told)


def _record(task: _Task, outcome: Outcome) -> Record:
    stem = Path(task.video.rpartition("/")[2] if is_url(task.video) else task.video).stem
    proof = f"{stem}.d2m.json" if outcome.error is None else ""
    return Record(
        outcome.unit, absolute(task.video), task.identity, task.fingerprint, outcome.how, outcome.error or "",
        outcome.seconds, outcome.host, output=proof,
    )  # fmt: skip
