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
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m import engines
from d2m.audio.presets import CHANNELS
from d2m.engines.arrangers import DEFAULT
from d2m.engines.base import Engine, ScoreEngine
from d2m.errors import D2MError
from d2m.files.staging import earlier_result, left_over, publish, staging_folder
from d2m.generate_options import NOT_KEPT, GenerateOptions
from d2m.plans.ask import mix_of, planned, refuse_mix, refuse_plan
from d2m.plans.files import read_plan, write_plan
from d2m.plans.make import retimed
from d2m.plans.play import name_in_plan, play
from d2m.plans.types import Plan
from d2m.results import leave_video_out, made_by, report_of, result_files, write_media
from d2m.types import Dance, Soundtrack, genre_code

if TYPE_CHECKING:
    from d2m.features import Analysis
    from d2m.media import Video

#: Called with a stage (see :data:`STAGES`) and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

#: The stages in their order, and what each does.
STAGES = {"watch": "watching the dance", "compose": "composing", "write": "writing"}


@dataclass(frozen=True)
class Result:
    """Result of :func:`generate`.

    Attributes:
        soundtrack: the music.
        dance: what the engine saw of the video.
        files: paths of the written files by kind: ``"wav"``, ``"mp4"`` (unless left out), ``"json"``, ``"png"``,
            ``"mid"`` of engines that play a score, and ``"stem"`` and a channel of the mix, as ``"stem bass"``.
        report: what the json file holds, plain values.
        plan: plan of the music, or None for an engine that plays no score.
    """

    soundtrack: Soundtrack
    dance: Dance
    files: dict[str, Path]
    report: dict[str, Any]
    plan: Plan | None = None


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
    engine: str | Engine | None = None,
    progress: Progress | None = None,
    unit: str | None = None,
    **options: Any,
) -> Result:
    """Make music for a dance video.

    Writes ``<stem>.d2m.wav``, ``<stem>.d2m.mp4`` (``.mkv`` for a picture that mp4 cannot hold), ``<stem>.d2m.json``,
    ``<stem>.d2m.png`` and, by engines that play a score, ``<stem>.d2m.mid``; files of these names are replaced. A
    video that cannot be written is left out; the warnings say why.

    Args:
        video: a video file.
        output_dir: folder to write to, made if missing; the current one by default.
        engine: name of an engine (:data:`d2m.engines.ENGINES`); None for the default, or the one that has the options
            that are given; or an engine of your own (:class:`d2m.engines.Engine`), which takes no further options.
        progress: called with a stage and the share of it that is done.
        unit: key of the video and options (:mod:`d2m.generate_all`), for the report.
        options: fields of :class:`~d2m.generate_options.GenerateOptions` (``genre``, ``seed``, ``beats`` …) and of the
            engine's options (:mod:`d2m.engines.options`: ``weights``, ``arranger``, ``soundfont`` …), which are also
            the options of ``d2m generate``. Paths may be text or path objects. The same video, options and weights
            give the same music.

    Raises:
        D2MError: if the video cannot be used, an option is unknown or out of range, or a file cannot be written.
    """
    common = {each.name for each in fields(GenerateOptions)}
    asked_for = GenerateOptions(**{name: plain(value) for name, value in options.items() if name in common}).check()
    settings = {name: plain(value) for name, value in options.items() if name not in common}
    kept = asked_for.keep_audio not in NOT_KEPT
    opened, ending = _open(video, asked_for.write_video, kept, asked_for.reencode)
    clock = _Clock(progress)
    with staging_folder(Path(output_dir or ".")) as staging, _loading(engine, settings, asked_for) as loading:
        with clock.stage("watch") as tell:
            analysis = analysed(opened, asked_for, tell, loading)
        if analysis.subject.name == "speech" and asked_for.keep_audio == "" and asked_for.write_video:
            asked_for = replace(asked_for, keep_audio="voice" if opened.has_audio else "")
        with clock.stage("compose") as tell:
            soundtrack, plan, dance = _compose(loading.result(), opened, analysis, asked_for, tell)
        files = result_files(opened.path.stem, ending, soundtrack, asked_for.markers)
        if old := left_over(staging.parent, opened.path.stem, files, CHANNELS):
            verbs = "is left from an earlier run and does" if len(old) == 1 else "are left from an earlier run and do"
            opened.warn(f"{', '.join(old)} {verbs} not go with this music")
        genre = asked_for.genre or "auto"
        # A plan says the seed itself.
        seed = int(asked_for.seed if plan is None else plan.sections[0].seed)
        if earlier := earlier_result(staging.parent / files["json"], seed, genre):
            opened.warn(earlier)
        with clock.stage("write") as tell:
            write_media(staging, files, opened, analysis, soundtrack, asked_for, plan, tell)
        asked = made_by(loading.result(), soundtrack) | {"seed": seed, "genre_asked": genre}
        beats = asked_for.beat_options
        asked |= {} if unit is None else {"unit": unit}
        asked |= {"beats_asked": beats.tempo or beats.mode, "offset": beats.offset, "downbeat": beats.downbeat}
        report = report_of(opened, analysis, soundtrack, asked, clock.seconds, files)
        if plan is not None and asked_for.write_plan is not None:
            write_plan(plan, asked_for.write_plan)
        published = publish(staging, files, report)
    return Result(soundtrack, dance, published, report, plan)


