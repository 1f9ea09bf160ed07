"""Tempo and phase of a set of events: which evenly spaced beats explain them better than chance.

An event is taken to come from a beat, from half-way between two beats, or from anywhere; the likelihood ratio
against "anywhere" is summed over the events for every tempo and phase. Because the density of a beat is set
against the density of chance, a fast tempo, which is near everything, gains nothing by it. Long clips are
seen through overlapping windows, and a Viterbi search joins them, letting tempo and phase wander a little (a
recording's tempo is steady, so only as much as the events insist on). The search over a bar-pointer-like state
follows the idea of Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical audio",
ISMIR 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from d2m.features.envelope import MotionEvents

#: Beats a minute searched, and the step between neighbours.
SLOWEST, FASTEST = 78.0, 152.0
TEMPO_STEP = 0.005
PHASES = 64
#: Looseness of dancer and measurement, seconds.
LOOSENESS = 0.05
#: Share of the events on a beat and half-way between.
ON_BEAT, HALF_WAY = 0.45, 0.15
#: How much of an independent observation one unit of event weight is.
TRUST = 4.0
#: Window and hop (seconds) through which long clips are seen.
WINDOW, HOP = 8.0, 4.0
#: Wandering per hop: tempo steps and phase cells looked at, and the cost (nats) of one step of each.
TEMPO_REACH, PHASE_REACH = 2, 2
TEMPO_COST, PHASE_COST = 1.0, 0.3
#: Nats per window by which wandering must explain more than one steady tempo; how far (part) from the wandering tempo
#: the steady one is looked for, and up to which length (s): beyond, clips are compilations.
WANDER_COST = 0.7
STEADY_REACH = 0.03
LONGEST_STEADY = 600.0
#: Log odds of being right: constant, and the weights of the logit of the posterior mass and of the root of the nats.
CALIBRATION = (-1.6, 0.3, 0.51)


@dataclass(frozen=True)
class TempoPrior:
    """What tempos are likely before anything is seen: log-normal, cut at ``low`` and ``high`` (beats a minute)."""

    middle: float = 112.0
    spread: float = 0.22
    low: float = SLOWEST
    high: float = FASTEST

    def log(self, tempos: np.ndarray) -> np.ndarray:
        """Log probability of each of the tempos (up to a constant), -inf never: outside the cut it is just rare."""
        value = -0.5 * (np.log(tempos / self.middle) / self.spread) ** 2
        return value - 6.0 * ((tempos < self.low) | (tempos > self.high))


@dataclass(frozen=True)
class Pulse:
    """Steady-in-pieces beats over a clip.

    Attributes:
        centres: float64 (W,), seconds at which phase and period are known.
        position: float64 (W,), the beat position there, unwrapped (rises by one a beat).
        periods: float64 (W,), seconds a beat.
        confidence: 0..1, about the probability that these are the beats.
    """

    centres: np.ndarray
    position: np.ndarray
    periods: np.ndarray
    confidence: float = 0.0

    def times(self, start: float, end: float) -> np.ndarray:
        """All beat times from the last at or before ``start`` to the first at or after ``end``."""
        if len(self.centres) > 1:
            from scipy.interpolate import PchipInterpolator

            inner = np.arange(np.ceil(self.position[0]), np.floor(self.position[-1]) + 1)
            middle = PchipInterpolator(self.position, self.centres)(inner)
        else:
            inner = np.array([np.ceil(self.position[0])])
            middle = self.centres[0] + (inner - self.position[0]) * self.periods[0]
        before = int(max(np.ceil((middle[0] - start) / self.periods[0]), 0))
        after = int(max(np.ceil((end - middle[-1]) / self.periods[-1]), 0))
        first = middle[0] - np.arange(before, 0, -1) * self.periods[0]
        last = middle[-1] + np.arange(1, after + 1) * self.periods[-1]
        return np.concatenate([first, middle, last])


def find_pulse(events: MotionEvents, duration: float, prior: TempoPrior | None = None) -> Pulse:
    """The most probable beats.

    Args:
        events: what the motion marks.
        duration: seconds of the clip.
        prior: tempos to expect.
    """
    prior = prior or TempoPrior()
    tempos = np.exp(np.arange(np.log(SLOWEST), np.log(FASTEST), TEMPO_STEP))
    centres = _centres(duration)
    log_prior = prior.log(tempos)
    log_prior = log_prior - np.logaddexp.reduce(log_prior) - np.log(PHASES)
    seen = np.stack([likelihood(events, tempos, c, len(centres) > 1).astype(np.float32) for c in centres])
    tempo_path, phase_path = _best_path(seen, log_prior, tempos, np.diff(centres))
    periods = 60.0 / tempos[tempo_path]
    position = np.empty(len(centres))
    position[0] = phase_path[0] / PHASES
    for w in range(1, len(centres)):
        mean = 0.5 * (1 / periods[w - 1] + 1 / periods[w])
        expected = position[w - 1] + (centres[w] - centres[w - 1]) * mean
        position[w] = expected + _wrapped(phase_path[w] / PHASES - expected)
    confidence = _confidence(seen, log_prior, tempos, tempo_path, phase_path)
    wandering = Pulse(centres, position, periods, confidence)
    if len(centres) == 1 or duration > LONGEST_STEADY:
        return wandering
    steady = _steady(events, duration, wandering)
    gain = explained(events, wandering) - explained(events, steady)
    return wandering if gain > WANDER_COST * len(centres) else steady


def explained(events: MotionEvents, pulse: Pulse) -> float:
    """Log likelihood ratio of the events, these beats against chance."""
    position = np.interp(events.times, pulse.centres, pulse.position)
    position += np.minimum(events.times - pulse.centres[0], 0.0) / pulse.periods[0]
    position += np.maximum(events.times - pulse.centres[-1], 0.0) / pulse.periods[-1]
    period = np.interp(events.times, pulse.centres, pulse.periods)
    # The density changes little with the period: the two ends of its range tell all.
    value = 0.0
    bounds = np.quantile(period, [0.0, 1.0])
    share = (period - bounds[0]) / max(bounds[1] - bounds[0], 1e-9)
    for bound, part in zip(bounds, (1.0 - share, share), strict=True):
        density = np.append(_log_density(float(bound)), _log_density(float(bound))[0])
        value += float(
            np.sum(events.weights * part * np.interp(position % 1.0 * PHASES, np.arange(PHASES + 1), density))
        )
    return TRUST * value


def _steady(events: MotionEvents, duration: float, near: Pulse) -> Pulse:
    """The most probable beats of one tempo, close to that of a wandering pulse."""
    tempo = 60.0 * (near.position[-1] - near.position[0]) / (near.centres[-1] - near.centres[0])
    step = 0.04 * 60.0 / (tempo * duration)
    tempos = tempo * np.exp(np.arange(-STEADY_REACH, STEADY_REACH + step, step))
    # In pieces, for a long clip has many events and needs many tempos.
    piece = max(int(1e6 // max(len(events.times), 1)), 1)
    found = []
    for start in range(0, len(tempos), piece):
        seen = likelihood(events, tempos[start : start + piece], duration / 2, False)
        tempo_index, phase = np.unravel_index(int(np.argmax(seen)), seen.shape)
        found.append((float(seen[tempo_index, phase]), start + int(tempo_index), int(phase)))
    _, best, phase = max(found)
    period = 60.0 / tempos[best]
    ends = np.array([0.0, duration])
    position = phase / PHASES + (ends - duration / 2) / period
    return Pulse(ends, position, np.full(2, period), near.confidence)


def likelihood(events: MotionEvents, tempos: np.ndarray, centre: float, windowed: bool) -> np.ndarray:
    """Log likelihood ratio against chance, float64 (tempos, phases), of beats through a window.

    A phase is the beat position (0..1) at ``centre``.
    """
    offset = events.times - centre
    weight = events.weights * TRUST
    if windowed:
        near = np.abs(offset) < WINDOW / 2
        # Two neighbouring windows together count every event once.
        offset, weight = offset[near], weight[near] * np.cos(np.pi * offset[near] / WINDOW) ** 2
    place = (offset * tempos[:, None] / 60.0 % 1.0) * PHASES
    low = np.floor(place).astype(np.int64)
    part = place - low
    row = np.arange(len(tempos))[:, None] * PHASES
    counts = np.zeros(len(tempos) * PHASES)
    for cell, share in ((low, 1.0 - part), (low + 1, part)):
        counts += np.bincount((row + cell % PHASES).ravel(), (weight * share).ravel(), counts.size)
    # Correlation: an event at place u fits phase p when u + p is a whole number.
    spectrum = np.conj(np.fft.rfft(counts.reshape(len(tempos), PHASES)))
    return np.fft.irfft(spectrum * _density_spectra(tuple(tempos.tolist())), PHASES)


@lru_cache(maxsize=4)
def _density_spectra(tempos: tuple[float, ...]) -> np.ndarray:
    return np.stack([np.fft.rfft(_log_density(60.0 / tempo)) for tempo in tempos])


def _log_density(period: float) -> np.ndarray:
    """Log of the density of events over one beat, next to chance; symmetric, float64 (PHASES,)."""
    place = np.arange(PHASES) / PHASES
    width = LOOSENESS / period

    def bump(middle: float) -> np.ndarray:
        away = (place[:, None] - middle + np.arange(-2, 3)) / width
        return np.exp(-0.5 * away**2).sum(axis=1) / (width * np.sqrt(2 * np.pi))

    return np.log(1.0 - ON_BEAT - HALF_WAY + ON_BEAT * bump(0.0) + HALF_WAY * bump(0.5))


def _centres(duration: float) -> np.ndarray:
    if duration <= 1.5 * WINDOW:
        return np.array([duration / 2])
    count = int(np.ceil(duration / HOP)) + 1
    return np.linspace(0.0, duration, count)


def _best_path(
    seen: np.ndarray, log_prior: np.ndarray, tempos: np.ndarray, hops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Viterbi over (tempo, phase) per window; ``seen`` (W, N, M). Returns both indices, (W,) each."""
    score = seen[0] + log_prior[:, None]
    back: list[np.ndarray] = []
    for w, hop in enumerate(hops):
        score, source = _step(score, tempos, hop)
        back.append(source)
        score = score + seen[w + 1]
    best = int(np.argmax(score))
    path = [best]
    for source in reversed(back):
        path.append(int(source.ravel()[path[-1]]))
    states = np.array(path[::-1])
    return states // PHASES, states % PHASES


