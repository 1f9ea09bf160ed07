"""Several pieces for one video: they are planned and played while the video is analysed once, and one is picked.

The folder ``<stem>.d2m.candidates`` holds the music of each (``1.wav``), its plan (``1.toml``), a page that plays them
under the video (``index.html``), a picture (``sheet.png``) and the ranking (``candidates.json``).
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.candidate_distance import distances
from d2m.candidate_pieces import Piece, PieceMakers
from d2m.engines import Engine, usable
from d2m.engines.arrangers import DEFAULT
from d2m.engines.base import ScoreEngine
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.files.staging import publish_folder, staging_folder
from d2m.files.time_list import read_text
from d2m.generate_options import GenerateOptions, VideoOptions
from d2m.plans.files import plan_text
from d2m.types import Dance

if TYPE_CHECKING:
    from d2m.media import Video

#: Most candidates of one video.
MOST = 16
#: Weight of the distance to the candidates before it, beside the fit, in the ranking.
_VARIETY = 0.5


@dataclass(frozen=True)
class Candidate:
    """One of several pieces for a video.

    Attributes:
        number: its place in the ranking, from 1.
        seed: random seed.
        fit: correlation of the loudness per beat with the dancer's energy, -1 to 1; 0 where either is constant.
        variety: distance to the nearest candidate before it, the mean of that of the notes and that of the sound
            (:attr:`d2m.candidate_distance.Distances.both`); 1 for the first.
        notes, sound: mean distance to the other candidates, in the notes (0 to 1) and in the sound (1 is the mean
            distance of two songs of the genre).
        key, tempo: of the music.
        instruments: names of its instruments.
        mood: of its first section, such as "bright:0.4"; empty for none.
        arranger: of its first section.
    """

    number: int
    seed: int
    fit: float
    variety: float
    notes: float
    sound: float
    key: str | None
    tempo: float
    instruments: tuple[str, ...]
    mood: str = ""
    arranger: str = ""

    @property
    def described(self) -> str:
        """Key, tempo, seed, mood and arranger in words."""
        mood = f", {self.mood}" if self.mood else ""
        arranger = f", by {self.arranger}" if self.arranger not in ("", DEFAULT) else ""
        return f"{self.key or 'no key'}, {self.tempo:g} bpm, seed {self.seed}{mood}{arranger}"


def folder_of(video: str | os.PathLike[str], output_dir: str | os.PathLike[str]) -> Path:
    """Return the folder of a video's candidates.

    Args:
        video: the video file.
        output_dir: the output folder.
    """
    return Path(output_dir) / f"{Path(video).stem}.d2m.candidates"


def make_candidates(
    video: str | os.PathLike[str],
    output_dir: str | os.PathLike[str] | None,
    count: int,
    *,
    engine: str | Engine | None = None,
    processes: int = 1,
    progress: Callable[[str, float], None] | None = None,
    **options: Any,
) -> tuple[Path, list[Candidate]]:
    """Make several pieces for a video, and rank them by fit and variety.

    Args:
        video: a video file.
        output_dir: folder in which the folder of the candidates is made; the current one by default.
        count: number of pieces, 2 to :data:`MOST`.
        engine, progress, options: as of :func:`d2m.generate`; :func:`d2m.candidate_wishes.wish_of` varies them.
        processes: number of processes that make the pieces, with this one; 1 for an engine that is loaded already. More
            than 1 from a script needs ``if __name__ == "__main__":``.

    Returns:
        The folder, and the candidates in the order of their ranking.

    Raises:
        D2MError: if the video cannot be used, or an option is out of range or of no use here.
    """
    from d2m.media import open_video
    from d2m.pipeline import analysed, load_engine, plain

    common = {each.name for each in fields(GenerateOptions)}
    asked = GenerateOptions(**{name: plain(value) for name, value in options.items() if name in common}).check()
    _check(asked, count)
    settings = {name: plain(value) for name, value in options.items() if name not in common}
    tell = progress or (lambda stage, share: None)
    opened = open_video(video)
    with staging_folder(Path(output_dir or ".")) as staging:
        loaded = load_engine(engine, **settings)
        if not isinstance(loaded, ScoreEngine):
            raise D2MError(f"the engine {loaded.name} makes one piece for a video; leave out --candidates")
        shared = 1 if isinstance(engine, Engine) else min(processes, count)
        with PieceMakers(loaded, engine if isinstance(engine, str) else None, settings, shared) as makers:
            analysis = analysed(opened, asked, lambda share: tell("watch", share))
            dance, pieces = makers.make(analysis, asked, count, lambda share: tell("compose", share))
        order, candidates = rank(pieces, dance)
        _write(staging, opened, [pieces[index] for index in order], candidates)
        report = {
            "video": os.path.relpath(opened.path, folder_of(video, output_dir or ".")),
            "engine": loaded.name,
            "settings": {name: value for name, value in settings.items() if value},
            "files": _files_asked(asked),
            "candidates": [asdict(each) for each in candidates],
        }
        atomic_write_bytes(staging / "candidates.json", json.dumps(report, indent=2, ensure_ascii=False).encode())
        tell("write", 1.0)
        return publish_folder(staging, folder_of(video, output_dir or ".")), candidates


def _files_asked(options: GenerateOptions) -> dict[str, Any]:
    """Return what is asked for the files, which 'd2m pick' writes."""
    values = {each.name: (getattr(options, each.name), each.default) for each in fields(VideoOptions)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _files_read(report: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for the files, from a file that the user may have changed.

    Raises:
        ValueError: if a value has another kind than its option.
    """
    kinds = {each.name: type(each.default) for each in fields(VideoOptions)}
    asked = dict(report.get("files", {}))
    for name, value in asked.items():
        allowed = (bool, str) if name == "keep_audio" else (int, float) if name == "audio_level" else (kinds.get(name),)
        if type(value) not in allowed:
            raise ValueError(f"'{name}' has no such value")
    return asked


