"""Mastering of whole pieces: loudness of -14 LUFS, true peaks below -1 dBTP, and a limited crest factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from d2m.audio.dynamics import STEP, apply_gain, needed_gain, power_db, recover, step_peaks
from d2m.audio.loudness import KWeighting, gated_loudness

#: Integrated loudness that streaming services play at, and the highest true peak that survives their encoders.
TARGET_LUFS, CEILING_DB = -14.0, -1.0
#: Margin for what the estimate of true peaks misses.
_MARGIN_DB = 0.3
#: The limiter takes at most so much off the highest peak: quiet, spiky material stays quieter than the target.
MOST_LIMITING_DB = 9.0
_ROUNDS = 12
#: Samples that are processed at a time, so that long pieces take little memory; a multiple of a step.
_BLOCK = STEP << 14


@dataclass(frozen=True)
class Finish:
    """Gains that finish a mix, to be applied to it and to its stems alike.

    Attributes:
        gain: linear (K + 1,), at the borders of steps of :data:`~d2m.audio.dynamics.STEP` samples.
    """

    gain: np.ndarray

    def apply(self, signal: np.ndarray) -> np.ndarray:
        """Multiply float (channels, n) by the gains.

        Args:
            signal: float (channels, n).

        Returns:
            The signal with the gains applied, of the same shape.
        """
        return self.apply_to(Excerpt(signal, signal.shape[-1]))

    def apply_to(self, signal: Excerpt, in_place: bool = False) -> np.ndarray:
        """Multiply an excerpt by the gains.

        Args:
            signal: the excerpt.
            in_place: overwrite the excerpt's array with the result, where it is float32 and long enough.

        Returns:
            float32 (channels, samples).
        """
        decibels = 20 * np.log10(np.maximum(self.gain, 1e-9))
        own = signal.array[:, : signal.samples]
        kept = in_place and own.dtype == np.float32 and own.shape[-1] == signal.samples
        out = own if kept else np.empty((len(own), signal.samples), np.float32)
        for begin, end in signal.blocks():
            gains = decibels[begin // STEP : -(-end // STEP) + 1]
            block = apply_gain(signal.piece(begin, -(-end // STEP) * STEP), gains[1:], float(gains[0]))
            out[:, begin:end] = block[:, : end - begin]
        return out


@dataclass(frozen=True)
class Excerpt:
    """A signal cut to a length or followed by silence, without a constant offset; read in pieces, never copied whole.

    Attributes:
        array: float (channels, n).
        samples: length of the excerpt.
        offset: subtracted from the array, (channels, 1), or 0.
    """

    array: np.ndarray
    samples: int
    offset: np.ndarray | float = 0.0

    @classmethod
    def levelled(cls, array: np.ndarray, samples: int, measured: int) -> Excerpt:
        """Return an excerpt whose first samples have the mean 0.

        Args:
            array: float (channels, n).
            samples: length of the excerpt.
            measured: samples whose mean is taken, of those that exist.
        """
        kept = min(samples, array.shape[1])
        return cls(array, samples, array[:, : max(min(kept, measured), 1)].mean(1, keepdims=True))

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield the beginnings and ends of the blocks that it is processed in."""
        for begin in range(0, self.samples, _BLOCK):
            yield begin, min(begin + _BLOCK, self.samples)

    def piece(self, begin: int, end: int) -> np.ndarray:
        """Return a part, with zeros before the beginning and after the end.

        Args:
            begin, end: range of samples.

        Returns:
            float32 (channels, end - begin).
        """
        count = min(self.array.shape[-1], self.samples)
        inside = (self.array[:, max(begin, 0) : min(end, count)] - self.offset).astype(np.float32)
        return np.pad(inside, ((0, 0), (max(-begin, 0), max(end - max(begin, count), 0))))


