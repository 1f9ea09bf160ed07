"""Songs as notes, and data sets of songs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.datasets.base import DataSet

if TYPE_CHECKING:
    from d2m.symbolic.pianoroll import PianoRoll

#: Steps to a quarter note of every song.
STEPS_PER_BEAT = 24
#: One song of so many is held out.
HELD_OUT_EVERY = 10


@dataclass(frozen=True)
class Song(ABC):
    """One song, not yet read.

    Attributes:
        name: name of the song within its data set; the same in every run.
        place: file, folder, or number of a composed song.
        held_out: whether it belongs to the held-out split.
        kind: name of its data set.
        on_grid: whether all of its notes begin on the grid, so that this needs no check.
    """

    name: str
    place: str
    held_out: bool
    kind = ""
    on_grid = False

    @abstractmethod
    def load(self, seed: int) -> PianoRoll:
        """Load the song at 24 steps per beat.

        Args:
            seed: random seed; the result depends on it and the song only.

        Raises:
            D2MError: if it cannot be read.
        """


class SongData(DataSet, ABC):
    """A data set of songs, from which phrases are made."""

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Return whether a folder is one of this data set.

        Args:
            folder: an existing folder.
        """

    @abstractmethod
    def songs(self, folder: Path) -> list[Song]:
        """Return the songs of a folder in a fixed order.

        Args:
            folder: the folder.
        """
