"""What a data set is: where it comes from, how its folder is read, and how the benchmark compares music with it.

A data set of dances is a :class:`DanceData` and the :class:`Source` that it makes of a folder. Everything else —
preparing, verifying, training, benchmark — works on these two.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.datasets.offers import Offer
from d2m.datasets.prepared import Sequence
from d2m.errors import D2MError
from d2m.types import GENRES, Motion, SmplMotion

_PIECE = re.compile(r"(?P<name>.+?)_seg\d+")


class Skip(D2MError):
    """A sequence that cannot be used.

    Args:
        what: a few words, the same for all sequences with that trouble, such as ``"without music"``.
        why: the details; ``what`` if empty.
    """

    def __init__(self, what: str, why: str = "") -> None:
        super().__init__(why or what)
        self.what = what

    def __reduce__(self):
        return type(self), (self.what, str(self))


class Excluded(Skip):
    """A sequence that the makers of the data set exclude themselves; no fault of the folder."""


class Source(ABC):
    """A folder of a raw data set. Instances are handed to other processes."""

    kind: str
    motion_fps: float
    motion_size: int
    protocol: str = "crossmodal"

    @property
    @abstractmethod
    def visual_size(self) -> int | None:
        """Values of a visual feature, or None if none are used."""

    @abstractmethod
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Return the names of sequences as listed, including those that will be left out.

        Raises:
            D2MError: if there are no lists.
        """

    @abstractmethod
    def music(self, name: str) -> str:
        """Return the id of the music of a sequence; raises Skip for a sequence that must not be used.

        Args:
            name: name of the sequence.
        """

    @abstractmethod
    def music_file(self, music: str) -> Path:
        """Return the file of a piece of music; raises Skip if there is none.

        Args:
            music: its id.
        """

    def finish_music(self, waveform: np.ndarray) -> np.ndarray:
        """Apply the corrections of a data set to a piece of music.

        Args:
            waveform: int16 (T,), as read.

        Returns:
            int16 (T,).
        """
        return waveform

    @abstractmethod
    def files(self, name: str) -> tuple[Path, ...]:
        """Return the files that :meth:`sequence` reads; a sequence is prepared again if one of them is newer.

        Args:
            name: name of the sequence.
        """

    @abstractmethod
    def sequence(self, name: str) -> Sequence:
        """Read a sequence; raises Skip or D2MError if it cannot be used.

        Args:
            name: name of the sequence.
        """

    def problems(self, name: str) -> list[str]:
        """Return what is wrong with files of a sequence that :meth:`sequence` does not read.

        Args:
            name: name of the sequence.
        """
        return []

    def notes(self) -> list[str]:
        """Return what should be known of the folder, though nothing is wrong."""
        return []


@dataclass(frozen=True)
class Item:
    """One dance of the benchmark, by where its files are.

    Attributes:
        name: name of the sequence.
        music: id of its song: two items with the same id are danced to the same one.
        data_set: name of the data set in :data:`d2m.datasets.DATA_SETS`.
        root: the folder.
        genre: AIST code, or None where it is unknown.
        prepared: whether the folder is a prepared one (:mod:`d2m.datasets.prepared`).
    """

    name: str
    music: str
    data_set: str
    root: Path
    genre: str | None = None
    prepared: bool = False


@dataclass(frozen=True)
class Take:
    """The movement of an item: what engines see, and what their music is judged by.

    Attributes:
        motion: landmarks in the picture of one camera, ``"mediapipe33"``: the input of the engines.
        lag: seconds that its times trail the picture beyond MediaPipe's lag.
        joints: (T, J, 2 or 3), joints in space or in the picture, for the motion beats of the evaluation.
        fps: frames of ``joints`` per second.
        sight: ``"space"`` or ``"picture"``.
        judge: description of ``joints`` for the report.
        smpl: SMPL parameters for engines that take them, or None.
        keypoints: ``"body25"`` keypoints for engines that take them, or None.
        visual: visual features (S, V) and the seconds of picture that each row covers, or None.
    """

    motion: Motion
    lag: float
    joints: np.ndarray
    fps: float
    sight: str
    judge: str
    smpl: SmplMotion | None = None
    keypoints: Motion | None = None
    visual: tuple[np.ndarray, float] | None = None


class DataSet:
    """A data set.

    Attributes:
        name: key in :data:`d2m.datasets.DATA_SETS`, and what the commands call it.
        title: what its makers call it.
        offers: what can be downloaded of it.
    """

    name: str
    title: str
    offers: tuple[Offer, ...] = ()


