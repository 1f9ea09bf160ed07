"""Format of prepared data sets, which training and benchmarks read, whatever their source.

A prepared folder::

    prepared.json           description of the data set (:class:`Manifest`)
    train.txt val.txt test.txt   names of sequences, one per line
    sequences/NAME.npz      motion float32 (F, D); visual float16 (S, V) and visual_seconds, if available;
                            genre, offset, music
    music/ID.npy            int16 (T,), one channel; shared by all sequences that are danced to it
    skipped.json            what was left out, with reasons

The archives are not compressed, so that a range of an array is read from its place in the file: thousands of segments
per second without keeping any in memory, from any number of processes.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from d2m.datasets import DATA_SETS
from d2m.datasets.examples import DAMAGED
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write

SPLITS: tuple[str, ...] = ("train", "val", "test")
#: Hertz of prepared music, as in the D2M-GAN paper.
SAMPLE_RATE = 22050
#: Raised when the folder's layout changes.
FORMAT = 1
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")


@dataclass(frozen=True)
class Manifest:
    """Description of a prepared folder.

    Attributes:
        kind: name of the data set, which says what the motion is: ``"aist"`` (SMPL frames), ``"tiktok"`` (BODY_25
            keypoints), or another one of :data:`d2m.datasets.DATA_SETS`.
        sample_rate: hertz of the music.
        motion_fps: motion frames a second.
        motion_size: values a motion frame.
        visual_size: values of a visual feature, or None without them.
        seconds: the shortest sequence that was kept.
        source: the folder that it was made from.
        version: version of d2m.
        format: format of the layout.
        protocol: what the splits keep apart: ``"crossmodal"`` music, ``"pose"`` dancers.
    """

    kind: str
    sample_rate: int
    motion_fps: float
    motion_size: int
    visual_size: int | None
    seconds: float
    source: str
    version: str
    format: int = FORMAT
    protocol: str = "crossmodal"

    def write(self, folder: str | Path) -> None:
        """Write ``prepared.json``.

        Args:
            folder: folder of the data set.

        Raises:
            D2MError: if it cannot be written.
        """
        with atomic_write(Path(folder) / "prepared.json") as part:
            part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Read ``prepared.json``.

        Args:
            folder: folder of the data set.

        Raises:
            D2MError: if it is not a prepared data set, or was made by another version of the layout.
        """
        path = Path(folder) / "prepared.json"
        if not path.is_file():
            if (path.parent / "preparing.json").is_file():
                raise D2MError(f"{folder} is unfinished; run the same `d2m data prepare` again, it goes on")
            raise D2MError(f"{folder} is not a prepared data set; make one with `d2m data prepare`")
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            found = cls(
                **{field.name: entries[field.name] for field in fields(cls)[:-1]},
                protocol=entries.get("protocol", "crossmodal"),
            )
            numbers = (found.sample_rate, found.motion_fps, found.motion_size, found.visual_size or 1, found.seconds)
            good = (
                found.kind in DATA_SETS
                and isinstance(found.protocol, str)
                and all(0 < float(number) < 1e6 for number in numbers)
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise D2MError(f"{path} is damaged; prepare the data set again") from error
        if found.format != FORMAT:
            raise D2MError(f"{folder} was prepared by another version of d2m; prepare it again")
        if not good:
            raise D2MError(f"{path} is damaged; prepare the data set again")
        return found


@dataclass(frozen=True)
class Sequence:
    """One dance.

    Attributes:
        motion: float32 (F, D) at the data set's ``motion_fps``.
        music: id of its music.
        offset: samples of the music before the first frame of motion.
        genre: index into :data:`d2m.types.GENRES`, or -1 where it is unknown.
        visual: float (S, V), a row for each ``visual_seconds`` of picture from the first frame, or None.
        visual_seconds: see there.
    """

    motion: np.ndarray
    music: str
    offset: int = 0
    genre: int = -1
    visual: np.ndarray | None = None
    visual_seconds: float = 2.0


@dataclass(frozen=True)
class Place:
    """Place of a two-dimensional array in an archive.

    Attributes:
        path: the archive.
        at: byte of its first number.
        shape: rows and columns.
        dtype: dtype of its numbers.
    """

    path: Path
    at: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def rows(self, start: int, count: int) -> np.ndarray:
        """Read rows of an array.

        Args:
            start: first row.
            count: number of rows.

        Raises:
            D2MError: if the file is gone or too short.
        """
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        try:
            values = np.fromfile(
                self.path, self.dtype, count * width, offset=self.at + start * width * self.dtype.itemsize
            )
        except OSError as error:
            raise D2MError(f"cannot read {self.path}: {error.strerror or error}; prepare the data set again") from error
        if len(values) != count * width:
            raise D2MError(f"{self.path} is cut short; prepare the data set again")
        return values.reshape(count, *self.shape[1:])


@dataclass(frozen=True)
class Entry:
    """Properties of a sequence without its arrays; the fields are those of :class:`Sequence`."""

    name: str
    motion: Place
    music: str
    offset: int
    genre: int
    visual: Place | None
    visual_seconds: float


def write_sequence(folder: str | Path, name: str, sequence: Sequence) -> None:
    """Write ``sequences/NAME.npz`` atomically.

    Args:
        folder: folder of the data set.
        name: name of the sequence.
        sequence: its content.

    Raises:
        D2MError: if it cannot be written.
    """
    arrays: dict[str, np.ndarray | np.generic] = {
        "motion": np.ascontiguousarray(sequence.motion, np.float32),
        "genre": np.int64(sequence.genre),
        "music": np.frombuffer(checked_id(sequence.music).encode("ascii"), np.uint8),
        "offset": np.int64(sequence.offset),
    }
    if sequence.visual is not None:
        arrays["visual"] = np.ascontiguousarray(sequence.visual, np.float16)
        arrays["visual_seconds"] = np.float64(sequence.visual_seconds)
    with atomic_write(Path(folder) / "sequences" / f"{checked_id(name)}.npz") as part:
        np.savez(part, **arrays)  # type: ignore[arg-type]  # NumPy's stub: see write_arrays


def read_entry(folder: str | Path, name: str, manifest: Manifest) -> Entry:
    """Read the entry of a sequence.

    Args:
        folder: folder of the data set.
        name: name of the sequence.
        manifest: manifest of the data set.

    Raises:
        D2MError: if it is missing, damaged or does not fit the manifest.
    """
    path = Path(folder) / "sequences" / f"{checked_id(name)}.npz"
    if not path.is_file():
        raise D2MError(f"{path} is missing; prepare the data set again")
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            places = {info.filename: _place(path, file, info) for info in archive.infolist()}
        motion = places["motion.npy"]
        small = {key: places[f"{key}.npy"].rows(0, 1) for key in ("genre", "offset")}
        music = places["music.npy"].rows(0, places["music.npy"].shape[0]).tobytes().decode("ascii")
        visual = places.get("visual.npy")
        seconds = float(places["visual_seconds.npy"].rows(0, 1)[0]) if visual is not None else 2.0
    except DAMAGED as error:
        raise D2MError(f"{path} is damaged; prepare the data set again") from error
    entry = Entry(name, motion, checked_id(music), int(small["offset"][0]), int(small["genre"][0]), visual, seconds)
    if not _fits(entry, manifest):
        raise D2MError(f"{path} does not fit prepared.json beside it; prepare the data set again")
    return entry


def _fits(entry: Entry, manifest: Manifest) -> bool:
    motion, visual = entry.motion, entry.visual
    return (
        motion.dtype == np.float32
        and motion.shape[1:] == (manifest.motion_size,)
        and (visual is None) == (manifest.visual_size is None)
        and (visual is None or (visual.dtype == np.float16 and visual.shape[1:] == (manifest.visual_size,)))
        and entry.offset >= 0
        and 0 < entry.visual_seconds < 1e4
        and -1 <= entry.genre < 10
    )


def read_sequence(folder: str | Path, name: str, manifest: Manifest) -> Sequence:
    """Read a whole sequence.

    Args:
        folder: folder of the data set.
        name: name of the sequence.
        manifest: manifest of the data set.

    Raises:
        D2MError: as for :func:`read_entry`.
    """
    entry = read_entry(folder, name, manifest)
    visual = None if entry.visual is None else entry.visual.rows(0, entry.visual.shape[0])
    return Sequence(
        entry.motion.rows(0, entry.motion.shape[0]), entry.music, entry.offset, entry.genre, visual,
        entry.visual_seconds,
    )  # fmt: skip


def write_music(folder: str | Path, music: str, waveform: np.ndarray) -> None:
    """Write ``music/ID.npy`` atomically.

    Args:
        folder: folder of the data set.
        music: its id.
        waveform: int16 (T,), or float (T,) in -1..1.
    """
    if waveform.dtype != np.int16:
        waveform = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    with atomic_write(Path(folder) / "music" / f"{checked_id(music)}.npy") as part:
        np.save(part, waveform)


def find_music(folder: str | Path, music: str) -> Place:
    """Find a piece of music, int16 (T,).

    Args:
        folder: folder of the data set.
        music: its id.

    Raises:
        D2MError: if it is missing or damaged.
    """
    path = Path(folder) / "music" / f"{checked_id(music)}.npy"
    if not path.is_file():
        raise D2MError(f"{path} is missing; prepare the data set again")
    try:
        with path.open("rb") as file:
            place = _array_at(path, file, 0, path.stat().st_size)
    except DAMAGED as error:
        raise D2MError(f"{path} is damaged; prepare the data set again") from error
    if place.dtype != np.int16 or len(place.shape) != 1:
        raise D2MError(f"{path} is not music of a prepared data set; prepare it again")
    return place


def write_split(folder: str | Path, split: str, names: list[str]) -> None:
    """Write ``SPLIT.txt`` atomically.

    Args:
        folder: folder of the data set.
        split: its name.
        names: names of sequences.
    """
    with atomic_write(Path(folder) / f"{split}.txt") as part:
        part.write_text("".join(f"{checked_id(name)}\n" for name in names), encoding="utf-8")


def read_split(folder: str | Path, split: str) -> tuple[str, ...]:
    """Read the names of the sequences of a split.

    Args:
        folder: folder of the data set.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        D2MError: for another split, or a list that is missing.
    """
    if split not in SPLITS:
        raise D2MError(f"there is no split '{split}'; choose one of {', '.join(SPLITS)}")
    path = Path(folder) / f"{split}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"cannot read {path}; prepare the data set again") from error
    return tuple(checked_id(line.strip()) for line in lines if line.strip())


def checked_id(name: str) -> str:
    """Check that a name cannot lead out of its folder, and return it.

    Args:
        name: name of a sequence or of music.

    Raises:
        D2MError: for any other.
    """
    if not _SAFE.fullmatch(name) or ".." in name:
        raise D2MError(f"'{name[:80]}' is not the name of a sequence or of music")
    return name


def _place(path: Path, file, info: zipfile.ZipInfo) -> Place:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError("compressed")
    # the local header's own lengths count: they differ from those in the directory
    file.seek(info.header_offset)
    header = file.read(30)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    if info.header_offset + info.file_size > path.stat().st_size:
        raise ValueError("more than there is")
    return _array_at(path, file, info.header_offset + 30 + name_length + extra_length, info.file_size)


def _array_at(path: Path, file, start: int, size: int) -> Place:
    file.seek(start)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = read(file)
    at = file.tell()
    if fortran or dtype.kind not in "fiu" or int(np.prod(shape, dtype=object)) * dtype.itemsize != size - (at - start):
        raise ValueError("not a plain array")
    return Place(path, at, shape or (1,), dtype)
