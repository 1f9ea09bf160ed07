"""Metrics of sound: sets of recordings, genre, single recordings, and reconstructions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from d2m.evaluation.distances import kernel_distance
from d2m.evaluation.fidelity import (
    frechet_distance,
    log_mel_l1,
    onset_correlation,
    scale_invariant_ratio,
    signal_to_noise,
)

from .base import GenreVerdict, Metric, Score, Sets, Sound, Waveforms, plain

_GENRE = "share of segments in the dance's genre, by classification and by the nearest song of the network's training"
_ZHU = "Zhu et al., Quantized GAN for Complex Music Generation from Dance Videos, ECCV 2022, section 4.2"


def _frechet(sets: Sets) -> Score:
    """Of the originals themselves, the distance of one half to the other: a set is at 0 from itself."""
    size = sets.reference.vectors.shape[1]
    if sets.same:
        return None if sets.floor is None else sets.floor.reference / size
    return frechet_distance(sets.generated.vectors, sets.reference.vectors) / size


def _halves(sets: Sets) -> Score:
    floor, size = sets.floor, sets.reference.vectors.shape[1]
    if sets.same or floor is None:
        return None
    return {
        "windows": floor.windows,
        "generated": floor.generated / size,
        "reference": floor.reference / size,
        "excess": floor.excess / size,
        "interval": [value / size for value in floor.interval],
    }


def _kernel(sets: Sets) -> Score:
    names = sets.generated.names, sets.reference.names
    if sets.same or min(map(len, names)) < 2 or len({*names[0], *names[1]}) < 3:
        return None
    found = kernel_distance(sets.generated, sets.reference)
    interval = [float(value) for value in found.interval] if np.isfinite(found.interval).all() else None
    return {"value": plain(float(found.value)), "interval": interval}


def _classification(verdict: GenreVerdict) -> Score:
    return float(verdict.dance == verdict.heard)


def _retrieval(verdict: GenreVerdict) -> Score:
    return None if verdict.nearest is None else float(verdict.dance == verdict.nearest)


def _loudness(sound: Sound) -> Score:
    return sound.levels.loudness_lufs


def _difference(function: Callable[[np.ndarray, np.ndarray, int], float]) -> Callable[[Waveforms], Score]:
    return lambda pair: float(function(pair.generated, pair.reference, pair.sample_rate))


FRECHET = Metric(
    *("frechet", "Fréchet", "sets", _frechet, "lower"),
    "distance to the originals in the log-mel embedding, per value, of the ground truth that of its halves; biased "
    "upwards by small sets; shuffled originals are the same set",
    "Dowson and Landau, Journal of Multivariate Analysis 12(3), 1982; Kilgour et al., Fréchet Audio Distance, "
    "Interspeech 2019",
    high=math.inf,
    headline="Fréchet",
)
HALVES = Metric(
    *("halves", "over real halves", "sets", _halves, "nearer"),
    "distance to one half of the originals less that of the other half; 0 is real music",
    "d2m.evaluation.distances.frechet_against_itself",
    low=-math.inf,
    high=math.inf,
    target=0.0,
)
KERNEL = Metric(
    *("kernel", "kernel distance", "sets", _kernel, "lower"),
    "unbiased, squared maximum mean discrepancy with a cubic kernel; 95 %",
    "Bińkowski et al., Demystifying MMD GANs, ICLR 2018, section 4",
    low=-math.inf,
    high=math.inf,
)
CLASSIFICATION = Metric(
    "classification", "genre, classified", "genre", _classification, "higher", _GENRE, "d2m.music_genre"
)
RETRIEVAL = Metric("retrieval", "genre, retrieved", "genre", _retrieval, "higher", _GENRE, _ZHU, headline="genre")
LOUDNESS = Metric(
    *("loudness_lufs", "loudness, LUFS", "sound", _loudness, "neither"),
    "integrated loudness of the segments that have any",
    "ITU-R BS.1770-4",
    unit="LUFS",
    low=-math.inf,
    high=math.inf,
    digits=1,
)
LOG_MEL_L1 = Metric(
    *("log_mel_l1", "log-mel L1", "pairs", _difference(log_mel_l1), "lower"),
    "mean absolute difference of the log-mel spectrograms",
    "d2m.evaluation.fidelity.log_mel_l1",
    unit="decades",
    high=math.inf,
)
STFT_CONVERGENCE = Metric(
    *("stft_convergence", "STFT convergence", "pairs", lambda pair: float(pair.stft.convergence), "lower"),
    "norm of the difference of the magnitude spectrograms over that of the original's, mean over resolutions",
    "Yamamoto et al., Parallel WaveGAN, ICASSP 2020, section 2.2",
    high=math.inf,
)
STFT_LOG_MAGNITUDE = Metric(
    *("stft_log_magnitude", "STFT log magnitude", "pairs", lambda pair: float(pair.stft.log_magnitude), "lower"),
    "mean absolute difference of the logarithms of the magnitude spectrograms, mean over resolutions",
    "Yamamoto et al., Parallel WaveGAN, ICASSP 2020, section 2.2",
    high=math.inf,
)
ONSET_CORRELATION = Metric(
    *("onset_correlation", "onset correlation", "pairs", _difference(onset_correlation), "higher"),
    "correlation of the onset strengths",
    "d2m.evaluation.fidelity.onset_correlation",
    low=-1.0,
)
SNR = Metric(
    *("snr_db", "SNR, dB", "pairs", _difference(signal_to_noise), "higher"),
    "power of the original over that of the difference",
    "d2m.evaluation.fidelity.signal_to_noise",
    unit="dB",
    low=-math.inf,
    high=math.inf,
    digits=1,
)
SI_SDR = Metric(
    *("si_sdr_db", "SI-SDR, dB", "pairs", _difference(scale_invariant_ratio), "higher"),
    "the same at the best scale of the original, with means removed",
    "Le Roux et al., SDR - half-baked or well done?, ICASSP 2019",
    unit="dB",
    low=-math.inf,
    high=math.inf,
    digits=1,
)