def _check(options: GenerateOptions, count: int) -> None:
    if not 2 <= count <= MOST:
        raise D2MError(f"{count} candidates are not possible; choose 2 to {MOST}")
    for name, flag in (("plan", "--plan"), ("write_plan", "--write-plan"), ("stems", "--stems")):
        if getattr(options, name):
            raise D2MError(f"{flag} belongs to one piece; leave it out, and give it to 'd2m pick'")


def rank(pieces: Sequence[Piece], dance: Dance) -> tuple[list[int], list[Candidate]]:
    """Order pieces by fit and variety: the next one has the best sum of its fit and its distance to those before it.

    Args:
        pieces: the pieces; their waveforms are not needed.
        dance: the dance that they follow.

    Returns:
        Indices in order, and the candidates in that order.
    """
    fits = [each.heard.fit for each in pieces]
    found = distances([each.sound for each in pieces], dance.genre, [each.heard.embedding for each in pieces])
    others = max(len(pieces) - 1, 1)
    means = [(float(one), float(other)) for one, other in zip(found.notes.sum(1), found.sound.sum(1), strict=True)]
    order, varieties = [int(np.argmax(fits))], [1.0]
    while len(order) < len(pieces):
        left = [index for index in range(len(pieces)) if index not in order]
        apart = {index: float(found.both[index, order].min()) for index in left}
        best = max(left, key=lambda index: (fits[index] + _VARIETY * apart[index], -index))
        order.append(best)
        varieties.append(apart[best])
    return order, [
        _candidate(number, pieces[index], variety, (means[index][0] / others, means[index][1] / others))
        for number, (index, variety) in enumerate(zip(order, varieties, strict=True), 1)
    ]


def _candidate(number: int, piece: Piece, variety: float, apart: tuple[float, float]) -> Candidate:
    sound = piece.sound
    parts = sound.score.parts if sound.score is not None else ()
    names = tuple(dict.fromkeys(part.patch or f"{part.track} {part.program}" for part in parts if not part.is_effect))
    key = sound.score.key if sound.score is not None else None
    first = piece.plan.sections[0]
    return Candidate(
        number=number,
        seed=first.seed,
        fit=round(piece.heard.fit, 3),
        variety=round(variety, 3),
        notes=round(apart[0], 3),
        sound=round(apart[1], 3),
        key=key,
        tempo=round(float(sound.grid.tempo), 2),
        instruments=names,
        mood=first.mood,
        arranger=first.arranger,
    )


def _write(folder: Path, video: Video, pieces: Sequence[Piece], candidates: Sequence[Candidate]) -> None:
    """Write the sounds, plans, page and picture."""
    from d2m.candidate_sheet import draw_candidates
    from d2m.media.write import write_wav

    for candidate, piece in zip(candidates, pieces, strict=True):
        write_wav(folder / f"{candidate.number}.wav", piece.sound.waveform, piece.sound.sample_rate)
        atomic_write_bytes(folder / f"{candidate.number}.toml", plan_text(piece.plan).encode())
    draw_candidates([each.sound for each in pieces], candidates, folder / "sheet.png", title=video.path.name)
    atomic_write_bytes(folder / "index.html", page(video.path, folder, candidates).encode())


def page(video: Path, folder: Path, candidates: Sequence[Candidate]) -> str:
    """Return a page that plays the candidates under the video, in step with its picture.

    Args:
        video: the video file.
        folder: folder of the page while it is made, beside which the folder of the candidates will lie.
        candidates: the candidates.
    """
    from d2m.candidate_sheet import apart_in_words

    template = resources("d2m").joinpath("candidates.html").read_text("utf-8")
    rows = "\n".join(
        f'<li><label><input type="radio" name="piece" value="{each.number}"> {each.number}</label> '
        f"<span>{html.escape(each.described)}; {html.escape(', '.join(each.instruments))}; "
        f"{apart_in_words(each)}</span></li>"
        for each in candidates
    )
    source = html.escape(os.path.relpath(video.resolve(), folder.parent.resolve() / "folder"), quote=True)
    return template.replace("{{title}}", html.escape(video.name)).replace("{{video}}", source).replace("{{rows}}", rows)


def pick(
    video: str | os.PathLike[str], number: int, output_dir: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Return the arguments of :func:`d2m.generate` that finish a candidate.

    Args:
        video: the video file.
        number: number of the candidate, from 1.
        output_dir: folder in which the folder of the candidates lies; the current one by default.

    Raises:
        D2MError: if there are no candidates of this video, or none of this number.
    """
    folder = folder_of(video, output_dir or ".")
    if not (folder / "candidates.json").is_file():
        raise D2MError(f"no candidates in {folder}; make them with d2m generate {video} --candidates 5")
    try:
        report = json.loads(read_text(folder / "candidates.json"))
        engine, settings = str(report["engine"]), dict(report["settings"])
        count, files = len(report["candidates"]), _files_read(report)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise D2MError(f"{folder / 'candidates.json'} cannot be read ({error}); make the candidates again") from error
    known = {each.name for kind in usable().values() for each in fields(kind.options)}
    if unknown := sorted(set(settings) - known):
        raise D2MError(f"{folder / 'candidates.json'} has an unknown setting '{unknown[0]}'; make the candidates again")
    if not 1 <= number <= count:
        raise D2MError(f"there is no candidate {number}; choose 1 to {count}")
    return {"engine": engine, "plan": str(folder / f"{number}.toml"), **settings, **files}
