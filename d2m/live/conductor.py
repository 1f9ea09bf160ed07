"""Conductor of a live session: which notes are played when.

Notes have places in beats; the beat clock says at which sample each of them sounds. Notes are fixed block by block,
when the player asks for them: up to there the clock cannot be changed any more, from there on it follows the tracked
beats. Of the phrases, which are written ahead in several densities, each bar is taken from the density that fits the
energy of the dancer at its bar line, and every note is a little louder or softer with the energy when it is fixed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from d2m.engines.score import ATTACK
from d2m.features.beat_clock import BeatClock
from d2m.features.beat_filter import BeatState
from d2m.live.phrases import BARS, BEATS, DENSITIES, EDGE, Phrase
from d2m.live.player import RATE
from d2m.symbolic.sound.notes import NONE, Notes, joined

#: Energy from which a bar has each density but the thinnest.
STEPS = (0.1, 0.35, 0.6)
#: Level of a note in dB when the dancer stands still; in the busiest moments it is 0.
SOFTEST = -8.0
#: Seconds over which the energy is smoothed that sets the level of notes, and the density of bars.
QUICK, SLOW = 0.4, 1.5
#: Seconds of the past that the beat clock keeps.
_KEPT = 30.0


@dataclass
class _Current:
    """A phrase and the bar in which it begins."""

    first: int
    phrase: tuple[Phrase, ...]


class Conductor:
    """Source of the notes of a :class:`~d2m.live.player.LivePlayer`.

    Args:
        heard: returns the second of the session at which a sample is heard.
        decided: called with the seconds at which beats are heard when they are fixed.
        offset: seconds by which all beats are moved; above 0 to later.
        factor: beats of the music per tracked beat: 0.5, 1 or 2.

    Attributes:
        energy: present energy of the dancer, 0 to 1, smoothed over :data:`SLOW`.
        density: index into :data:`DENSITIES` of the present bar; -1 before the first.
        bars: number of bars that have begun.
        repeated: phrases that were played again, as the next one was not ready.
    """

    def __init__(
        self,
        heard: Callable[[int], float],
        decided: Callable[[np.ndarray], None] = lambda times: None,
        offset: float = 0.0,
        factor: float = 1.0,
    ) -> None:
        self.energy, self.density, self.bars, self.repeated = 0.0, -1, 0, 0
        self._heard, self._decided, self._offset, self._factor = heard, decided, offset, factor
        self._quick = 0.0
        self._followed = -np.inf
        self._most = len(DENSITIES) - 1
        self._clock: BeatClock | None = None
        self._until = self._origin = 0.0
        self._bar = -1
        self._current: _Current | None = None
        self._next: tuple[Phrase, ...] | None = None
        self._lock = threading.Lock()
        #: Notified when the next phrase is wanted.
        self.wanted = threading.Condition()

    @property
    def tempo(self) -> float:
        """Tempo of the music in beats per minute; 0 before it begins."""
        return self._clock.tempo if self._clock else 0.0

    @property
    def needs_phrase(self) -> bool:
        """Whether the phrase after the present one is missing."""
        return self._clock is not None and self._next is None

    def begin(self, time: float, state: BeatState, phrase: tuple[Phrase, ...]) -> float:
        """Begin the music with the first beat after a time.

        Args:
            time: seconds; not before what was played already.
            state: tracked beat.
            phrase: the first phrase.

        Returns:
            Seconds at which the first beat is heard.
        """
        with self._lock:
            self._clock = BeatClock(time, self._scaled(state, time))
            self._origin = float(np.ceil(self._clock.positions[0]))
            self._until = time
            self._current = _Current(0, phrase)
            return float(self._clock.time(self._origin)) + self._offset

    def follow(self, time: float, state: BeatState | None, energy: float, most: int | None = None) -> None:
        """Follow the dancer.

        Args:
            time: seconds of the session now.
            state: tracked beat, or None if nothing new is known.
            energy: energy of the dancer, 0 to 1.
            most: greatest density, an index into :data:`DENSITIES`; None for any.
        """
        passed = max(min(time - self._followed, 1.0), 0.0)
        self._followed = time
        with self._lock:
            self._quick += (1.0 - np.exp(-passed / QUICK)) * (energy - self._quick)
            self.energy += float((1.0 - np.exp(-passed / SLOW)) * (energy - self.energy))
            self._most = len(DENSITIES) - 1 if most is None else most
            if self._clock is not None and state is not None:
                self._clock.steer(self._until, self._scaled(state, self._until))

    def _scaled(self, state: BeatState, time: float) -> BeatState:
        """The beat of the music: the tracked one, half or twice as fast."""
        if self._factor == 1.0:
            return state
        position, tempo = state.phase_at(time), self._factor * state.tempo
        if self._factor > 1.0 or self._clock is None:
            return BeatState(time, self._factor * position % 1.0, tempo, state.mass)
        # Of the two halves the one that the music is nearer to.
        here = float(self._clock.position(time))
        halves = [0.5 * position, 0.5 * position + 0.5]
        phase = min(halves, key=lambda half: abs((half - here + 0.5) % 1.0 - 0.5))
        return BeatState(time, phase, tempo, state.mass)

    def install(self, phrase: tuple[Phrase, ...]) -> None:
        """Give the phrase that follows the present one.

        Args:
            phrase: its densities.
        """
        with self._lock:
            self._next = phrase

    def notes(self, first: int, stop: int) -> Notes:
        """Fix and return the notes that start in a range of samples; ranges follow each other.

        Args:
            first, stop: range of samples.
        """
        with self._lock:
            if self._clock is None:
                return NONE
            begins, ends = (self._heard(sample) + ATTACK - self._offset for sample in (first, stop))
            # After a drop-out the time of the samples jumps; what would have sounded meanwhile is left out.
            start = max(self._until, begins - 0.005)
            if ends <= start:
                return NONE
            found = self._between(float(self._clock.position(start)), float(self._clock.position(ends)), first, begins)
            self._until = ends
            self._clock.forget(ends - _KEPT)
        notes = joined(found)
        np.clip(notes.starts, first, stop - 1, out=notes.starts)
        return notes

    def _between(self, position: float, last: float, first: int, begins: float) -> list[Notes]:
        """Notes between two positions; sample ``first`` is at the second ``begins`` of the beat clock."""
        assert self._clock is not None
        beats = np.arange(max(np.ceil(position), self._origin), np.ceil(last))
        if len(beats):
            self._decided(self._clock.time(beats) + self._offset)
        found = []
        while position < last - 1e-9:
            bar = int(np.floor((position + EDGE - self._origin) / BEATS + 1e-9))
            upto = min(last, self._origin + BEATS * (bar + 1) - EDGE)
            if bar >= 0:
                found.append(self._of_bar(bar, position, upto, first, begins))
            position = max(upto, position + 1e-6)
        return found

    def _of_bar(self, bar: int, position: float, last: float, first: int, begins: float) -> Notes:
        assert self._clock is not None
        assert self._current is not None
        if bar != self._bar:
            self._bar, self.bars = bar, self.bars + 1
            self.density = min(int(np.searchsorted(STEPS, self.energy, side="right")), self._most)
            if bar >= self._current.first + BARS:
                self._turn_over(bar)
        origin = self._origin + BEATS * self._current.first
        part = self._current.phrase[self.density].between(position - origin, last - origin)
        times = self._clock.time(part.places + origin)
        starts = first + np.round((times - begins) * RATE).astype(np.int64)
        moved = starts - part.starts
        level = np.float32(10.0 ** (SOFTEST * (1.0 - self._quick) / 20.0))
        notes = part.notes
        return replace(
            notes,
            starts=starts,
            ends=notes.ends + moved,
            left=level * notes.left,
            right=level * notes.right,
            origins=notes.origins + moved,
        )

    def _turn_over(self, bar: int) -> None:
        assert self._current is not None
        if self._next is None:
            self.repeated += 1
            self._current = _Current(bar, self._current.phrase)
            return
        self._current, self._next = _Current(bar, self._next), None
        with self.wanted:
            self.wanted.notify_all()
