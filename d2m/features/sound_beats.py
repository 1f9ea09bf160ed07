"""Track beats and downbeats of sound: spectrogram, network, bar-pointer decoder, and calibrated confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.errors import D2MError
from d2m.features.bar_pointer import BarPointer, Bars, decode
from d2m.features.sound_forward import activations
from d2m.features.sound_spectrum import FRAMES, spectrum
from d2m.weights.arrays import load_arrays

#: Weights that ship with the package, and the kind that their header names.
WEIGHTS, KIND = "studio-beats", "beats"
#: Tempos expected of music (beats a minute): the middle and the deviation (log) of a log-normal prior.
MIDDLE, SPREAD = 115.0, 0.4
#: Seconds of sound below which nothing is tracked.
SHORTEST = 1.0
#: Log odds of the beats being right: constant, and weights of the figures of :func:`evidence`.
CALIBRATION = (-7.231, 1.867, -1.309, 4.100, 0.768, 0.817)


@dataclass(frozen=True)
class SoundBeats:
    """Beats tracked in sound.

    Attributes:
        beats: float64 (N,), seconds, rising.
        downbeats: int64 (M,), indices into ``beats`` of the first beats of bars.
        tempo: median, beats a minute; 0 without beats.
        confidence: 0..1, the calibrated probability that the beats are right (F-measure of 0.8 or more at 70 ms).
        activation: float32 (T, 2), probability of a beat and of a downbeat a frame.
        activation_rate: frames a second; frame i is at i / rate seconds.
    """

    beats: np.ndarray
    downbeats: np.ndarray
    tempo: float
    confidence: float
    activation: np.ndarray
    activation_rate: float


def track_sound(waveform: np.ndarray, rate: float, settings: BarPointer | None = None) -> SoundBeats:
    """Track the beats of a recording.

    Args:
        waveform: float32 (samples,) or (channels, samples), within -1 to 1.
        rate: hertz.
        settings: settings of the decoder; None for those of music.

    Raises:
        D2MError: if the shape or a sample is unusable, or the rate is below 8000.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim not in (1, 2) or not np.isfinite(waveform).all():
        raise D2MError("the sound must be one or more channels of finite samples; decode the file again")
    if not 8000 <= rate <= 400_000:
        raise D2MError(f"beats cannot be tracked in sound of {rate:g} Hz; resample it to 22050 Hz or more")
    if waveform.shape[-1] < SHORTEST * rate:
        return _nothing()
    heard = activations(spectrum(waveform, rate), load_arrays(WEIGHTS, KIND)[0])
    bars = decode(heard, FRAMES, settings or for_music())
    if len(bars.beats) < 2:
        return SoundBeats(np.zeros(0), np.zeros(0, np.int64), 0.0, 0.0, heard, float(FRAMES))
    return SoundBeats(bars.beats, bars.downbeats, bars.tempo, confidence(bars), heard, float(FRAMES))


def for_music() -> BarPointer:
    """Return settings of the decoder for music of any kind."""
    return BarPointer(log_prior=lambda tempos: -0.5 * (np.log(tempos / MIDDLE) / SPREAD) ** 2)


def evidence(bars: Bars) -> np.ndarray:
    """Compute features that indicate whether beats are correct.

    Mean support, share of weak beats, activation at beats and between them, and the root of how many nats a beat gains.

    Args:
        bars: result of the decoder.

    Returns:
        float64 (5,).
    """
    return np.array(
        [
            bars.support.mean(),
            np.mean(bars.support < 0.5),
            bars.on,
            bars.off + bars.other_phase,
            np.sqrt(max(bars.gain, 0.0)),
        ]
    )


def confidence(bars: Bars) -> float:
    """Estimate the probability that the beats are correct, by logistic regression on :func:`evidence`.

    Args:
        bars: result of the decoder.
    """
    constant, *weights = CALIBRATION
    return float(1.0 / (1.0 + np.exp(-(constant + evidence(bars) @ np.array(weights)))))


def _nothing() -> SoundBeats:
    none = np.zeros(0)
    return SoundBeats(none, none.astype(np.int64), 0.0, 0.0, np.zeros((0, 2), np.float32), float(FRAMES))
