"""SoundFont 2 files: which recorded sample a note plays, at what pitch, and with which envelope.

Reads what the SoundFont 2.04 specification (E-mu, 2006) calls presets, instruments and samples, sections 7 and 8,
and makes tones of them: one note of one preset as a waveform held for as long as asked. Left out: LFOs, modulators
other than velocity, and chorus. symusic's own synthesiser was tried first: it plays every velocity equally loud and
cuts FluidR3's cymbals, claps and congas off after 40 ms.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError

_SAMPLE = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
        ("rate", "<u4"), ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2"),
    ]
)  # fmt: skip
_TABLES = {
    b"phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]),
    b"pbag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"pgen": np.dtype([("op", "<u2"), ("amount", "<i2")]),
    b"inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    b"ibag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"igen": np.dtype([("op", "<u2"), ("amount", "<i2")]),
    b"shdr": _SAMPLE,
}

# Generator numbers, section 8.1.2 of the specification.
_FILTER, _PAN, _INSTRUMENT, _KEYS, _VELOCITIES, _SAMPLE_ID = 8, 17, 41, 43, 44, 53
_DELAY, _ATTACK, _HOLD, _DECAY, _SUSTAIN, _RELEASE = 33, 34, 35, 36, 37, 38
_HOLD_BY_KEY, _DECAY_BY_KEY = 39, 40
_ATTENUATION, _COARSE, _FINE, _MODE, _SCALE, _CHOKE, _ROOT = 48, 51, 52, 54, 56, 57, 58
_OFFSETS = {0: 1, 4: 32768}, {1: 1, 12: 32768}, {2: 1, 45: 32768}, {3: 1, 50: 32768}
_DEFAULTS = {_FILTER: 13500, _SCALE: 100, _ROOT: -1} | dict.fromkeys((_DELAY, _ATTACK, _HOLD, _DECAY, _RELEASE), -12000)
# Ranges and substitutions only mean something inside an instrument, section 8.5.
_NOT_IN_PRESETS = {0, 1, 2, 3, 4, 12, 45, 46, 47, 50, _MODE, _CHOKE, _ROOT, _INSTRUMENT, _SAMPLE_ID}

#: Hardware of the time applied 0.4 dB for each decibel asked for, and soundfonts are voiced for it.
_ATTENUATION_FACTOR = 0.4
_LOUDEST_FALL_DB = 80.0
_CACHE_BYTES = 160_000_000


@dataclass(frozen=True)
class Region:
    """One sample of a preset and the keys and velocities that play it.

    Attributes:
        keys, velocities: lowest and highest, inclusive.
        sample: index into the file's sample headers.
        values: generator number -> value in the specification's own units.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    sample: int
    values: dict[int, int]

    def __getitem__(self, generator: int) -> int:
        return self.values.get(generator, _DEFAULTS.get(generator, 0))

    def seconds(self, generator: int) -> float:
        return float(2.0 ** (np.clip(self[generator], -12000, 8000) / 1200.0))


@dataclass(frozen=True)
class Tone:
    """A note as it sounds while its key stays down, at full velocity.

    Attributes:
        wave: float32 (channels, samples).
        release: seconds in which it falls by 100 dB once the key is up.
        choke: notes of the same non-zero class silence each other (hi-hats).
    """

    wave: np.ndarray
    release: float
    choke: int