def _measure(mix: Excerpt, sample_rate: int, heard: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the steps of a mix.

    Args:
        mix: the mix.
        sample_rate: sample rate in hertz.
        heard: samples whose power is measured; None for all.

    Returns:
        True peaks (K,) of all steps, linear; K-weighted power, summed over channels, and mean power of the steps heard.
    """
    channels, total = len(mix.array), -(-mix.samples // STEP)
    steps = total if heard is None else max(min(heard // STEP, total), 1)
    weight = KWeighting(sample_rate, channels, np.dtype(np.float32))
    nothing = np.zeros(0, np.float32)
    weighted: list[np.ndarray] = [nothing]
    power: list[np.ndarray] = [nothing]
    for begin, end in replace(mix, samples=steps * STEP).blocks():
        block = mix.piece(begin, end)
        weighted.append(10 ** (power_db(weight(block)) / 10) * channels)
        power.append(10 ** (power_db(block) / 10))
    return true_peaks(mix), np.concatenate(weighted), np.concatenate(power)


def true_peaks(signal: Excerpt) -> np.ndarray:
    """Estimate the true peaks of the steps of a signal; see :func:`~d2m.audio.dynamics.step_peaks`.

    Args:
        signal: the signal.

    Returns:
        Linear (K,), of all steps that the signal reaches into.
    """
    peaks: list[np.ndarray] = [np.zeros(0)]
    for begin, end in replace(signal, samples=-(-signal.samples // STEP) * STEP).blocks():
        # The peaks between samples depend on four samples before and after.
        around = signal.piece(begin - STEP, end + 4)
        peaks.append(step_peaks(around[:, :-4], around[:, -4:])[1:])
    return np.concatenate(peaks)


def finish(
    mix: np.ndarray | Excerpt,
    sample_rate: int,
    crest: float = 12.0,
    *,
    target: float = TARGET_LUFS,
    measured: int | None = None,
) -> Finish:
    """Find the gains that bring a mix to a loudness with a limiter.

    Args:
        mix: float (channels, n).
        sample_rate: sample rate in hertz.
        crest: peak over RMS in dB that the result has at most; the limiter never takes more than
            :data:`MOST_LIMITING_DB` off for it.
        target: loudness in LUFS.
        measured: samples from the beginning whose loudness is measured; what follows has the same settings, and has no
            influence on gains more than 10 ms before it. None for all.
    """
    excerpt = mix if isinstance(mix, Excerpt) else Excerpt(mix, mix.shape[-1])
    all_peaks, weighted, power = _measure(excerpt, sample_rate, measured)
    steps = len(power)
    peaks = all_peaks[:steps]
    highest = peaks.max(initial=0.0)
    level = gated_loudness(weighted, STEP, sample_rate)
    if not np.isfinite(level) or highest <= 0:
        return Finish(np.ones(len(all_peaks) + 1))
    highest_db = 20 * np.log10(highest)
    most = CEILING_DB - _MARGIN_DB + MOST_LIMITING_DB - highest_db
    drive = min(target - level, most)
    ceiling_db = 10 * np.log10(np.mean(power)) + drive + crest
    for number in range(_ROUNDS):
        # Whatever the crest asked for, the limiter takes no more than that off the highest peak.
        ceiling_db = min(max(ceiling_db, highest_db + drive - MOST_LIMITING_DB), CEILING_DB - _MARGIN_DB)
        linear = 10 ** (drive / 20)
        gain = linear * recover(needed_gain(peaks * linear, 10 ** (ceiling_db / 20), sample_rate), sample_rate)
        settings = linear, 10 ** (ceiling_db / 20)
        squared = (0.5 * (gain[1:] + gain[:-1])) ** 2
        miss = target - gated_loudness(weighted * squared, STEP, sample_rate)
        wanted = 10 * np.log10(np.mean(power * squared)) + crest
        if (abs(miss) < 0.05 or drive == most) and abs(wanted - ceiling_db) < 0.1:
            break
        drive = min(drive + miss, most)
        # A crest that the limiter cannot reach would move the ceiling for ever.
        ceiling_db = wanted + miss if number < _ROUNDS // 2 else ceiling_db + miss
    if steps < len(all_peaks):
        linear, ceiling = settings
        gain = linear * recover(needed_gain(all_peaks * linear, ceiling, sample_rate), sample_rate)
    return Finish(gain)


@dataclass(frozen=True)
class Mastering:
    """Mastering of a piece, to be applied to its mix and to its stems alike.

    Attributes:
        finish: gains.
        samples, fade: length of the result, and of the fades at both ends, in samples.
        measured: samples from the beginning whose mean is taken for the constant offset.
    """

    finish: Finish
    samples: int
    fade: int
    measured: int

    def apply(self, signal: np.ndarray) -> np.ndarray:
        """Return a signal without constant offset, with the gains, length and fades of the piece.

        Args:
            signal: float (channels, n).

        Returns:
            float32 (channels, samples).
        """
        return self._apply(signal, False)

    def apply_in_place(self, signal: np.ndarray) -> np.ndarray:
        """Do the same without a second array, where the signal is float32 and long enough; it is overwritten then.

        Args:
            signal: float (channels, n).

        Returns:
            float32 (channels, samples), a view of the signal if possible.
        """
        return self._apply(signal, True)

    def _apply(self, signal: np.ndarray, in_place: bool) -> np.ndarray:
        out = self.finish.apply_to(Excerpt.levelled(signal, self.samples, self.measured), in_place)
        ramp = np.linspace(0, 1, self.fade, dtype=np.float32)
        out[:, : self.fade] *= ramp
        out[:, self.samples - self.fade :] *= ramp[::-1]
        return out


def mastering(
    waveform: np.ndarray,
    sample_rate: int,
    duration: float,
    crest: float = 12.0,
    *,
    target: float = TARGET_LUFS,
    measured: float | None = None,
) -> Mastering:
    """Find the mastering of a piece: loudness, peaks, length and ends.

    Args:
        waveform: float (channels, samples), the mix.
        sample_rate: sample rate in hertz.
        duration: seconds that the result lasts.
        crest, target: see :func:`finish`.
        measured: seconds from the beginning on which the mastering depends; None for all.
    """
    samples = int(round(duration * sample_rate))
    until = samples if measured is None else min(int(round(measured * sample_rate)), samples)
    part = None if until == samples else until
    gains = finish(Excerpt.levelled(waveform, samples, until), sample_rate, crest, target=target, measured=part)
    return Mastering(gains, samples, min(int(0.015 * sample_rate), samples // 2), until)


def master(waveform: np.ndarray, sample_rate: int, duration: float, crest: float = 12.0) -> np.ndarray:
    """Finish a piece: loudness, peaks, length and ends.

    Args:
        waveform: float (channels, samples).
        sample_rate: sample rate in hertz.
        duration: seconds that the result lasts; the waveform is cut or padded with silence.
        crest: see :func:`finish`.

    Returns:
        float32 (channels, round(duration * sample_rate)) without a constant offset, faded over 15 ms at both ends.
    """
    return mastering(waveform, sample_rate, duration, crest).apply(waveform)
