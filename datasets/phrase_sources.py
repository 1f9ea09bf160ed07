"""Sources of phrases: data sets of songs, the composer, LPD, and any folder of MIDI files."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from d2m.datasets import DATA_SETS
from d2m.datasets.lpd import Rules, cleanse, read_metadata, song_files
from d2m.datasets.songs import HELD_OUT_EVERY, STEPS_PER_BEAT, Song, SongData
from d2m.errors import D2MError
from d2m.symbolic.pianoroll import PianoRoll, from_score
from d2m.types import GENRES


class ComposedSong(Song):
    """A song of the studio's composer; the ten genres take turns."""

    kind = "studio"
    on_grid = True

    def load(self, seed: int) -> PianoRoll:
        """Compose the song, 60 to 100 s long.

        Args:
            seed: random seed; the result depends on it and the song's number only.
        """
        from d2m.datasets.studio.music import compose_song

        index = int(self.place)
        rng = np.random.default_rng([seed, 505, index])
        genre = list(GENRES)[index % len(GENRES)]
        score, _ = compose_song(genre, float(rng.uniform(60.0, 100.0)), rng)
        return from_score(score, STEPS_PER_BEAT)


class FileSong(Song):
    """A MIDI file or piano-roll."""

    kind = "file"

    def load(self, seed: int) -> PianoRoll:
        """Read the file at 24 steps per beat.

        Args:
            seed: ignored.

        Raises:
            D2MError: if it cannot be read.
        """
        path = Path(self.place)
        if path.suffix.lower() == ".npz":
            from d2m.symbolic.pianoroll_file import load_npz

            return load_npz(path).resampled(STEPS_PER_BEAT)
        from d2m.symbolic.pianoroll_midi import read_roll

        return read_roll(path, STEPS_PER_BEAT)


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
        made = (ComposedSong(f"studio-{i:06d}", str(i), i % 10 == i // 10 % 10) for i in range(int(number)))
        return "studio", list(made), Counter()
    root = Path(source)
    if not root.is_dir():
        raise D2MError(f"{source} is not a folder; give POP909, a folder of piano-rolls or MIDI files, or studio:COUNT")
    for known in DATA_SETS:
        data_set = DATA_SETS.get(known)
        if isinstance(data_set, SongData) and data_set.recognises(root):
            return known, data_set.songs(root), Counter()
    kept, left_out = cleanse(song_files(root), read_metadata(root), rules)
    # Two folders of the same name must not share their shards.
    name = f"{root.resolve().name}-{zlib.crc32(os.fsencode(root.resolve())):08x}"
    songs: list[Song] = []
    for file in kept:
        inner = str(file.path.relative_to(root).with_suffix(""))
        out = zlib.crc32(os.fsencode(file.msd_id or file.name)) % HELD_OUT_EVERY == 0
        songs.append(FileSong(inner, str(file.path), out))
    return name, songs, left_out
