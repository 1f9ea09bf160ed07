"""Pieces of 2 s that D2M-GAN's authors publish, as a source of prepared data.

Their archives and lists (github.com/L-YeZhu/D2M-GAN, section 3 of its README and the folder ``dataset``) make up, for
AIST++ with a folder for each split, for TikTok without::

    audio_s2/[train/]PIECE.wav      the music
    motion_s2/[train/]PIECE.npy     (120, 219) at 60 fps, or (60, 75) at 30, of that shape or flat
    video_s2/[train/]PIECE.npy      the I3D feature
    aist_audio_train_segment.txt    their order; the same for motion, video, test, and tiktok

A piece is called ``gPO_sBM_c01_d11_mPO1_ch02_seg1`` or ``000007_23_207_seg4``; there are 6,632 and 86 of AIST++,
2,384 and 307 of TikTok to train and to test. Each becomes a sequence of its own, 2 s long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from d2m.datasets import dance_data
from d2m.datasets.base import DanceData, Skip, Source, whole_name
from d2m.datasets.lists import read_list
from d2m.datasets.npy import read_npy
from d2m.datasets.offers import Part
from d2m.datasets.prepared import SAMPLE_RATE, Sequence
from d2m.datasets.visuals import Visuals
from d2m.errors import D2MError

SECONDS = 2.0
#: The authors' repository, and its folder of lists.
D2M_GAN = "https://github.com/L-YeZhu/D2M-GAN"
_LISTS = "https://raw.githubusercontent.com/L-YeZhu/D2M-GAN/main/dataset/"
#: Most samples that silence may stand in for.
_MISSING = SAMPLE_RATE // 10


def is_pieces(root: str | Path) -> bool:
    """Tell whether a folder contains the pieces of D2M-GAN's authors.

    Args:
        root: the folder.
    """
    return (Path(root) / "motion_s2").is_dir()


def drive(number: str) -> str:
    """Return the address of one of the authors' archives.

    Args:
        number: its id.
    """
    return f"https://drive.usercontent.google.com/download?id={number}&export=download&confirm=t"


def piece_lists(kind: str) -> tuple[Part, ...]:
    """Return the authors' lists of pieces as parts of an offer.

    Args:
        kind: name of the data set.
    """
    names = [f"{kind}_{what}_{split}" for what in ("motion", "audio", "video") for split in ("train", "test")]
    return tuple(Part(n, f"{_LISTS}{n}_segment.txt", f"{n}_segment.txt", packed=False) for n in names)


@dataclass
class PiecesSource(Source):
    """See above.

    Attributes:
        root: the folder that holds ``motion_s2/``.
        kind: name of the data set in :data:`d2m.datasets.DATA_SETS`: ``"aist"`` or ``"tiktok"``.

    Raises:
        D2MError: if the folder does not hold them.
    """

    root: Path
    kind: str

    def __post_init__(self) -> None:
        self.root = Path(self.root)
        if not is_pieces(self.root):
            raise D2MError(f"{self.root} has no motion_s2/; unpack the authors' archives there")
        self.motion_fps, self.motion_size = self._data_set.motion_fps, self._data_set.motion_size

    @property
    def _data_set(self) -> DanceData:
        return dance_data(self.kind)

    @cached_property
    def _split_of(self) -> dict[str, str]:
        return {name: split for split, names in self.splits().items() for name in names}

    @cached_property
    def visual_size(self) -> int | None:
        if not (self.root / "video_s2").is_dir():
            return None
        return Visuals(next((p.parent for p in sorted(self.root.glob("video_s2/**/*.npy"))), self.root)).size

    def splits(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {"val": ()}
        for split in ("train", "test"):
            path = self.root / f"{self.kind}_motion_{split}_segment.txt"
            if not path.is_file():
                raise D2MError(f"{path} is missing; it is in the folder dataset/ of the authors' repository")
            found[split] = tuple(read_list(path))
        return found

    def music(self, name: str) -> str:
        """Return the id of the music of a piece.

        Args:
            name: name of the piece.
        """
        whole = whole_name(name)
        if whole == name:
            raise D2MError(f"'{name}' is not the name of a piece; expected one that ends in _seg1")
        self._data_set.check_name(whole)
        return name

    def music_file(self, music: str) -> Path:
        """Return the file of a piece of music.

        Args:
            music: its id.
        """
        path = self._file("audio_s2", music, "wav")
        if not path.is_file():
            raise Skip("without music", f"{path} is missing")
        return path

    def finish_music(self, waveform: np.ndarray) -> np.ndarray:
        """Bring the music to the length of a piece.

        Args:
            waveform: int16 (T,), as read.

        Returns:
            int16 (T,).
        """
        # cut by time, some are a few samples short; the authors' loader fills them up as well
        missing = round(SECONDS * SAMPLE_RATE) - len(waveform)
        return np.pad(waveform, (0, missing)) if 0 < missing <= _MISSING else waveform

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the files of a piece.

        Args:
            name: name of the piece.
        """
        folders = ("motion_s2",) if self.visual_size is None else ("motion_s2", "video_s2")
        return tuple(self._file(folder, name, "npy") for folder in folders)

    def sequence(self, name: str) -> Sequence:
        """Read a piece.

        Args:
            name: name of the piece.
        """
        files = self.files(name)
        try:
            values = read_npy(files[0])
        except D2MError as error:
            raise Skip("with missing or damaged motion", str(error)) from error
        wanted = round(SECONDS * self.motion_fps)
        if values.size != wanted * self.motion_size:
            raise Skip(
                f"not at {self.motion_fps:g} fps",
                f"{files[0]} has shape {values.shape}, not ({wanted}, {self.motion_size})",
            )
        frames = values.reshape(wanted, self.motion_size).astype(np.float32)
        genre = self._data_set.genre(whole_name(name))
        visual = None
        if len(files) > 1:
            rows, _ = Visuals(files[1].parent).read(name)
            visual = rows.mean(axis=0, keepdims=True)
        return Sequence(frames, name, 0, genre, visual, SECONDS)

    def _file(self, folder: str, name: str, suffix: str) -> Path:
        inner = self.root / folder / self._split_of.get(name, "")
        return (inner if inner.is_dir() else self.root / folder) / f"{name}.{suffix}"