def _step(score: np.ndarray, tempos: np.ndarray, hop: float) -> tuple[np.ndarray, np.ndarray]:
    """Best score of reaching each state one hop later, and the flat index of the state it comes from."""
    count = len(tempos)
    best = np.full(score.shape, -np.inf)
    source = np.zeros(score.shape, dtype=np.int32)
    rows = np.arange(count)
    columns = np.arange(PHASES)
    for tempo_step in range(-TEMPO_REACH, TEMPO_REACH + 1):
        origin = rows - tempo_step
        valid = (origin >= 0) & (origin < count)
        origin = np.clip(origin, 0, count - 1)
        turn = np.rint(hop * 0.5 * (tempos[origin] + tempos) / 60.0 * PHASES).astype(np.int64)
        for phase_step in range(-PHASE_REACH, PHASE_REACH + 1):
            column = (columns[None, :] - turn[:, None] - phase_step) % PHASES
            cost = TEMPO_COST * tempo_step**2 + PHASE_COST * phase_step**2
            value = np.where(valid[:, None], score[origin[:, None], column] - cost, -np.inf)
            better = value > best
            best = np.where(better, value, best)
            source = np.where(better, (origin[:, None] * PHASES + column).astype(np.int32), source)
    return best, source


def _confidence(
    seen: np.ndarray, log_prior: np.ndarray, tempos: np.ndarray, tempo_path: np.ndarray, phase_path: np.ndarray
) -> float:
    """Probability that the path is right, from how much it explains and how little else does.

    Two things go into a logistic: the nats by which the path explains the events better than chance, and the
    posterior mass of grids within 4 % of its tempo and 70 ms of its beats, mean over windows. Its three
    coefficients were fitted to made-up dances (2 to 30 s) and random events, the outcome being an F-measure of the
    beats above 0.75.
    """
    masses, gain = [], 0.0
    for window, tempo, phase in zip(seen, tempo_path, phase_path, strict=True):
        gain += float(window[tempo, phase])
        posterior = window + log_prior[:, None]
        mass = np.exp(posterior - posterior.max())
        near_tempo = np.abs(np.log(tempos / tempos[tempo])) < 0.04
        near_phase = np.abs(_wrapped((np.arange(PHASES) - phase) / PHASES)) * 60.0 / tempos[tempo] < 0.07
        masses.append(float(mass[np.ix_(near_tempo, near_phase)].sum() / mass.sum()))
    mass = float(np.clip(np.mean(masses), 0.001, 0.999))
    constant, for_mass, for_gain = CALIBRATION
    odds = constant + for_mass * np.log(mass / (1.0 - mass)) + for_gain * np.sqrt(max(gain, 0.0))
    return float(1.0 / (1.0 + np.exp(-odds)))


def _wrapped(beats: np.ndarray | float) -> np.ndarray | float:
    """The nearest equivalent phase in -0.5..0.5."""
    return (beats + 0.5) % 1.0 - 0.5
