"""Sections of a programme: songs and bridges with their notes, in samples from the beginning of the programme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np

from d2m.symbolic.bridge.joining import Bridge
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.bridge.song import Song
from d2m.symbolic.sound.fonts import pans
from d2m.symbolic.sound.notes import Notes, notes_of
from d2m.symbolic.sound.player import RATE
from d2m.symbolic.stream.library import Place
from d2m.symbolic.stream.planning import Plan, song_notes


class _ShownAlways(TypedDict):
    kind: str
    name: str
    start: float
    end: float | None


class Shown(_ShownAlways, total=False):
    """What a listener may know of a :class:`Section`: seconds, bars counted from 1; the bars of songs only."""

    first_bar: int
    last_bar: int | None
    bars: int
    transpose: int
    gain_db: float


@dataclass(eq=False)
class Section:
    """A part of the programme.

    Attributes:
        kind: ``"song"`` or ``"bridge"``.
        name: name of the song in its library; of a bridge that of the song it leads to.
        start, stop: samples; ``stop`` is None while it is open.
        notes: all that may be played of it.
        song: as it plays, moved; of a bridge None.
        entry, exit: first and last bar played, ``exit`` None while it is open.
        moved: semitones from the file.
        gain: decibels.
        place: place in the order after this song.
        queued: number of the wish that this song is, or 0.
        file: file of the song when it was read: time of the last change and size, see :func:`~.library.stamp`.
        skipped: whether it is left early because a listener asked for it.
        point: mix point of a bridge.
        number: number of a bridge, counted from 1.
    """

    kind: str
    name: str
    start: int
    stop: int | None
    notes: Notes
    song: Song | None = None
    entry: int = 0
    exit: int | None = None
    moved: int = 0
    gain: float = 0.0
    place: Place = field(default_factory=Place)
    queued: int = 0
    file: tuple[int, int] = (0, 0)
    skipped: bool = False
    point: MixPoint | None = None
    number: int = 0

    @property
    def played(self) -> Song:
        """The song of a section that is one.

        Raises:
            ValueError: if it is a bridge.
        """
        if self.song is None:
            raise ValueError(f"the bridge to {self.name} is no song")
        return self.song

    @property
    def end(self) -> int:
        """The sample at which a closed section ends.

        Raises:
            ValueError: if it is open.
        """
        if self.stop is None:
            raise ValueError(f"the end of {self.name} is open")
        return self.stop

    def sample_of_bar(self, bar: int) -> int:
        """Return the sample at which a bar of the song begins.

        Args:
            bar: number of the bar in the song, from 0.

        Returns:
            Number of samples from the beginning of the programme.

        Raises:
            ValueError: if the section is a bridge.
        """
        return self.start + int(_clock(self.played, self.entry)(np.array([round(self.played.position(bar))]))[0])

    def to_json(self) -> Shown:
        """Return the information for listeners: seconds, and bars counted from 1."""
        end = None if self.stop is None else round(self.stop / RATE, 3)
        found: Shown = {"kind": self.kind, "name": self.name, "start": round(self.start / RATE, 3), "end": end}
        if self.song is not None:
            found["first_bar"], found["last_bar"] = self.entry + 1, None if self.exit is None else self.exit + 1
            found["bars"], found["transpose"], found["gain_db"] = len(self.song), self.moved, round(self.gain, 2)
        return found


def song_section(song: Song, name: str, start: int, entry: int, moved: int, gain: float, place: Place) -> Section:
    """Make the section of a song from a bar on, with an open end.

    Args:
        song: the song.
        name: name of the song.
        start: sample at which it begins.
        entry: first bar.
        moved: transposition in semitones.
        gain: decibels.
        place: place of the song in the order.
    """
    found = Section("song", name, start, None, _song_notes(song, start, entry, None, gain), song, entry)
    found.moved, found.gain, found.place = moved, gain, place
    return found


def close(section: Section, exit_bar: int) -> None:
    """End a song after a bar.

    Args:
        section: the song.
        exit_bar: its last bar.
    """
    section.exit, section.stop = exit_bar, section.sample_of_bar(exit_bar + 1)
    section.notes = _song_notes(section.played, section.start, section.entry, exit_bar, section.gain)


def bridge_section(before: Section, plan: Plan, following: Section, number: int) -> Section:
    """Make the section of a bridge.

    Args:
        before: the closed song before it.
        plan: plan of the transition.
        following: section of the next song.
        number: number of the bridge.
    """
    bridge: Bridge = plan.bridge
    beats = np.arange(len(bridge.times))
    places = _places(following.played) | _places(before.played)

    def sample_of(positions: np.ndarray) -> np.ndarray:
        return before.end + np.round(np.interp(positions, beats, bridge.times) * RATE).astype(np.int64)

    def gain_of(positions: np.ndarray) -> np.ndarray:
        return np.interp(positions, [0, beats[-1]], [before.gain, plan.gain])

    parts = [
        (part, places.get((part.track, part.program, part.name), 0.0)) for part in following.played.played(bridge.parts)
    ]
    notes = notes_of(parts, sample_of, gain_of, RATE)
    stop = int(sample_of(beats[-1:])[0])
    return Section("bridge", following.name, before.end, stop, notes, point=plan.point, number=number)


def moved_notes(notes: Notes, samples: int) -> Notes:
    """Delay notes.

    Args:
        notes: the notes.
        samples: delay.
    """
    later = {name: getattr(notes, name) + samples for name in ("starts", "ends", "origins")}
    return replace(notes, **later)


def _clock(song: Song, entry: int) -> Callable[[np.ndarray], np.ndarray]:
    """Beats of a song's score -> samples since a bar began."""
    grid, first = song.score.grid, round(song.position(entry))
    origin = float(grid.time_of(first))
    return lambda beats: np.round((grid.time_of(beats) - origin) * RATE).astype(np.int64)


def _song_notes(song: Song, start: int, entry: int, exit_bar: int | None, gain: float) -> Notes:
    clock = _clock(song, entry)
    return song_notes(song, entry, exit_bar, lambda beats: start + clock(beats), gain)


def _places(song: Song) -> dict[tuple[str, int, str], float]:
    """(track, program, name) -> stereo place of the first part of a song that is played so."""
    found: dict[tuple[str, int, str], float] = {}
    for part, pan in zip(song.score.parts, pans(song.score.parts), strict=True):
        found.setdefault((part.track, part.program, part.name), pan)
    return found
