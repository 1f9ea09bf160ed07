"""Pipeline from a dance video to its soundtrack.

    from d2m import generate
    result = generate("dance.mp4", output_dir="out", genre="house", seed=3)
    result.soundtrack.waveform, result.report["tempo"], result.files["mp4"]

The video is analysed (pose, rhythm), the engine composes for the result, and four files are written: the music, the
video with the music, a report as JSON and a plot. They appear together when all of them are complete, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m import engines
from d2m.errors import D2MError
from d2m.generate_options import GenerateOptions
from d2m.staging import earlier_result, left_over, publish, staging_folder
from d2m.types import GENRES, Dance, Soundtrack
from d2m.version import __version__

if TYPE_CHECKING:
    from d2m.engines import Engine
    from d2m.features import Analysis
    from d2m.media import Video

#: Called with a stage (see :data:`STAGES`) and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

#: The stages in their order, and what each does.
STAGES = {"watch": "watching the dance", "compose": "composing", "write": "writing"}

#: How the warning begins that a video could not be written though the rest was.
WITHOUT_VIDEO = "the music was written, the video was not"

_PACKAGES = ("torch", "mediapipe", "av", "numpy", "scipy")


@dataclass(frozen=True)
class Result:
    """Result of :func:`generate`.

    Attributes:
        soundtrack: the music.
        dance: what the engine saw of the video.
        files: paths of the written files by kind: ``"wav"``, ``"mp4"`` (unless left out), ``"json"``, ``"png"``, with
            the symbolic engine ``"mid"``.
        report: what the json file holds, plain values.
    """

    soundtrack: Soundtrack
    dance: Dance
    files: dict[str, Path]
    report: dict[str, Any]


@dataclass
class _Clock:
    """Seconds spent per stage, and the progress told."""

    tell: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        began = time.perf_counter()
        self.progress(name, 0.0)
        yield lambda share: self.progress(name, share)
        self.progress(name, 1.0)
        self.seconds[name] = round(time.perf_counter() - began, 3)

    def progress(self, name: str, share: float) -> None:
        if self.tell is not None:
            self.tell(name, min(1.0, max(0.0, float(share))))


def generate(
    video: str | os.PathLike[str],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    engine: str | Engine = engines.DEFAULT,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Make music for a dance video.

    Writes ``<stem>.d2m.wav``, ``<stem>.d2m.mp4`` (``.mkv`` for a picture that mp4 cannot hold), ``<stem>.d2m.json``
    and ``<stem>.d2m.png``, with the symbolic engine ``<stem>.d2m.mid``; files of these names are replaced. A video
    that cannot be written is left out; the warnings say why.

    Args:
        video: a video file.
        output_dir: folder to write to, made if missing; the current one by default.
        engine: name of an engine (:data:`d2m.engines.ENGINES`), or an engine of your own
            (:class:`d2m.engines.Engine`), whose options are its own affair.
        progress: called with a stage and the share of it that is done.
        options: fields of :class:`~d2m.generate_options.GenerateOptions` (``genre``, ``seed``, ``beats`` …) and of the
            engine's options (:mod:`d2m.engines.options`: ``weights``, ``arranger``, ``soundfont`` …), which are also
            the options of ``d2m generate``. Paths may be text or path objects. The same video, options and weights
            give the same music.

    Raises:
        D2MError: if the video cannot be used, an option is unknown or out of range, or a file cannot be written.
    """
    common = {each.name for each in fields(GenerateOptions)}
    asked_for = GenerateOptions(**{name: value for name, value in options.items() if name in common}).check()
    settings = {name: _plain(value) for name, value in options.items() if name not in common}
    opened, ending = _open(video, asked_for.write_video, asked_for.keep_audio, asked_for.reencode)
    clock = _Clock(progress)
    with staging_folder(Path(output_dir or ".")) as staging, _loading(engine, settings) as loading:
        analysis = _watch(opened, asked_for, loading, clock)
        with clock.stage("compose") as tell:
            soundtrack = _compose(loading.result(), opened, analysis.dance, int(asked_for.seed), tell)
        files = _files(opened.path.stem, ending, soundtrack)
        for name in left_over(staging.parent, opened.path.stem, files):
            opened.warn(f"{name} is left from an earlier run and does not go with this music")
        genre = asked_for.genre or "auto"
        if earlier := earlier_result(staging.parent / files["json"], int(asked_for.seed), genre):
            opened.warn(earlier)
        with clock.stage("write") as tell:
            _write_media(staging, files, opened, analysis, soundtrack, asked_for, tell)
        asked = _maker(loading.result(), soundtrack) | {"seed": int(asked_for.seed), "genre_asked": genre}
        beats = asked_for.beat_options
        asked |= {"beats_asked": beats.tempo or beats.mode, "offset": beats.offset, "downbeat": beats.downbeat}
        report = _report(opened, analysis, soundtrack, asked, clock.seconds, files)
        published = publish(staging, files, report)
    return Result(soundtrack, analysis.dance, published, report)


