"""The synthesiser of a stream: one for all songs and bridges, so that what rings at a seam rings on."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from d2m.symbolic.controls import Automation
from d2m.symbolic.soundfont import SoundFont
from d2m.symbolic.stream.notes import LONGEST_NOTE, Notes
from d2m.symbolic.stream.output import Limiter, Room
from d2m.symbolic.synth import ROOM_SEND, bent
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS

RATE = 44100
#: Seconds that drums ring, that pitched notes ring on at most, and in which a choked drum falls silent.
_DRUMS_RING, _LONGEST_RELEASE, _CHOKED = 3.5, 2.5, 0.06
#: No note sounds longer, in seconds.
_LONGEST_SOUND = LONGEST_NOTE + _LONGEST_RELEASE
#: Seconds by which the lengths of tones made ahead differ.
_TONE_STEP = 0.5
#: Notes sounding at a time; those that began first give way.
_MOST_VOICES = 400
#: Tones kept by a stream's own soundfont.
CACHE_BYTES = 192_000_000
_SENDS = np.array([ROOM_SEND[track] for track in TRACKS], np.float32)


class Score(Protocol):
    """Where the notes come from."""

    def notes(self, first: int, stop: int) -> Notes:
        """Those that start from sample ``first`` to before ``stop``."""


@dataclass
class Voice:
    """One note that sounds.

    Attributes:
        wave: float32 (2, samples) at full velocity while held.
        start, end: samples at which it begins and is let go.
        tail: samples in which it falls by 80 dB then.
        track: of the five.
        gain: float32 (2, 1).
        choke: what it silences and is silenced by, or 0.
        moves: how its volume moves, counted from ``origin``, or None.
        places: how its pitch moves, see :meth:`~d2m.symbolic.controls.Automation.places`, or None.
    """

    wave: np.ndarray
    start: int
    end: int
    tail: int
    track: int
    gain: np.ndarray
    choke: int
    moves: Automation | None = None
    origin: int = 0
    places: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def stop(self) -> int:
        """The sample at which it is heard no more."""
        if self.places is not None:
            return self.end + self.tail
        return min(self.end + self.tail, self.start + self.wave.shape[1])

    def _sound(self, first: int, stop: int) -> np.ndarray:
        """What sounds between two samples while it is held: float32 (2, n)."""
        at, end = first - self.start, stop - self.start
        wave = self.wave[:, at:end] if self.places is None else bent(self.wave, self.places, at, end)
        if self.moves is None:
            return self.gain * wave
        return self.gain * self.moves.gain(first - self.origin, stop - first) * wave

    def add_to(self, mix: np.ndarray, at: int) -> None:
        """Adds what sounds of it to (2, n) that begins at sample ``at``."""
        first, stop = max(self.start, at), min(self.stop, at + mix.shape[1])
        held = min(max(self.end, first), stop)
        if held > first:
            mix[:, first - at : held - at] += self._sound(first, held)
        if stop > held:
            fall = np.exp(np.arange(held - self.end, stop - self.end, dtype=np.float32) * (-np.log(1e4) / self.tail))
            mix[:, held - at : stop - at] += fall.astype(np.float32) * self._sound(held, stop)


class Player:
    """Plays a programme from any sample on, block by block; the blocks' sizes do not matter.

    Args:
        font: to play with.
        score: what to play.
        position: the first sample to be given out.
        lead: samples of sound before it that are played unheard, so that it begins as if it had gone on.
        plain: without room and limiter.
    """

    def __init__(self, font: SoundFont, score: Score, position: int = 0, lead: int = 0, *, plain: bool = False) -> None:
        self.font, self.score = font, score
        self.room = None if plain else Room(RATE)
        self.limiter = None if plain else Limiter(RATE)
        self.voices: list[Voice] = []
        #: The next sample to be mixed; what is given out lags behind by the limiter's delay.
        self.mixed = max(position - lead, 0)
        self._begin(self._still_heard(self.score.notes(max(self.mixed - int(_LONGEST_SOUND * RATE), 0), self.mixed)))
        self._drop()
        self.position = self.mixed
        self._fresh = True
        if self.position < position:
            self.read(position - self.position)

    @property
    def delay(self) -> int:
        """Samples that are mixed ahead of what is given out."""
        return self.limiter.delay if self.limiter else 0

    def read(self, count: int) -> np.ndarray:
        """The next ``count`` samples: float32 (2, count), within -1 to 1."""
        extra = self.delay if self._fresh else 0
        out = self._mix(count + extra)
        if self.limiter:
            out = self.limiter(out)[:, extra:]
        self._fresh = False
        self.position += count
        return out

    def snapshot(self) -> Player:
        """The player as it is now, to go back to; it shares what is never changed."""
        kept = copy.copy(self)
        kept.voices = [replace(voice) for voice in self.voices]
        kept.room, kept.limiter = copy.copy(self.room), copy.copy(self.limiter)
        return kept

    def let_go(self, sample: int) -> None:
        """Whatever sounds is held no longer than to a sample; drums ring."""
        for voice in self.voices:
            if voice.choke:
                continue
            voice.end = min(voice.end, max(sample, voice.start + 1))

    def _mix(self, count: int) -> np.ndarray:
        at = self.mixed
        self._begin(self.score.notes(at, at + count))
        buses = np.zeros((len(TRACKS), 2, count), np.float32)
        for voice in self.voices:
            voice.add_to(buses[voice.track], at)
        self.mixed += count
        self._drop()
        dry = buses.sum(axis=0)
        return dry + self.room(_SENDS @ buses.mean(axis=1)) if self.room else dry

    def _still_heard(self, notes: Notes) -> Notes:
        """Of notes that began before, those that may still sound."""
        rings = np.where(notes.tracks == DRUMS, notes.starts + int(_DRUMS_RING * RATE), notes.ends)
        return notes.chosen(rings + int(_LONGEST_RELEASE * RATE) > self.mixed)

    def _drop(self) -> None:
        self.voices = [voice for voice in self.voices if voice.stop > self.mixed][-_MOST_VOICES:]

    def _begin(self, notes: Notes) -> None:
        for index in range(len(notes)):
            voice = self._voice(notes, index)
            if voice is None:
                continue
            if voice.choke:
                for other in self.voices:
                    if other.choke == voice.choke and other.start < voice.start < other.end:
                        other.end = voice.start
                        other.tail = max(int(_CHOKED * 0.8 * RATE), 64)
            self.voices.append(voice)

    def _voice(self, notes: Notes, index: int) -> Voice | None:
        track, program, key, velocity, start, end = (
            int(array[index])
            for array in (notes.tracks, notes.programs, notes.keys, notes.velocities, notes.starts, notes.ends)
        )
        drums = track == DRUMS
        if drums:
            end = start + int(_DRUMS_RING * RATE)
        release = min(self.font.release(program, drums, key, velocity), _LONGEST_RELEASE)
        release = max(release, 0.002)
        # In steps, so that the next note of this key, a little longer, finds the tone ready.
        seconds = np.ceil(((end - start) / RATE + release) / _TONE_STEP) * _TONE_STEP
        moves, origin, bend, places = notes.moves[index], int(notes.origins[index]), 0.0, None
        if moves is not None and not drums:
            bend = moves.bend(start - origin)
            places = moves.places(start - origin, start - origin + seconds * RATE)
        if places is not None:
            seconds = float(np.ceil(places[1][-1] / RATE / _TONE_STEP) * _TONE_STEP)
        tone = self.font.tone(program, drums, key, velocity, RATE, seconds, 2, bend)
        if tone is None:
            return None
        gain = np.array([[notes.left[index]], [notes.right[index]]], np.float32)
        # Drums of one class silence each other, and so does each drum itself.
        choke = (tone.choke or 1000 + key) if drums else 0
        tail = max(int(release * 0.8 * RATE), 64)
        return Voice(tone.wave, start, end, tail, track, gain, choke, moves, origin, places)
