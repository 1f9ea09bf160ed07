"""POP909 as a data set: where it is downloaded (:mod:`d2m.datasets.pop909` reads its songs).

Address and terms are those of music-x-lab/POP909-Dataset, which publishes no checksum.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.datasets.offers import Offer, Part
from d2m.datasets.songs import HELD_OUT_EVERY, STEPS_PER_BEAT, Song, SongData

if TYPE_CHECKING:
    from d2m.symbolic.pianoroll import PianoRoll

_OFFERS = (
    Offer(
        "pop909", "POP909: 909 pop songs as MIDI with chords and beats", "MIT",
        "https://github.com/music-x-lab/POP909-Dataset/blob/master/LICENSE", False,
        "https://github.com/music-x-lab/POP909-Dataset",
        (
            Part(
                "songs", "https://github.com/music-x-lab/POP909-Dataset/archive/refs/heads/master.zip", "POP909",
            ),
        ),
        note="cite Wang et al., ISMIR 2020",
    ),
)  # fmt: skip


class Pop909Song(Song):
    """A song of POP909 with the tracks that it lacks added."""

    kind = "pop909"

    def load(self, seed: int) -> PianoRoll:
        """Load the song with added tracks.

        Args:
            seed: random seed; the added tracks depend on it and the song's number only.

        Raises:
            D2MError: if the song cannot be read, or has no chords or no notes.
        """
        from d2m.datasets.pop909_band import band_score
        from d2m.symbolic.pianoroll import from_score

        number = int(Path(self.place).name)
        return from_score(band_score(self.place, np.random.default_rng([seed, 909, number])), STEPS_PER_BEAT)


class Pop909Data(SongData):
    """POP909 (Wang et al., ISMIR 2020): songs, no dances. Every tenth song, by its number, is held out."""

    name, title = "pop909", "POP909"
    offers = _OFFERS

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder has numbered songs with beats.

        Args:
            folder: an existing folder.
        """
        return any(folder.glob("[0-9][0-9][0-9]/beat_midi.txt"))

    def songs(self, folder: Path) -> list[Song]:
        """Return the songs of a folder, sorted by number.

        Args:
            folder: folder of POP909.

        Raises:
            D2MError: if there are none.
        """
        from d2m.datasets.pop909 import song_folders

        return [
            Pop909Song(f"pop909-{place.name}", str(place), int(place.name) % HELD_OUT_EVERY == 0)
            for place in song_folders(folder)
        ]


POP909 = Pop909Data()