class SoundFont:
    """A soundfont file, its samples left on disk until they are played.

    Args:
        path: of the file.
        cache_bytes: of tones that are kept.

    Raises:
        D2MError: if the file cannot be read or is not an uncompressed SoundFont 2 file.
    """

    def __init__(self, path: str | Path, cache_bytes: int = _CACHE_BYTES):
        self.path, self.cache_bytes = Path(path), cache_bytes
        try:
            self._tables, first, count = _read_tables(self.path)
            self._samples = np.memmap(self.path, dtype="<i2", mode="r", offset=first, shape=(count,))
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise D2MError(f"{self.path} is not a usable SoundFont 2 file ({error}); give another .sf2") from None
        head = self._tables[b"phdr"]
        self._presets = {(int(h["bank"]), int(h["program"])): i for i, h in enumerate(head[:-1])}
        self._regions: dict[tuple[int, int], list[Region]] = {}
        self._tones: OrderedDict[tuple, Tone] = OrderedDict()
        self._held_bytes = 0
        # The web page renders from several threads with one font.
        self._lock = threading.Lock()

    def regions(self, program: int, drums: bool, key: int, velocity: int) -> list[Region]:
        """The samples that this note plays together. An unknown drum kit is played by the standard one."""
        preset = (128 if drums else 0, program)
        if preset not in self._presets and drums:
            preset = (128, 0)
        if preset not in self._presets:
            raise D2MError(f"{self.path.name} has no program {program}; use a General MIDI soundfont")
        if preset not in self._regions:
            try:
                self._regions[preset] = _preset_regions(self._tables, self._presets[preset])
            except IndexError:
                raise D2MError(f"{self.path} is damaged in its program {program}; give another .sf2 file") from None
        return [
            r
            for r in self._regions[preset]
            if r.keys[0] <= key <= r.keys[1] and r.velocities[0] <= velocity <= r.velocities[1]
        ]

    def release(self, program: int, drums: bool, key: int, velocity: int) -> float:
        """Seconds in which a released note falls by 100 dB."""
        found = self.regions(program, drums, key, velocity)
        return max((r.seconds(_RELEASE) for r in found), default=0.0)

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
    ) -> Tone | None:
        """The note held for at least ``seconds`` (less where the sample ends); None where the preset is silent.

        ``bend`` moves its pitch by so many semitones, to the nearest hundredth.
        """
        with self._lock:
            return self._tone(program, drums, key, velocity, rate, seconds, channels, round(100 * bend))

    def _tone(
        self,
        program: int,
        drums: bool,
        key: int,
        velocity: int,
        rate: int,
        seconds: float,
        channels: int,
        cents: int,
    ) -> Tone | None:
        regions = self.regions(program, drums, key, velocity)
        if not regions:
            return None
        name = (program, drums, key, tuple(id(r) for r in regions), rate, channels, cents)
        known = self._tones.get(name)
        if known is not None and known.wave.shape[1] >= seconds * rate - 1:
            self._tones.move_to_end(name)
            return known
        length = int(np.ceil(seconds * rate)) + 1
        wave = np.zeros((channels, length), dtype=np.float32)
        for region in regions:
            sound = self._play(region, key, rate, length, cents)
            angle = (np.clip(region[_PAN], -500, 500) / 1000.0 + 0.5) * np.pi / 2
            left, right = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            if channels == 1:
                wave[0, : len(sound)] += 0.5 * (left + right) * sound
            else:
                wave[0, : len(sound)] += left * sound
                wave[1, : len(sound)] += right * sound
        made = Tone(wave, max(r.seconds(_RELEASE) for r in regions), max(r[_CHOKE] for r in regions))
        self._keep(name, made)
        return made

    def _keep(self, name: tuple, tone: Tone) -> None:
        old = self._tones.pop(name, None)
        self._held_bytes += tone.wave.nbytes - (old.wave.nbytes if old else 0)
        self._tones[name] = tone
        while self._held_bytes > self.cache_bytes and len(self._tones) > 1:
            self._held_bytes -= self._tones.popitem(last=False)[1].wave.nbytes

    def _play(self, region: Region, key: int, rate: int, length: int, bend: int) -> np.ndarray:
        """One sample at the key's pitch, bent by cents, under its volume envelope: float32 (<= length,)."""
        header = self._tables[b"shdr"][region.sample]
        start, end, loop_start, loop_end = (
            int(header[field]) + sum(region[op] * unit for op, unit in moves.items())
            for field, moves in zip(("start", "end", "loop_start", "loop_end"), _OFFSETS, strict=True)
        )
        start, end = max(start, 0), min(end, len(self._samples))
        if end - start < 8 or header["rate"] == 0:
            return np.zeros(0, dtype=np.float32)
        root = region[_ROOT] if region[_ROOT] >= 0 else int(header["pitch"])
        cents = region[_SCALE] * (key - root) + 100 * region[_COARSE] + region[_FINE] + int(header["correction"]) + bend
        step = 2.0 ** (np.clip(cents, -12000, 12000) / 1200.0) * float(header["rate"]) / rate
        looped = region[_MODE] in (1, 3) and start <= loop_start < loop_end <= end and loop_end - loop_start > 1
        if not looped:
            length = min(length, int((end - start - 3) / step))
        wave = _resample(self._samples, start, end, step, length, (loop_start, loop_end) if looped else None)
        wave *= _envelope(region, key, rate, len(wave)) * np.float32(
            10.0 ** (-_ATTENUATION_FACTOR * max(region[_ATTENUATION], 0) / 200.0) / 32768.0
        )
        return _low_pass(wave, region[_FILTER], rate)


def _resample(
    data: np.ndarray, start: int, end: int, step: float, length: int, loop: tuple[int, int] | None
) -> np.ndarray:
    """``data`` from ``start`` read every ``step`` samples, by four-point cubic interpolation."""
    place = np.arange(max(length, 0), dtype=np.float64) * step
    taken = np.asarray(data[start : end + 1], dtype=np.float32)
    if loop is not None:
        first, last = loop[0] - start, loop[1] - start
        # What follows the loop's end is its beginning: the interpolator reads two samples past it.
        around = np.take(taken, np.arange(last, last + 3) - (last - first), mode="clip")
        taken = np.concatenate([taken[:last], around])
        past = place >= last
        place[past] = first + (place[past] - first) % (last - first)
    return read_between(taken, place)


