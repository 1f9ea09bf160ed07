"""Causal beat tracking: the beats of a dance while it is danced, from the frames up to now.

The features and the tempo model are those of the finder that sees the whole clip (:mod:`d2m.features.rhythm`), over a
window that ends now; :mod:`d2m.features.beat_filter` carries the beat on from one window to the next.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from d2m.features.beat_filter import BeatFilter, BeatState
from d2m.features.envelope import MotionEvents, Speeds, body_speeds, motion_events
from d2m.features.landmarks import fill_and_smooth
from d2m.features.rhythm import POSE_LAG, RESTING
from d2m.features.tempo_curves import curves_of
from d2m.features.tempo_model import PIECE, calibrated, figures, weigh
from d2m.types import Motion

#: Frames per second on which the landmarks are analysed, whatever the rate of the camera.
RATE = 30.0
#: Seconds between two analyses, and between two looks at the spectra of the movement.
HOP, TEMPO_HOP = 0.13, 0.5
#: Seconds after which a low point of the movement is certain: its smoothing needs frames after it.
SETTLE = 0.2
#: Seconds of movement before which nothing is known.
SHORTEST = 2.0
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

    def motion(self) -> tuple[Motion, np.ndarray | None]:
        """Return the landmarks of the last seconds at even times, and the same in metres."""
        times = np.array([frame.time for frame in self._frames])
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

        joints = at(np.stack([frame.joints for frame in self._frames]))
        confidence = at(np.stack([frame.confidence for frame in self._frames])).astype(np.float32)
        spaces = [frame.world for frame in self._frames if frame.world is not None]
        world = at(np.stack(spaces)) if len(spaces) == len(self._frames) else None
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
        motion, world = self.motion()
        begin = now - (len(motion.joints) - 1) / RATE
        speeds = body_speeds(motion, world)
        events = motion_events(speeds)
        self._observe(events, begin, now)
        if now - self._told >= TEMPO_HOP - 1e-6:
            curves = curves_of(motion, world)
            self._moving = curves.moving
            from d2m.features.tempo_weights import WEIGHTS

            passed = now - max(self._told, begin)
            self._filter.believe(weigh(figures(curves, events), np.array(WEIGHTS)), passed)
            self._told = now
        self._seen = self._conclude(speeds)

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
        return Seen(late, self._moving * calibrated(state.mass, CALIBRATION), energy, True)
