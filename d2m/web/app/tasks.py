"""Tasks of a worker: watch a clip, compose a candidate, play a plan, write the files of a piece, copy a clip."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.web.app.remember import RememberingEngine
from d2m.web.app.work import Reporter

if TYPE_CHECKING:
    from d2m.candidate_pieces import Piece
    from d2m.features import Analysis
    from d2m.features.analysis import Watched
    from d2m.generate_options import GenerateOptions
    from d2m.media import Video
    from d2m.plans.types import Plan
    from d2m.types import Dance, Soundtrack

#: Clips whose landmarks a worker keeps in memory.
_KEPT = 4
#: Bytes of sound that are kept for a clip.
_MOST_SOUND = 1_000_000_000
#: Frames a second that are looked at.
_RATE = 30.0


class Desk:
    """What a worker keeps between tasks: the engine and the last clips."""

    def __init__(self) -> None:
        from d2m import engines
        from d2m.engines.base import ScoreEngine

        engine = engines.load("symbolic")
        assert isinstance(engine, ScoreEngine)
        self._engine = engine
        self._watched: OrderedDict[str, tuple[Video, Watched]] = OrderedDict()
        self._analyses: OrderedDict[tuple[str, str], Analysis] = OrderedDict()
        # By job and seed: fit and score of the candidates, without their sound.
        self._heard: OrderedDict[str, dict[int, Piece]] = OrderedDict()

    def run(self, task: dict[str, Any], reporter: Reporter) -> dict[str, Any] | None:
        """Do a task.

        Args:
            task: ``kind``, ``folder`` of the clip, ``source``, its file, and what the kind needs.
            reporter: told of the progress.

        Returns:
            What is added to the message of the end.
        """
        return getattr(self, f"do_{task['kind']}")(task, reporter)

    def forget(self) -> None:
        """Forget the clips."""
        self._watched.clear()
        self._analyses.clear()
        self._heard.clear()

    def warm_up(self) -> None:
        """Load packages and networks by watching and scoring a short clip of grey pictures."""
        from d2m.generate_options import GenerateOptions
        from d2m.media import open_video
        from d2m.media.sound import read_audio
        from d2m.web.app.grey import write_grey

        with tempfile.TemporaryDirectory(prefix="d2m-") as folder:
            path = Path(folder) / "grey.mp4"
            write_grey(path)
            video = open_video(path)
            read_audio(path, 22050)
            from d2m.features.analysis import analysis_of, watch

            seen = watch(video)
            options = GenerateOptions(genre="house", tempo=120.0, length=8.0)
            analysis = analysis_of(video, seen, None, options.beat_options)
            engine = RememberingEngine(self._engine, Path(folder) / "sounds", 0)
            from d2m.plans.ask import planned
            from d2m.plans.play import play

            plan, dance = planned(analysis, options, "composer")
            # Another genre in the second half, so that the bridge network is there, too.
            line = float(plan.beats[plan.downbeats[len(plan.downbeats) // 2]])
            plan.sections.append(replace(plan.sections[0], start=line, genre="krump", seed=1))
            plan.sections[0].end = line
            play(plan, engine, dance, stems=True)

    def do_watch(self, task: dict[str, Any], reporter: Reporter) -> None:
        """Open a clip, find its dancers and beats, and write what the page shows of them.

        Args:
            task: the task of a job of kind ``watch``, as :func:`d2m.web.app.places.task_of` makes it.
            reporter: told of the progress.

        Raises:
            D2MError: if it cannot be read, is too long or too large, or shows no dancer.
        """
        from d2m.features.analysis import watch
        from d2m.media import open_video
        from d2m.media.write import write_wav
        from d2m.plans.ask import planned
        from d2m.web.app.keep import analysis_json, click_track, landmark_bytes, write_tracking

        folder = Path(task["folder"])
        reporter.stage("open", 0.0, 0.02)
        video = open_video(task["source"])
        _check_limits(video, task["limits"])
        reporter.say("video", video=_about(video))
        seen = self._known(task, video)
        if seen is None:
            seen = watch(video, progress=reporter.stage("watch", 0.02, 0.9), rate=_RATE)
            write_tracking(folder / "tracking.npz", seen.tracking, min(_RATE, max(video.rate, 5.0)))
            self._remember(task, video, seen)
        tell = reporter.stage("beats", 0.9, 1.0)
        options = _options({})
        analysis = self._analysis(task, video, seen, options)
        plan, _ = planned(analysis, options, "composer")
        values, about = landmark_bytes(analysis, video)
        about["url"] = f"{task['base']}/landmarks"
        atomic_write_bytes(folder / "landmarks.bin", values, make_folder=False)
        click = click_track(analysis, video.duration)
        write_wav(folder / "click.wav", click, 22050)
        shown = json.dumps(analysis_json(analysis, plan, video, about), allow_nan=False).encode()
        atomic_write_bytes(folder / "analysis.json", shown, make_folder=False)
        tell(1.0)

    def do_compose(self, task: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Compose one candidate; after the last one, rank them all.

        Args:
            task: the task of a job of kind ``compose``, as :func:`d2m.web.app.places.task_of` makes it.
            reporter: told of the progress.

        Returns:
            ``ranking`` after the last of several candidates: ``seed``, ``rank`` and ``variety`` of each, the best
            first; otherwise nothing.

        Raises:
            D2MError: if the analysis of the clip is gone, or the options cannot be met.
        """
        from d2m.candidate_pieces import Impression, Piece
        from d2m.candidate_wishes import wish_of
        from d2m.plans.ask import planned
        from d2m.plans.play import play

        count, first = int(task["count"]), int(task["done"])
        begin, end = first / count, (first + 1) / count
        reporter.stage("compose", begin, end)
        asked = dict(task["options"])
        arranger = asked.pop("arranger", None) or "composer"
        video, seen = self._clip(task)
        engine = self._remembering(task)
        heard = self._heard.setdefault(task["job"], {})
        while len(self._heard) > _KEPT:
            self._heard.popitem(last=False)
        last = first == count - 1
        for index in range(count) if last else [first]:
            if index != first and index in heard:
                continue
            options, chosen = wish_of(_options(asked), index, arranger)
            plan, dance = planned(self._analysis(task, video, seen, options), options, chosen)
            _check_length(plan.duration, task["limits"])
            engine.begin()

            def make(stems: bool, tell: Callable[[float], None], plan: Plan = plan, dance: Dance = dance) -> Soundtrack:
                return play(plan, engine, dance, stems=stems, progress=tell)

            if index == first:
                sound = self._make_piece(task, plan, dance, engine, reporter, (begin, end), make)
            else:
                # Another worker made it.
                sound = make(False, reporter.stage("compose", end, end))
            silent = replace(sound, stems={}, waveform=np.zeros((2, 1), np.float32))
            heard[index] = Piece(plan, silent, Impression.of(sound, dance))
        return {"ranking": _ranking([heard[index] for index in range(count)], dance)} if last and count > 1 else {}

    def do_play(self, task: dict[str, Any], reporter: Reporter) -> None:
        """Play an edited plan.

        Args:
            task: the task of a job of kind ``play``, as :func:`d2m.web.app.places.task_of` makes it.
            reporter: told of the progress.

        Raises:
            D2MError: if the plan cannot be read, or the music would be too long.
        """
        from d2m.pipeline import dance_of
        from d2m.plans.files import read_plan
        from d2m.plans.play import play

        reporter.stage("compose", 0.0, 1.0)
        plan = read_plan(task["plan"])
        _check_length(plan.duration, task["limits"])
        engine = self._remembering(task)
        engine.begin()
        dance = dance_of(plan)
        self._make_piece(
            *(task, plan, dance, engine, reporter, (0.0, 1.0)),
            lambda stems, tell: play(plan, engine, dance, stems=stems, progress=tell),
        )

    def do_export(self, task: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Write the files of a piece as `d2m generate VIDEO --plan FILE` does.

        Args:
            task: the task of a job of kind ``export``, as :func:`d2m.web.app.places.task_of` makes it.
            reporter: told of the progress.

        Returns:
            ``piece``; ``files``, which can be downloaded, by their kinds; and the ``warnings`` of the report.

        Raises:
            D2MError: if the piece is gone, or a file cannot be written.
        """
        from d2m.pipeline import generate
        from d2m.web.app.pieces import list_files, pack

        piece = Path(task["folder"]) / "pieces" / task["piece"]
        if not (piece / "plan.toml").is_file():
            raise D2MError("this piece is gone; choose another one")
        tells = {
            "watch": reporter.stage("compose", 0.0, 0.01),
            "compose": reporter.stage("compose", 0.01, 0.3),
            "write": reporter.stage("write", 0.3, 0.95),
        }
        asked = dict(task["options"])
        asked["write_video"] = asked.pop("video", True)
        if not asked["write_video"]:
            asked |= {"keep_audio": "", "reencode": False}
        with tempfile.TemporaryDirectory(prefix=".export-", dir=piece) as made:
            engine = self._remembering(task)
            result = generate(
                task["source"],
                made,
                engine=engine,
                progress=lambda stage, share: tells[stage](share),
                plan=piece / "plan.toml",
                **asked,
            )
            pack(Path(made), piece / "plan.toml", Path(task["source"]).stem)
            reporter.stage("write", 0.95, 1.0)
            target = piece / "files"
            shutil.rmtree(target, ignore_errors=True)
            Path(made).rename(target)
            Path(made).mkdir()
        files = list_files(target, f"{task['base']}/pieces/{task['piece']}")
        from d2m.web.app.pieces import update_piece

        update_piece(piece, files=files)
        return {"piece": task["piece"], "files": files, "warnings": result.report["warnings"]}

    def do_proxy(self, task: dict[str, Any], reporter: Reporter) -> None:
        """Write an H.264 copy of a clip with its own sound.

        Args:
            task: the task of a job of kind ``proxy``, as :func:`d2m.web.app.places.task_of` makes it.
            reporter: told of the progress.

        Raises:
            D2MError: if the clip cannot be read or the copy cannot be written.
        """
        from d2m.media import open_video
        from d2m.media.sound import read_audio
        from d2m.media.write import mux

        tell = reporter.stage("write", 0.0, 1.0)
        video = open_video(task["source"])
        own = read_audio(video.path, 44100, mono=False) if video.has_audio else np.zeros((1, 44100), np.float32)
        mux(video, own[:2], 44100, Path(task["folder"]) / "proxy.mp4", reencode=True, crf=27)
        tell(1.0)

    def _make_piece(
        self,
        task: dict[str, Any],
        plan: Plan,
        dance: Dance,
        engine: RememberingEngine,
        reporter: Reporter,
        span: tuple[float, float],
        make: Callable[[bool, Callable[[float], None]], Soundtrack],
    ) -> Soundtrack:
        """Make a piece and tell of it twice: when it can be heard, and when its stems can.

        The first music of a clip is made without stems, which takes half the time, and again with them.
        """
        from d2m.candidate_pieces import fit_to
        from d2m.web.app.pieces import write_piece, write_stems

        begin, whole = span[0], span[1] - span[0]
        first = task["first"]
        heard = begin + (0.4 if first else 0.85) * whole
        sound = make(not first, reporter.stage("compose", begin, heard))
        piece = write_piece(task, sound, plan, fit_to(sound, dance), list(engine.reused))
        reporter.say("piece", piece=piece)
        if first:
            sound = make(True, reporter.stage("stems", heard, begin + 0.9 * whole))
        tell = reporter.stage("stems", begin + 0.9 * whole, span[1])
        reporter.say("piece", piece=write_stems(task, piece, sound, plan, tell))
        return sound

    def _clip(self, task: dict[str, Any]) -> tuple[Video, Watched]:
        """Return a clip that was watched, from memory or disk."""
        from d2m.media import open_video

        if task["clip"] in self._watched:
            self._watched.move_to_end(task["clip"])
            return self._watched[task["clip"]]
        video = open_video(task["source"])
        seen = self._known(task, video)
        if seen is None:
            raise D2MError("the analysis of this clip is gone; run it again")
        return video, seen

    def _known(self, task: dict[str, Any], video: Video) -> Watched | None:
        from d2m.web.app.keep import read_watched

        seen = read_watched(Path(task["folder"]) / "tracking.npz", video)
        if seen is not None:
            self._remember(task, video, seen)
        return seen

    def _remember(self, task: dict[str, Any], video: Video, seen: Watched) -> None:
        self._watched[task["clip"]] = (video, seen)
        while len(self._watched) > _KEPT:
            gone, _ = self._watched.popitem(last=False)
            for key in [key for key in self._analyses if key[0] == gone]:
                del self._analyses[key]

    def _analysis(self, task: dict[str, Any], video: Video, seen: Watched, options: GenerateOptions) -> Analysis:
        """Return the analysis with the beats that options ask for."""
        from d2m.features.analysis import analysis_of

        genre = options.genres[0] if options.genres else None
        key = (task["clip"], repr((genre, options.beat_options)))
        if key not in self._analyses:
            self._analyses[key] = analysis_of(video, seen, genre, options.beat_options)
        return self._analyses[key]

    def _remembering(self, task: dict[str, Any]) -> RememberingEngine:
        return RememberingEngine(self._engine, Path(task["folder"]) / "sounds", _MOST_SOUND)


def _options(asked: dict[str, Any]) -> GenerateOptions:
    """Return options of the music."""
    from d2m.generate_options import GenerateOptions

    return GenerateOptions(**asked).check()


def _check_limits(video: Video, limits: dict[str, Any]) -> None:
    """Refuse clips that are too long or too large.

    Raises:
        D2MError: if the video is.
    """
    if video.duration > limits["seconds"]:
        raise D2MError(
            f"the clip lasts {video.duration:.0f} s; {limits['seconds']:.0f} s are allowed here, cut it or use d2m "
            "generate"
        )
    if video.width * video.height > limits["pixels"]:
        raise D2MError(f"the picture has {video.width} x {video.height} pixels, more than is allowed; scale it down")


def _check_length(seconds: float, limits: dict[str, Any]) -> None:
    if seconds > limits["seconds"]:
        raise D2MError(f"the music would last {seconds:.0f} s; {limits['seconds']:.0f} s are allowed here")


def _about(video: Video) -> dict[str, Any]:
    return {
        "duration": round(video.duration, 4),
        "width": video.width,
        "height": video.height,
        "fps": round(video.fps, 3),
        "rotation": video.rotation,
        "codec": video.codec,
        "sound": video.has_audio,
    }


def _ranking(heard: list[Piece], dance: Dance) -> list[dict[str, Any]]:
    """Return the candidates of a job in the order of their ranking."""
    from d2m.candidates import rank

    _, candidates = rank(heard, dance)
    return [{"seed": each.seed, "rank": each.number, "variety": each.variety} for each in candidates]
