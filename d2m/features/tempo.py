"""Phase and exact tempo of a set of events: which evenly spaced beats explain them better than chance.

The tempo is known roughly from :mod:`d2m.features.tempo_model`; only tempos close to it are tried.

The log likelihood ratio of the events against chance (:mod:`d2m.features.event_fit`) is computed for every tempo and
phase. Long clips are divided into overlapping windows, and a Viterbi search joins them. It lets tempo and phase change
slowly, at a cost, because the tempo of a recording is mostly steady. The search over a bar-pointer-like state follows
the idea of Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical audio",
ISMIR 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from d2m.features import phase_weights
from d2m.features.envelope import MotionEvents
from d2m.features.event_fit import PHASES, TRUST, WINDOW, likelihood, log_density
from d2m.features.phase_model import PhaseEvidence, phase_likelihood, steady_phase_likelihood
from d2m.features.tempo_model import PIECE, TempoBelief, TempoSegment

#: How far (log) around the believed tempo a steady and a wandering tempo are searched, and the step of the latter.
STEADY_RANGE, WANDERING_RANGE = 0.02, 0.09
TEMPO_STEP = 0.005
#: Seconds between the windows through which long clips are seen.
HOP = 4.0
#: Wandering per hop: tempo steps and phase cells looked at, and the cost (nats) of one step of each.
TEMPO_REACH, PHASE_REACH = 2, 2
TEMPO_COST, PHASE_COST = 1.0, 0.3
#: Nats per window by which wandering must explain more than one steady tempo, up to a length (s) of clip: beyond, clips
#: are compilations.
WANDER_COST = 2.0
LONGEST_STEADY = 600.0
#: Confidence of the tempo up to which low points alone decide on the phase, and from which the shape of the movement
#: does.
UNSURE = (0.15, 0.4)


@dataclass(frozen=True)
class Pulse:
    """Beats of a clip, by their phase and period at certain times.

    Attributes:
        centres: float64 (W,), times at which phase and period are known, in seconds.
        position: float64 (W,), beat positions at these times, unwrapped (increasing by one per beat).
        periods: float64 (W,), beat periods at these times in seconds.
        confidence: probability that the tempo is right, 0 to 1.
    """

    centres: np.ndarray
    position: np.ndarray
    periods: np.ndarray
    confidence: float = 0.0

    def times(self, start: float, end: float) -> np.ndarray:
        """Return the beat times from the last at or before ``start`` to the first at or after ``end``.

        Args:
            start, end: time range in seconds.

        Returns:
            float64 (N,), seconds, rising.
        """
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


def find_beats(
    events: MotionEvents,
    stretches: Sequence[TempoSegment],
    start: float,
    end: float,
    evidence: PhaseEvidence | None = None,
) -> np.ndarray:
    """Find the most probable beats of a clip.

    Args:
        events: events of the motion.
        stretches: tempos of consecutive stretches of the clip (:func:`d2m.features.tempo_model.believe`).
        start, end: time range of the wanted beats in seconds.
        evidence: what the shape of the movement says about the phase; None for nothing.

    Returns:
        float64 (N,), seconds: all beats from the last at or before ``start`` to the first at or after ``end``.
    """
    pulses = [find_pulse(events, stretch.start, stretch.end, stretch.belief, evidence) for stretch in stretches]
    edges = [_seam(events, *pair) for pair in pairwise(zip(stretches, pulses, strict=True))]
    found = np.zeros(0)
    for pulse, first, last in zip(pulses, [start, *edges], [*edges, end], strict=True):
        beats = pulse.times(first, last)
        if len(found):
            # The last beat of one tempo lies past the seam: it stays if the next one's first is not close to it.
            found = found[found <= first]
            beats = beats[beats > found[-1] + 0.6 * pulse.periods[0]] if len(found) else beats
        found = np.concatenate([found, beats])
    return found


def _seam(events: MotionEvents, before: tuple[TempoSegment, Pulse], after: tuple[TempoSegment, Pulse]) -> float:
    """Return the time (s) up to which the events fit the beats of one stretch better than those of the next."""
    (stretch, one), (following, other) = before, after
    near = (events.times > max(stretch.start, stretch.end - PIECE)) & (
        events.times < min(following.end, following.start + PIECE)
    )
    if not near.any():
        return stretch.end
    part = MotionEvents(events.times[near], events.weights[near])
    gain = np.cumsum(explained_each(part, one) - explained_each(part, other))
    return float(part.times[int(np.argmax(gain))])


def find_pulse(
    events: MotionEvents, start: float, end: float, belief: TempoBelief, evidence: PhaseEvidence | None = None
) -> Pulse:
    """Find the most probable beats near a tempo, steady or wandering.

    Args:
        events: events of the motion.
        start, end: time range of the stretch with this tempo in seconds.
        belief: belief about the tempo; its confidence becomes that of the beats.
        evidence: what the shape of the movement says about the phase; None for nothing.
    """
    inside = (events.times >= start) & (events.times <= end)
    events, duration = MotionEvents(events.times[inside] - start, events.weights[inside]), end - start
    phases = _Phases(events, evidence or PhaseEvidence((), (), 1.0), start, end, belief.confidence)
    centres = _centres(duration)
    wandering = _wandering(phases, centres, belief) if len(centres) > 1 else None
    if wandering is not None and duration > LONGEST_STEADY:
        return replace(wandering, centres=wandering.centres + start)
    pulse = _steady(phases, duration, belief)
    if wandering is not None:
        gain = explained(events, wandering) - explained(events, pulse)
        pulse = wandering if gain > WANDER_COST * len(centres) else pulse
    return replace(pulse, centres=pulse.centres + start)


@dataclass(frozen=True)
class _Phases:
    """Log likelihood of phases in a stretch whose beginning is time 0.

    Where the tempo is probably right, the shape of the movement tells which low points are on the beat. Where it is
    probably wrong, there is no right phase, and beats on low points are at least seen to fit.
    """

    events: MotionEvents
    evidence: PhaseEvidence
    start: float
    end: float
    confidence: float

    @property
    def share(self) -> float:
        """Share of the shape of the movement, 0 to 1."""
        low, high = UNSURE
        return float(np.clip((self.confidence - low) / (high - low), 0.0, 1.0)) if self.evidence.rows else 0.0

    def steady(self, tempos: np.ndarray) -> np.ndarray:
        """Return float64 (tempos, phases) at the middle of the stretch."""
        low_points = likelihood(self.events, tempos, (self.end - self.start) / 2, False)
        if not self.share:
            return low_points
        centres = self.start + _centres(self.end - self.start)
        return self._joined(low_points, steady_phase_likelihood(self.evidence, tempos, centres, self.start, self.end))

    def around(self, tempos: np.ndarray, centre: float, windowed: bool) -> np.ndarray:
        """Return float64 (tempos, phases) at the middle of a window."""
        low_points = likelihood(self.events, tempos, centre, windowed)
        if not self.share:
            return low_points
        window = WINDOW if windowed else None
        shape = phase_likelihood(self.evidence, tempos, self.start + centre, window, self.start, self.end)
        return self._joined(low_points, shape)

    def _joined(self, low_points: np.ndarray, shape: np.ndarray) -> np.ndarray:
        weight = 1.0 - self.share + self.share * phase_weights.EVENTS_WEIGHT
        return weight * low_points + self.share * shape


def _wandering(phases: _Phases, centres: np.ndarray, belief: TempoBelief) -> Pulse:
    """Find the most probable beats with a slowly changing tempo."""
    steps = np.arange(-WANDERING_RANGE, WANDERING_RANGE + TEMPO_STEP / 2, TEMPO_STEP)
    tempos = belief.tempo * np.exp(steps)
    log_prior = belief.log_at(tempos) - np.log(PHASES)
    seen = np.stack([phases.around(tempos, c, len(centres) > 1).astype(np.float32) for c in centres])
    tempo_path, phase_path = _best_path(seen, log_prior, tempos, np.diff(centres))
    periods = 60.0 / tempos[tempo_path]
    position = np.empty(len(centres))
    position[0] = phase_path[0] / PHASES
    for w in range(1, len(centres)):
        mean = 0.5 * (1 / periods[w - 1] + 1 / periods[w])
        expected = position[w - 1] + (centres[w] - centres[w - 1]) * mean
        position[w] = expected + _wrapped(phase_path[w] / PHASES - expected)
    return Pulse(centres, position, periods, belief.confidence)


def explained(events: MotionEvents, pulse: Pulse) -> float:
    """Compute the log likelihood ratio of all events, given beats, against chance.

    Args:
        events: events of the motion.
        pulse: beats on the clock of the events.

    Returns:
        Nats.
    """
    return float(explained_each(events, pulse).sum())


def explained_each(events: MotionEvents, pulse: Pulse) -> np.ndarray:
    """Compute the log likelihood ratio of each event, given beats, against chance.

    Args:
        events: K events of the motion.
        pulse: beats on the clock of the events.

    Returns:
        float64 (K,), nats.
    """
    position = np.interp(events.times, pulse.centres, pulse.position)
    position += np.minimum(events.times - pulse.centres[0], 0.0) / pulse.periods[0]
    position += np.maximum(events.times - pulse.centres[-1], 0.0) / pulse.periods[-1]
    period = np.interp(events.times, pulse.centres, pulse.periods)
    # The density changes little with the period: the two ends of its range tell all.
    value = np.zeros(len(events.times))
    if not len(value):
        return value
    bounds = np.quantile(period, [0.0, 1.0])
    share = (period - bounds[0]) / max(bounds[1] - bounds[0], 1e-9)
    for bound, part in zip(bounds, (1.0 - share, share), strict=True):
        density = np.append(log_density(float(bound)), log_density(float(bound))[0])
        value += events.weights * part * np.interp(position % 1.0 * PHASES, np.arange(PHASES + 1), density)
    return TRUST * value


def _steady(phases: _Phases, duration: float, belief: TempoBelief) -> Pulse:
    """Find the most probable beats with one tempo."""
    step = 0.04 * 60.0 / (belief.tempo * max(duration, 1.0))
    tempos = belief.tempo * np.exp(np.arange(-STEADY_RANGE, STEADY_RANGE + step, step))
    # In pieces, for a long clip has many events and needs many tempos.
    piece = max(int(1e6 // max(len(phases.events.times), 1)), 1)
    found = []
    for start in range(0, len(tempos), piece):
        some = tempos[start : start + piece]
        seen = phases.steady(some) + belief.log_at(some)[:, None]
        tempo_index, phase_index = np.unravel_index(int(np.argmax(seen)), seen.shape)
        found.append((float(seen[tempo_index, phase_index]), start + int(tempo_index), int(phase_index)))
    _, best, phase = max(found)
    period = 60.0 / tempos[best]
    ends = np.array([0.0, duration])
    position = phase / PHASES + (ends - duration / 2) / period
    return Pulse(ends, position, np.full(2, period), belief.confidence)


def _centres(duration: float) -> np.ndarray:
    if duration <= 1.5 * WINDOW:
        return np.array([duration / 2])
    count = int(np.ceil(duration / HOP)) + 1
    return np.linspace(0.0, duration, count)


def _best_path(
    seen: np.ndarray, log_prior: np.ndarray, tempos: np.ndarray, hops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the best path through (tempo, phase) by the Viterbi algorithm.

    ``seen`` (W, N, M) are log likelihoods per window; the result are the indices of tempo and phase, (W,) each.
    """
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
    """Compute the best score of each state one hop later, and the flat index of the state that it comes from."""
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


def _wrapped(beats: np.ndarray | float) -> np.ndarray | float:
    """Wrap phases (beats) to -0.5 to 0.5."""
    return (beats + 0.5) % 1.0 - 0.5
