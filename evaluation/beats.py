"""Beat metrics: agreement of estimated beats with true beats, or of generated music with the original.

Against true beats (known for studio dances): F-measure and tempo. Against the original music of the same
dance: the beat coverage and beat hit scores of D2M-GAN and LORIS, computed as in their published scripts.

Conventions
-----------
Beat times are seconds in rising order; tempos beats per minute; waveforms float arrays (samples,) or (channels,
samples). Unlike in mir_eval, the first five seconds are not left out, since a clip may be no longer than that.

Metrics
-------
* :func:`beat_f_measure`: harmonic mean of precision and recall of beats, or onsets, within 70 ms.
* :func:`continuity`: share of continuously correct beats, at the true tempo or also at a multiple of it.
* :func:`tempo_ratio`, :func:`tempo_agrees`: estimated over true tempo; equal within 4 %, or a simple multiple.
* :func:`coverage_and_hit`: shares of whole seconds with an onset. One-second bins are coarse: nearly any music with a
  steady beat scores 1.
* :func:`summarise`: LORIS's table over many clips (BCS, CSD, BHS, HSD, F1).

References
----------
S. Dixon, "Onset detection revisited", DAFx 2006; M. Davies et al., "Evaluation methods for musical audio beat
tracking algorithms", QMUL C4DM-TR-09-06, 2009. F. Gouyon et al., IEEE TASLP 14(5), 2006 (tempo). Y. Zhu et
al., "Quantized GAN for Complex Music Generation from Dance Videos", ECCV 2022, section 4.2. J. Yu et al.,
"Long-Term Rhythmic Video Soundtracker", ICML 2023, section 5.1. The scripts: ``beats_scores.py`` of
github.com/L-YeZhu/Beats_Scores (D2M-GAN) and of github.com/OpenGVLab/LORIS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from d2m.extras import require
from d2m.features.beat_score import TOLERANCE as TOLERANCE
from d2m.features.beat_score import beat_f_measure as beat_f_measure
from d2m.load_librosa import load_librosa

from .fidelity import mono

# At import, so that a command ends before it reads the first recording.
require("mir_eval", "evaluate", "evaluation of beats")

#: librosa's peak picking in the two published scripts, in frames of 512 samples at 22050 Hz.
SCRIPTS: dict[str, dict[str, Any]] = {
    "d2m-gan": {"wait": 1, "delta": 0.2, "pre_avg": 1, "post_avg": 1, "post_max": 1},
    "loris": {"wait": 1, "delta": 0.2, "pre_avg": 3, "post_avg": 3, "pre_max": 3, "post_max": 3},
}


@dataclass(frozen=True)
class BeatSummary:
    """LORIS's table. Means and standard deviations (n - 1; NaN for one clip) over clips; ``f1`` is the harmonic mean
    of the means.
    """

    coverage: float
    coverage_deviation: float
    hit: float
    hit_deviation: float
    f1: float


@dataclass(frozen=True)
class Continuity:
    """Longest run (``c``) and total share (``t``) of right beats, 0..1: at the reference's tempo and phase (``cml``,
    correct metrical level), or also off the beat and at twice or half the tempo (``aml``, any level)."""

    cmlc: float
    cmlt: float
    amlc: float
    amlt: float


def continuity(reference: np.ndarray, estimated: np.ndarray) -> Continuity:
    """Compute the continuity of beats (Davies et al. 2009; mir_eval): a beat is correct if it and its distance to the
    one before are within 17.5 % of a period; 0 for fewer than two beats.

    Args:
        reference, estimated: times in seconds.
    """
    from mir_eval import beat

    reference, estimated = np.asarray(reference, float), np.asarray(estimated, float)
    if len(reference) < 2 or len(estimated) < 2:
        return Continuity(0.0, 0.0, 0.0, 0.0)
    return Continuity(*(float(value) for value in beat.continuity(reference, estimated)))


def tempo_ratio(estimated: float, reference: float) -> float:
    """Compute the ratio of the estimated to the true tempo.

    Args:
        estimated, reference: beats per minute.

    Raises:
        ValueError: if either is not above 0.
    """
    if not (estimated > 0 and reference > 0):
        raise ValueError("tempos must be above 0")
    return estimated / reference


def tempo_agrees(estimated: float, reference: float, multiples: bool = False, tolerance: float = 0.04) -> bool:
    """Tell whether a tempo is correct.

    Args:
        estimated, reference: beats per minute.
        multiples: accept twice, three times, half or a third of the tempo.
        tolerance: relative.
    """
    factors = (1.0, 2.0, 3.0, 1 / 2, 1 / 3) if multiples else (1.0,)
    ratio = tempo_ratio(estimated, reference)
    return any(abs(ratio / factor - 1) <= tolerance for factor in factors)


def track_beats(waveform: np.ndarray, sample_rate: int) -> tuple[float, np.ndarray]:
    """Track beats by librosa's tracker (Ellis 2007): tempo and beat times; the tempo is 0 without beats.

    Args:
        waveform: float32 (samples,) or (channels, samples); heard at 22050 Hz mono, as in every report: the tracker
            counts in frames of 512 samples, so that it hears other beats at another rate.
        sample_rate: hertz.
    """
    librosa = load_librosa(beat=True)

    tempo, beats = librosa.beat.beat_track(y=_at_22050(waveform, sample_rate), sr=22050, units="time")
    return float(np.atleast_1d(tempo)[0]), beats


def seconds_with_onsets(waveform: np.ndarray, sample_rate: int, script: str = "d2m-gan") -> np.ndarray:
    """Return the whole seconds in which the published script finds an onset, rising, each once.

    Args:
        waveform: brought to 22050 Hz mono first.
        sample_rate: hertz.
        script: ``"d2m-gan"`` or ``"loris"``, which pick peaks differently.
    """
    librosa = load_librosa()

    waveform = _at_22050(waveform, sample_rate)
    return whole_seconds(librosa.onset.onset_detect(y=waveform, sr=22050, units="time", **SCRIPTS[script]))


def _at_22050(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    librosa = load_librosa()

    waveform = mono(waveform)
    return waveform if sample_rate == 22050 else librosa.resample(waveform, orig_sr=sample_rate, target_sr=22050)


def whole_seconds(times: np.ndarray) -> np.ndarray:
    """Return the whole seconds that contain the times, rising, each once.

    Args:
        times: seconds.
    """
    return np.unique(np.floor(times).astype(int))


def marks_score(generated: np.ndarray, reference: np.ndarray, script: str = "d2m-gan") -> tuple[float, float]:
    """Return beat coverage and beat hit of whole seconds with onsets, as D2M-GAN's or LORIS's published script works
    them out.

    B seconds are marked in the reference, G in the generated music, H in both. Hit is H / B. Coverage is G / B for
    D2M-GAN (it may exceed 1) and H / G for LORIS.

    Args:
        generated, reference: whole seconds, of the time that both recordings last. (D2M-GAN's script stops at
            recordings of different length, LORIS's leaves out what the reference has more and stops in the other
            case.)
        script: ``"d2m-gan"`` or ``"loris"``.

    Returns:
        Coverage and hit. Where nothing can be divided by, D2M-GAN's script stops: both are NaN; LORIS's puts 0.
    """
    marked, true = set(generated), set(reference)
    both = len(marked & true)
    if script == "loris":
        return both / len(marked) if marked else 0.0, both / len(true) if true else 0.0
    return (len(marked) / len(true), both / len(true)) if true else (float("nan"), float("nan"))


def coverage_and_hit(
    generated: np.ndarray, reference: np.ndarray, sample_rate: int, script: str = "d2m-gan"
) -> tuple[float, float]:
    """Compute :func:`marks_score` of two recordings.

    Args:
        generated, reference: waveforms.
        sample_rate: hertz.
        script: ``"d2m-gan"`` or ``"loris"``.
    """
    made, wanted = (seconds_with_onsets(waveform, sample_rate, script) for waveform in (generated, reference))
    return marks_score(made, wanted, script)


def summarise(scores: Sequence[tuple[float, float]]) -> BeatSummary:
    """Compute LORIS's summary of the coverage and hit of several clips; clips with NaN do not count.

    Args:
        scores: coverage and hit of each clip.

    Raises:
        ValueError: if none counts.
    """
    table = np.array([pair for pair in scores if np.isfinite(pair).all()], dtype=float).reshape(-1, 2)
    if not len(table):
        raise ValueError("no clip with onsets in its reference")
    means = table.mean(0)
    deviations = table.std(0, ddof=1) if len(table) > 1 else np.full(2, np.nan)
    f1 = 2 * means[0] * means[1] / means.sum() if means.sum() > 0 else 0.0
    return BeatSummary(float(means[0]), float(deviations[0]), float(means[1]), float(deviations[1]), float(f1))
