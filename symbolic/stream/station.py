"""One programme for many listeners: composed ahead, and played only as far as somebody listens.

Sound is split into segments of one second, numbered from the beginning of the programme. Listeners fetch them a few
seconds ahead; the latest segment fetched is the head. The station plays a little beyond the head and no further, so
nothing is played while nobody listens, and the head moves no faster than real time, so no listener can speed up the
programme for the others. A skip returns to a position that no listener has reached, leaves the song there at the next
bar line and plays the segments from that bar on again, under a higher revision; listeners replace what they fetched.

Three threads: one plans and composes bridges, one plays, and one reads songs in advance.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.symbolic.sound.player import RATE, Player
from d2m.symbolic.stream.checks import Checks
from d2m.symbolic.stream.memory import Checkpoint, recall
from d2m.symbolic.stream.pace import AHEAD, BURST, Pace
from d2m.symbolic.stream.planning import Plan, Planner, exits
from d2m.symbolic.stream.programme import Programme
from d2m.symbolic.stream.recording import pcm
from d2m.symbolic.stream.sections import Section
from d2m.symbolic.stream.state import state_of
from d2m.symbolic.stream.wishes import Wishes

#: Segments that are played beyond the furthest that was fetched, and that are kept behind it.
LEAD, KEPT = 2, 30
#: Segments after the position of the furthest listener that a skip may change: time to notice and fetch again.
NOTICE = 3
#: Minimum seconds of decided programme, and seconds of sound computed without output before a restart continues.
_DECIDED, _LEAD_IN = 30.0, 6
_MOST_LISTENERS, _PRESENT = 1000, 10.0


@dataclass(frozen=True)
class _Task:
    """Something to be composed: how to leave a song."""

    generation: int
    section: Section
    between: tuple[int, int]
    wanted: list[tuple[int, str]]
    skip: bool


class Station:
    """Plays a programme to listeners.

    Args:
        programme: to begin with, unless ``memory`` holds one that can be gone on with.
        memory: file that outlives the process, or None.
        tell: called with one line about anything worth knowing.
    """

    def __init__(
        self,
        programme: Programme,
        memory: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.programme, self.tell, self.clock = programme, tell, clock
        self.identity = secrets.token_hex(8)
        self.head, self.revision = -1, 0
        self.wishes = Wishes()
        self.skipping = False
        self.changed = threading.Condition()
        self.segments: dict[int, tuple[int, bytes]] = {}
        self._snapshots: dict[int, Player] = {}
        self.listeners: dict[str, float] = {}
        self._pace = Pace(clock)
        self._generation, self._edition = 0, 0
        self.songs: dict[str, Path] = {}
        self.checks = Checks(programme, self.changed, self._without)
        self._listed, self._listing, self._took, self._complaint = -1e9, 0.0, 0.5, ""
        self._stopped = False
        self._threads: list[threading.Thread] = []
        #: What ended one of the threads, which nothing should.
        self.failure: Exception | None = None
        self._checkpoint = Checkpoint(self, memory)
        self.recalled = memory is not None and recall(self, memory)
        #: The next segment to be played, and the synthesiser as it is then; None until it is ready.
        self.rendered = max(self.head - AHEAD, 0)
        self.player: Player | None = None

    @property
    def planner(self) -> Planner:
        """Of the programme."""
        return self.programme.planner

    def start(self) -> None:
        """Begin to compose and play."""
        self._list()
        works = (self._compose, self._play, lambda: self.checks.work(lambda: self._stopped))
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and notes where the programme is."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._checkpoint.save(force=True)

    # Requests of listeners

    def segment(self, number: int, patience: float = 8.0) -> tuple[int, bytes] | None:
        """Return a segment, after waiting until it is due and has been played.

        Args:
            number: number of the segment, which is one second long, from the beginning of the programme.
            patience: longest time to wait, in seconds.

        Returns:
            Revision and 16-bit frames; None if it is no longer kept, or too far ahead.

        Raises:
            TimeoutError: if that takes too long.
        """
        until = self.clock() + patience
        with self.changed:
            while True:
                if number < min(self.segments, default=self.rendered) or number > self.head + BURST:
                    return None
                if number > self.head:
                    if self._pace.take(number - self.head):
                        self.head = number
                        self.changed.notify_all()
                elif number in self.segments:
                    return self.segments[number]
                left = until - self.clock()
                if left <= 0 or self._stopped:
                    raise TimeoutError
                self.changed.wait(min(left, 0.2))

    def greet(self, listener: str) -> None:
        """Register a listener as present.

        Args:
            listener: name that the listener's page chose at random; an empty one is not counted.
        """
        now = self.clock()
        with self.changed:
            if listener and (listener in self.listeners or len(self.listeners) < _MOST_LISTENERS):
                self.listeners[listener] = now
            self.listeners = {name: seen for name, seen in self.listeners.items() if now - seen < _PRESENT}

    def state(self) -> dict[str, Any]:
        """Return all that the page shows."""
        return state_of(self)

    def names(self) -> list[str]:
        """Return the songs that may be requested."""
        with self.changed:
            return list(self.songs)

    def skip(self, start: float | None = None) -> None:
        """Leave the current song at the next possible bar line.

        Args:
            start: seconds at which the song began that the listener hears, or that the bridge heard leads to. Another
                one is left alone, so that two who skip at once skip one song.
        """
        with self.changed:
            target = self.programme.changeable(self.safe())
            if not target.skipped and (start is None or abs(target.start / RATE - start) < 0.01):
                self.skipping = True
                self._change()

    def wish(self, name: str) -> None:
        """Add a song to the end of the queue.

        Args:
            name: name of the song, one of :meth:`names`.

        Raises:
            D2MError: if there is no such song, it cannot be played, or the queue is full.
        """
        self.checks.check(name)
        with self.changed:
            if name not in self.songs:
                raise D2MError(f"there is no song {name[:100]}")
            self.wishes.add(name)
            self._change()

    def unwish(self, number: int) -> None:
        """Remove a request from the queue.

        Args:
            number: number of the request; if there is none, nothing happens.
        """
        with self.changed:
            self.wishes.remove({number})
            self._change()

    def move(self, number: int, to: int) -> None:
        """Move a request in the queue.

        Args:
            number: number of the request; if there is none, nothing happens.
            to: new position, from 0.
        """
        with self.changed:
            self.wishes.move(number, to)
            self._change()

    # What comes next

    def _change(self) -> None:
        self._generation += 1
        self.changed.notify_all()

    def safe(self) -> int:
        """Return the first sample that may still be changed: no listener will have reached it when it is."""
        return max(self.head - AHEAD + NOTICE, 0) * RATE

    def _task(self) -> _Task | None:
        """What to compose now."""
        safe = self.safe()
        if self.skipping:
            return self._skip_task(safe)
        songs = [self.programme.changeable(safe), *self.programme.following(safe)]
        wanted = self._wanted()
        self._drop_played(songs[0])
        decided = [s.queued for s in songs[1:]]
        expected = ([number for number, _ in wanted] + [0] * len(decided))[: len(decided)]
        for place, (is_now, should) in enumerate(zip(decided, expected, strict=True)):
            if is_now != should:
                return self._leave_task(songs[place], safe, wanted[place:])
        last = self.programme.last
        if last is songs[0] or last.start < max(self.head, self.rendered) * RATE + _DECIDED * RATE:
            return self._leave_task(last, safe, wanted[len(decided) :])
        return None

    def _wanted(self) -> list[tuple[int, str]]:
        """Wishes that can be played, as far as is known."""
        return [(wish.number, wish.name) for wish in self.wishes.queue if wish.name in self.songs]

    def _drop_played(self, current: Section) -> None:
        """Wishes that have come true leave the queue."""
        self.wishes.remove({s.queued for s in self.programme.sections if s.start <= current.start})

    def _skip_task(self, safe: int) -> _Task | None:
        section = self.programme.changeable(safe)
        bars = [int(b) for b in exits(section.played) if b >= section.entry]
        soon = [b for b in bars if section.sample_of_bar(b + 1) >= safe + self._margin()]
        if not soon or (section.exit is not None and soon[0] >= section.exit):
            # It is about to be left anyway.
            self.skipping = False
            return None
        return _Task(self._generation, section, (soon[0], soon[0]), self._wanted(), True)

    def _leave_task(self, section: Section, safe: int, wanted: list[tuple[int, str]]) -> _Task:
        if section.skipped and section.exit is not None:
            # A request changes the next song, not the time of the transition.
            return _Task(self._generation, section, (section.exit, section.exit), wanted, False)
        bars = [int(b) for b in exits(section.played) if b >= section.entry]
        earliest = self.planner.earliest(section.played, section.entry)
        late = [b for b in bars if b >= earliest] or bars[-1:]
        soon = [b for b in late if section.sample_of_bar(b + 1) >= safe + self._margin()] or late[-1:]
        return _Task(self._generation, section, (soon[0], soon[-1]), wanted, False)

    def _margin(self) -> int:
        """Samples that listeners may hear while a bridge is composed."""
        return int(1.5 * self._took * RATE)

    def _compose(self) -> None:
        """The composing thread."""
        while True:
            self._list()
            with self.changed:
                task = self._task()
                if self._stopped:
                    return
                if task is None:
                    self.changed.wait(1.0)
                    continue
            began = self.clock()
            try:
                plan, following = self.programme.plan_from(task.section, task.between, task.wanted)
            except D2MError as error:
                self._complain(f"no bridge: {error}")
                with self.changed:
                    self.skipping = False
                    self.changed.wait(1.0)
                continue
            # Files that turned out broken are no longer among the names.
            self._listed = -1e9
            with self.changed:
                self._took = min(max(self.clock() - began, 0.3), 20.0)
                current = task.generation == self._generation and task.section in self.programme.sections
                end = task.section.sample_of_bar(plan.point.bar_a + 1)
                # An open song is played no further than to its first exit, but a skip may leave it before that.
                if current and (end >= self.safe() or (task.section is self.programme.last and not task.skip)):
                    self._install(task, plan, following)

    def _list(self) -> None:
        """Looks through the library now and then, a slow one less often."""
        now = self.clock()
        if now - self._listed <= max(3.0, 30 * self._listing):
            return
        self._listed = now
        try:
            songs = self.programme.library.playable()
        except D2MError as error:
            # Until it can be read again, what was there is taken to be there.
            self._complain(str(error))
            return
        self._listing = self.clock() - now
        self.checks.expect(songs)
        with self.changed:
            self.songs = songs
            gone = self.wishes.only(songs)
        for wish in gone:
            self.tell(f"{wish.name} cannot be played any more and leaves the queue")

    def _without(self, name: str) -> None:
        """Takes a song that cannot be played out of those that may be wished for."""
        self.songs = {other: path for other, path in self.songs.items() if other != name}

    def _complain(self, line: str) -> None:
        if line != self._complaint:
            self.tell(line)
        self._complaint = line

    def _install(self, task: _Task, plan: Plan, following: Section) -> None:
        end = self.programme.leave(task.section, plan, following)
        if task.skip:
            self.skipping, task.section.skipped = False, True
        # What is being played at the moment is thrown away.
        self._edition += 1
        if self.player is not None:
            if self.player.mixed > end:
                self._go_back((end - self.player.delay - 1) // RATE)
            self.player.let_go(end)
        self._checkpoint.save_now()
        self.changed.notify_all()

    def _go_back(self, first: int) -> None:
        """Forgets the segments from ``first`` on."""
        self.player = self._snapshots[first].snapshot()
        self.revision += 1
        self.rendered = first
        self.segments = {k: found for k, found in self.segments.items() if k < first}
        self._snapshots = {k: found for k, found in self._snapshots.items() if k < first}

    # Playing

    def _play(self) -> None:
        """The playing thread. It plays on a copy while nobody has to wait, and keeps that if it still holds."""
        while True:
            with self.changed:
                while not self._stopped and not self._due():
                    self.changed.wait(0.5)
                if self._stopped:
                    return
                edition, number, before = self._edition, self.rendered, self.player
                copy = before.snapshot() if before else None
            if before is None or copy is None:
                lead = min(_LEAD_IN, number) * RATE
                before = Player(self.planner.font, self.programme, number * RATE, lead)
                copy = before.snapshot()
            sound = pcm(copy.read(RATE))
            with self.changed:
                if edition != self._edition:
                    continue
                self._snapshots[number], self.segments[number] = before, (self.revision, sound)
                self.player, self.rendered = copy, number + 1
                self._tidy()
                self.changed.notify_all()
            self._checkpoint.save()

    def _due(self) -> bool:
        """Whether the next segment is wanted, and decided."""
        return self.rendered <= self.head + LEAD and self.programme.decided() >= (self.rendered + 2) * RATE

    def _tidy(self) -> None:
        self.segments = {k: found for k, found in self.segments.items() if k > self.head - KEPT}
        self._snapshots = {k: found for k, found in self._snapshots.items() if k > self.head - AHEAD - 1}
        self.programme.forget((self.head - KEPT - 30) * RATE)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            with self.changed:
                self.failure, self._stopped = error, True
                self.changed.notify_all()