def load_engine(engine: str | Engine, **settings: Any) -> Engine:
    """Return an engine that lacks nothing but the video.

    Args:
        engine: a name, or an engine that is loaded already.
        settings: see :func:`d2m.engines.load`.

    Raises:
        D2MError: if there is no such engine, or something is missing that no video gives.
    """
    loaded = engines.load(engine, **settings) if isinstance(engine, str) else engine
    loaded.check()
    return loaded


def _open(path: str | os.PathLike[str], write_video: bool, keep_audio: bool, reencode: bool) -> tuple[Video, str]:
    """The video, and the ending of the one to be written: empty for none, also where the picture cannot be copied."""
    from d2m.media import open_video
    from d2m.media_copy import CannotCopyError, container_for

    video = open_video(path)
    if keep_audio and not video.has_audio:
        video.warn("the video has no sound to keep")
    if not write_video:
        return video, ""
    if reencode:
        return video, ".mp4"
    try:
        ending = container_for(video)
        if ending != ".mp4":
            transparent = video.alpha and video.codec.startswith("vp")
            what = "this picture's transparency" if transparent else f"pictures in {video.codec}"
            video.warn(f"the video is an {ending}, as .mp4 cannot hold {what}; --reencode makes an .mp4")
        return video, ending
    except CannotCopyError as error:
        _leave_video_out(video, str(error))
        return video, ""


def _leave_video_out(video: Video, reason: str) -> None:
    """Warn that no video is written."""
    video.warn(f"{WITHOUT_VIDEO}: {reason.removeprefix(f'{video.path}: ')}")


def _files(stem: str, video: str, soundtrack: Soundtrack) -> dict[str, str]:
    """Kind -> name of each file to be written; ``video`` is the ending of the video, empty for none."""
    # With codes the score is a sketch, and what sounds is the generator's; without, it is the music itself.
    notes = ".mid" if soundtrack.score is not None and soundtrack.codes is None else ""
    endings = {"wav": ".wav", "mp4": video, "json": ".json", "png": ".png", "mid": notes}
    return {kind: f"{stem}.d2m{ending}" for kind, ending in endings.items() if ending}


def _maker(engine: Engine, soundtrack: Soundtrack) -> dict[str, Any]:
    """For the report: the engine, its codec and level if it has them, and what else it tells of itself."""
    details = soundtrack.provenance.get("details")
    return {"engine": engine.name, "codec": None, "level": None} | (details if isinstance(details, dict) else {})


