"""SoundFont files, SF2 and SF3: the sample that a note plays, its pitch, and its envelope.

``soundfont_file`` reads presets, instruments and samples as defined in the SoundFont 2.04 specification (E-mu, 2006),
``soundfont_voice`` renders one note of one preset as a waveform of any length. The samples of an SF3 file are decoded
when a note first needs them. In SF3 files the modulation envelope changes pitch and filter, and filter resonance and
vibrato are used; SF2 files are played without these. Neither uses the modulation LFO, modulators other than velocity,
or chorus. symusic's synthesiser was not used since it plays every velocity with the same loudness and cuts FluidR3's
cymbals, claps and congas off after 40 ms.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont_file import Region, SoundFontFile
from d2m.symbolic.sound.soundfont_voice import (
    envelope,
    low_pass,
    moving_low_pass,
    moving_pitch,
    read_between,
    resample,
)

__all__ = ["DRUM_BANK", "Region", "SoundFont", "Tone", "read_between"]

#: The bank of drum kits in General MIDI soundfonts.
DRUM_BANK = 128

#: Hardware of the time applied 0.4 dB for each decibel asked for, and soundfonts are voiced for it.
_ATTENUATION_FACTOR = 0.4
_CACHE_BYTES = 160_000_000
_DECODED_BYTES = 96_000_000


@dataclass(frozen=True, eq=False)
class Tone:
    """A note as it sounds while its key stays down, at full velocity.

    Attributes:
        wave: float32 (channels, samples), up to the end of the longest sample that it consists of.
        held: number of samples that the key stays down; a wave that is shorter is silent after its end.
        release: seconds in which it falls by 100 dB once the key is up.
        choke: notes of the same non-zero class silence each other (hi-hats).
    """

    wave: np.ndarray
    held: int
    release: float
    choke: int


class SoundFont:
    """A soundfont file, its samples left on disk until they are played.

    Args:
        path: path of the file.
        cache_bytes: maximum size of the cached tones in bytes.

    Raises:
        D2MError: if the file cannot be read or is not a SoundFont 2 or SF3 file.
    """

    def __init__(self, path: str | Path, cache_bytes: int = _CACHE_BYTES):
        self.path, self.cache_bytes = Path(path), cache_bytes
        try:
            self._file = SoundFontFile(self.path)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise D2MError(f"{self.path} is not a usable soundfont ({error}); give another .sf2 or .sf3 file") from None
        self._regions: dict[tuple[int, int], list[Region]] = {}
        self._tones: OrderedDict[tuple, Tone] = OrderedDict()
        self._decoded: OrderedDict[int, np.ndarray] = OrderedDict()
        self._held_bytes = self._decoded_bytes = 0
        # The web page renders from several threads with one font.
        self._lock = threading.Lock()

    @property
    def title(self) -> str:
        """The name in the file's header."""
        return self._file.title

    @property
    def presets(self) -> tuple[tuple[int, int], ...]:
        """(bank, program) of every preset, in order; drum kits are in bank 128."""
        return tuple(sorted(self._file.presets))

    def preset(self, program: int, drums: bool, bank: int = 0) -> tuple[int, int]:
        """Find the preset that plays a program.

        A bank without the program falls to bank 0, then to the nearest program there of the same family of eight, then
        to the nearest of all. A drum kit that is missing falls to the first of its group of eight, then to kit 0.

        Args:
            program: 0 to 127.
            drums: whether it is a drum kit.
            bank: bank of the program.

        Returns:
            Bank and program of the preset.

        Raises:
            D2MError: if the file has no preset for melodies, or none for drums.
        """
        known = self._file.presets
        home = DRUM_BANK if drums else 0
        for wanted in ((bank or home, program), (home, program), (home, program // 8 * 8 if drums else program)):
            if wanted in known:
                return wanted
        there = [number for place, number in known if place == home]
        if not there:
            what = "drum kit" if drums else f"program {program}"
            raise D2MError(f"{self.path.name} has no {what}; use a General MIDI soundfont")
        if drums:
            return home, 0 if 0 in there else min(there)
        return home, min(there, key=lambda number: (number // 8 != program // 8, abs(number - program), number))

    def regions(self, program: int, drums: bool, key: int, velocity: int, bank: int = 0) -> list[Region]:
        """Return the samples that a note plays together.

        Args:
            program: 0 to 127.
            drums: whether it is a drum kit.
            key: MIDI note number.
            velocity: 1 to 127.
            bank: bank of the program.
        """
        preset = self.preset(program, drums, bank)
        if preset not in self._regions:
            try:
                self._regions[preset] = self._file.regions(self._file.presets[preset])
            except (IndexError, ValueError):
                raise D2MError(f"{self.path} is damaged in its program {program}; give another soundfont") from None
        return [
            r
            for r in self._regions[preset]
            if r.keys[0] <= key <= r.keys[1] and r.velocities[0] <= velocity <= r.velocities[1]
        ]

    def release(self, program: int, drums: bool, key: int, velocity: int, bank: int = 0) -> float:
        """Return the time in which a released note falls by 100 dB.

        Args:
            program: 0 to 127.
            drums: whether it is a drum kit.
            key: MIDI note number.
            velocity: 1 to 127.
            bank: bank of the program.

        Returns:
            Seconds.
        """
        found = self.regions(program, drums, key, velocity, bank)
        return max((r.seconds(sf.RELEASE) for r in found), default=0.0)

    def tone(
        self,
        program: int,
        drums: bool,
        key: int,
        velocity: int,
        rate: int,
        seconds: float,
        channels: int,
        bend: float = 0.0,
        bank: int = 0,
    ) -> Tone | None:
        """Return the note held for at least ``seconds`` (less where the sample ends); None where the preset is silent.

        Args:
            program, drums, key, velocity, bank: the note; see :meth:`preset` for what a file does not have.
            rate: hertz.
            seconds: how long the key stays down.
            channels: 1 or 2.
            bend: moves its pitch by so many semitones, to the nearest hundredth.

        Raises:
            D2MError: if the file is damaged where the note needs it.
        """
        regions = self.regions(program, drums, key, velocity, bank)
        if not regions:
            return None
        with self._lock:
            try:
                return self._tone(regions, key, rate, seconds, channels, round(100 * bend))
            except ValueError as error:
                raise D2MError(f"{self.path} is damaged: {error}; give another soundfont") from None

    def _tone(self, regions: list[Region], key: int, rate: int, seconds: float, channels: int, cents: int) -> Tone:
        name = (key, tuple(id(r) for r in regions), rate, channels, cents)
        known = self._tones.get(name)
        if known is not None and known.held >= seconds * rate - 1:
            self._tones.move_to_end(name)
            return known
        length = int(np.ceil(seconds * rate)) + 1
        sounds = [self._play(region, key, rate, length, cents) for region in regions]
        wave = np.zeros((channels, max(map(len, sounds))), dtype=np.float32)
        for region, sound in zip(regions, sounds, strict=True):
            angle = (np.clip(region[sf.PAN], -500, 500) / 1000.0 + 0.5) * np.pi / 2
            left, right = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            if channels == 1:
                wave[0, : len(sound)] += 0.5 * (left + right) * sound
            else:
                wave[0, : len(sound)] += left * sound
                wave[1, : len(sound)] += right * sound
        made = Tone(wave, length, max(r.seconds(sf.RELEASE) for r in regions), max(r[sf.CHOKE] for r in regions))
        self._keep(name, made)
        return made

    def _keep(self, name: tuple, tone: Tone) -> None:
        old = self._tones.pop(name, None)
        self._held_bytes += tone.wave.nbytes - (old.wave.nbytes if old else 0)
        self._tones[name] = tone
        while self._held_bytes > self.cache_bytes and len(self._tones) > 1:
            self._held_bytes -= self._tones.popitem(last=False)[1].wave.nbytes

    def _sample(self, index: int) -> tuple[np.ndarray, int, int, int, int]:
        """(values, start, end, loop start, loop end) of a sample; streams are decoded once and kept for a while."""
        stored = self._file.stored(index)
        if stored is not None:
            return stored
        values = self._decoded.pop(index, None)
        if values is None:
            values = self._file.decode(index)
            self._decoded_bytes += values.nbytes
        self._decoded[index] = values
        while self._decoded_bytes > _DECODED_BYTES and len(self._decoded) > 1:
            self._decoded_bytes -= self._decoded.popitem(last=False)[1].nbytes
        header = self._file.headers[index]
        return values, 0, len(values), int(header["loop_start"]), int(header["loop_end"])

    def _play(self, region: Region, key: int, rate: int, length: int, bend: int) -> np.ndarray:
        """One sample at the key's pitch, bent by cents, under its volume envelope: float32 (<= length,)."""
        header = self._file.headers[region.sample]
        data, *places = self._sample(region.sample)
        start, end, loop_start, loop_end = (
            place + sum(region[op] * unit for op, unit in moves.items())
            for place, moves in zip(places, sf.OFFSETS, strict=True)
        )
        start, end = max(start, 0), min(end, len(data))
        if end - start < 8 or header["rate"] == 0:
            return np.zeros(0, dtype=np.float32)
        root = region[sf.ROOT] if region[sf.ROOT] >= 0 else int(header["pitch"])
        cents = region[sf.SCALE] * (key - root) + 100 * region[sf.COARSE] + region[sf.FINE]
        cents += int(header["correction"]) + bend
        step = 2.0 ** (np.clip(cents, -12000, 12000) / 1200.0) * float(header["rate"]) / rate
        looped = region[sf.MODE] in (1, 3) and start <= loop_start < loop_end <= end and loop_end - loop_start > 1
        if not looped:
            length = min(length, int((end - start - 3) / step))
        moves = moving_pitch(region, rate, length) if self._file.compressed else None
        steps = step if moves is None else step * 2.0 ** (moves / 1200.0)
        wave = resample(data, start, end, steps, length, (loop_start, loop_end) if looped else None)
        wave *= envelope(region, key, rate, len(wave)) * np.float32(
            10.0 ** (-_ATTENUATION_FACTOR * max(region[sf.ATTENUATION], 0) / 200.0) / 32768.0
        )
        if self._file.compressed:
            return moving_low_pass(wave, region, rate)
        return low_pass(wave, region[sf.FILTER], rate)
