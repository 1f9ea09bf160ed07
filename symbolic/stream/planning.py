"""Plan the transitions: mix points of successive songs, and the gain of each song."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.audio.loudness import loudness
from d2m.errors import D2MError
from d2m.symbolic.bridge.composer import Composer
from d2m.symbolic.bridge.joining import Bridge, cut, last_beat, write_bridge
from d2m.symbolic.bridge.mixpoints import MixPoint, find_mix_points
from d2m.symbolic.bridge.song import Song, read_song
from d2m.symbolic.shape import Words
from d2m.symbolic.sound.fonts import pans
from d2m.symbolic.sound.notes import FixedNotes, Notes, notes_of
from d2m.symbolic.sound.player import NOMINAL_LUFS, RATE, Player
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.symbolic.stream.library import stamp

#: The decibels by which songs are moved at most to be equally loud.
_MOST_GAIN = 15.0
#: How much of a song is listened to for that: so many excerpts of so many seconds.
_EXCERPTS, _EXCERPT = 3, 6.0
#: Songs kept in memory, and levels remembered.
_SONGS, _LEVELS = 4, 2000
#: A song is played for so many bars before it is left, if it has as many.
LEAST_BARS = 8


@dataclass(frozen=True)
class Plan:
    """Transition from one song to another.

    Attributes:
        point: bars of the song as it plays now and of the next as it is in its file; by how much the next is moved.
        song: the next, moved.
        bridge: between them.
        gain: decibels by which the next song is turned up.
    """

    point: MixPoint
    song: Song
    bridge: Bridge
    gain: float


class Planner:
    """Chooses mix points and writes bridges.

    Args:
        composer: network of the bridges.
        font: what songs are listened to with, for their loudness.
        bars: number of bars of a bridge, 1 to 8.
        method: method of the search, see :func:`~d2m.symbolic.bridge.mixpoints.find_mix_points`.
        spare: share of a song up to which it is not left, and that is left of the next when it comes in.
        transpose: semitones by which the next song may be moved.
        seed: random seed of ``method="random"``.
        words: key and tempo that all songs are given, swing, and tracks that are left out; None for nothing.
    """

    def __init__(
        self,
        composer: Composer,
        font: SoundFont,
        bars: int = 2,
        method: str = "harmonic",
        spare: float = 0.75,
        transpose: int = 5,
        seed: int = 0,
        words: Words | None = None,
    ) -> None:
        self.words = words or Words()
        self.composer, self.font, self.bars, self.seed = composer, font, bars, seed
        self.method, self.spare, self.transpose = method, spare, transpose
        self._songs: OrderedDict[tuple, Song] = OrderedDict()
        self._levels: OrderedDict[tuple, float] = OrderedDict()

    def read(self, path: Path) -> Song:
        """Read a song; recent songs are cached.

        Args:
            path: the file.

        Raises:
            D2MError: if it cannot be read or mixed.
        """
        key = (path, stamp(path))
        if key not in self._songs:
            self._songs[key] = playable_song(path).shaped(self.words)
        self._songs.move_to_end(key)
        while len(self._songs) > _SONGS:
            self._songs.popitem(last=False)
        return self._songs[key]

    def gain(self, path: Path, song: Song) -> float:
        """Return the gain that makes a song as loud as the others.

        Args:
            path: the file.
            song: its music.

        Returns:
            Decibels.
        """
        key = (path, stamp(path))
        if key not in self._levels:
            level = _loudness(song, self.font)
            gain = NOMINAL_LUFS - level if np.isfinite(level) else 0.0
            self._levels[key] = float(np.clip(gain, -_MOST_GAIN, _MOST_GAIN))
            while len(self._levels) > _LEVELS:
                self._levels.popitem(last=False)
        return self._levels[key]

    def earliest(self, song: Song, entry: int) -> int:
        """Return the first bar after which a song may be left.

        Args:
            song: the song.
            entry: bar at which it was entered.
        """
        return max(entry + LEAST_BARS - 1, int(np.ceil(self.spare * len(song))))

    def plan(self, song: Song, between: tuple[int, int], path: Path, number: int) -> Plan:
        """Plan the transition from ``song``, as it is transposed now, to the one at ``path``.

        Args:
            song: as it plays now.
            between: the first and the last bar of ``song`` that may be its last one played; if none of them can be, the
                next that can is taken.
            path: path of the next.
            number: number of the bridge; it seeds ``method="random"``.

        Raises:
            D2MError: if the next song cannot be read or mixed, or ``song`` cannot be left any more.
        """
        other = self.read(path)
        point = self._search(song, other, between, number, self.transpose)
        return self._with(song, point, other, self.gain(path, other))

    def repeat(self, song: Song, between: tuple[int, int], number: int, gain: float) -> Plan:
        """Plan a transition of a song to itself, without its file.

        Args:
            song: the song.
            between: first and last bar after which it may be left.
            number: number of the transition.
            gain: gain of the song in decibels.
        """
        return self._with(song, self._search(song, song, between, number, 0), song, gain)

    def _with(self, song: Song, point: MixPoint, other: Song, gain: float) -> Plan:
        following = other.moved(point.transpose)
        bridge = write_bridge(song, following, replace(point, transpose=0), self.composer, self.bars)
        return Plan(point, following, bridge, gain)

    def _search(self, song: Song, other: Song, between: tuple[int, int], number: int, transpose: int) -> MixPoint:
        bars = exits(song)
        inside = bars[(bars >= between[0]) & (bars <= between[1])]
        inside = inside if len(inside) else bars[bars > between[1]][:1]
        if not len(inside):
            raise D2MError(f"{song.name} has no mix point after bar {between[0] + 1}")
        span = int(inside[0]), int(inside[-1])
        rng = np.random.default_rng([self.seed, number])
        found = find_mix_points(
            song, other, self.method, 1, transpose=transpose, spare=self.spare, between=span, rng=rng
        )
        if not found:
            # The alignment of dtw may not pass through these bars.
            found = find_mix_points(song, other, "harmonic", 1, transpose=transpose, spare=self.spare, between=span)
        return found[0]


def playable_song(path: Path) -> Song:
    """Read a song and check that it has bars to enter and to leave it.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read or mixed.
    """
    song = read_song(path)
    find_mix_points(song, song, "random", 1)
    return song


def exits(song: Song) -> np.ndarray:
    """Return the bars after which a song can be left.

    Args:
        song: the song.

    Returns:
        int64.
    """
    bars = np.flatnonzero(song.whole & song.held.any(axis=(1, 2, 3)))
    return bars[1:-1]


def _loudness(song: Song, font: SoundFont) -> float:
    """LUFS of excerpts spread over a song, of its dry instruments."""
    end = last_beat(song)
    origin = float(song.score.grid.time_of(0.0))

    def sample_of(beats: np.ndarray) -> np.ndarray:
        return np.round((song.score.grid.time_of(beats) - origin) * RATE).astype(np.int64)

    notes = song_notes(song, 0, None, sample_of, 0.0)
    total = int(sample_of(np.array([end]))[0])
    length = min(int(_EXCERPT * RATE), max(total // _EXCERPTS, RATE // 2))
    pieces = []
    for number in range(_EXCERPTS):
        start = max(int((number + 0.5) / _EXCERPTS * total) - length // 2, 0)
        pieces.append(Player(font, FixedNotes(notes), start, plain=True).read(length))
    return loudness(np.concatenate(pieces, axis=1), RATE)


def song_notes(
    song: Song, entry: int, exit_bar: int | None, sample_of: Callable[[np.ndarray], np.ndarray], gain: float
) -> Notes:
    """Return the notes of a song between two bars, every instrument at its own stereo position.

    Args:
        song: the song.
        entry: first bar.
        exit_bar: last bar, or None for the end.
        sample_of: converts beats to samples.
        gain: decibels.
    """
    first = round(song.position(entry))
    stop = last_beat(song) if exit_bar is None else round(song.position(exit_bar + 1))
    parts = [
        (found, pan)
        for part, pan in zip(song.score.parts, pans(song.score.parts), strict=True)
        for found in song.played(cut(replace(song.score, parts=(part,)), first, stop, 0))
    ]
    return notes_of(parts, sample_of, lambda beats: np.full(len(beats), gain), RATE)
