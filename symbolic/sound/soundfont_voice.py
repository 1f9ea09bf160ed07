"""Voice of a SoundFont: a sample at a pitch with envelopes and a filter (SoundFont 2.04, section 9)."""

from __future__ import annotations

import numpy as np

from d2m.audio.filters import lowpass
from d2m.audio.recursive import FILTER_STEP, filter_block, filter_steps
from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont_file import Region

#: Samples that are interpolated at a time, so that what is between fits the processor's cache.
_CHUNK = 16384
_LOWEST_CUTOFF, _INAUDIBLE_CUTOFF = 60.0, 14000.0


def resample(
    data: np.ndarray, start: int, end: int, step: float | np.ndarray, length: int, loop: tuple[int, int] | None
) -> np.ndarray:
    """Return ``data`` from ``start`` read every ``step`` samples, by four-point cubic interpolation.

    Args:
        data: the samples (n,).
        start, end: the first and the last that count.
        step: one for all, or the distance to the next of each value that is made (length,).
        length: how many values to make.
        loop: first sample of the loop and the first after it, or None.
    """
    if isinstance(step, np.ndarray):
        place = np.concatenate([[0.0], np.cumsum(step[: max(length - 1, 0)])])[: max(length, 0)]
    else:
        # A tone at the pitch and rate of its sample needs no interpolation.
        place = np.arange(max(length, 0)) if step == 1.0 else np.arange(max(length, 0), dtype=np.float64) * step
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
    """Interpolate samples at fractional positions (four-point cubic).

    Args:
        taken: (..., n).
        place: positions in samples, from 0 on; integers are read as they are.
    """
    if place.dtype.kind == "i":
        return taken.take(place, axis=-1, mode="clip")
    last = taken.shape[-1] - 1
    # The samples at both ends are repeated, so that one limit is enough for the four neighbours of a position.
    padded = np.concatenate([taken[..., :1], taken, taken[..., -1:], taken[..., -1:]], axis=-1)
    out = np.empty((*taken.shape[:-1], len(place)), dtype=np.float32)
    for first in range(0, len(place), _CHUNK):
        span = slice(first, first + _CHUNK)
        whole = place[span].astype(np.int64)
        t = (place[span] - whole).astype(np.float32)
        np.minimum(whole, last, out=whole)
        before, here, after, later = (padded.take(whole + k, axis=-1, mode="clip") for k in range(4))
        bend = before - 2.5 * here + 2.0 * after - 0.5 * later
        twist = 0.5 * (later - before) + 1.5 * (here - after)
        twist *= t
        twist += bend
        twist *= t
        twist += 0.5 * (after - before)
        twist *= t
        np.add(twist, here, out=out[..., span])
    return out


def envelope(region: Region, key: int, rate: int, length: int) -> np.ndarray:
    """Compute delay, attack, hold, decay and sustain of the volume envelope (section 8.1.2), without the release.

    Args:
        region: region of a preset.
        key: MIDI note number.
        rate: sample rate in hertz.
        length: number of samples.
    """
    # The specification's own limits, which keep damaged files finite.
    slopes = np.clip([region[sf.HOLD_BY_KEY], region[sf.DECAY_BY_KEY]], -1200, 1200)
    by_key = 2.0 ** ((60 - key) / 1200.0 * slopes)
    delay, attack = region.seconds(sf.DELAY), region.seconds(sf.ATTACK)
    hold, decay = region.seconds(sf.HOLD) * by_key[0], region.seconds(sf.DECAY) * by_key[1]
    time = np.arange(length, dtype=np.float32)
    time /= np.float32(rate)
    time -= np.float32(delay)
    fall = time - (attack + hold)
    fall *= 100.0 / decay
    np.clip(fall, 0.0, np.clip(region[sf.SUSTAIN], 0, 1440) / 10.0, out=fall)
    fall *= np.float32(-np.log(10.0) / 20.0)
    np.exp(fall, out=fall)
    rise = time[: int((delay + attack) * rate) + 2]
    rise /= attack
    np.clip(rise, 0.0, 1.0, out=rise)
    fall[: len(rise)] *= rise
    return fall


