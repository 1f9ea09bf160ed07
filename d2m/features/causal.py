"""Causal beat tracking: the beats of a dance while it is danced, from the frames up to now.

The features and the tempo model are those of the finder that sees the whole clip (:mod:`d2m.features.rhythm`), over a
window that ends now; :mod:`d2m.features.beat_filter` carries the beat on from one window to the next.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from d2m.features.beat_clock import BeatClock
from d2m.features.beat_filter import BeatFilter, BeatState
from d2m.features.envelope import MotionEvents, Speeds, body_speeds, motion_events
from d2m.features.landmarks import fill_and_smooth
from d2m.features.rhythm import POSE_LAG, RESTING
from d2m.features.tempo_curves import curves_of
from d2m.features.tempo_model import PIECE, SAME, TEMPOS, calibrated, figures, weigh
from d2m.types import BeatGrid, Motion

#: Frames per second on which the landmarks are analysed, whatever the rate of the camera.
RATE = 30.0
#: Seconds between two searches for low points, and the last seconds that are searched.
HOP, WINDOW = 0.13, 5.0
#: Seconds between two looks at the spectra of the movement.
TEMPO_HOP = 1.0
#: Seconds after which a low point of the movement is certain: its smoothing needs frames after it.
SETTLE = 0.2
#: Seconds of movement before which nothing is known.
SHORTEST = 2.0
#: Seconds of dance before the music begins, and seconds between the last frame that can move a beat and its sound.
START, AHEAD = 4.0, 0.15
#: Seconds over which the present energy is averaged, and time constant (s) of the busiest moments it is compared to.
ENERGY_SECONDS, BUSIEST_SECONDS = 0.5, 20.0


@dataclass(frozen=True)
class Seen:
    """What is known of a dance at one moment.

    Attributes:
        beat: tempo and phase, or None before anything is known.
        confidence: probability that the tempo is correct, 0 to 1.
        energy: how much the dancer moves, 0 (still) to 1 (as in the busiest moments so far).
        visible: whether somebody is visible.
    """

    beat: BeatState | None = None
    confidence: float = 0.0
    energy: float = 0.0
    visible: bool = False


@dataclass(frozen=True)
class _Frame:
    time: float
    joints: np.ndarray
    world: np.ndarray | None
    confidence: np.ndarray


class CausalTracker:
    """Tracker of the beats of one dancer, frame by frame.

    Args:
        tempo: tempo that is known, in beats per minute; None to estimate it.
        smooth: whether the landmarks come from a pose model as they are, with jitter and gaps.
    """

    def __init__(self, tempo: float | None = None, smooth: bool = True) -> None:
        self._filter = BeatFilter(tempo)
        self._smooth = smooth
        self._frames: deque[_Frame] = deque()
        self._analysed = self._told = self._settled = -np.inf
        self._moving = self._busiest = 0.0
        self._belief = np.full(len(TEMPOS), -np.log(len(TEMPOS)))
        self._seen = Seen()

    def add(
        self, time: float, joints: np.ndarray | None, world: np.ndarray | None, confidence: np.ndarray | None
    ) -> Seen:
        """Add a frame.

        Args:
            time: seconds, rising.
            joints: float (33, 3), picture heights, as in :class:`d2m.types.Motion`; None if nobody is visible.
            world: float (33, 3), metres; or None.
            confidence: float (33,), 0 to 1; None if nobody is visible.

        Returns:
            What is known now.
        """
        visible = joints is not None and confidence is not None
        if joints is None or confidence is None:
            nowhere = np.full((33, 3), np.nan)
            joints, world, confidence = nowhere, nowhere, np.zeros(33)
        self._frames.append(_Frame(time, joints, world, confidence))
        while time - self._frames[0].time > PIECE:
            self._frames.popleft()
        if time - self._analysed >= HOP - 1e-6:
            self._analyse(time)
        self._seen = Seen(self._seen.beat, self._seen.confidence, self._seen.energy, visible)
        return self._seen

    def motion(self, seconds: float = PIECE) -> tuple[Motion, np.ndarray | None]:
        """Return the landmarks of the last seconds at even times, and the same in metres.

        Args:
            seconds: length, at most :data:`~d2m.features.tempo_model.PIECE`.
        """
        last = self._frames[-1].time
        frames = [frame for frame in self._frames if last - frame.time <= seconds + 1e-6]
        times = np.array([frame.time for frame in frames])
        count = max(int(np.floor((times[-1] - times[0]) * RATE + 1e-6)) + 1, 2)
        wanted = times[-1] - np.arange(count - 1, -1, -1) / RATE
        right = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1) if len(times) > 1 else np.zeros(count, int)
        left = np.maximum(right - 1, 0)
        share = np.clip((wanted - times[left]) / np.maximum(times[right] - times[left], 1e-6), 0.0, 1.0)

        def at(rows: np.ndarray) -> np.ndarray:
            part = share.reshape(-1, *(1,) * (rows.ndim - 1))
            # An unseen neighbour must not make a seen frame unseen.
            mixed = (1.0 - part) * rows[left] + part * rows[right]
            return np.where(np.isfinite(mixed), mixed, np.where(part < 0.5, rows[left], rows[right]))

        joints = at(np.stack([frame.joints for frame in frames]))
        confidence = at(np.stack([frame.confidence for frame in frames])).astype(np.float32)
        spaces = [frame.world for frame in frames if frame.world is not None]
        world = at(np.stack(spaces)) if len(spaces) == len(frames) else None
        if self._smooth:
            raw = confidence
            joints, confidence = fill_and_smooth(joints, raw, RATE)
            world = None if world is None else fill_and_smooth(world, raw, RATE)[0]
        return Motion(joints.astype(np.float32), RATE, "mediapipe33", confidence), world

    def _analyse(self, now: float) -> None:
        self._analysed = now
        known = [frame for frame in self._frames if frame.confidence.any()]
        self._filter.advance(now)
        if not known or known[-1].time - known[0].time < SHORTEST:
            return
        motion, world = self.motion(WINDOW)
        speeds = body_speeds(motion, world)
        self._observe(motion_events(speeds), now - (len(motion.joints) - 1) / RATE, now)
        if now - self._told >= TEMPO_HOP - 1e-6:
            self._believe(now)
        self._seen = self._conclude(speeds)

    def _believe(self, now: float) -> None:
        """Give the filter the belief of the tempo model."""
        from d2m.features.tempo_weights import WEIGHTS

        motion, world = self.motion()
        curves = curves_of(motion, world)
        found = figures(curves, motion_events(body_speeds(motion, world)))
        self._moving = curves.moving
        self._belief = weigh(found, np.array(WEIGHTS))
        self._filter.believe(self._belief, min(now - self._told, motion.duration))
        self._told = now

    def _observe(self, events: MotionEvents, begin: float, now: float) -> None:
        """Give the filter the events that have become certain since the last analysis."""
        times = events.times + begin
        new = (times > self._settled) & (times <= now - SETTLE)
        self._settled = now - SETTLE
        self._filter.observe(MotionEvents(times[new], events.weights[new]))

    def _conclude(self, speeds: Speeds) -> Seen:
        from d2m.features.tempo_weights import CALIBRATION

        state = self._filter.state()
        late = BeatState(state.time - POSE_LAG, state.phase, state.tempo, state.mass)
        present = float(speeds.whole[-int(ENERGY_SECONDS * RATE) :].mean())
        usual = max(float(np.percentile(speeds.whole, 95)), RESTING)
        self._busiest = max(usual, self._busiest * float(np.exp(-HOP / BUSIEST_SECONDS)))
        energy = float(np.clip(present / self._busiest, 0.0, 1.0))
        # The filter sees the same seconds again and again and is too sure: the tempo model judges its tempo.
        near = np.abs(np.log(TEMPOS / state.tempo)) < SAME
        mass = float(min(np.exp(self._belief[near]).sum(), 1.0))
        return Seen(late, self._moving * calibrated(mass, CALIBRATION), energy, True)


def causal_grid(motion: Motion, world: np.ndarray | None, duration: float, start: float = START) -> BeatGrid:
    """Track the beats of landmarks that are known already, as they would be heard live.

    Every beat is fixed :data:`AHEAD` seconds before it is heard, from the frames up to then.

    Args:
        motion: landmarks in the picture, without gaps.
        world: the same in metres, or None.
        duration: seconds up to which beats are wanted.
        start: seconds after which the music begins.

    Returns:
        The beats from ``start`` on; the bars are counted from the first.
    """
    tracker, clock, confidence = CausalTracker(smooth=False), None, 0.0
    for index, joints in enumerate(motion.joints):
        time = index / motion.fps
        seen = tracker.add(time, joints, None if world is None else world[index], motion.confidence[index])
        if seen.beat is None:
            continue
        confidence = seen.confidence
        if clock is not None:
            clock.steer(time + AHEAD, seen.beat)
        elif time >= start - AHEAD:
            clock = BeatClock(time + AHEAD, seen.beat)
    beats = np.zeros(0) if clock is None else clock.beats(duration)
    if len(beats) < 2:
        # Nothing is heard: the landmarks end before the music begins.
        return replace(BeatGrid.steady(120.0, duration), source="dance")
    tempo = float(60.0 / np.median(np.diff(beats)))
    return BeatGrid(beats, np.arange(0, len(beats), 4), tempo, confidence, source="dance")
