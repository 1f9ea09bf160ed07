"""Player: convert notes to the channels of the mixer with a SoundFont, block by block."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from d2m.audio.dynamics import Limiter
from d2m.audio.mixer import BLOCK, Mixed, Mixer, tone_filter
from d2m.audio.presets import CHANNELS, preset
from d2m.sounds.patches import patches_with_takes
from d2m.symbolic.controls import Automation
from d2m.symbolic.sound.channels import KICK
from d2m.symbolic.sound.fonts import fader_of, is_library
from d2m.symbolic.sound.notes import EFFECT, LONGEST_NOTE, Notes
from d2m.symbolic.sound.soundfont import DRUM_BANK, SoundFont, Tone
from d2m.symbolic.sound.soundfont_voice import read_between
from d2m.symbolic.tracks import DRUMS

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
#: The start of a note times this, in the higher bits, decides which take of a patch plays it.
_SPREAD = 2654435761
#: Highest true peak of a stream in dB, and what it is raised by before: music that goes into the mixer at
#: :data:`NOMINAL_LUFS` comes out at about -14.
CEILING_DB, _MAKEUP_DB = -1.3, 4.5
#: Loudness of the dry instruments that the mixer's thresholds are made for.
NOMINAL_LUFS = -12.0
#: Releases that are remembered, and tones that are at hand without asking the soundfont.
_MOST_KNOWN, _MOST_RECENT = 4000, 64
#: Forms of one tone, filtered for different channels and genres, that are kept.
_MOST_FILTERED = 4
_SILENT = 3e-6
#: Samples of a tone that are looked at together for the last one that is heard.
_LOOK_BACK = 4096


class Score(Protocol):
    """Source of the notes of a player."""

    def notes(self, first: int, stop: int) -> Notes:
        """Return the notes that start in a range.

        Args:
            first, stop: range of samples.
        """


@dataclass
class Voice:
    """One note that sounds.

    Attributes:
        wave: float32 (2, samples) at full velocity while held.
        start, end: samples at which it begins and is let go.
        tail: samples in which it falls by 80 dB then.
        channel: channel of the mixer.
        gain: float32 (2, 1).
        choke: what it silences and is silenced by, or 0.
        moves: how its volume moves, counted from ``origin``, or None.
        places: how its pitch moves, see :meth:`~d2m.symbolic.controls.Automation.places`, or None.
    """

    wave: np.ndarray
    start: int
    end: int
    tail: int
    channel: int
    gain: np.ndarray
    choke: int
    moves: Automation | None = None
    origin: int = 0
    places: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def stop(self) -> int:
        """Sample at which the voice becomes silent."""
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
        """Add the sound of the voice to a block.

        Args:
            mix: float32 (2, n).
            at: first sample of the block.
        """
        first, stop = max(self.start, at), min(self.stop, at + mix.shape[1])
        held = min(max(self.end, first), stop)
        if held > first:
            mix[:, first - at : held - at] += self._sound(first, held)
        if stop > held:
            fall = np.exp(np.arange(held - self.end, stop - self.end, dtype=np.float32) * (-np.log(1e4) / self.tail))
            mix[:, held - at : stop - at] += fall.astype(np.float32) * self._sound(held, stop)


def bent(wave: np.ndarray, places: tuple[np.ndarray, np.ndarray], first: int, stop: int) -> np.ndarray:
    """Read samples ``first`` to ``stop`` of a tone (channels, n) whose pitch moves; silent beyond its end.

    Args:
        wave: the tone at the pitch that it begins with.
        places: see :meth:`d2m.symbolic.controls.Automation.places`.
        first, stop: samples since it began.
    """
    place = np.interp(np.arange(first, stop), *places)
    sound = read_between(wave, place)
    sound[:, place > wave.shape[1] - 1] = 0.0
    return sound


@dataclass(frozen=True)
class Channels:
    """A block before the mixer.

    Attributes:
        buses: float32 (2, samples) by channel.
        position: sample at which the block begins.
        kicks: sample and strength of the kick drum's notes that begin in it.
    """

    buses: dict[str, np.ndarray]
    position: int
    kicks: list[tuple[int, float]]


class Player:
    """Plays notes from any sample on, block by block; the sizes of the blocks do not matter.

    Notes are mixed in blocks of the mixer's size that begin at multiples of it, so up to
    :attr:`delay` samples are mixed ahead of what is given out.

    Args:
        font: to play with.
        score: what to play.
        position: the first sample to be given out.
        lead: samples of sound before it that are played unheard, so that it begins as if it had gone on.
        mixer: mixer of the channels; None takes the one for music without a genre.
        limited: whether peaks are kept under :data:`CEILING_DB`.
        plain: add the channels up without mixer and limiter.
    """

    def __init__(
        self,
        font: SoundFont,
        score: Score,
        position: int = 0,
        lead: int = 0,
        *,
        mixer: Mixer | None = None,
        limited: bool = True,
        plain: bool = False,
    ) -> None:
        self.font, self.score = font, score
        self.mixer = None if plain else (mixer or Mixer(preset(None), 120.0, RATE))
        self.limiter = Limiter(CEILING_DB, RATE) if limited and not plain else None
        self.block = self.mixer.block if self.mixer else BLOCK
        self.voices: list[Voice] = []
        self._filters = self._tone_filters()
        self._library = is_library(font)
        self._fader = fader_of(font)
        self._releases: dict[tuple, float] = {}
        self._recent: dict[tuple, Tone | None] = {}
        #: The next sample to be mixed.
        self.mixed = max(position - lead, 0) // self.block * self.block
        self._begin(self._still_heard(self.score.notes(max(self.mixed - int(_LONGEST_SOUND * RATE), 0), self.mixed)))
        self._drop()
        #: Mixed and limited, not given out yet; replaced, never written into.
        self._ready = np.zeros((2, 0), np.float32)
        late = self.limiter.delay if self.limiter else 0
        self.position = self.mixed - late
        self.read(position - self.position)

    @property
    def delay(self) -> int:
        """Maximum number of samples that are mixed ahead of the output."""
        return self.block + (self.limiter.delay if self.limiter else 0)

    def read(self, count: int) -> np.ndarray:
        """Return the next samples.

        Args:
            count: number of samples.

        Returns:
            float32 (2, count).
        """
        while self._ready.shape[1] < count:
            block = self.next_block().mix
            block = self.limiter(block * np.float32(10 ** (_MAKEUP_DB / 20))) if self.limiter else block
            self._ready = np.concatenate([self._ready, block], axis=1)
        out, self._ready = self._ready[:, :count], self._ready[:, count:]
        self.position += count
        return out

    def snapshot(self) -> Player:
        """Return a copy of the player's state, to return to; unchangeable data is shared."""
        kept = copy.copy(self)
        kept.voices = [replace(voice) for voice in self.voices]
        kept.mixer = self.mixer.copy() if self.mixer else None
        kept.limiter = copy.copy(self.limiter)
        return kept

    def let_go(self, sample: int) -> None:
        """End all sounding notes at a sample, except drums.

        Args:
            sample: the end.
        """
        for voice in self.voices:
            if voice.choke:
                continue
            voice.end = min(voice.end, max(sample, voice.start + 1))

    def next_block(self) -> Mixed:
        """Mix the next block, not limited."""
        return self.mix(self.next_channels())

    def next_channels(self) -> Channels:
        """Play the next block into the channels of the mixer."""
        at = self.mixed
        notes = self.score.notes(at, at + self.block)
        self._begin(notes)
        buses: dict[str, np.ndarray] = {}
        for voice in self.voices:
            name = CHANNELS[voice.channel]
            if name not in buses:
                buses[name] = np.zeros((2, self.block), np.float32)
            voice.add_to(buses[name], at)
        self.mixed += self.block
        self._drop()
        hits = np.flatnonzero(notes.channels == KICK)
        kicks = [(int(notes.starts[i]), (int(notes.velocities[i]) / 127.0) ** 0.5) for i in hits]
        return Channels(buses, at, kicks)

    def mix(self, channels: Channels) -> Mixed:
        """Mix the channels of :meth:`next_channels`; blocks have to be mixed in order.

        Args:
            channels: channels of a block.
        """
        if self.mixer is None:
            return Mixed(sum(channels.buses.values(), np.zeros((2, self.block), np.float32)))
        return self.mixer(channels.buses, channels.position, channels.kicks)

    @staticmethod
    def _take(bank: int, program: int, start: int) -> int:
        """Choose among the takes of a patch of the library by when the note starts, in the same way in every block."""
        patch = patches_with_takes().get((bank, program))
        return patch.take(start * _SPREAD >> 16) if patch else program

    def _release(self, program: int, drums: bool, key: int, velocity: int, bank: int) -> float:
        """Look up the seconds in which a released note falls by 100 dB, within bounds."""
        name = (program, drums, key, velocity, bank)
        if name not in self._releases:
            if len(self._releases) > _MOST_KNOWN:
                self._releases.clear()
            self._releases[name] = max(min(self.font.release(*name), _LONGEST_RELEASE), 0.002)
        return self._releases[name]

    def _tone(
        self, program: int, drums: bool, key: int, velocity: int, bank: int, seconds: float, bend: float
    ) -> Tone | None:
        """Look up a tone; those of the last notes are at hand."""
        name = (program, drums, key, velocity, bank, seconds, bend)
        if name not in self._recent:
            if len(self._recent) > _MOST_RECENT:
                self._recent.clear()
            self._recent[name] = self.font.tone(program, drums, key, velocity, RATE, seconds, 2, bend, bank)
        return self._recent[name]

    def _tone_filters(self) -> list[np.ndarray | None]:
        if self.mixer is None:
            return [None] * len(CHANNELS)
        return [tone_filter(self.mixer.preset.strips[name], RATE) for name in CHANNELS]

    def _still_heard(self, notes: Notes) -> Notes:
        """Choose the notes that may still sound of those that began before."""
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
        track, channel, program, preset, key, velocity, start, end = (
            int(array[index])
            for array in (
                notes.tracks, notes.channels, notes.programs, notes.presets, notes.keys, notes.velocities,
                notes.starts, notes.ends,
            )
        )  # fmt: skip
        drums, bank = track == DRUMS, 0
        if self._library:
            if preset >= 0:
                bank, program = divmod(preset % EFFECT, 128)
            program = self._take(DRUM_BANK if drums else bank, program, start)
        elif preset >= EFFECT:
            return None
        if drums:
            end = start + int(_DRUMS_RING * RATE)
        release = self._release(program, drums, key, velocity, bank)
        # In steps, so that the next note of this key, a little longer, finds the tone ready.
        seconds = np.ceil(((end - start) / RATE + release) / _TONE_STEP) * _TONE_STEP
        moves, origin, bend, places = notes.moves[index], int(notes.origins[index]), 0.0, None
        if moves is not None and not drums:
            bend = moves.bend(start - origin)
            places = moves.places(start - origin, start - origin + seconds * RATE)
        if places is not None:
            seconds = float(np.ceil(places[1][-1] / RATE / _TONE_STEP) * _TONE_STEP)
        tone = self._tone(program, drums, key, velocity, bank, float(seconds), bend)
        if tone is None:
            return None
        wave = _FILTERED.get(tone, self._filters[channel])
        gain = self._fader(program, drums) * np.array([[notes.left[index]], [notes.right[index]]], np.float32)
        # Drums of one class silence each other, and so does each drum itself.
        choke = (tone.choke or 1000 + key) if drums else 0
        tail = max(int(release * 0.8 * RATE), 64)
        return Voice(wave, start, end, tail, channel, gain, choke, moves, origin, places)