def moving_pitch(region: Region, rate: int, length: int) -> np.ndarray | None:
    """Compute the pitch modulation by the modulation envelope and the vibrato.

    Args:
        region: region of a preset.
        rate: sample rate in hertz.
        length: number of samples.

    Returns:
        Cents (length,), or None.
    """
    by_envelope, by_vibrato = region[sf.MOD_PITCH], region[sf.VIBRATO_PITCH]
    if not by_envelope and not by_vibrato:
        return None
    time = np.arange(max(length, 0)) / rate
    cents = float(np.clip(by_envelope, -12000, 12000)) * _modulation(region, time)
    if by_vibrato:
        hertz = 8.176 * 2.0 ** (np.clip(region[sf.VIBRATO_RATE], -16000, 4500) / 1200.0)
        turns = np.maximum(time - region.seconds(sf.VIBRATO_DELAY), 0.0) * hertz
        triangle = 4.0 * np.abs((turns - 0.25) % 1.0 - 0.5) - 1.0
        cents = cents + float(np.clip(by_vibrato, -1200, 1200)) * triangle
    return cents


def _modulation(region: Region, time: np.ndarray) -> np.ndarray:
    """The modulation envelope, 0 to 1, at times in seconds: a convex attack, a straight fall to its sustain."""
    delay, attack = region.seconds(sf.MOD_DELAY), region.seconds(sf.MOD_ATTACK)
    hold, decay = region.seconds(sf.MOD_HOLD), region.seconds(sf.MOD_DECAY)
    sustain = 1.0 - float(np.clip(region[sf.MOD_SUSTAIN], 0, 1000)) / 1000.0
    since = time - delay
    # The convex curve of section 9.5 spreads the 96 dB below full scale over the attack.
    rise = np.clip(1.0 + 20.0 / 48.0 * np.log10(np.clip(since / attack, 1e-6, 1.0)), 0.0, 1.0)
    return rise * np.maximum(1.0 - np.maximum(since - attack - hold, 0.0) / decay, sustain)


def low_pass(wave: np.ndarray, cents: int, rate: int) -> np.ndarray:
    """Apply the second-order low-pass filter of a voice, unless its cutoff is above the audible range.

    Args:
        wave: the tone.
        cents: cutoff in absolute cents.
        rate: sample rate in hertz.
    """
    cutoff = 8.176 * 2.0 ** (cents / 1200.0)
    if cutoff > 0.4 * rate or cutoff > _INAUDIBLE_CUTOFF or len(wave) < 16:
        return wave
    return filter_block(lowpass(max(cutoff, _LOWEST_CUTOFF), rate), wave[None])[0][0]


def moving_low_pass(wave: np.ndarray, region: Region, rate: int) -> np.ndarray:
    """Apply the low-pass filter of a voice with resonance and a cutoff modulated by the envelope.

    Args:
        wave: the tone.
        region: region of a preset.
        rate: sample rate in hertz.
    """
    resonance = float(np.clip(region[sf.RESONANCE], 0, 960))
    if not region[sf.MOD_FILTER] and not resonance:
        return low_pass(wave, region[sf.FILTER], rate)
    if len(wave) < 16:
        return wave
    time = np.arange(0, len(wave), FILTER_STEP) / rate
    cents = region[sf.FILTER] + float(np.clip(region[sf.MOD_FILTER], -12000, 12000)) * _modulation(region, time)
    # Changes below 8 cents are inaudible and would cost time.
    cutoff = 8.176 * 2.0 ** (8.0 * np.round(np.clip(cents, 1500, 13500) / 8.0) / 1200.0)
    top, bottom = _resonant(np.clip(cutoff, _LOWEST_CUTOFF, min(0.45 * rate, 20000.0)), resonance, rate)
    moved = np.flatnonzero(np.any(np.diff(bottom, axis=0) != 0.0, axis=1)) + 1
    count = int(moved[-1]) if len(moved) else 0
    # After the last movement everything is filtered in one go.
    still = count * FILTER_STEP
    out = np.empty(len(wave), dtype=np.float32)
    moving, state = filter_steps(wave[None, :still], top[:count], bottom[:count])
    out[:still] = moving[0]
    section = np.concatenate([top[count], bottom[count]])[None]
    out[still:] = filter_block(section, wave[None, still:], state)[0][0]
    return out


def _resonant(cutoff: np.ndarray, resonance: float, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators (n, 3) of second-order low-passes.

    The formulas are those of R. Bristow-Johnson's audio EQ cookbook; 0 cB of resonance is the Butterworth response,
    and the gain falls by half of the peak's height (section 8.1.2, initialFilterQ).
    """
    q = np.sqrt(0.5) * 10.0 ** (resonance / 200.0)
    angle = 2.0 * np.pi * cutoff / rate
    alpha, cosine = np.sin(angle) / (2.0 * q), np.cos(angle)
    one = 1.0 + alpha
    gain = 10.0 ** (-resonance / 400.0)
    edge = gain * (1.0 - cosine) / (2.0 * one)
    top = np.stack([edge, 2.0 * edge, edge], axis=1)
    return top, np.stack([np.ones_like(one), -2.0 * cosine / one, (1.0 - alpha) / one], axis=1)