class DanceData(DataSet, ABC):
    """A data set of dances with their music.

    The benchmark's methods (from :meth:`items` on) have a default that reads a folder through :meth:`source`.

    Attributes:
        motion_fps: motion frames per second of prepared sequences.
        motion_size: values of a motion frame.
        protocols: names of its splits' protocols, the default first: ``"crossmodal"`` keeps music apart.
        shared_music: pairs of splits that may share music in the default protocol.
        published_as: name of the data set whose published results stand in the benchmark's report; None for ``name``.
        music_optional: whether the files that :meth:`item_music` returns may be without sound.
    """

    motion_fps: float
    motion_size: int
    protocols: tuple[str, ...] = ("crossmodal",)
    shared_music: tuple[tuple[str, str], ...] = ()
    published_as: str | None = None
    music_optional: bool = False

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Return whether a folder is a raw one of this data set.

        Args:
            folder: an existing folder.
        """

    @abstractmethod
    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Open a raw folder.

        Args:
            folder: the folder.
            visual: folder of visual features of the videos, or None.
            protocol: one of ``protocols``.

        Raises:
            D2MError: if it is no such folder.
        """

    @abstractmethod
    def take(self, frames: np.ndarray, name: str) -> Take:
        """Convert the motion of a prepared sequence.

        Args:
            frames: float32 (T, ``motion_size``), at ``motion_fps``.
            name: name of the sequence, for error messages.

        Raises:
            D2MError: if nobody is seen in any frame.
        """

    def genre(self, name: str) -> int:
        """Return the genre that the name of a sequence tells, an index into :data:`d2m.types.GENRES`; -1 for none.

        Args:
            name: name of a sequence.

        Raises:
            D2MError: for a name of another form.
        """
        return -1

    def check_name(self, name: str) -> None:
        """Check the form of a sequence's name.

        Args:
            name: the name.

        Raises:
            D2MError: for a name of another form.
        """

    def song(self, music: str) -> str:
        """Return what all takes of a song have in common.

        Args:
            music: id of a piece of music, or ``""``.
        """
        return music

    def items(self, root: Path, split: str) -> list[Item]:
        """Return the dances of a split of a raw folder.

        Args:
            root: the folder.
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            D2MError: if the folder cannot be used.
        """
        source, found, codes = _opened(self, root), [], list(GENRES)
        for name in source.splits().get(split, ()):
            try:
                music = source.music(name)
            except Skip:
                continue
            genre = self.genre(name)
            found.append(Item(name, self.song(music), self.name, root, codes[genre] if genre >= 0 else None))
        return found

    def item_files(self, item: Item) -> list[Path]:
        """Return the files from which an item is read; some may not exist.

        Args:
            item: an item of a raw folder.
        """
        return [*_opened(self, item.root).files(item.name), self.item_music(item), self.beats_file(item)]

    def item_take(self, item: Item) -> Take:
        """Read the movement of an item.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if it cannot be read.
        """
        return self.take(_opened(self, item.root).sequence(item.name).motion, item.name)

    def item_music(self, item: Item) -> Path:
        """Return the file of an item's music.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if there is none.
        """
        source = _opened(self, item.root)
        return source.music_file(source.music(item.name))

    def music_offset(self, item: Item) -> int:
        """Return where in its music an item begins.

        Args:
            item: an item of a raw folder.

        Returns:
            Samples at 22,050 Hz.
        """
        return _opened(self, item.root).sequence(item.name).offset

    def beats_file(self, item: Item) -> Path:
        """Return the file of the beats that an item's music was written on; it may not exist.

        Args:
            item: an item of a raw or prepared folder.
        """
        return item.root / "beats" / f"{item.name}.txt"

    def picture_name(self, item: Item) -> str:
        """Return the name of an item's video, under which its visual features are stored.

        Args:
            item: an item of a raw folder.
        """
        return item.name


@lru_cache(maxsize=4)
def _opened(data_set: DanceData, root: Path) -> Source:
    """The source of a raw folder; one for all of its items."""
    return data_set.source(root)


def whole_name(piece: str) -> str:
    """Return the name of the sequence of a piece: ``000007_23_207`` for ``000007_23_207_seg4``.

    Args:
        piece: name of a piece; other names are returned unchanged.
    """
    found = _PIECE.fullmatch(piece)
    return found["name"] if found else piece