def plan(video: str | os.PathLike[str], *, arranger: str = DEFAULT, **options: Any) -> Plan:
    """Plan music for a dance video, to be changed and played by :func:`d2m.play`.

    Args:
        video: a video file.
        arranger: name of the arranger that writes the notes.
        options: fields of :class:`~d2m.generate_options.GenerateOptions`.

    Raises:
        D2MError: if the video cannot be used, or an option is out of range.
    """
    from d2m.media import open_video

    asked_for = GenerateOptions(**{name: plain(value) for name, value in options.items()}).check()
    analysis = analysed(open_video(video), asked_for, lambda share: None)
    return planned(analysis, asked_for, arranger)[0]


def load_engine(engine: str | Engine | None, **settings: Any) -> Engine:
    """Return an engine that lacks nothing but the video.

    Args:
        engine: a name, None to choose by the settings, or an engine that is loaded already.
        settings: see :func:`d2m.engines.load`.

    Raises:
        D2MError: if there is no such engine, or something is missing that no video gives.
    """
    loaded = engine if isinstance(engine, Engine) else engines.load(engine, **settings)
    loaded.check()
    return loaded


def _open(path: str | os.PathLike[str], write_video: bool, keep_audio: bool, reencode: bool) -> tuple[Video, str]:
    """The video, and the ending of the one to be written: empty for none, also where the picture cannot be copied."""
    from d2m.media import open_video
    from d2m.media.copy import CannotCopyError, container_for

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
        leave_video_out(video, str(error))
        return video, ""


def plain(value: Any) -> Any:
    """Return a path, or several, as text; any other value as it is.

    Args:
        value: value of an option.
    """
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _suited(engine: str | Engine | None, settings: dict[str, Any], options: GenerateOptions) -> Engine:
    """Return an engine that can do what is asked for."""
    loaded = load_engine(engine, **settings)
    if not isinstance(loaded, ScoreEngine):
        refuse_plan(options, loaded.name, loaded.follows_beats)
        return loaded
    if options.plan is None:
        refuse_mix(mix_of(options), options.stems, loaded)
        return loaded
    plan = read_plan(options.plan)
    refuse_mix(plan.mix, options.stems, loaded)
    name = name_in_plan(loaded.arranger)
    if (settings.get("arranger") or settings.get("sketch")) and name not in {each.arranger for each in plan.sections}:
        raise D2MError(f"no section of the plan has the arranger '{name}'; change the file of --plan instead")
    return loaded


@contextlib.contextmanager
def _loading(
    engine: str | Engine | None, settings: dict[str, Any], options: GenerateOptions
) -> Iterator[Future[Engine]]:
    """The engine, being loaded beside the first stage, which leaves Python's lock free most of the time."""

    executor = ThreadPoolExecutor(1, thread_name_prefix="engine")
    try:
        yield executor.submit(_suited, engine, settings, options)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def analysed(
    video: Video,
    options: GenerateOptions,
    tell: Callable[[float], None],
    loading: Future[Engine] | None = None,
) -> Analysis:
    """Analyse a video, or take the analysis that a plan stands for, if the engine needs no more.

    Args:
        video: the video.
        options: what is asked for.
        tell: called with the share done.
        loading: the engine, if it is being loaded; the analysis ends as soon as that fails.

    Raises:
        D2MError: if the video or the plan cannot be used, or the engine not be loaded.
    """
    from d2m import features

    if options.plan is not None and loading is not None and not loading.result().sees:
        return _unseen(read_plan(options.plan))

    def watched(share: float) -> None:
        if loading is not None and loading.done():
            loading.result()
        tell(share)

    genre = options.genres[0] if options.genres else None
    return features.analyse(
        video,
        genre=genre,
        beats=options.beat_options,
        progress=watched,
        pose=options.pose,
        subject=options.subject,
    )


def _compose(
    engine: Engine, video: Video, analysis: Analysis, options: GenerateOptions, tell: Callable[[float], None]
) -> tuple[Soundtrack, Plan | None, Dance]:
    """Make the music: by a plan if the engine plays scores.

    Returns:
        The music, its plan, and the dance that it follows.
    """
    dance = analysis.dance
    if not isinstance(engine, ScoreEngine):
        if options.tempo_factor != 1.0:
            dance = retimed(dance, options.tempo_factor)
        if not engine.prepares:
            return engine.compose(dance, seed=int(options.seed), progress=tell), None, dance
        dance = engine.prepare(video, dance, progress=lambda share: tell(share / 2))
        sound = engine.compose(dance, seed=int(options.seed), progress=lambda share: tell(0.5 + share / 2))
        return sound, None, dance
    if options.plan is not None:
        plan = read_plan(options.plan)
    else:
        plan, dance = planned(analysis, options, name_in_plan(engine.arranger))
    return play(plan, engine, dance, stems=options.stems, progress=tell), plan, dance


def dance_of(plan: Plan) -> Dance:
    """Return the dance that a plan stands for.

    Args:
        plan: the plan.
    """
    return Dance(
        plan.duration,
        None,
        plan.grid,
        np.asarray(plan.energy, np.float32),
        np.zeros(len(plan.beats), np.float32),
        genre_code(plan.sections[0].genre),
        forgiving=plan.forgiving,
    )


def _unseen(plan: Plan) -> Analysis:
    """Return the analysis that a plan stands for, without looking at the video."""
    from d2m.features import Analysis
    from d2m.features.subject import Subject

    subject = Subject(plan.subject, plan.reason)
    return Analysis(dance_of(plan), np.zeros(2, np.float32), 1.0, np.zeros(0), subject=subject)