def _audible(wave: np.ndarray) -> np.ndarray:
    """Cut (channels, n) where it falls silent (-110 dB) for good.

    What is left out costs as much as what is heard, and more once it is too small for normal numbers.
    """
    end = wave.shape[1]
    while end > 1:
        first = max(end - _LOOK_BACK, 0)
        loud = np.flatnonzero(np.abs(wave[:, first:end]).max(axis=0) > _SILENT)
        if len(loud):
            return wave[:, : first + loud[-1] + 1]
        end = first
    return wave[:, :1]


class _Filtered:
    """Tones with the filters of channels applied, kept as long as the soundfont keeps the tones."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Tone, dict[bytes, np.ndarray]] = WeakKeyDictionary()

    def get(self, tone: Tone, sections: np.ndarray | None) -> np.ndarray:
        known = self._kept.setdefault(tone, {})
        name = b"" if sections is None else sections.tobytes()
        made = known.get(name)
        if made is None:
            made = _audible(tone.wave)
            if sections is not None:
                from scipy.signal import sosfilt

                made = _audible(sosfilt(sections.astype(np.float32), made, axis=1))
            if len(known) >= _MOST_FILTERED:
                known.clear()
            known[name] = made
        return made


#: The filtered tones of all players, since the sections of a piece share most of theirs.
_FILTERED = _Filtered()
