"""Key and harmony of a recording, from its chroma.

Conventions
-----------
Waveforms are float32 (samples,) at 22,050 Hz. Chroma is the energy of the twelve pitch classes, C first, of the
harmonic part of the sound; frames that are 40 dB below the loudest one do not count.

References
----------
C. Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4 (correlation of a pitch class profile with those
of the keys; the profiles here are those of :mod:`d2m.symbolic.keys`). C. Harte, M. Sandler and M. Gasser, "Detecting
Harmonic Change in Musical Audio", AMCMM 2006 (tonal centroid and its change).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.load_librosa import load_librosa
from d2m.symbolic.keys import KEYS, key_name, profile, scale, signature
from d2m.symbolic.metrics import tonal_centroid

from .recordings import SAMPLE_RATE

#: Samples from one frame of chroma to the next, and decibels below the loudest frame that are silence.
_HOP, _QUIET = 2048, 40.0
#: Seconds that a chord lasts at least; harmonic change is measured between stretches of this length.
_CHORD = 0.5


@dataclass(frozen=True)
class Harmony:
    """Key and harmony of a recording.

    Attributes:
        key: name of the key that fits best, such as ``"A minor"``.
        clarity: correlation of the pitch class profile with that of the key, -1 to 1.
        in_key: share of the chroma's energy in the seven pitch classes of the key; 7/12 if all twelve are equal.
        change: mean distance of the tonal centroids of successive half seconds, 0 to about 2.
    """

    key: str
    clarity: float
    in_key: float
    change: float


def harmony(waveform: np.ndarray) -> Harmony | None:
    """Find key and harmony of a recording.

    Args:
        waveform: float32 (samples,), 22,050 Hz.

    Returns:
        None for sound without any energy.
    """
    chroma = _chroma(waveform)
    if chroma is None:
        return None
    total = chroma.sum(axis=1)
    if total.std() < 1e-9 * total.mean():
        return None
    fits = np.array([np.corrcoef(total, profile(key))[0, 1] for key in range(KEYS)])
    key = int(fits.argmax())
    width = max(1, round(_CHORD * SAMPLE_RATE / _HOP))
    whole = chroma[:, : chroma.shape[1] // width * width].reshape(12, -1, width).mean(axis=2).T
    steps = np.linalg.norm(np.diff(tonal_centroid(whole), axis=0), axis=1)
    return Harmony(
        key_name(key),
        float(fits[key]),
        float(total[scale(int(signature(key)))].sum() / total.sum()),
        float(steps.mean()) if len(steps) else 0.0,
    )


def _chroma(waveform: np.ndarray) -> np.ndarray | None:
    """float64 (12, frames), without silent frames; None if none is left."""
    librosa = load_librosa()

    size = 8192
    if len(waveform) < size:
        waveform = np.pad(waveform, (0, size - len(waveform)))
    power = np.square(np.abs(librosa.stft(waveform, n_fft=size, hop_length=_HOP)))
    level = power.sum(axis=0)
    if level.max() <= 1e-8:
        return None
    loud = level > level.max() * 10 ** (-_QUIET / 10)
    # From 55 Hz to 2 kHz: below there is little but drums, above mostly overtones.
    hertz = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=size)
    power[(hertz < 55) | (hertz > 2000)] = 0
    tuning = librosa.pitch_tuning(hertz[power.max(axis=1).argsort()[-40:]] + 1e-9)
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, n_fft=size, hop_length=_HOP, tuning=tuning, norm=None)
    chroma = chroma[:, loud].astype(np.float64)
    return chroma if chroma.sum() > 0 else None