def _plain(value: Any) -> Any:
    """Return a path, or several, as text; any other value as it is."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


@contextlib.contextmanager
def _loading(engine: str | Engine, settings: dict[str, Any]) -> Iterator[Future[Engine]]:
    """The engine, being loaded beside the first stage, which leaves Python's lock free most of the time."""

    executor = ThreadPoolExecutor(1, thread_name_prefix="engine")
    try:
        yield executor.submit(load_engine, engine, **settings)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _watch(video: Video, options: GenerateOptions, loading: Future[Engine], clock: _Clock) -> Analysis:
    """The dance, unless the engine turns out not to load meanwhile."""
    from d2m import features

    with clock.stage("watch") as tell:

        def watched(share: float) -> None:
            if loading.done():
                loading.result()
            tell(share)

        return features.analyse(video, genre=options.genre_code, beats=options.beat_options, progress=watched)


def _compose(engine: Engine, video: Video, dance: Dance, seed: int, tell: Callable[[float], None]) -> Soundtrack:
    """Music for a dance, by an engine that may want to look at the video itself first."""
    if not engine.prepares:
        return engine.compose(dance, seed=seed, progress=tell)
    dance = engine.prepare(video, dance, progress=lambda share: tell(share / 2))
    return engine.compose(dance, seed=seed, progress=lambda share: tell(0.5 + share / 2))


def _write_media(
    folder: Path,
    files: dict[str, str],
    video: Video,
    analysis: Analysis,
    soundtrack: Soundtrack,
    options: GenerateOptions,
    tell: Callable[[float], None],
) -> None:
    """The wav, video and picture of a result; a video that cannot be written is taken out of ``files``."""
    from d2m.media_write import fit, mux, write_wav
    from d2m.report import draw_report

    rate = soundtrack.sample_rate
    waveform = fit(np.asarray(soundtrack.waveform, np.float32), round(video.duration * rate))
    write_wav(folder / files["wav"], waveform, rate)
    if "mid" in files and soundtrack.score is not None:
        from d2m.symbolic.midi import write_midi

        write_midi(soundtrack.score, folder / files["mid"])
    tell(0.2)
    if "mp4" in files:
        try:
            mux(
                *(video, waveform, rate, folder / files["mp4"]),
                keep_audio=options.keep_audio,
                reencode=options.reencode,
                crf=options.crf,
            )
        except D2MError as error:
            _leave_video_out(video, str(error).replace(str(folder), str(folder.parent)))
            del files["mp4"]
    tell(0.6)
    draw_report(analysis, soundtrack, folder / files["png"], title=video.path.name)


def _report(
    video: Video,
    analysis: Analysis,
    soundtrack: Soundtrack,
    asked: dict[str, Any],
    seconds: dict[str, float],
    files: dict[str, str],
) -> dict[str, Any]:
    """What the json file holds."""
    grid, provenance = soundtrack.grid, soundtrack.provenance
    genre = provenance.get("genre") or analysis.dance.genre
    shown = (grid.beats >= 0) & (grid.beats < video.duration)
    bars = grid.beats[grid.downbeats]
    return {
        "video": {
            "name": video.path.name,
            "duration": round(video.duration, 4),
            "fps": round(video.fps, 3),
            "width": video.width,
            "height": video.height,
            "rotation": video.rotation,
            "codec": video.codec,
            "sound": video.has_audio,
        },
        "duration": round(video.duration, 4),
        "sample_rate": soundtrack.sample_rate,
        "tempo": round(float(grid.tempo), 2),
        "beats": [round(float(b), 4) for b in grid.beats[shown]],
        "downbeats": [round(float(b), 4) for b in bars if 0 <= b < video.duration],
        "source": analysis.source,
        "confidence": round(float(grid.confidence), 3),
        "forgiving": analysis.dance.forgiving,
        "motion_beats": [round(float(b), 4) for b in analysis.motion_beats],
        "genre": GENRES.get(str(genre), genre),
        **asked,
        "weights": provenance.get("weights"),
        "versions": _versions(),
        "seconds": dict(seconds),
        "warnings": [*video.warnings, *analysis.notes],
        "files": dict(files),
    }


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {"d2m": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
