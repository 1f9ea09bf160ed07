"""Voice of a SoundFont: a sample at a pitch with envelopes and a filter (SoundFont 2.04, section 9)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont_file import Region

#: Samples between two settings of a filter that moves.
_STEP = 64
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
    """Interpolate samples at fractional positions (four-point cubic).

    Args:
        taken: (..., n).
        place: positions in samples, from 0 on.
    """
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
    time /= attack
    np.clip(time, 0.0, 1.0, out=time)
    time *= fall
    return time


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
    from scipy.signal import sosfilt

    return sosfilt(_butterworth(max(cutoff, _LOWEST_CUTOFF), rate), wave).astype(np.float32)


@lru_cache(maxsize=256)
def _butterworth(cutoff: float, rate: int) -> np.ndarray:
    """The second-order low-pass as sections; designing one takes longer than filtering a short tone."""
    from scipy.signal import butter

    return butter(2, cutoff, fs=rate, output="sos")


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
    from scipy.signal import lfilter

    time = np.arange(0, len(wave), _STEP) / rate
    cents = region[sf.FILTER] + float(np.clip(region[sf.MOD_FILTER], -12000, 12000)) * _modulation(region, time)
    # Changes below 8 cents are inaudible and would cost time.
    cutoff = 8.176 * 2.0 ** (8.0 * np.round(np.clip(cents, 1500, 13500) / 8.0) / 1200.0)
    top, bottom = _resonant(np.clip(cutoff, _LOWEST_CUTOFF, min(0.45 * rate, 20000.0)), resonance, rate)
    moved = np.flatnonzero(np.any(np.diff(bottom, axis=0) != 0.0, axis=1)) + 1
    count = int(moved[-1]) if len(moved) else 0
    # After the last movement everything is filtered in one go.
    still = count * _STEP
    out = np.empty(len(wave), dtype=np.float32)
    out[:still], state = _filter_steps(wave[:still], top[:count], bottom[:count])
    out[still:], _ = lfilter(top[count], bottom[count], wave[still:], zi=state)
    return out


def _filter_steps(wave: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filter a wave with other coefficients every :data:`_STEP` samples.

    All steps are filtered at once from silence, and so are their responses to the two values that the filter holds at
    the beginning of a step (transposed direct form II); then these values are found step by step.

    Args:
        wave: (steps * _STEP,).
        top, bottom: numerators and denominators (steps, 3), the denominators beginning with 1.

    Returns:
        The filtered wave, and the state (2,) at its end.
    """
    steps = len(top)
    driven = wave.reshape(steps, _STEP).T.astype(np.float64)[:, None] * top.T[None]
    fall, fall_later = -bottom[:, 1], -bottom[:, 2]
    # Rows: driven by the wave, and free from states (1, 0) and (0, 1).
    one, two = np.zeros((3, steps)), np.zeros((3, steps))
    one[1], two[2] = 1.0, 1.0
    sound = np.empty((_STEP, 3, steps))
    for at in range(_STEP):
        now = sound[at]
        now[:] = one
        now[0] += driven[at, 0]
        one = two + fall * now
        one[0] += driven[at, 1]
        two = fall_later * now
        two[0] += driven[at, 2]
    first, second, begun = 0.0, 0.0, []
    for (from_wave, a, b), (from_wave_later, c, d) in zip(one.T.tolist(), two.T.tolist(), strict=True):
        begun.append((first, second))
        first, second = from_wave + a * first + b * second, from_wave_later + c * first + d * second
    held = np.array(begun).reshape(steps, 2).T
    filtered = sound[:, 0] + sound[:, 1] * held[0] + sound[:, 2] * held[1]
    return filtered.T.ravel(), np.array([first, second])


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
