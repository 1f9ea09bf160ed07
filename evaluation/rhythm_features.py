"""Rhythm features of a recording: onsets, beats and tempo, from one spectrogram.

librosa computes onsets (for D2M-GAN's and LORIS's scripts, and with its own settings) and beats from the same log-mel
spectrogram each time. Here it is computed once, in blocks, so that a long recording takes little more memory than its
waveform; the values are those of librosa.

References
----------
S. Böck, F. Krebs and M. Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR 2012 (peak
picking). D. Ellis, "Beat tracking by dynamic programming", JNMR 36(1), 2007. librosa 0.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from d2m.load_librosa import load_librosa

from .beats import SCRIPTS, whole_seconds
from .recordings import SAMPLE_RATE, silent

#: Samples of a window and from one to the next: librosa's.
WINDOW, HOP = 2048, 512
#: Seconds of sound behind each estimate of tempo: librosa's.
TEMPO_WINDOW = 8.0
#: Frames of a block.
_BLOCK = 4096
#: Beat intervals further than this share from their median do not count for the tempo: beats left out or added.
_ODD_INTERVAL = 0.25


@dataclass(frozen=True)
class RhythmFeatures:
    """The rhythm of a recording. All times are seconds, rising.

    Attributes:
        duration: seconds of the recording.
        onsets: at librosa's own settings (a peak 0.07 above its 0.2 s of surroundings).
        beats: tracked.
        tempo: beats a minute; 0 without two beats.
        marks: for each published script the whole seconds with an onset.
    """

    duration: float
    onsets: np.ndarray
    beats: np.ndarray
    tempo: float
    marks: dict[str, np.ndarray]


def rhythm_features(waveform: np.ndarray) -> RhythmFeatures:
    """Return onsets, beats and tempo of a recording.

    A silent recording has none but for the published scripts, which know no silence.

    Args:
        waveform: float32 (samples,), 22050 Hz, finite.
    """
    librosa = load_librosa(beat=True)

    spectrum = log_mels(waveform)
    settings: dict[str, Any] = {"sr": SAMPLE_RATE, "hop_length": HOP}
    rises = _rises(spectrum, np.mean)
    marks = {
        script: whole_seconds(librosa.onset.onset_detect(onset_envelope=rises, units="time", **settings, **peaks))
        for script, peaks in SCRIPTS.items()
    }
    onsets = beats = np.zeros(0)
    if not silent(waveform):
        onsets = librosa.onset.onset_detect(onset_envelope=rises, units="time", **settings)
        pulse = _rises(spectrum, np.median)
        if pulse.any():
            bpm = librosa.feature.tempo(tg=_mean_tempogram(pulse), **settings)
            _, beats = librosa.beat.beat_track(onset_envelope=pulse, bpm=bpm, units="time", **settings)
    return RhythmFeatures(len(waveform) / SAMPLE_RATE, onsets, beats, tempo_of(beats), marks)


def log_mels(waveform: np.ndarray) -> np.ndarray:
    """Compute librosa's log-power mel spectrogram; frames are centred on multiples of 512 samples, with zero padding.

    Args:
        waveform: float32 (samples,).

    Returns:
        float32 (128, frames), decibels, at most 80 below the peak.
    """
    librosa = load_librosa()

    count = 1 + len(waveform) // HOP
    padded = np.pad(np.asarray(waveform, np.float32), WINDOW // 2)
    power = np.empty((128, count), np.float32)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        block = padded[start * HOP : (stop - 1) * HOP + WINDOW]
        spectrum = np.abs(librosa.stft(block, n_fft=WINDOW, hop_length=HOP, center=False))
        power[:, start:stop] = _filters() @ np.square(spectrum)
    return librosa.power_to_db(power)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """librosa's mel bands, float32 (128, bins); making them takes a fifth as long as a clip's spectrogram."""
    librosa = load_librosa()

    return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW)


def _rises(spectrum: np.ndarray, aggregate) -> np.ndarray:
    """Onset strength, (frames,): rises from frame to frame, their mean or median over the bands."""
    librosa = load_librosa()

    return librosa.onset.onset_strength(S=spectrum, sr=SAMPLE_RATE, hop_length=HOP, aggregate=aggregate)


def _mean_tempogram(envelope: np.ndarray) -> np.ndarray:
    """Local autocorrelation of an onset envelope over 8 s, (lags, 1), mean over time: librosa's, in blocks."""
    librosa = load_librosa()

    lags = int(TEMPO_WINDOW * SAMPLE_RATE / HOP)
    padded = np.pad(envelope, lags // 2, mode="linear_ramp", end_values=0)
    total = np.zeros(lags)
    for start in range(0, len(envelope), _BLOCK):
        block = padded[start : min(start + _BLOCK, len(envelope)) + lags - 1]
        table = librosa.feature.tempogram(
            onset_envelope=block, sr=SAMPLE_RATE, hop_length=HOP, win_length=lags, center=False
        )
        total += table.sum(axis=1)
    return (total / len(envelope))[:, None]


def tempo_of(beats: np.ndarray) -> float:
    """Compute the tempo of tracked beats, with a finer resolution than the tracker's whole frames.

    Intervals that are more than a quarter off the median (a beat left out or added) do not count. 0 without two beats.

    Args:
        beats: times in seconds.

    Returns:
        Beats per minute; 0 for fewer than two beats.
    """
    intervals = np.diff(beats)
    if not len(intervals):
        return 0.0
    usual = np.median(intervals)
    return float(60.0 / intervals[np.abs(intervals / usual - 1) <= _ODD_INTERVAL].mean())
