"""Mixer: channels with dynamics and saturation, sends to two reverberations and an echo, and mix bus processing.

Blocks have one size and begin at multiples of it, so that the result does not depend on how many samples are requested
at a time. The output is not limited: see :mod:`d2m.audio.mastering` for whole pieces and
:class:`d2m.audio.dynamics.Limiter` for streams.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np

from d2m.audio.dynamics import STEP, Compressor, Ducker, apply_gain
from d2m.audio.filters import StateFilter, SweptLowpass, biquad, highpass, lowpass
from d2m.audio.presets import CHANNELS, Bus, Equaliser, Preset, Strip
from d2m.audio.space import PingPong, Rooms, room_response

#: Samples mixed at a time: in streams, and in whole pieces, where larger blocks save time.
BLOCK, LARGE_BLOCK = 16384, 65536
_CROSSOVERS = (140.0, 3000.0)


@dataclass(frozen=True)
class SampleLane:
    """Automation of one value, at samples; scores have it at beats (:class:`d2m.types.Lane`).

    Attributes:
        target: a channel, or ``"mix"`` for the sum.
        parameter: ``"gain"`` in dB or ``"lowpass"`` in hertz.
        samples: float64 (N,), rising.
        values: float64 (N,); straight lines in between (of the logarithm for hertz), constant outside.
    """

    target: str
    parameter: str
    samples: np.ndarray
    values: np.ndarray

    def at(self, samples: np.ndarray) -> np.ndarray:
        """Read the values at samples.

        Args:
            samples: positions in samples.

        Returns:
            Values at these positions.
        """
        if self.parameter == "lowpass":
            return np.exp(np.interp(samples, self.samples, np.log(self.values)))
        return np.interp(samples, self.samples, self.values)


@dataclass(frozen=True)
class Mixed:
    """A block of a mix.

    Attributes:
        mix: float32 (2, block).
        stems: float32 (2, block) by channel, with their part of rooms and sum processing; empty unless asked for.
        channels: float32 (2, block) by name of the channels that sound, before rooms and sum.
    """

    mix: np.ndarray
    stems: dict[str, np.ndarray] = field(default_factory=dict)
    channels: dict[str, np.ndarray] = field(default_factory=dict)


def tone_filter(strip: Strip, sample_rate: int) -> np.ndarray | None:
    """Compute the filters of a strip that do not change, as second-order sections; None without any.

    They act on single notes as they act on the sum of all, so the player filters each tone once.

    Args:
        strip: settings of a channel.
        sample_rate: hertz.

    Returns:
        float64 (n, 6), or None.
    """
    sections = [biquad(band.kind, band.frequency, band.gain, band.q, sample_rate) for band in strip.eq]  # type: ignore[arg-type]
    if strip.highpass:
        sections.append(highpass(strip.highpass, sample_rate))
    if strip.lowpass:
        sections.append(lowpass(strip.lowpass, sample_rate))
    return np.concatenate(sections) if sections else None


def saturate(block: np.ndarray, drive_db: float) -> np.ndarray:
    """Apply a hyperbolic tangent: quiet samples keep their level, loud ones get overtones.

    Args:
        block: samples of any shape.
        drive_db: gain in dB before the saturation.

    Returns:
        Samples of the same shape.
    """
    gain = np.float32(10 ** (drive_db / 20))
    return np.tanh(block * gain) / gain


def sweep_steps(count: int) -> np.ndarray:
    """Return the samples of a block at which a swept filter takes a new corner.

    Args:
        count: length of a block in samples.

    Returns:
        int64, positions in samples.
    """
    return SweptLowpass.STEP * np.arange(-(-count // SweptLowpass.STEP))


class _Channel:
    """One channel's processors and their state."""

    def __init__(self, strip: Strip, duck_release: float, sample_rate: int) -> None:
        self.strip = strip
        self.gain = np.float32(10 ** (strip.gain / 20))
        self.compressor = Compressor(strip.compression, sample_rate) if strip.compression else None
        self.ducker = Ducker(duck_release, sample_rate) if strip.duck else None
        self.sweep = SweptLowpass(sample_rate)
        self._before = 0.0

    def __call__(self, block: np.ndarray, position: int, kicks: list, lanes: list[SampleLane]) -> np.ndarray:
        block = block * self.gain
        if self.compressor:
            block = self.compressor(block)
        if self.strip.drive:
            block = saturate(block, self.strip.drive)
        ends = position + STEP * np.arange(1, block.shape[1] // STEP + 1)
        gain = np.zeros(len(ends))
        if self.ducker:
            gain -= self.strip.duck * self.ducker.depth(position, len(ends), kicks)
        for lane in lanes:
            if lane.parameter == "gain":
                gain += lane.at(ends)
            else:
                block = self.sweep(block, lane.at(position + sweep_steps(block.shape[1])))
        block = apply_gain(block, gain, self._before)
        self._before = float(gain[-1])
        return block


class _Sum:
    """What the sum goes through. Linear apart from gains that the mix sets, so stems add up to it."""

    def __init__(self, settings: Bus, signals: int, sample_rate: int) -> None:
        self.settings = settings
        self.sections = _static(settings.eq, sample_rate)
        self.filters = [[StateFilter(s) for s in self.sections] for _ in range(signals)]
        self.crossovers = [[StateFilter(lowpass(f, sample_rate)) for f in _CROSSOVERS] for _ in range(signals)]
        self.bands = [Compressor(c, sample_rate) if c else None for c in (settings.low, settings.middle, settings.high)]
        self.sides = [StateFilter(highpass(settings.mono_below, sample_rate), 1) for _ in range(signals)]
        self.glue = Compressor(settings.glue, sample_rate) if settings.glue else None

    def __call__(self, signals: np.ndarray, rows: list[int]) -> np.ndarray:
        """(signals, 2, n), the first of which is the mix, and the numbers of the signals."""
        for number, row in enumerate(rows):
            for one in self.filters[row]:
                signals[number] = one(signals[number])
        if self.glue:
            signals = self.glue(signals)
        if any(self.bands):
            signals = self._in_bands(signals, rows)
        for number, row in enumerate(rows):
            left, right = signals[number]
            side = self.sides[row](0.5 * (left - right)[None])[0] * np.float32(self.settings.width)
            middle = 0.5 * (left + right)
            signals[number] = middle + side, middle - side
        return signals

    def _in_bands(self, signals: np.ndarray, rows: list[int]) -> np.ndarray:
        low = np.stack([self.crossovers[row][0](signals[k]) for k, row in enumerate(rows)])
        rest = signals - low
        middle = np.stack([self.crossovers[row][1](rest[k]) for k, row in enumerate(rows)])
        bands = (low, middle, rest - middle)
        return np.sum([c(band) if c else band for c, band in zip(self.bands, bands, strict=True)], axis=0)


def _static(bands: tuple[Equaliser, ...], sample_rate: int) -> list[np.ndarray]:
    return [biquad(band.kind, band.frequency, band.gain, band.q, sample_rate) for band in bands]  # type: ignore[arg-type]


class Mixer:
    """Mixer of channels into stereo.

    Args:
        preset: settings.
        tempo: beats a minute, for echoes and ducking.
        sample_rate: sample rate in hertz.
        lanes: automation.
        stems: whether each channel is also given out alone.
        block: samples mixed at a time, a multiple of 256.
    """

    def __init__(
        self,
        preset: Preset,
        tempo: float,
        sample_rate: int = 44100,
        lanes: tuple[SampleLane, ...] = (),
        stems: bool = False,
        block: int = BLOCK,
    ) -> None:
        self.preset, self.sample_rate, self.lanes, self.stems = preset, sample_rate, lanes, stems
        self.block = block
        beat, space = 60.0 / float(tempo), preset.space
        responses = [
            room_response(space.room, 0.008, space.room_bright, sample_rate),
            room_response(space.hall, 0.025, space.hall_bright, sample_rate, 11),
        ]
        self._channels = {
            name: _Channel(strip, space.duck_release * beat, sample_rate) for name, strip in preset.strips.items()
        }
        wet = ("mix", *CHANNELS) if stems else ("mix",)
        rooms = Rooms(responses, block)
        self._rooms = {name: rooms if name == "mix" else Rooms(responses, block, rooms) for name in wet}
        #: Channels that have sounded; the others are silent, also after rooms and sum.
        self._sounded: frozenset[str] = frozenset()
        self._echoes = {name: PingPong(space.echo * beat, space.feedback, sample_rate) for name in wet}
        self._sum = _Sum(preset.bus, 1 + len(CHANNELS) * stems, sample_rate)
        self._sweep = SweptLowpass(sample_rate, 2 * (1 + len(CHANNELS) * stems))

    def copy(self) -> Mixer:
        """Return an independent copy of the mixer with its state."""
        return _fork(self)

    def __call__(self, channels: dict[str, np.ndarray], position: int, kicks: list[tuple[int, float]]) -> Mixed:
        """Mix one block.

        Args:
            channels: float32 (2, block) by name; silent ones may be left out.
            position: sample at which the block begins.
            kicks: sample and strength of the kick drum's notes that begin in it.
        """
        dry = {}
        for name, channel in self._channels.items():
            lanes = [lane for lane in self.lanes if lane.target == name]
            if name in channels:
                dry[name] = channel(channels[name], position, kicks, lanes)
        # The mix is computed as without stems, so that both give the same samples.
        signals = self._with_spaces(dry, "mix")[None]
        rows = [0]
        if self.stems:
            self._sounded |= dry.keys()
            rows += [row for row, name in enumerate(CHANNELS, 1) if name in self._sounded]
            signals = np.concatenate([signals, np.zeros((len(CHANNELS), 2, self.block), np.float32)])
            for row in rows[1:]:
                name = CHANNELS[row - 1]
                signals[row] = self._with_spaces({name: dry[name]} if name in dry else {}, name)
        signals = self._automated(signals, position)
        out = np.zeros_like(signals)
        out[rows] = self._sum(signals[rows], rows)
        return Mixed(out[0], dict(zip(CHANNELS, out[1:], strict=False)), dry)

    def _with_spaces(self, dry: dict[str, np.ndarray], name: str) -> np.ndarray:
        mix = np.zeros((2, self.block), np.float32)
        sends = np.zeros((3, self.block), np.float32)
        for channel, block in dry.items():
            strip = self.preset.strips[channel]
            mix += block
            mono = 0.5 * (block[0] + block[1])
            for row, send in enumerate((strip.room, strip.hall, strip.echo)):
                if send > -100.0:
                    sends[row] += np.float32(10 ** (send / 20)) * mono
        mix += self._rooms[name](sends[:2])
        return mix + self._echoes[name](sends[2])

    def _automated(self, signals: np.ndarray, position: int) -> np.ndarray:
        for lane in self.lanes:
            if lane.target != "mix":
                continue
            if lane.parameter == "gain":
                ends = position + STEP * np.arange(self.block // STEP + 1)
                gain = lane.at(ends)
                signals = apply_gain(signals, gain[1:], float(gain[0]))
            else:
                flat = self._sweep(signals.reshape(-1, self.block), lane.at(position + sweep_steps(self.block)))
                signals = flat.reshape(signals.shape)
        return signals


def _fork(one: object):
    """Copy processors and containers of them; arrays and settings, which are never written into, are shared."""
    if isinstance(one, list):
        return [_fork(part) for part in one]
    if isinstance(one, dict):
        return {name: _fork(part) for name, part in one.items()}
    if type(one) in _PROCESSORS:
        made = copy.copy(one)
        made.__dict__ = {name: _fork(part) for name, part in vars(one).items()}
        return made
    return one


_PROCESSORS = (Mixer, _Channel, _Sum, Compressor, Ducker, StateFilter, SweptLowpass, PingPong, Rooms)
