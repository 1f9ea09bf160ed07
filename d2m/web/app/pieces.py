"""Files of a piece: its sound, stems, notes, plan and what is said of it."""

from __future__ import annotations

import json
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.files.atomic import atomic_write, atomic_write_bytes
from d2m.plans.edit import CHANNELS_OF

if TYPE_CHECKING:
    from d2m.plans.types import Plan
    from d2m.types import Soundtrack

#: Track of a plan that each channel of the mix belongs to.
TRACK_OF = {channel: track for track, channels in CHANNELS_OF.items() for channel in channels}
#: Values of the outline of a piece.
_PEAKS = 400


def write_piece(task: dict[str, Any], sound: Soundtrack, plan: Plan, fit: float, reused: list[bool]) -> dict[str, Any]:
    """Write the sound, notes and plan of a piece; its folder appears complete or not at all.

    Args:
        task: of the worker.
        sound: the music.
        plan: its plan.
        fit: correlation of its loudness with the dancer's energy.
        reused: for each section, whether its sound was there.

    Returns:
        The piece as JSON, without stems.
    """
    from d2m.media.write import fit as fitted
    from d2m.media.write import write_wav
    from d2m.plans.files import plan_text
    from d2m.results import write_notes

    folder = Path(task["folder"]) / "pieces"
    folder.mkdir(exist_ok=True)
    name = f"p_{secrets.token_urlsafe(9)}"
    made = folder / f".{name}"
    made.mkdir()
    try:
        rate = sound.sample_rate
        wave = fitted(np.asarray(sound.waveform, np.float32), round(plan.duration * rate))
        write_wav(made / "sound.wav", wave, rate)
        atomic_write_bytes(made / "plan.toml", plan_text(plan).encode())
        if sound.score is not None:
            write_notes(made / "notes.mid", sound, plan)
        piece = _about(task, name, sound, plan, fit, reused, wave)
        piece["number"] = 1 + max([_number(each) for each in folder.glob("p_*/piece.json")], default=0)
        _write_json(made / "piece.json", piece)
        made.rename(folder / name)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return piece


def write_stems(
    task: dict[str, Any], piece: dict[str, Any], sound: Soundtrack, plan: Plan, tell: Callable[[float], None]
) -> dict[str, Any]:
    """Write the stems of a piece.

    Args:
        task: of the worker.
        piece: the piece as JSON.
        sound: the music with its stems.
        plan: its plan.
        tell: called with the share done.

    Returns:
        The piece as JSON, with its stems.
    """
    from d2m.media.write import fit, write_wav

    folder = Path(task["folder"]) / "pieces" / piece["id"]
    count = round(plan.duration * sound.sample_rate)
    stems = {}
    for number, (name, stem) in enumerate(sound.stems.items()):
        write_wav(folder / f"stem.{name}.wav", fit(stem, count), sound.sample_rate)
        stems[name] = f"{task['base']}/pieces/{piece['id']}/stem.{name}.wav"
        tell((number + 1) / len(sound.stems))
    return update_piece(folder, stems=stems)


def update_piece(folder: Path, **changes: Any) -> dict[str, Any]:
    """Change what is said of a piece.

    Args:
        folder: folder of the piece.
        changes: fields of its JSON.

    Returns:
        The JSON.
    """
    piece = json.loads((folder / "piece.json").read_text("utf-8")) | changes
    _write_json(folder / "piece.json", piece)
    return piece


def pack(folder: Path, plan: Path, stem: str) -> None:
    """Add the plan to the files of a piece, and an archive of them all.

    Args:
        folder: folder of the files.
        plan: the plan.
        stem: name of the clip without its ending.
    """
    shutil.copyfile(plan, folder / f"{stem}.d2m.toml")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    # Sound and video are hardly smaller when compressed.
    target = folder / f"{stem}.d2m.zip"
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(folder / name, name)


def list_files(folder: Path, base: str) -> dict[str, dict[str, Any]]:
    """Return the files of a piece by their kinds.

    Args:
        folder: folder of the files.
        base: address of the piece.
    """
    from urllib.parse import quote

    found = {}
    for path in sorted(folder.iterdir()):
        url = f"{base}/files/{quote(path.name)}"
        found[_kind(path.name)] = {"url": url, "name": path.name, "bytes": path.stat().st_size}
    return found


def _kind(name: str) -> str:
    for ending, kind in ((".markers.txt", "labels"), (".markers.csv", "regions"), (".d2m.toml", "plan")):
        if name.endswith(ending):
            return kind
    for channel in TRACK_OF:
        if name.endswith(f".d2m.{channel}.wav"):
            return f"stem {channel}"
    return {"mkv": "mp4"}.get(name.rpartition(".")[2], name.rpartition(".")[2])


def _about(
    task: dict[str, Any],
    name: str,
    sound: Soundtrack,
    plan: Plan,
    fit: float,
    reused: list[bool],
    wave: np.ndarray,
) -> dict[str, Any]:
    """Return what is said of a piece."""
    base = f"{task['base']}/pieces/{name}"
    played = sound.provenance.get("sections")
    keys = [each["key"] for each in played] if isinstance(played, list) else []
    sections = [
        {field: getattr(each, field) for field in ("start", "end", "genre", "role", "mood", "cause", "seed", "energy")}
        | {"key": keys[index] if index < len(keys) else each.key or None}
        | {"transition": each.transition, "arranger": each.arranger}
        for index, each in enumerate(plan.sections)
    ]
    parts = sound.score.parts if sound.score is not None else ()
    names = dict.fromkeys(part.patch or f"{part.track} {part.program}" for part in parts if not part.is_effect)
    return {
        "id": name,
        "base": task.get("piece_base"),
        "job": task["job"],
        "number": 0,
        "rank": None,
        "created": time.time(),
        "seed": int(plan.sections[0].seed),
        "genre": plan.sections[0].genre,
        "key": sound.score.key if sound.score is not None else None,
        "tempo": round(float(sound.grid.tempo), 2),
        "fit": round(fit, 3),
        "variety": None,
        "instruments": list(names),
        "duration": round(plan.duration, 4),
        "reused": reused,
        "sections": sections,
        "hits": [{"time": hit.time, "strength": hit.strength, "kind": hit.kind} for hit in plan.hits],
        "peaks": _peaks(wave),
        "sound": f"{base}/sound.wav",
        "stems": None,
        "tracks": TRACK_OF,
        "midi": f"{base}/notes.mid" if sound.score is not None else None,
        "plan": f"{base}/plan",
        "toml": f"{base}/plan.toml",
        "files": {},
    }


def _peaks(wave: np.ndarray) -> list[float]:
    loud = np.abs(wave).max(axis=0)
    edges = np.linspace(0, len(loud), _PEAKS + 1).astype(int)
    return [round(float(loud[a:b].max(initial=0.0)), 3) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _number(path: Path) -> int:
    try:
        return int(json.loads(path.read_text("utf-8"))["number"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _write_json(path: Path, content: dict[str, Any]) -> None:
    atomic_write_bytes(path, json.dumps(content, allow_nan=False).encode(), make_folder=False)
