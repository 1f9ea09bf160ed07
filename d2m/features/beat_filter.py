"""Forward filter over tempo and beat phase: the bar-pointer model without looking ahead.

The hidden state is a tempo and a position between two beats. From one step to the next the position advances with the
tempo; both may drift a little, and with a small rate the beat begins anew at any position, with a tempo that the tempo
model (:mod:`d2m.features.tempo_model`) believes in. Observations are the low points of the movement, with the
likelihood of :mod:`d2m.features.event_fit`, and the belief of the tempo model itself. As the belief comes from a
window of several seconds that overlaps with the one before, it counts for its share of new seconds only.

References
----------
N. Whiteley, A. T. Cemgil, S. Godsill, "Bayesian modelling of temporal structure in musical audio", ISMIR 2006 (bar
pointer); L. Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77(2), 1989, section III.A (forward
recursion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.features.envelope import MotionEvents
from d2m.features.event_fit import PHASES, likelihood
from d2m.features.tempo_model import SAME, TEMPOS

#: Tempos of the filter in beats per minute: twice as fine as those of the tempo model.
GRID = np.exp(np.arange(np.log(60.0), np.log(210.0), 0.0075))
#: Drift of the phase (beats per root of a second), share of the probability that moves to each neighbouring tempo per
#: second, and rate (per second) at which the beat begins anew.
PHASE_DRIFT, TEMPO_DRIFT, ANEW = 0.07, 0.1, 0.05
#: Seconds of movement after which the belief of the tempo model has counted once.
MEMORY = 1.0
#: How much more probable another tempo must be than the present one to take its place.
CLEARLY = 2.0


@dataclass(frozen=True)
class BeatState:
    """Estimate of the beat at one moment.

    Attributes:
        time: seconds.
        phase: position between the last beat (0) and the next (1).
        tempo: beats per minute.
        mass: probability of tempos within :data:`d2m.features.tempo_model.SAME` of it, 0 to 1.
    """

    time: float
    phase: float
    tempo: float
    mass: float

    def phase_at(self, time: float) -> float:
        """Extrapolate the phase.

        Args:
            time: seconds.

        Returns:
            Position between two beats, 0 to 1.
        """
        return float((self.phase + (time - self.time) * self.tempo / 60.0) % 1.0)


class BeatFilter:
    """Forward recursion over tempo and phase.

    Args:
        tempo: a tempo that is known, in beats per minute, or None.

    Attributes:
        time: seconds up to which the filter has come.
    """

    def __init__(self, tempo: float | None = None) -> None:
        self.time = 0.0
        self._tempos = GRID if tempo is None else np.array([tempo])
        self._prior = np.full(len(self._tempos), 1.0 / len(self._tempos))
        self._p = np.repeat(self._prior[:, None] / PHASES, PHASES, axis=1)
        self._waves = np.arange(PHASES // 2 + 1)
        self._near = np.abs(np.log(self._tempos[:, None] / self._tempos)) < SAME
        self._best: int | None = None

    def advance(self, time: float) -> None:
        """Predict the state at a later time.

        Args:
            time: seconds; earlier ones are ignored.
        """
        step = time - self.time
        if step <= 0:
            return
        self.time = time
        turns = self._tempos[:, None] * step / 60.0
        spread = -2.0 * (np.pi * self._waves * PHASE_DRIFT) ** 2 * step
        moved = np.fft.rfft(self._p, axis=1) * np.exp(-2j * np.pi * self._waves * turns + spread)
        p = np.maximum(np.fft.irfft(moved, PHASES, axis=1), 0.0)
        drift = min(TEMPO_DRIFT * step, 0.25)
        if len(p) > 1:
            padded = np.concatenate([p[:1], p, p[-1:]])
            p = (1.0 - 2.0 * drift) * p + drift * (padded[:-2] + padded[2:])
        anew = min(ANEW * step, 1.0)
        self._p = (1.0 - anew) * p / max(p.sum(), 1e-300) + anew * self._prior[:, None] / PHASES

    def observe(self, events: MotionEvents) -> None:
        """Take events of the movement into account.

        Args:
            events: events that have not been given before, at times up to :attr:`time`.
        """
        if len(events.times):
            self._weigh(likelihood(events, self._tempos, self.time, False))

    def believe(self, log_probability: np.ndarray, seconds: float) -> None:
        """Take the belief of the tempo model into account.

        Args:
            log_probability: float64 (tempos,), for :data:`d2m.features.tempo_model.TEMPOS`.
            seconds: time since the last belief.
        """
        if len(self._tempos) == 1:
            return
        found = np.interp(np.log(self._tempos), np.log(TEMPOS), log_probability)
        self._prior = np.exp(found - np.logaddexp.reduce(found))
        self._weigh((min(seconds / MEMORY, 1.0) * found)[:, None])

    def state(self) -> BeatState:
        """Return the most probable tempo, and the phase given that tempo.

        A tempo stays until another one is :data:`CLEARLY` more probable.
        """
        mass = self._near @ self._p.sum(axis=1)
        best = int(mass.argmax())
        if self._best is None or mass[best] > CLEARLY * mass[self._nearby(mass)]:
            self._best = best
        else:
            self._best = self._nearby(mass)
        near = self._near[self._best]
        weight = self._p[near]
        phase = _centre(weight.sum(axis=0))
        share = weight.sum(axis=1) / max(weight.sum(), 1e-300)
        tempo = float(np.exp((share * np.log(self._tempos[near])).sum()))
        return BeatState(self.time, phase, tempo, float(min(mass[self._best], 1.0)))

    def _nearby(self, mass: np.ndarray) -> int:
        """The most probable tempo near the present one."""
        if self._best is None:
            return int(mass.argmax())
        near = np.flatnonzero(self._near[self._best])
        return int(near[mass[near].argmax()])

    def _weigh(self, log_likelihood: np.ndarray) -> None:
        p = self._p * np.exp(log_likelihood - log_likelihood.max())
        self._p = p / max(p.sum(), 1e-300)


def _centre(p: np.ndarray) -> float:
    """Circular mean of the phase within a quarter of a beat of its most probable value; p (PHASES,)."""
    cells = np.arange(PHASES)
    best = int(p.argmax())
    away = (cells - best + PHASES // 2) % PHASES - PHASES // 2
    near = np.abs(away) <= PHASES // 4
    return float((best + (p[near] * away[near]).sum() / max(p[near].sum(), 1e-300)) / PHASES % 1.0)
