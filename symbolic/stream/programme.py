"""Endless sequence of songs and bridges.

The last section is always a song whose end is not decided yet; it may be played up to its next mix point. Times are
samples from the beginning of the programme. A programme contains the decisions made so far; its player requests further
ones in time (:meth:`Programme.extend`), or changes the programme from some sample on (:meth:`Programme.leave`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from d2m.errors import D2MError
from d2m.symbolic.sound.notes import Notes, joined
from d2m.symbolic.stream.library import Library, Place, stamp
from d2m.symbolic.stream.planning import Plan, Planner, exits, playable_song
from d2m.symbolic.stream.sections import Section, bridge_section, close, moved_notes, song_section

#: Lines of a playlist that are named at a time.
_MOST_TOLD = 20


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
        """Return the first song that can still be left after a sample.

        Args:
            sample: number of samples from the beginning of the programme.

        Returns:
            Its section; the last song if none ends after the sample.
        """
        songs = (s for s in self.sections if s.song is not None and (s.stop is None or s.stop > sample))
        return next(songs, self.last)

    def following(self, sample: int) -> list[Section]:
        """Return the songs after the one that can be left after a sample.

        Args:
            sample: number of samples from the beginning of the programme.

        Returns:
            Their sections in the order in which they are played, without bridges.
        """
        songs = [s for s in self.sections if s.song is not None]
        return songs[songs.index(self.changeable(sample)) + 1 :]

    def forget(self, sample: int) -> None:
        """Discard what ended before a sample, a song only together with the bridge after it.

        Args:
            sample: the sample.
        """
        while len(self.sections) > 3 and self.sections[1].end < sample:
            self.sections = self.sections[2:]
