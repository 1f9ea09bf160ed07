"""POP909 as a data set: where it is downloaded (:mod:`d2m.datasets.pop909` reads its songs).

Address and terms are those of music-x-lab/POP909-Dataset, which publishes no checksum.
"""

from __future__ import annotations

from d2m.datasets.base import DataSet, Offer, Part

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


class Pop909Data(DataSet):
    """POP909 (Wang et al., ISMIR 2020): songs, no dances."""

    name, title = "pop909", "POP909"
    offers = _OFFERS


POP909 = Pop909Data()
