"""Endless sequence of songs and bridges.

The last section is always a song whose end is not decided yet; it may be played up to its next mix point. Times are
samples from the beginning of the programme. A programme contains the decisions made so far; its player requests further
ones in time (:meth:`Programme.extend`), or changes the programme from some sample on (:meth:`Programme.leave`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.bridge.joining import Bridge
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.bridge.song import Song
from d2m.symbolic.sound.fonts import pans
from d2m.symbolic.sound.notes import Notes, joined, notes_of
from d2m.symbolic.sound.player import RATE
from d2m.symbolic.stream.library import Library, Place, stamp
from d2m.symbolic.stream.planning import Plan, Planner, exits, playable_song, song_notes

#: Lines of a playlist that are named at a time.
_MOST_TOLD = 20


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
        """Return the sample at which a bar of the song begins."""
        return self.start + int(_clock(self.played, self.entry)(np.array([round(self.played.position(bar))]))[0])

    def to_json(self) -> Shown:
        """Return the information for listeners: seconds, and bars counted from 1."""
        end = None if self.stop is None else round(self.stop / RATE, 3)
        found: Shown = {"kind": self.kind, "name": self.name, "start": round(self.start / RATE, 3), "end": end}
        if self.song is not None:
            found["first_bar"], found["last_bar"] = self.entry + 1, None if self.exit is None else self.exit + 1
            found["bars"], found["transpose"], found["gain_db"] = len(self.song), self.moved, round(self.gain, 2)
        return found


class Programme:
    """Songs of a library with bridges between them.

    Args:
        library: where songs come from.
        planner: planner of the bridges.
        shuffle, seed: the order.
        tell: called with one line when a file is skipped, or a line of the playlist names none.
        sections: to go on with.

    Raises:
        D2MError: if no song can be played.
    """

    def __init__(
        self,
        library: Library,
        planner: Planner,
        shuffle: bool = False,
        seed: int = 0,
        tell: Callable[[str], None] = lambda line: None,
        sections: list[Section] | None = None,
    ) -> None:
        self.library, self.planner, self.shuffle, self.seed, self.tell = library, planner, shuffle, seed, tell
        self._told: set[str] = set()
        self._tell_missing()
        self.sections = sections or [self._first()]

    @property
    def last(self) -> Section:
        """The song whose end is open."""
        return self.sections[-1]

    def _first(self) -> Section:
        place = Place()
        while True:
            # One look for both: files may come and go between two.
            playable = self.library.playable()
            found = self.library.after(place, self.shuffle, self.seed, list(playable))
            if found is None:
                reason = next(iter(self.library.broken.values()))[1] if self.library.broken else "there is none"
                raise D2MError(f"no song of {self.library.source} can be played: {reason}")
            path = playable[found.name]
            stamped = stamp(path)
            try:
                song = self.planner.read(path)
                made = song_section(song, found.name, 0, 0, 0, self.planner.gain(path, song), found)
                made.file = stamped
                return made
            except D2MError as error:
                self.skip_file(found.name, path, error)
                place = found

    def skip_file(self, name: str, path: Path, error: D2MError) -> None:
        """Leave a file out, and report it once.

        Args:
            name: name of the song.
            path: path of the file.
            error: why it cannot be played.
        """
        # Listeners get the reason without the path of the file.
        if self.library.mark(name, path, str(error).replace(str(path), path.name)):
            self.tell(f"skipped: {error}")

    def read(self, name: str, path: Path) -> str:
        """Read a song in advance, and leave it out if it cannot be played.

        Args:
            name: name of the song.
            path: path of the file.

        Returns:
            Why it cannot be played, or nothing if it can.
        """
        try:
            playable_song(path)
        except D2MError as error:
            self.skip_file(name, path, error)
            return str(error).replace(str(path), path.name)
        return ""

    def _tell_missing(self) -> None:
        """Names the lines of the playlist that name no song, each once."""
        news = [line for line in self.library.missing.items() if line[0] not in self._told]
        self._told.update(name for name, _ in news)
        for name, reason in news[:_MOST_TOLD]:
            self.tell(f"skipped: {name} {reason}")
        if len(news) > _MOST_TOLD:
            self.tell(f"skipped: {len(news) - _MOST_TOLD} more lines that name no song")

    def choose(self, place: Place, wanted: list[tuple[int, str]]) -> tuple[Place, int, Path] | None:
        """Choose the next song: the first request that can be played, otherwise the next in order; None if there is
        none.

        Args:
            place: present place in the order.
            wanted: numbers and names of wishes.

        Returns:
            its place (of the order, unchanged by wishes, but for its name), the number of the wish or 0, its path.
        """
        # One look for both: files may come and go between two.
        playable = self.library.playable()
        self._tell_missing()
        for number, name in wanted:
            if name in playable:
                return place, number, playable[name]
        found = self.library.after(place, self.shuffle, self.seed, list(playable))
        return None if found is None else (found, 0, playable[found.name])

    def plan_from(
        self, section: Section, between: tuple[int, int], wanted: list[tuple[int, str]]
    ) -> tuple[Plan, Section]:
        """Plan the transition to the next song that can be played, without changing the programme.

        Where no song of the library can be played any more, the song goes back into itself.

        Args:
            section: the current song.
            between: first and last bar after which it may be left.
            wanted: requests, as (number, name).

        Returns:
            The plan, and the section of the next song.
        """
        number = 1 + max((s.number for s in self.sections), default=0)
        place = section.place
        names = dict(wanted)
        while (found := self.choose(place, wanted)) is not None:
            place_after, wish, path = found
            name = names[wish] if wish else place_after.name
            # Before it is read: if it changes meanwhile, it is not taken for what is played.
            stamped = stamp(path)
            try:
                plan = self.planner.plan(section.played, between, path, number)
            except D2MError as error:
                if not self._is_fault_of(path):
                    raise
                self.skip_file(name, path, error)
                continue
            return plan, self._open(plan, name, place_after, wish, stamped)
        plan = self.planner.repeat(section.played, between, number, section.gain)
        following = self._open(plan, section.name, place, 0, section.file)
        following.moved = section.moved
        return plan, following

    def _is_fault_of(self, path: Path) -> bool:
        """Whether a file cannot be read or mixed, rather than the song before it be left."""
        try:
            self.planner.read(path)
        except D2MError:
            return True
        return False

    def _open(self, plan: Plan, name: str, place: Place, wish: int, file: tuple[int, int]) -> Section:
        made = song_section(plan.song, name, 0, plan.point.bar_b, plan.point.transpose, plan.gain, place)
        made.queued, made.file = wish, file
        return made

    def leave(self, section: Section, plan: Plan, following: Section) -> int:
        """Leave a song by a plan, and discard everything that came after it.

        Args:
            section: the song.
            plan: plan of the transition.
            following: section of the next song.

        Returns:
            The sample at which the song ends.
        """
        at = self.sections.index(section)
        number = 1 + max((s.number for s in self.sections[: at + 1]), default=0)
        close(section, plan.point.bar_a)
        bridge = bridge_section(section, plan, following, number)
        shift = bridge.end - following.start
        following.start, following.notes = bridge.end, moved_notes(following.notes, shift)
        self.sections = [*self.sections[: at + 1], bridge, following]
        return section.end

    def extend(self, wanted: list[tuple[int, str]] | None = None) -> None:
        """Decide how the last song is left and which song follows.

        Args:
            wanted: requests, as (number, name), or None.
        """
        section = self.last
        bars = exits(section.played)
        between = (min(self.planner.earliest(section.played, section.entry), int(bars[-1])), int(bars[-1]))
        self.leave(section, *self.plan_from(section, between, wanted or []))

    def decided(self) -> int:
        """Return the sample up to which :meth:`extend` changes nothing except the lengths of held notes."""
        last = self.last
        bars = exits(last.played)
        earliest = min(self.planner.earliest(last.played, last.entry), int(bars[-1]))
        return max(last.sample_of_bar(max(earliest, last.entry)), last.start)

    def notes(self, first: int, stop: int) -> Notes:
        """Return the notes that start in a range.

        Args:
            first, stop: range of samples.
        """
        found = [
            s.notes.within(first, stop) for s in self.sections if s.start < stop and (s.stop is None or s.stop > first)
        ]
        return joined(found) if len(found) != 1 else found[0]

    def changeable(self, sample: int) -> Section:
        """Return the first song that can still be left after a sample."""
        songs = (s for s in self.sections if s.song is not None and (s.stop is None or s.stop > sample))
        return next(songs, self.last)

    def following(self, sample: int) -> list[Section]:
        """Return the songs after the one that can be left after a sample."""
        songs = [s for s in self.sections if s.song is not None]
        return songs[songs.index(self.changeable(sample)) + 1 :]

    def forget(self, sample: int) -> None:
        """Discard what ended before a sample, a song only together with the bridge after it.

        Args:
            sample: the sample.
        """
        while len(self.sections) > 3 and self.sections[1].end < sample:
            self.sections = self.sections[2:]


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

    parts = [(part, places.get((part.track, part.program, part.name), 0.0)) for part in bridge.parts]
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
