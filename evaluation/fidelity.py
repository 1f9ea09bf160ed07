"""Distances between recordings, and between sets of recordings.

Used for codecs (reconstruction against original), for generators that are given the true score, and, through
the Fréchet distance, for generated music that has no original.

Conventions
-----------
Waveforms are float arrays in -1..1, (samples,) or (channels, samples); channels are averaged. Rates are
hertz. Two recordings that are compared start together and may differ in length by at most 0.1 s; the longer
is cut.

Metrics
-------
* :func:`log_mel_l1`: mean absolute difference of log10-mel spectrograms, in decades; 0 is identical. For scale, on
  rendered pop songs: Opus at 12 kbit/s 0.29, MP3 at 32 kbit/s 0.23, white noise of the same power about 0.8.
* :func:`stft_distance`: spectral convergence and log-magnitude distance, averaged over several resolutions.
* :func:`onset_correlation`: Pearson correlation of onset envelopes, -1..1; do the notes start together?
* :func:`signal_to_noise`, :func:`scale_invariant_ratio`: decibels, for reconstructions only: a codec that invents the
  phase, or music played anew, is near 0 or below however good it sounds.
* :func:`music_distance` between :func:`embed` of two sets of recordings: a Fréchet distance
  (:func:`frechet_distance`); 0 is the same distribution.

References
----------
R. Yamamoto, E. Song and J.-M. Kim, "Parallel WaveGAN", ICASSP 2020, section 2.2 (STFT distance).
K. Kilgour et al., "Fréchet Audio Distance: A Reference-Free Metric for Evaluating Music Enhancement Algorithms",
Interspeech 2019 (the distance; its embedding is a network that we do not have).
O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", J.
Multivariate Analysis 88, 2004 (shrinkage). A. Gui et al., "Adapting Fréchet Audio Distance for Generative
Music Evaluation", ICASSP 2024 (bias at small sample sizes). J. Le Roux, S. Wisdom, H. Erdogan and J. R. Hershey, "SDR -
half-baked or well done?", ICASSP 2019, section 2 (SI-SDR).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from d2m.load_librosa import load_librosa

#: Lengths may differ by this many seconds, which covers any codec's padding.
LENGTH_TOLERANCE = 0.1
#: Smallest mel magnitude that is not silence; -80 dB.
FLOOR = 1e-4
#: Maximum of signal-to-noise ratios in decibels, also for identical recordings.
MOST_DECIBELS = 120.0
#: Loudness that recordings are brought to before they are embedded, LUFS.
EMBEDDING_LUFS = -20.0
#: Mel bands of the embedding; frames of one window (2.97 s at 22050 Hz).
EMBEDDING_MELS, EMBEDDING_FRAMES = 40, 256
#: Values of the embedding; shortest window in frames (2 s), below which nothing fluctuates at 0.5 to 1 Hz.
EMBEDDING_SIZE, SHORTEST_EMBEDDING = 161, 172
#: Groups of mel bands, from bass to treble, whose rhythm is described; edges of the bands of fluctuation, hertz.
REGISTERS = 8
RHYTHM_BANDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class StftDistance:
    """Distance of spectrograms, averaged over resolutions.

    Attributes:
        convergence: norm of the difference of magnitudes over the norm of the reference's.
        log_magnitude: mean absolute difference of natural logs of magnitudes.
    """

    convergence: float
    log_magnitude: float


def mono(waveform: np.ndarray) -> np.ndarray:
    """Average the channels of a waveform.

    Args:
        waveform: (samples,) or (channels, samples).

    Returns:
        float32 (samples,).

    Raises:
        ValueError: if the array has another shape, no samples, or values that are not finite.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim == 2 and len(waveform) <= 8:
        waveform = waveform.mean(0)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(f"a waveform is (samples,) or (channels, samples), not {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise ValueError("the waveform holds values that are not finite")
    return waveform


def log_mel(
    waveform: np.ndarray, sample_rate: int, n_mels: int = 80, n_fft: int = 1024, hop: int = 256, floor: float = FLOOR
) -> np.ndarray:
    """Compute log10 of the mel magnitude spectrogram: Hann window, centred frames, Slaney's mel filters of unit area
    from 0 to half the sample rate.

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
        n_mels: number of bands.
        n_fft: points of the transform.
        hop: samples.
        floor: minimum magnitude.

    Returns:
        (n_mels, frames).
    """
    librosa = load_librosa()

    magnitude = librosa.feature.melspectrogram(
        y=mono(waveform), sr=sample_rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels, power=1.0
    )
    return np.log10(np.maximum(magnitude, floor))


def log_mel_l1(
    output: np.ndarray,
    reference: np.ndarray,
    sample_rate: int,
    n_mels: int = 80,
    n_fft: int = 1024,
    hop: int = 256,
    lowest: int | None = None,
) -> float:
    """Return the mean absolute difference of :func:`log_mel` of two recordings, in decades.

    Args:
        output, reference: waveforms.
        sample_rate: sample rate of both, hertz.
        n_mels, n_fft, hop: of the spectrogram. Bass and chords are judged with 128 and 2048.
        lowest: compare only this many mels from the bottom up; None for all.

    Raises:
        ValueError: if the lengths differ by more than 0.1 s.
    """
    output, reference = _same_length(output, reference, sample_rate)
    mels = [log_mel(w, sample_rate, n_mels, n_fft, hop)[:lowest] for w in (output, reference)]
    return float(np.abs(mels[0] - mels[1]).mean())


def stft_distance(
    output: np.ndarray, reference: np.ndarray, sample_rate: int, sizes: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
) -> StftDistance:
    """Compute the distance of magnitude spectrograms at several resolutions, each with a hop of a quarter window.

    Args:
        output, reference: waveforms.
        sample_rate: hertz.
        sizes: windows in samples.
    """
    librosa = load_librosa()

    output, reference = _same_length(output, reference, sample_rate)
    convergence, log_magnitude = [], []
    for size in sizes:
        a, b = (np.abs(librosa.stft(w, n_fft=size, hop_length=size // 4)) for w in (output, reference))
        convergence.append(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-6))
        log_magnitude.append(np.abs(np.log(np.maximum(a, 1e-3)) - np.log(np.maximum(b, 1e-3))).mean())
    return StftDistance(float(np.mean(convergence)), float(np.mean(log_magnitude)))


def signal_to_noise(output: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """Compute the power of the reference over that of the difference, for reconstructions.

    NaN for a silent reference.

    Args:
        output, reference: waveforms.
        sample_rate: hertz.

    Returns:
        Decibels, at most 120; NaN for a silent reference.
    """
    output, reference = (w.astype(np.float64) for w in _same_length(output, reference, sample_rate))
    return _ratio(reference, output - reference)


def scale_invariant_ratio(output: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """Compute SI-SDR (Le Roux et al. 2019), with means removed.

    NaN for a silent reference, -120 for an output that has nothing of it.

    Args:
        output, reference: waveforms.
        sample_rate: hertz.

    Returns:
        Decibels, at most 120.
    """
    output, reference = (w.astype(np.float64) for w in _same_length(output, reference, sample_rate))
    output, reference = output - output.mean(), reference - reference.mean()
    power = float(reference @ reference)
    if power <= 0:
        return float("nan")
    target = (output @ reference / power) * reference
    return _ratio(target, output - target) if target.any() else -MOST_DECIBELS


def _ratio(signal: np.ndarray, noise: np.ndarray) -> float:
    power, rest = float(signal @ signal), float(noise @ noise)
    if power <= 0:
        return float("nan")
    return float(np.clip(-10 * np.log10(rest / power + 10 ** (-MOST_DECIBELS / 10)), -MOST_DECIBELS, MOST_DECIBELS))


def onset_envelope(waveform: np.ndarray, sample_rate: int, hop: int = 256) -> np.ndarray:
    """Compute the onset strength: rises of the 128-band log-mel spectrum, mean over the bands (librosa).

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
        hop: samples.

    Returns:
        (frames,), decibels.
    """
    librosa = load_librosa()

    return librosa.onset.onset_strength(y=mono(waveform), sr=sample_rate, hop_length=hop)


def onset_correlation(output: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """Compute the Pearson correlation of the onset envelopes of two recordings; 0 if either is constant.

    Args:
        output, reference: waveforms.
        sample_rate: hertz.
    """
    output, reference = _same_length(output, reference, sample_rate)
    a, b = (onset_envelope(w, sample_rate, 512) for w in (output, reference))
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def embed(waveform: np.ndarray, sample_rate: int, frames: int = EMBEDDING_FRAMES) -> np.ndarray:
    """Embed the sound of a recording, without its notes: (windows, 161) for :func:`frechet_distance`.

    The recording is brought to -20 LUFS and 22050 Hz. For each window of 256 frames of 256 samples (2.97 s;
    the next one starts half a window later):

    * mean, standard deviation and mean absolute change from frame to frame of 40 log10-mels (120 values): timbre, its
      variety, its restlessness;
    * log10 of the power with which eight groups of mels fluctuate at 0.5 to 1, 1 to 2, 2 to 4, 4 to 8 and 8 to 16 Hz
      (40 values): rhythm;
    * the highest autocorrelation of the onset envelope at lags of 0.3 to 1 s (1 value): how clear the pulse is.

    Args:
        waveform: the recording.
        sample_rate: hertz.
        frames: frames of a window, at least 172; figures of different windows cannot be compared.

    Raises:
        ValueError: if the recording is shorter than one window.
    """
    librosa = load_librosa()

    from d2m.audio.loudness import loudness

    waveform = mono(waveform)
    if sample_rate != 22050:
        waveform = librosa.resample(waveform, orig_sr=sample_rate, target_sr=22050)
    level = loudness(waveform[None], 22050)
    if np.isfinite(level):
        waveform = waveform * 10 ** ((EMBEDDING_LUFS - level) / 20)
    mels = log_mel(waveform, 22050, EMBEDDING_MELS)
    onsets = onset_envelope(waveform, 22050)
    starts = range(0, mels.shape[1] - frames + 1, frames // 2)
    if not starts:
        raise ValueError(f"a recording needs {frames * 256 / 22050:.1f} s to be embedded")
    return np.stack([_describe(mels[:, s : s + frames], onsets[s : s + frames]) for s in starts])


def _describe(mels: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    registers = mels.reshape(REGISTERS, -1, mels.shape[1]).mean(1)
    registers = registers - registers.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(registers * np.hanning(mels.shape[1]), axis=1)) ** 2 / mels.shape[1]
    hertz = np.fft.rfftfreq(mels.shape[1], 256 / 22050)
    edges = zip(RHYTHM_BANDS[:-1], RHYTHM_BANDS[1:], strict=True)
    rhythm = [np.log10(power[:, (hertz >= low) & (hertz < high)].mean(1) + 1e-3) for low, high in edges]
    onsets = onsets - onsets.mean()
    correlation = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :]
    lags = slice(int(0.3 * 22050 / 256), int(1.0 * 22050 / 256))
    pulse = correlation[lags].max() / max(correlation[0], 1e-6)
    change = np.abs(np.diff(mels, axis=1)).mean(1)
    return np.concatenate([mels.mean(1), mels.std(1), change, *rhythm, [pulse]])


def frechet_distance(first: np.ndarray, second: np.ndarray, shrink: bool = True) -> float:
    """Compute the Fréchet distance of two sets of embeddings, each modelled as a multivariate normal distribution.

    With few windows the covariances are badly known, and the distance of two sets of the same music is well
    above 0. Shrinkage (Ledoit and Wolf 2004) tempers this but does not remove it: compare only figures from
    equally large sets, and beside them the distance of two disjoint sets of real music.

    Args:
        first, second: (windows, D).
        shrink: pull the covariances towards a multiple of the identity, as far as the data warrants.

    Raises:
        ValueError: if a set has fewer than two windows or the sizes differ.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise ValueError("two sets of at least two embeddings of the same size are needed")
    (mean_a, cov_a), (mean_b, cov_b) = (_moments(np.asarray(x, np.float64), shrink) for x in (first, second))
    # trace(sqrt(A B)) is the sum of the square roots of the eigenvalues of sqrt(A) B sqrt(A), which is
    # symmetric.
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return float(max(np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross, 0.0))


def music_distance(embedded: np.ndarray, real: np.ndarray) -> float:
    """Return Fréchet distance of a set of embeddings to real music's, every value in units of its standard deviation
    over the real music, divided by the number of values; unlike the plain distance, small values count as much as large
    ones.

    Args:
        embedded, real: (windows, 161) from :func:`embed`; equally many, for figures that can be compared.

    Raises:
        ValueError: as :func:`frechet_distance`.
    """
    scale = np.maximum(real.std(0), 1e-6)
    return frechet_distance(embedded / scale, real / scale) / real.shape[1]


def embed_all(recordings: Iterable[np.ndarray], sample_rate: int) -> np.ndarray:
    """Embed several recordings by :func:`embed`.

    Args:
        recordings: waveforms.
        sample_rate: hertz.

    Returns:
        (windows, 161).
    """
    return np.concatenate([embed(waveform, sample_rate) for waveform in recordings])


def _moments(x: np.ndarray, shrink: bool) -> tuple[np.ndarray, np.ndarray]:
    if not shrink:
        return x.mean(0), np.cov(x, rowvar=False, bias=True).reshape(x.shape[1], x.shape[1])
    from sklearn.covariance import ledoit_wolf

    return x.mean(0), ledoit_wolf(x)[0]


def _same_length(output: np.ndarray, reference: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    output, reference = mono(output), mono(reference)
    if abs(len(output) - len(reference)) > LENGTH_TOLERANCE * sample_rate:
        raise ValueError(
            f"cannot compare recordings of {len(output) / sample_rate:.2f} and {len(reference) / sample_rate:.2f} s"
        )
    length = min(len(output), len(reference))
    return output[:length], reference[:length]
