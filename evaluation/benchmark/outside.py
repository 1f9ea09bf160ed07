"""Systems from elsewhere in the benchmark: a folder of recordings, a command, or a Python function (``--system``).

``NAME=FOLDER``
    Sound files or videos that are named after the dances, such as ``gBR_sBM_cAll_d04_mBR0_ch01.wav``; they begin with
    the dance.
``NAME=COMMAND``
    A command line that contains ``{output}``, the .wav file to write, and ``{video}`` (the dance's video) or ``{name}``
    (its name). It is started without a shell.
``NAME=MODULE:FUNCTION``
    A function of (:class:`d2m.types.Dance`, seed) that returns a waveform, float (channels, samples), and its sample
    rate.
"""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.recordings import find, read
from d2m.evaluation.recordings import stem as stem_of
from d2m.types import Dance

from .items import Item, picture_name
from .rows import Row

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
#: Folders of a data set that may hold its videos.
_VIDEO_FOLDERS = ("", "videos", "video")
#: Difference in length from the dance in seconds above which the report has a note.
_SLACK = 0.1


def outside_row(text: str) -> Row:
    """Return the row of one ``--system``.

    Args:
        text: ``NAME=FOLDER``, ``NAME=COMMAND`` or ``NAME=MODULE:FUNCTION``.

    Raises:
        D2MError: if it is none of these, or the folder contains no recordings.
    """
    name, _, what = text.partition("=")
    key = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")
    if not key or not what:
        raise D2MError(f"--system {text}: write NAME=FOLDER, with the recordings of one system in the folder")
    if "{output}" in what:
        if not {"{video}", "{name}"} & set(re.findall(r"\{\w+\}", what)):
            raise D2MError(f"--system {name}: the command does not name the dance; add {{video}} or {{name}}")
        print_of = sha256(what.encode()).hexdigest()[:16]
        return Row(key, name, "system", (what,), print_of, f"made by: {what}", source="command")
    if Path(what).exists():
        folder = Path(what).resolve()
        count = len(_recordings(folder))
        note = f"{count} recordings of the folder {folder.name}"
        return Row(key, name, "system", (str(folder),), "", note, source="folder")
    if _FUNCTION.fullmatch(what):
        return Row(key, name, "system", (what,), _digest(what), f"the Python function {what}", source="function")
    raise D2MError(f"--system {name}: {what} is no folder, and no command with {{output}}; check the path")


def recording_of(row: Row, item: Item) -> Path | None:
    """Return the file of a dance in the folder of a system, or None if there is none.

    Args:
        row: row of a folder.
        item: the dance.
    """
    found = _recordings(Path(row.weights[0]))
    return found.get(item.name) or found.get(picture_name(item))


def keep_common(items: Sequence[Item], rows: Sequence[Row]) -> tuple[tuple[Item, ...], list[str]]:
    """Keep the dances of which every folder has a recording, since means over different dances cannot be compared.

    Args:
        items: all dances.
        rows: rows of the table.

    Returns:
        Dances that are left, and a line for the report about each recording that is missing.

    Raises:
        D2MError: if none is left.
    """
    kept: list[Item] = []
    missing: list[str] = []
    folders = [row for row in rows if row.source == "folder"]
    for item in items:
        without = [row for row in folders if recording_of(row, item) is None]
        missing += [f"{item.name}: no recording of {row.title}; the dance is left out of all means" for row in without]
        if not without:
            kept.append(item)
    if not kept:
        some = ", ".join(item.name for item in items[:2])
        names = " and ".join(row.title for row in folders)
        raise D2MError(f"no dance has a recording of {names}; name the files after the dances, such as {some}")
    return tuple(kept), missing


def play_outside(row: Row, item: Item, dance: Dance, seed: int) -> tuple[np.ndarray, int, dict[str, Any]]:
    """Return the music of a system from elsewhere for a dance.

    Args:
        row: the system.
        item: the dance.
        dance: what functions get.
        seed: random seed, for functions.

    Returns:
        float32 (channels, samples), as long as the dance; its sample rate; details for the report.

    Raises:
        D2MError: if it cannot be made or read.
    """
    if row.source == "function":
        waveform, rate = _call(row.weights[0], dance, seed)
        details: dict[str, Any] = {"function": row.weights[0]}
    elif row.source == "command":
        waveform, rate = _run(row.weights[0], item)
        details = {"command": row.weights[0]}
    else:
        path = recording_of(row, item)
        if path is None:
            raise D2MError(f"{item.name}: no recording in {row.weights[0]}")
        recording = read(path)
        waveform, rate, details = recording.waveform, recording.sample_rate, {"file": path.name}
    wanted, seconds = round(dance.duration * rate), waveform.shape[1] / rate
    if seconds < dance.duration - _SLACK:
        details["note"] = f"{seconds:.2f} s of music for {dance.duration:.2f} s of dance; the rest is silence"
        waveform = np.pad(waveform, ((0, 0), (0, wanted - waveform.shape[1])))
    return np.asarray(waveform[:, :wanted], np.float32), rate, details


@lru_cache(maxsize=8)
def _recordings(folder: Path) -> dict[str, Path]:
    return find(folder)


def _call(name: str, dance: Dance, seed: int) -> tuple[np.ndarray, int]:
    made = _function(name)(dance, seed)
    try:
        waveform, rate = np.atleast_2d(np.asarray(made[0], np.float32)), int(made[1])
    except (TypeError, ValueError, IndexError) as error:
        raise D2MError(f"{name} must return a waveform (channels, samples) and its sample rate ({error})") from error
    if waveform.ndim != 2 or not waveform.size or not np.isfinite(waveform).all() or not 4000 <= rate <= 384_000:
        raise D2MError(f"{name} returned {waveform.shape} samples at {rate} Hz, or some that are not finite")
    return waveform, rate


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise D2MError(f"--system: cannot import {name} ({error})") from error


def _digest(name: str) -> str:
    """Of the file that a function is in."""
    file = getattr(importlib.import_module(_function(name).__module__), "__file__", None)
    return sha256(Path(file).read_bytes() if file else name.encode()).hexdigest()[:16]


def _run(command: str, item: Item) -> tuple[np.ndarray, int]:
    with tempfile.TemporaryDirectory(prefix="d2m-") as folder:
        output = Path(folder) / f"{item.name}.wav"
        names = {"{output}": str(output), "{name}": item.name}
        if "{video}" in command:
            names["{video}"] = str(video_of(item))
        words = [re.sub(r"\{\w+\}", lambda found: names.get(found[0], found[0]), word) for word in shlex.split(command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
        except OSError as error:
            raise D2MError(f"cannot run {words[0]}: {error.strerror or error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise D2MError(f"{words[0]} ended with status {done.returncode}: {last}")
        if not output.is_file():
            raise D2MError(f"{words[0]} wrote no file; it must write {{output}}")
        recording = read(output)
        return recording.waveform, recording.sample_rate


def video_of(item: Item) -> Path:
    """Find the video of a dance in the folder of its data set.

    Args:
        item: the dance.

    Raises:
        D2MError: if there is none.
    """
    names = {item.name, picture_name(item)}
    for folder in (item.root / part for part in _VIDEO_FOLDERS):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if stem_of(path) in names and path.suffix.lower() in (".mp4", ".mov", ".webm", ".mkv", ".avi"):
                    return path
    raise D2MError(f"{item.name}: {item.root.name} contains no video of this dance")
