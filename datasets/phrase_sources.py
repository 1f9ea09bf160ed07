"""Sources of phrases: POP909 with added tracks, the composer, LPD, and any folder of MIDI files."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.lpd import Rules, cleanse, read_metadata, song_files
from d2m.datasets.pop909 import song_folders
from d2m.errors import D2MError
from d2m.symbolic.pianoroll import PianoRoll, from_score
from d2m.types import GENRES

_STEPS_PER_BEAT = 24
_HELD_OUT_EVERY = 10


@dataclass(frozen=True)
class Song:
    """One song, not yet read.

    Attributes:
        kind: ``"pop909"``, ``"studio"`` or ``"file"``.
        name: name of the song within its source; the same in every run.
        place: file, folder, or number of a composed song.
        held_out: whether it belongs to the held-out split.
    """

    kind: str
    name: str
    place: str
    held_out: bool

    def load(self, seed: int) -> PianoRoll:
        """Load the song at 24 steps per beat.

        Args:
            seed: random seed; the result depends on it and the song only.

        Raises:
            D2MError: if it cannot be read.
        """
        if self.kind == "pop909":
            from d2m.datasets.pop909_band import band_score

            number = int(Path(self.place).name)
            return from_score(band_score(self.place, np.random.default_rng([seed, 909, number])), _STEPS_PER_BEAT)
        if self.kind == "studio":
            return _composed(int(self.place), seed)
        path = Path(self.place)
        if path.suffix.lower() == ".npz":
            from d2m.symbolic.pianoroll_file import load_npz

            return load_npz(path).resampled(_STEPS_PER_BEAT)
        from d2m.symbolic.pianoroll_midi import read_roll

        return read_roll(path, _STEPS_PER_BEAT)


def _composed(index: int, seed: int) -> PianoRoll:
    """A song of the studio; the ten genres take turns."""
    from d2m.datasets.studio.music import compose_song

    rng = np.random.default_rng([seed, 505, index])
    genre = list(GENRES)[index % len(GENRES)]
    score, _ = compose_song(genre, float(rng.uniform(60.0, 100.0)), rng)
    return from_score(score, _STEPS_PER_BEAT)


def songs_of(source: str, rules: Rules) -> tuple[str, list[Song], Counter[str]]:
    """Return the name of a source, its songs in a fixed order, and how many the rules left out, by reason.

    Every tenth song of POP909 (by its number) and of the studio is held out; of files, those whose MSD entry or name
    has a checksum divisible by ten, so that all versions of a song are in one split.

    Args:
        source: ``studio:COUNT``, POP909's folder, or one with ``.npz`` and ``.mid`` files.
        rules: rules for LPD and other folders.

    Raises:
        D2MError: if it is none of these.
    """
    kind, _, number = source.partition(":")
    if kind == "studio" and not Path(source).exists():
        if not number.isdigit() or not 1 <= int(number) <= 1_000_000:
            raise D2MError(f"'{source}' should say how many songs to compose, such as studio:300")
        # Ten genres take turns, so the tenth song is taken from a different genre each time round.
        songs = [Song("studio", f"studio-{i:06d}", str(i), i % 10 == i // 10 % 10) for i in range(int(number))]
        return "studio", songs, Counter()
    root = Path(source)
    if not root.is_dir():
        raise D2MError(f"{source} is not a folder; give POP909, a folder of piano-rolls or MIDI files, or studio:COUNT")
    if any(root.glob("[0-9][0-9][0-9]/beat_midi.txt")):
        folders = song_folders(root)
        return "pop909", [_pop(folder) for folder in folders], Counter()
    kept, left_out = cleanse(song_files(root), read_metadata(root), rules)
    # Two folders of the same name must not share their shards.
    name = f"{root.resolve().name}-{zlib.crc32(os.fsencode(root.resolve())):08x}"
    songs = []
    for file in kept:
        inner = str(file.path.relative_to(root).with_suffix(""))
        out = zlib.crc32(os.fsencode(file.msd_id or file.name)) % _HELD_OUT_EVERY == 0
        songs.append(Song("file", inner, str(file.path), out))
    return name, songs, left_out


def _pop(folder: Path) -> Song:
    return Song("pop909", f"pop909-{folder.name}", str(folder), int(folder.name) % _HELD_OUT_EVERY == 0)
