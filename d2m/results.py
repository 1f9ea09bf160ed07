"""Files and report of a result of :func:`d2m.generate`."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from d2m.errors import D2MError
from d2m.generate_options import NOT_KEPT, GenerateOptions
from d2m.types import GENRES, Soundtrack
from d2m.version import __version__

if TYPE_CHECKING:
    from d2m.engines import Engine
    from d2m.features import Analysis
    from d2m.markers import Kind, Marker
    from d2m.media import Video
    from d2m.plans.types import Plan

#: How the warning begins that a video could not be written though the rest was.
WITHOUT_VIDEO = "the music was written, the video was not"

#: Seconds by which a plan may differ from its video without a word.
OTHER_LENGTH = 0.1

_PACKAGES = ("torch", "mediapipe", "av", "numpy", "scipy")


def leave_video_out(video: Video, reason: str) -> None:
    """Warn that no video is written.

    Args:
        video: the video.
        reason: why.
    """
    video.warn(f"{WITHOUT_VIDEO}: {reason.removeprefix(f'{video.path}: ')}")


def _markers(soundtrack: Soundtrack, plan: Plan | None, kinds: Sequence[Kind]) -> tuple[Marker, ...]:
    """Return the markers of the music."""
    from d2m.markers import markers_of

    duration = soundtrack.waveform.shape[1] / soundtrack.sample_rate
    scenes = () if plan is None else plan.sections
    hits = () if plan is None else tuple(hit.time for hit in plan.hits)
    return markers_of(soundtrack.grid, duration, scenes=scenes, hits=hits, kinds=kinds)


def _kept(keep_audio: str | bool) -> Literal["voice", "all"] | bool:
    """Return what is kept of the clip's own sound, as :func:`d2m.media.write.mux` takes it."""
    return "voice" if keep_audio == "voice" else keep_audio not in NOT_KEPT


def result_files(stem: str, video: str, soundtrack: Soundtrack, markers: bool = False) -> dict[str, str]:
    """Name the files of a result.

    Args:
        stem: name of the video without its ending.
        video: ending of the video, empty for none.
        soundtrack: the music.
        markers: whether lists of markers are written.

    Returns:
        Name by kind.
    """
    notes = ".mid" if soundtrack.score is not None else ""
    endings = {"wav": ".wav", "mp4": video, "json": ".json", "png": ".png", "mid": notes}
    endings |= {"labels": ".markers.txt", "regions": ".markers.csv"} if markers else {}
    files = {kind: f"{stem}.d2m{ending}" for kind, ending in endings.items() if ending}
    return files | {f"stem {name}": f"{stem}.d2m.{name}.wav" for name in soundtrack.stems}


def made_by(engine: Engine, soundtrack: Soundtrack) -> dict[str, Any]:
    """Return the report's lines about the engine: its codec and level if it has them, and what else it says of itself.

    Args:
        engine: the engine.
        soundtrack: its music.
    """
    details = soundtrack.provenance.get("details")
    return {"engine": engine.name, "codec": None, "level": None} | (details if isinstance(details, dict) else {})


def write_media(
    folder: Path,
    files: dict[str, str],
    video: Video,
    analysis: Analysis,
    soundtrack: Soundtrack,
    options: GenerateOptions,
    plan: Plan | None,
    tell: Callable[[float], None],
) -> None:
    """Write the sounds, video, notes and picture of a result.

    Args:
        folder: folder to write to.
        files: names by kind; a video that cannot be written is taken out.
        video: the video.
        analysis: its analysis.
        soundtrack: the music.
        options: what is asked for.
        plan: plan of the music, or None.
        tell: called with the share done.
    """
    from d2m.markers import write_markers
    from d2m.media.write import fit, write_wav
    from d2m.report import draw_report

    rate = soundtrack.sample_rate
    seconds = video.duration if plan is None else plan.duration
    waveform = fit(np.asarray(soundtrack.waveform, np.float32), round(seconds * rate))
    write_wav(folder / files["wav"], waveform, rate)
    for name, stem in soundtrack.stems.items():
        write_wav(folder / files[f"stem {name}"], fit(stem, waveform.shape[1]), rate)
    if "mid" in files and soundtrack.score is not None:
        write_notes(folder / files["mid"], soundtrack, plan)
    for kind in ("labels", "regions"):
        if kind in files:
            write_markers(folder / files[kind], _markers(soundtrack, plan, ("scene", "hit", "bar")))
    tell(0.2)
    if options.plan is not None and abs(seconds - video.duration) > OTHER_LENGTH:
        video.warn(
            f"the plan lasts {seconds:.2f} s and the video {video.duration:.2f} s; the .wav lasts as the plan says"
        )
    with ThreadPoolExecutor(1, thread_name_prefix="mux") as thread:
        # The encoder and the decoder of the video leave Python's lock to the drawing.
        video_written = thread.submit(_write_video, folder, files, video, waveform, rate, options)
        draw_report(analysis, soundtrack, folder / files["png"], title=video.path.name)
        video_written.result()


def _write_video(
    folder: Path, files: dict[str, str], video: Video, waveform: np.ndarray, rate: int, options: GenerateOptions
) -> None:
    """Write the video with the music; one that cannot be written is taken out of the files."""
    from d2m.media.write import fit, mux

    if "mp4" not in files:
        return
    try:
        mux(
            *(video, fit(waveform, round(video.duration * rate)), rate, folder / files["mp4"]),
            keep_audio=_kept(options.keep_audio),
            audio_level=options.audio_level,
            reencode=options.reencode,
            crf=options.crf,
        )
    except D2MError as error:
        leave_video_out(video, str(error).replace(str(folder), str(folder.parent)))
        del files["mp4"]


def write_notes(path: Path, soundtrack: Soundtrack, plan: Plan | None) -> None:
    """Write the score of a result as a MIDI file with markers.

    Args:
        path: the file.
        soundtrack: the music, which has a score.
        plan: plan of the music, or None.
    """
    from d2m.symbolic.midi import write_midi

    if soundtrack.score is not None:
        write_midi(soundtrack.score, path, _markers(soundtrack, plan, ("scene", "hit")))


def report_of(
    video: Video,
    analysis: Analysis,
    soundtrack: Soundtrack,
    asked: dict[str, Any],
    seconds: dict[str, float],
    files: dict[str, str],
) -> dict[str, Any]:
    """Return what the json file holds.

    Args:
        video: the video.
        analysis: its analysis.
        soundtrack: the music.
        asked: what was asked for.
        seconds: seconds by stage.
        files: names of the files by kind.
    """
    grid, provenance = soundtrack.grid, soundtrack.provenance
    genre = provenance.get("genre") or analysis.dance.genre
    # Also for music that is longer or shorter than the video.
    duration = soundtrack.waveform.shape[1] / soundtrack.sample_rate
    shown = (grid.beats >= 0) & (grid.beats < duration)
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
        "duration": round(duration, 4),
        "sample_rate": soundtrack.sample_rate,
        "tempo": round(float(grid.tempo), 2),
        "beats": [round(float(b), 4) for b in grid.beats[shown]],
        "downbeats": [round(float(b), 4) for b in bars if 0 <= b < duration],
        "source": analysis.source,
        "confidence": round(float(grid.confidence), 3),
        "forgiving": analysis.dance.forgiving,
        "subject": {"name": analysis.subject.name, "reason": analysis.subject.reason},
        "motion_beats": [round(float(b), 4) for b in analysis.motion_beats],
        "genre": GENRES.get(str(genre), genre),
        "key": soundtrack.score.key if soundtrack.score is not None else None,
        "sections": provenance.get("sections"),
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
