"""Likelihood of each phase of the beats of a known tempo, from the shape of the movement within a beat.

Low points of the movement (:mod:`d2m.features.event_fit`) lie on beats and between them. What tells these apart is how
speeds, accelerations, bounce and bending of limbs rise and fall within a beat. Their Fourier coefficients at the tempo,
twice and three times it, are compared with those that real dances have in the mean: a log-linear model (softmax over
phases), whose weights (:mod:`d2m.features.phase_weights`) ``scripts/fit_tempo.py`` fits to dances with known beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.features.event_fit import PHASES, WINDOW
from d2m.features.tempo_curves import Curves

#: Multiples of the tempo at which coefficients are computed.
HARMONICS = np.array([1.0, 2.0, 3.0])
#: Rows of :class:`~d2m.features.tempo_curves.Curves` that are used: group and number of rows, those in space last.
ROWS = (("speed", 5), ("bounce", 1), ("hands", 1), ("head", 1), ("acceleration", 2), ("bending", 3))
ROW_COUNT = sum(count for _, count in ROWS)
#: Step (log) of the tempos at which the windows of a long clip are evaluated.
TEMPO_STEP = 0.005


@dataclass(frozen=True)
class PhaseEvidence:
    """Curves of one or several dancers, from which the likelihood of phases is computed.

    Attributes:
        rows: float64 (ROW_COUNT, T) of each dancer; zeros where a curve is not known.
        shares: weight of each dancer.
        rate: frames per second.
    """

    rows: tuple[np.ndarray, ...]
    shares: tuple[float, ...]
    rate: float

    @classmethod
    def of(cls, curves: Curves) -> PhaseEvidence:
        """Collect the rows of all dancers; there are none without landmarks of known joints.

        Args:
            curves: curves of the movement.
        """
        known = [one for one in (curves, *curves.others) if "bounce" in one.groups]
        return cls(tuple(_rows(one) for one in known), tuple(one.share for one in known), curves.rate)

    def figures(self, tempos: np.ndarray, centre: float, window: float | None, start: float, end: float) -> np.ndarray:
        """Compute the coefficients of the movement.

        Args:
            tempos: beats per minute.
            centre: time in seconds at which phases are measured.
            window: seconds around the centre that are used, weighted by their distance from it; None for all.
            start, end: time range in seconds, outside which nothing is used.

        Returns:
            complex128 (tempos, ROW_COUNT, harmonics), with compressed magnitudes.
        """
        total = np.zeros((len(tempos), ROW_COUNT, len(HARMONICS)), complex)
        if not self.rows:
            return total
        reach = np.inf if window is None else window / 2
        first = max(int(np.ceil(max(start, centre - reach) * self.rate)), 0)
        last = min(int(np.floor(min(end, centre + reach) * self.rate)) + 1, self.rows[0].shape[1])
        offset = np.arange(first, last) / self.rate - centre
        if len(offset) < 2:
            return total
        weight = np.ones(len(offset)) if window is None else np.cos(np.pi * offset / window) ** 2
        turns = np.outer(tempos / 60.0, HARMONICS).ravel()
        waves = np.exp(-2j * np.pi * np.outer(offset, turns)) * (weight / np.sqrt(weight.sum()))[:, None]
        for rows, share in zip(self.rows, self.shares, strict=True):
            found = (rows[:, first:last] @ waves).reshape(ROW_COUNT, len(tempos), len(HARMONICS))
            total += share * _compressed(found).transpose(1, 0, 2)
        return total


def _rows(curves: Curves) -> np.ndarray:
    rows = np.zeros((ROW_COUNT, len(curves.seen)))
    at = 0
    for name, count in ROWS:
        found = curves.groups.get(name, np.zeros((0, len(curves.seen))))[:count]
        rows[at : at + len(found)] = found
        at += count
    return rows


def _compressed(values: np.ndarray) -> np.ndarray:
    """Compress magnitudes, so that one strong curve does not decide alone."""
    size = np.abs(values)
    return values * (np.log1p(size) / np.maximum(size, 1e-9))


def phase_likelihood(
    evidence: PhaseEvidence, tempos: np.ndarray, centre: float, window: float | None, start: float, end: float
) -> np.ndarray:
    """Compute log likelihoods of phases, up to a constant, from one window.

    Args:
        evidence: curves of the movement.
        tempos, centre, window, start, end: see :meth:`PhaseEvidence.figures`.

    Returns:
        float64 (tempos, phases); a phase is the beat position (0..1) at ``centre``.
    """
    return _over_phases(_weighted(evidence.figures(tempos, centre, window, start, end)))


def steady_phase_likelihood(
    evidence: PhaseEvidence, tempos: np.ndarray, centres: np.ndarray, start: float, end: float
) -> np.ndarray:
    """Compute log likelihoods of phases at the middle of a range that has one tempo.

    Args:
        evidence: curves of the movement.
        tempos: beats per minute, rising.
        centres: centres of overlapping windows in seconds; one for a short range, which is used as a whole.
        start, end: the range in seconds.

    Returns:
        float64 (tempos, phases).
    """
    middle = 0.5 * (start + end)
    if len(centres) == 1:
        return phase_likelihood(evidence, tempos, middle, None, start, end)
    steps = np.round(np.log(tempos / tempos[0]) / TEMPO_STEP).astype(np.int64)
    coarse = tempos[0] * np.exp(TEMPO_STEP * np.arange(steps.max() + 1))
    total = np.zeros((len(tempos), len(HARMONICS)), complex)
    for centre in centres:
        found = _weighted(evidence.figures(coarse, centre, WINDOW, start, end))[steps]
        total += found * np.exp(-2j * np.pi * np.outer((centre - middle) * tempos / 60.0, HARMONICS))
    return _over_phases(total)


def _weighted(figures: np.ndarray) -> np.ndarray:
    """Weigh coefficients (tempos, rows, harmonics) to complex (tempos, harmonics)."""
    from d2m.features.phase_weights import WEIGHTS

    weights = np.array(WEIGHTS).reshape(2, ROW_COUNT, len(HARMONICS))
    return np.einsum("trh,rh->th", figures, weights[0] - 1j * weights[1])


def _over_phases(coefficients: np.ndarray) -> np.ndarray:
    """Evaluate complex (tempos, harmonics) at all phases: float64 (tempos, PHASES)."""
    spectrum = np.zeros((len(coefficients), PHASES // 2 + 1), complex)
    spectrum[:, HARMONICS.astype(np.int64)] = np.conj(coefficients) * PHASES / 2
    return np.fft.irfft(spectrum, PHASES)
