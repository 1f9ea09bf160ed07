"""Properties of the sound of one recording, without an original to compare it with.

Conventions
-----------
Waveforms are float arrays, full scale 1, (samples,) or (channels, samples). Decibels are relative to full scale (dBFS)
unless stated otherwise; rates are hertz, times seconds from the start.

Metrics
-------
* :func:`levels`: peak, loudness and its steadiness, clipping, silence.
* :func:`spectral_flatness`: 0 a pure tone, 1 white noise.
* :func:`harmonic_salience`: level of the best harmonic series over the spectrum, decibels.
* :func:`onset_strength`, :func:`onset_rate`: strength and number of onsets.
* :func:`seams`: anomalies at given instants, such as the borders of windows.

The values are meaningful only in comparison with those of real music.

References
----------
ITU-R BS.1770-4 (loudness). A. Klapuri, "Multiple fundamental frequency estimation by summing harmonic
amplitudes", ISMIR 2006 (harmonic sum).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.load_librosa import load_librosa

from .fidelity import log_mel, mono, onset_envelope

#: A sample counts as clipped from here on (16-bit full scale is 0.99997).
CLIPPING = 0.9995
#: 50 ms under this level are silent, dBFS.
SILENCE_DBFS = -60.0


@dataclass(frozen=True)
class Levels:
    """Levels of a recording.

    Attributes:
        peak_dbfs: the largest sample.
        loudness_lufs: integrated (BS.1770); -inf for silence.
        loudness_spread: standard deviation of the loudness of 3 s windows, LU; 0 for less than 3 s.
        clipped: samples in runs of at least two at full scale.
        silent_seconds: the longest time without sound.
        offset: mean of the samples (DC).
    """

    peak_dbfs: float
    loudness_lufs: float
    loudness_spread: float
    clipped: int
    silent_seconds: float
    offset: float


@dataclass(frozen=True)
class Seams:
    """Anomalies at the given instants.

    Attributes:
        times: the instants judged, seconds.
        click: for each, the share of all other instants whose sharpest bend of the waveform, relative to its
            surroundings, is smaller; 0.5 on average where nothing happens, 1 at a click.
        jump: the same of the change of the spectrum from the 46 ms before to the 46 ms after.
        p_click, p_jump: probability of a mean as high or higher at random instants; small means audible
            seams.
    """

    times: np.ndarray
    click: np.ndarray
    jump: np.ndarray
    p_click: float
    p_jump: float


def levels(waveform: np.ndarray, sample_rate: int) -> Levels:
    """Measure the levels of a recording.

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
    """
    from d2m.audio.loudness import loudness

    channels = np.atleast_2d(np.asarray(waveform, dtype=np.float64))
    peak = float(np.abs(channels).max())
    step = 3 * sample_rate
    starts = range(0, channels.shape[1] - step + 1, sample_rate)
    windows = [loudness(channels[:, s : s + step], sample_rate) for s in starts]
    windows = [w for w in windows if np.isfinite(w)]
    return Levels(
        peak_dbfs=_decibels(peak),
        loudness_lufs=loudness(channels, sample_rate),
        loudness_spread=float(np.std(windows)) if windows else 0.0,
        clipped=sum(_in_runs(np.abs(channel) >= CLIPPING) for channel in channels),
        silent_seconds=_longest_silence(channels, sample_rate),
        offset=float(channels.mean()),
    )


def spectral_flatness(waveform: np.ndarray) -> float:
    """Compute the geometric over arithmetic mean of the power spectrum (n_fft 2048), averaged over frames that are not
    silent.

    Args:
        waveform: (samples,) or (channels, samples).

    Returns:
        0 to 1.
    """
    librosa = load_librosa()

    waveform = mono(waveform)
    loud = librosa.feature.rms(y=waveform, frame_length=2048, hop_length=512)[0] > 10 ** (SILENCE_DBFS / 20)
    if not loud.any():
        return float("nan")
    return float(librosa.feature.spectral_flatness(y=waveform, n_fft=2048, hop_length=512)[0][loud].mean())


def harmonic_salience(waveform: np.ndarray, sample_rate: int) -> float:
    """Compute the level of the best harmonic series over the spectrum, averaged over frames that are not silent.

    Each spectrum (n_fft 4096) is compared with its running median over 600 Hz; what stands above it is
    averaged over the first five harmonics of every fundamental from 60 to 1000 Hz in eighth tones, and the
    best fundamental counts. White noise gives about 5 dB, pop songs 15 to 25.

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.

    Returns:
        Decibels.
    """
    librosa = load_librosa()
    from scipy.ndimage import median_filter

    waveform = mono(waveform)
    magnitude = np.abs(librosa.stft(waveform, n_fft=4096, hop_length=1024))
    frames = magnitude.max(0) > 4096 / 4 * 10 ** (SILENCE_DBFS / 20)
    if not frames.any():
        return float("nan")
    level = 20 * np.log10(np.maximum(magnitude[:, frames], 1e-5))
    width = max(3, int(600 * 4096 / sample_rate) | 1)
    prominence = np.clip(level - median_filter(level, size=(width, 1), mode="nearest"), 0, 40)
    fundamentals = 60 * 2 ** (np.arange(int(48 * np.log2(1000 / 60))) / 48)
    bins = np.rint(fundamentals[:, None] * np.arange(1, 6) * 4096 / sample_rate).astype(int)
    bins = bins[bins.max(1) < len(level)]
    return float(prominence[bins].mean(1).max(0).mean())


def onset_strength(waveform: np.ndarray, sample_rate: int) -> float:
    """Compute how much onsets stand out: the 95th percentile of the onset envelope minus its median, decibels.

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
    """
    envelope = onset_envelope(waveform, sample_rate)
    return float(np.percentile(envelope, 95) - np.median(envelope))


def onset_rate(waveform: np.ndarray, sample_rate: int) -> float:
    """Compute the number of onsets per second (librosa's peak picking).

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
    """
    librosa = load_librosa()

    envelope = onset_envelope(waveform, sample_rate, 512)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=sample_rate, hop_length=512)
    return len(onsets) / (len(mono(waveform)) / sample_rate)


def seams(waveform: np.ndarray, sample_rate: int, times: np.ndarray, seed: int = 0) -> Seams:
    """Compare given instants with all others in the same recording.

    Args:
        waveform: the recording.
        sample_rate: hertz.
        times: instants at which windows meet, seconds; those within 0.1 s of either end are left out.
        seed: random seed of the random instants behind the probabilities.

    Raises:
        ValueError: if no instant is left.
    """
    waveform = mono(waveform)
    duration = len(waveform) / sample_rate
    times = np.asarray(times, dtype=np.float64)
    times = times[(times > 0.1) & (times < duration - 0.1)]
    if not len(times):
        raise ValueError("no instant to look at away from the ends of the recording")
    curves = _bends(waveform, sample_rate), _jumps(waveform, sample_rate)
    ranks, chances = [], []
    rng = np.random.default_rng(seed)
    for curve in curves:
        rate = len(curve) / duration
        inside = curve[int(0.1 * rate) : int((duration - 0.1) * rate)]
        order = np.searchsorted(np.sort(inside), curve, side="right") / len(inside)
        rank = order[np.minimum((times * rate).astype(int), len(curve) - 1)]
        drawn = order[rng.integers(int(0.1 * rate), int((duration - 0.1) * rate), size=(2000, len(times)))]
        ranks.append(np.minimum(rank, 1.0))
        chances.append(float((1 + (drawn.mean(1) >= rank.mean()).sum()) / 2001))
    return Seams(times, ranks[0], ranks[1], chances[0], chances[1])


def _bends(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Per 10 ms, the sharpest bend (third difference) within 10 ms on either side, over its typical size in
    200 ms.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    bend = np.abs(np.diff(waveform.astype(np.float64), 3, prepend=waveform[:1], append=waveform[-2:]))[: len(waveform)]
    block = max(1, sample_rate // 100)
    count = len(bend) // block
    blocks = bend[: count * block].reshape(count, block)
    return maximum_filter1d(blocks.max(1), 3) / (uniform_filter1d(blocks.mean(1), 21) + 1e-7)


def _jumps(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Per 5.8 ms (at 22050 Hz), the mean absolute difference of the log-mels before and after."""
    from scipy.ndimage import uniform_filter1d

    mels = log_mel(waveform, sample_rate, n_mels=40, n_fft=512, hop=128)
    width = max(1, round(0.046 * sample_rate / 128))
    smooth = uniform_filter1d(mels, width, axis=1)
    jump = np.zeros(mels.shape[1])
    half = width // 2 + 1
    jump[half:-half] = np.abs(smooth[:, 2 * half :] - smooth[:, : -2 * half]).mean(0)
    return jump


def _in_runs(full: np.ndarray) -> int:
    """Samples that have a neighbour at full scale too: one alone may be a legitimate peak."""
    beside = np.zeros_like(full)
    beside[1:] |= full[:-1]
    beside[:-1] |= full[1:]
    return int((full & beside).sum())


def _longest_silence(channels: np.ndarray, sample_rate: int) -> float:
    block = max(1, sample_rate // 20)
    count = channels.shape[1] // block
    if not count:
        return 0.0
    power = np.square(channels[:, : count * block]).reshape(len(channels), count, block).mean(2).max(0)
    longest = run = 0
    for silent in power < 10 ** (SILENCE_DBFS / 10):
        run = run + 1 if silent else 0
        longest = max(longest, run)
    return longest * block / sample_rate


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else float("-inf")
