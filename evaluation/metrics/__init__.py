"""Metrics by name: what each one is called, what it is measured in, which direction is better, and how it is computed.

The benchmark, ``d2m evaluate`` and their tables and JSON reports read the metrics from :data:`METRICS`. Another package
adds one with an entry point of the group ``d2m.metrics`` (:mod:`d2m.registry`) that leads to a
:class:`~d2m.evaluation.metrics.base.Metric` of the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from d2m.errors import D2MError
from d2m.registry import Registry

from .base import GROUPS, Metric, Score, plain

_BEATS, _ALIGNMENT, _SETS, _SOUND, _MUSIC, _RHYTHM, _NOTES = (
    f"d2m.evaluation.metrics.{module}:"
    for module in ("beats", "alignment", "sets", "sound", "music", "rhythm", "notes")
)
#: Every metric, in the order of the tables' columns.
METRICS: Registry[Metric] = Registry(
    "metric",
    "d2m.metrics",
    {
        "d2m_coverage": _BEATS + "D2M_COVERAGE",
        "d2m_hit": _BEATS + "D2M_HIT",
        "bcs": _BEATS + "BCS",
        "csd": _BEATS + "CSD",
        "bhs": _BEATS + "BHS",
        "hsd": _BEATS + "HSD",
        "f1": _BEATS + "F1",
        "onset_f": _BEATS + "ONSET_F",
        "beat_f": _BEATS + "BEAT_F",
        "true_beat_f": _BEATS + "TRUE_BEAT_F",
        "agreement": _BEATS + "AGREEMENT",
        "tempo_within": _BEATS + "TEMPO_WITHIN",
        "tempo_octave": _BEATS + "TEMPO_OCTAVE",
        "tempo_ratio": _BEATS + "TEMPO_RATIO",
        "continuity": _BEATS + "CONTINUITY",
        "beat_align": _ALIGNMENT + "BEAT_ALIGN",
        "beat_align_music_to_motion": _ALIGNMENT + "MUSIC_TO_MOTION",
        "hit_rate": _ALIGNMENT + "HIT_RATE",
        "aist": _ALIGNMENT + "AIST",
        "frechet": _SETS + "FRECHET",
        "halves": _SETS + "HALVES",
        "frechet_per_value": _SETS + "FRECHET_PER_VALUE",
        "frechet_infinity": _SETS + "FRECHET_INFINITY",
        "kernel": _SETS + "KERNEL",
        "kernel_audio": _SETS + "KERNEL_AUDIO",
        "classification": _SOUND + "CLASSIFICATION",
        "retrieval": _SOUND + "RETRIEVAL",
        "loudness_lufs": _SOUND + "LOUDNESS",
        "loudness_steadiness": _SOUND + "LOUDNESS_SPREAD",
        "clipping": _SOUND + "CLIPPING",
        "silence_s": _SOUND + "SILENCE",
        "dc_offset": _SOUND + "OFFSET",
        "clicks_per_s": _SOUND + "CLICKS",
        "flatness": _SOUND + "FLATNESS",
        "key_clarity": _MUSIC + "KEY_CLARITY",
        "in_key": _MUSIC + "IN_KEY",
        "harmonic_change": _MUSIC + "HARMONIC_CHANGE",
        "repetition": _MUSIC + "REPETITION",
        "section_contrast": _MUSIC + "SECTION_CONTRAST",
        "log_mel_l1": _SOUND + "LOG_MEL_L1",
        "stft_convergence": _SOUND + "STFT_CONVERGENCE",
        "stft_log_magnitude": _SOUND + "STFT_LOG_MAGNITUDE",
        "onset_correlation": _SOUND + "ONSET_CORRELATION",
        "snr_db": _SOUND + "SNR",
        "si_sdr_db": _SOUND + "SI_SDR",
        "tempo_right": _RHYTHM + "TEMPO_RIGHT",
        "octave_right": _RHYTHM + "OCTAVE_RIGHT",
        "f": _RHYTHM + "F",
        "f_chance": _RHYTHM + "F_CHANCE",
        "excess": _RHYTHM + "EXCESS",
        "cmlt": _RHYTHM + "CMLT",
        "amlt": _RHYTHM + "AMLT",
        "downbeat_f": _RHYTHM + "DOWNBEAT_F",
        "phase_error_abs_ms": _RHYTHM + "PHASE_ERROR",
        "phase_concentration": _RHYTHM + "PHASE_CONCENTRATION",
        "confidence": _RHYTHM + "CONFIDENCE",
        "empty_bars": _NOTES + "EMPTY_BARS",
        "used_pitch_classes": _NOTES + "PITCH_CLASSES",
        "qualified_notes": _NOTES + "QUALIFIED",
        "drum_pattern": _NOTES + "DRUM_PATTERN",
        "tonal_distance": _NOTES + "TONAL_DISTANCE",
        "polyphony": _NOTES + "POLYPHONY",
        "in_scale": _NOTES + "SCALE_CONSISTENCY",
        "pitch_class_entropy": _NOTES + "PITCH_ENTROPY",
        "groove_consistency": _NOTES + "GROOVE",
    },
)


def metrics_of(*groups: str) -> tuple[Metric, ...]:
    """Return the metrics of some groups, in the order of the registry.

    Args:
        groups: keys of :data:`~d2m.evaluation.metrics.base.GROUPS`.

    Raises:
        D2MError: if another package's metric cannot be imported, or is none.
    """
    return tuple(metric for metric in _all(tuple(sys.path)) if metric.group in groups)


@lru_cache(maxsize=8)
def _all(path: tuple[str, ...]) -> tuple[Metric, ...]:
    """Every metric, for a search path: the packages on it may add some."""
    return tuple(_checked(name, METRICS.get(name)) for name in METRICS)


def _checked(name: str, metric: Metric) -> Metric:
    if not isinstance(metric, Metric):
        raise D2MError(f"the metric '{name}' is a {type(metric).__name__}; it must be a d2m.evaluation.metrics.Metric")
    if metric.name != name or metric.group not in GROUPS:
        raise D2MError(
            f"the metric '{name}' calls itself '{metric.name}', of the group '{metric.group}'; its name must be that "
            f"of its entry point, its group one of {', '.join(GROUPS)}"
        )
    return metric


def compute(group: str, given: Any) -> dict[str, Score]:
    """Compute every metric of a group.

    Args:
        group: key of :data:`~d2m.evaluation.metrics.base.GROUPS`.
        given: what the group's metrics are computed from.

    Returns:
        Plain JSON values by name; None where a metric is undefined.
    """
    return {metric.name: plain(metric.compute(given)) for metric in metrics_of(group)}


def combine(group: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Score]:
    """Combine the scores of several pieces of music, each metric as it is done: usually the mean.

    Args:
        group: key of :data:`~d2m.evaluation.metrics.base.GROUPS`.
        rows: scores of each piece, as :func:`compute` returns them.

    Returns:
        Plain JSON values by name; None where a metric is defined for no piece.
    """
    return {metric.name: plain(metric.combine(rows)) if rows else None for metric in metrics_of(group)}


def describe(*groups: str) -> dict[str, dict[str, Any]]:
    """Describe the metrics of some groups for a JSON report.

    Args:
        groups: keys of :data:`~d2m.evaluation.metrics.base.GROUPS`.

    Returns:
        By name: ``title``, ``unit``, ``better``, ``range`` (null where it has no end), ``about``, ``reference``.
    """
    return {metric.name: metric.plain() for metric in metrics_of(*groups)}


def added() -> dict[str, str]:
    """Return the names and versions of the metrics that other packages add."""
    own = set(METRICS.own)
    return {metric.name: metric.version for metric in metrics_of(*GROUPS) if metric.name not in own}
