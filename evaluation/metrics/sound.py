"""Metrics of sound: genre, single recordings, and reconstructions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from d2m.evaluation.fidelity import log_mel_l1, onset_correlation, scale_invariant_ratio, signal_to_noise

from .base import GenreVerdict, Metric, Score, Sound, Waveforms

_GENRE = "share of segments in the dance's genre, by classification and by the nearest song of the network's training"
_ZHU = "Zhu et al., Quantized GAN for Complex Music Generation from Dance Videos, ECCV 2022, section 4.2"


def _classification(verdict: GenreVerdict) -> Score:
    return float(verdict.dance == verdict.heard)


def _retrieval(verdict: GenreVerdict) -> Score:
    return None if verdict.nearest is None else float(verdict.dance == verdict.nearest)


def _loudness(sound: Sound) -> Score:
    return sound.levels.loudness_lufs


def _share_clipped(sound: Sound) -> Score:
    return 100.0 * sound.levels.clipped / sound.waveform.size


def _clicks(sound: Sound) -> Score:
    return sound.clicks * sound.sample_rate / sound.waveform.shape[-1]


def _difference(function: Callable[[np.ndarray, np.ndarray, int], float]) -> Callable[[Waveforms], Score]:
    return lambda pair: float(function(pair.generated, pair.reference, pair.sample_rate))


CLASSIFICATION = Metric(
    "classification",
    "genre, classified",
    "genre",
    _classification,
    "higher",
    _GENRE,
    "d2m.music_genre",
    fooled_by="drum patterns and tempo of the genre, however bad the sound or the order",
    fools=("scrambled",),
)
RETRIEVAL = Metric(
    "retrieval",
    "genre, retrieved",
    "genre",
    _retrieval,
    "higher",
    _GENRE,
    _ZHU,
    headline="genre",
    fooled_by="drum patterns and tempo of the genre, however bad the sound or the order",
    fools=("scrambled",),
)
LOUDNESS = Metric(
    "loudness_lufs",
    "loudness, LUFS",
    "sound",
    _loudness,
    "neither",
    "integrated loudness of the segments that have any",
    "ITU-R BS.1770-4",
    unit="LUFS",
    low=-math.inf,
    high=math.inf,
    digits=1,
    fooled_by="nothing to be good at: it says how loud, not how good",
)
LOUDNESS_SPREAD = Metric(
    "loudness_steadiness",
    "loudness deviation, LU",
    "sound",
    lambda sound: sound.levels.loudness_spread,
    "neither",
    "standard deviation of the loudness of 3 s windows",
    "EBU Tech 3341 (windows)",
    unit="LU",
    high=math.inf,
    digits=1,
    column=False,
    fooled_by="nothing to be good at; noise has 0",
)
CLIPPING = Metric(
    "clipping",
    "clipped, %",
    "sound",
    _share_clipped,
    "lower",
    "share of samples that stand at full scale beside another one",
    "d2m.evaluation.sound.levels",
    unit="%",
    high=100.0,
    fooled_by="clipping below full scale, and everything quiet",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise", "silence"),
)
SILENCE = Metric(
    "silence_s",
    "longest silence, s",
    "sound",
    lambda sound: sound.levels.silent_seconds,
    "lower",
    "longest time below -60 dBFS in a segment",
    "d2m.evaluation.sound.levels",
    unit="s",
    high=math.inf,
    digits=2,
    fooled_by="noise and any constant sound",
    fools=("shuffled", "scrambled", "noise"),
)
OFFSET = Metric(
    "dc_offset",
    "DC offset",
    "sound",
    lambda sound: abs(sound.levels.offset),
    "lower",
    "distance of the mean of the samples from 0, full scale 1",
    "d2m.evaluation.sound.levels",
    fooled_by="everything without an offset, whatever it sounds like",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise", "silence"),
)
CLICKS = Metric(
    "clicks_per_s",
    "clicks per s",
    "sound",
    _clicks,
    "lower",
    "number of errors of a linear predictor that last less than 0.5 ms and exceed those around them ten times",
    "Godsill and Rayner, Digital Audio Restoration, 1998, chapter 5",
    unit="1/s",
    high=math.inf,
    fooled_by="everything smooth or quiet; clicks that are masked by cymbals are not found",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise", "silence"),
)
FLATNESS = Metric(
    "flatness",
    "spectral flatness",
    "sound",
    lambda sound: sound.flatness,
    "neither",
    "geometric over arithmetic mean of the power spectrum: 0 a tone, 0.56 white noise, 0.01 to 0.1 music",
    "Johnston, IEEE JSAC 6(2), 1988",
    column=False,
    fooled_by="nothing to be good at: a metronome's tone has the flatness of music",
)
LOG_MEL_L1 = Metric(
    "log_mel_l1",
    "log-mel L1",
    "pairs",
    _difference(log_mel_l1),
    "lower",
    "mean absolute difference of the log-mel spectrograms",
    "d2m.evaluation.fidelity.log_mel_l1",
    unit="decades",
    high=math.inf,
    fooled_by="blurred sound, whose distance is less than that of sharp sound a little early or late",
)
STFT_CONVERGENCE = Metric(
    "stft_convergence",
    "STFT convergence",
    "pairs",
    lambda pair: float(pair.stft.convergence),
    "lower",
    "norm of the difference of the magnitude spectrograms over that of the original's, mean over resolutions",
    "Yamamoto et al., Parallel WaveGAN, ICASSP 2020, section 2.2",
    high=math.inf,
    fooled_by="blurred sound, whose distance is less than that of sharp sound a little early or late",
)
STFT_LOG_MAGNITUDE = Metric(
    "stft_log_magnitude",
    "STFT log magnitude",
    "pairs",
    lambda pair: float(pair.stft.log_magnitude),
    "lower",
    "mean absolute difference of the logarithms of the magnitude spectrograms, mean over resolutions",
    "Yamamoto et al., Parallel WaveGAN, ICASSP 2020, section 2.2",
    high=math.inf,
    fooled_by="blurred sound, whose distance is less than that of sharp sound a little early or late",
)
ONSET_CORRELATION = Metric(
    "onset_correlation",
    "onset correlation",
    "pairs",
    _difference(onset_correlation),
    "higher",
    "correlation of the onset strengths",
    "d2m.evaluation.fidelity.onset_correlation",
    low=-1.0,
    fooled_by="clicks on the original's onsets",
)
SNR = Metric(
    "snr_db",
    "SNR, dB",
    "pairs",
    _difference(signal_to_noise),
    "higher",
    "power of the original over that of the difference",
    "d2m.evaluation.fidelity.signal_to_noise",
    unit="dB",
    low=-math.inf,
    high=math.inf,
    digits=1,
    fooled_by="the phase: sound that is the same to the ear has 0 dB if its phases differ",
)
SI_SDR = Metric(
    "si_sdr_db",
    "SI-SDR, dB",
    "pairs",
    _difference(scale_invariant_ratio),
    "higher",
    "the same at the best scale of the original, with means removed",
    "Le Roux et al., SDR - half-baked or well done?, ICASSP 2019",
    unit="dB",
    low=-math.inf,
    high=math.inf,
    digits=1,
    fooled_by="the phase: sound that is the same to the ear has 0 dB if its phases differ",
)