def read_between(taken: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Samples (..., n) read at any places between them, by four-point cubic interpolation."""
    whole = place.astype(np.int64)
    t = (place - whole).astype(np.float32)
    last = taken.shape[-1] - 1
    before, here = taken[..., np.clip(whole - 1, 0, last)], taken[..., np.minimum(whole, last)]
    after = taken[..., np.minimum(whole + 1, last)]
    later = taken[..., np.minimum(whole + 2, last)]
    slope = 0.5 * (after - before)
    bend = before - 2.5 * here + 2.0 * after - 0.5 * later
    twist = 0.5 * (later - before) + 1.5 * (here - after)
    return ((twist * t + bend) * t + slope) * t + here


def _envelope(region: Region, key: int, rate: int, length: int) -> np.ndarray:
    """Delay, attack, hold, decay and sustain (section 8.1.2), the release left to the player."""
    # The specification's own limits, which keep damaged files finite.
    slopes = np.clip([region[_HOLD_BY_KEY], region[_DECAY_BY_KEY]], -1200, 1200)
    by_key = 2.0 ** ((60 - key) / 1200.0 * slopes)
    delay, attack = region.seconds(_DELAY), region.seconds(_ATTACK)
    hold, decay = region.seconds(_HOLD) * by_key[0], region.seconds(_DECAY) * by_key[1]
    time = np.arange(length, dtype=np.float32) / np.float32(rate) - np.float32(delay)
    fall = np.clip((time - (attack + hold)) * (100.0 / decay), 0.0, np.clip(region[_SUSTAIN], 0, 1440) / 10.0)
    return (np.clip(time / attack, 0.0, 1.0) * np.exp(fall * np.float32(-np.log(10.0) / 20.0))).astype(np.float32)


def _low_pass(wave: np.ndarray, cents: int, rate: int) -> np.ndarray:
    """The voice's second-order low-pass; left out where it would pass what people hear anyway."""
    cutoff = 8.176 * 2.0 ** (cents / 1200.0)
    if cutoff > 0.4 * rate or cutoff > 14000.0 or len(wave) < 16:
        return wave
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(2, max(cutoff, 60.0), fs=rate, output="sos"), wave).astype(np.float32)


def _read_tables(path: Path) -> tuple[dict[bytes, np.ndarray], int, int]:
    """The file's tables, the byte where its samples begin, and how many there are."""
    tables: dict[bytes, np.ndarray] = {}
    first, count = 0, 0
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"sfbk":
            raise ValueError("no SoundFont header")
        while len(chunk := file.read(8)) == 8:
            name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
            if name == b"LIST":
                file.read(4)
                continue
            where = file.tell()
            if where + length > size:
                raise ValueError("cut short")
            if name == b"smpl":
                first, count = where, length // 2
            elif name in _TABLES:
                kind = _TABLES[name]
                tables[name] = np.frombuffer(file.read(length // kind.itemsize * kind.itemsize), dtype=kind)
            file.seek(where + length + length % 2)
    if set(tables) != set(_TABLES) or count == 0:
        raise ValueError("tables or samples missing")
    if np.any(tables[b"shdr"]["kind"] & 0x10):
        raise ValueError("its samples are compressed")
    return tables, first, count


def _zones(tables: dict[bytes, np.ndarray], head: bytes, bag: bytes, gen: bytes, index: int) -> list[dict[int, int]]:
    """The generators of each zone of a preset or instrument, one dict per zone."""
    first, last = int(tables[head][index]["bag"]), int(tables[head][index + 1]["bag"])
    bags, generators = tables[bag]["gen"], tables[gen]
    return [
        {int(g["op"]): int(g["amount"]) for g in generators[int(bags[b]) : int(bags[b + 1])]}
        for b in range(first, last)
    ]


def _range(zone: dict[int, int], generator: int) -> tuple[int, int]:
    value = zone.get(generator, 127 << 8) & 0xFFFF
    return value & 0xFF, value >> 8


def _preset_regions(tables: dict[bytes, np.ndarray], preset: int) -> list[Region]:
    """Presets add to what their instruments set; a first zone without a target is the others' default."""
    regions = []
    common: dict[int, int] = {}
    for number, zone in enumerate(_zones(tables, b"phdr", b"pbag", b"pgen", preset)):
        if _INSTRUMENT not in zone:
            common = zone if number == 0 else common
            continue
        outer = common | zone
        shared: dict[int, int] = {}
        for place, inner in enumerate(_zones(tables, b"inst", b"ibag", b"igen", outer[_INSTRUMENT])):
            if _SAMPLE_ID not in inner:
                shared = inner if place == 0 else shared
                continue
            values = shared | inner
            keys = _overlap(_range(values, _KEYS), _range(outer, _KEYS))
            velocities = _overlap(_range(values, _VELOCITIES), _range(outer, _VELOCITIES))
            for op, amount in outer.items():
                if op not in _NOT_IN_PRESETS:
                    values[op] = values.get(op, _DEFAULTS.get(op, 0)) + amount
            regions.append(Region(keys, velocities, values[_SAMPLE_ID], values))
    return [r for r in regions if 0 <= r.sample < len(tables[b"shdr"]) - 1]


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return max(a[0], b[0]), min(a[1], b[1])
