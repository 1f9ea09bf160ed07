"""Clock of a music that follows tracked beats: it is steered, never set, and never runs backwards.

Positions are in beats, times in seconds. Up to the time that was committed last, the clock is fixed, since the music
up to there has left for the loudspeaker; from there on it runs at the tracked tempo, a little faster or slower until it
agrees with the tracked phase (a phase-locked loop).
"""

from __future__ import annotations

import numpy as np

from d2m.features.beat_filter import BeatState

#: Seconds in which a difference of phase is made up for, and the greatest change of speed for that.
CATCH, MOST = 0.6, 0.12


class BeatClock:
    """Position in beats as a function of time.

    Args:
        time: seconds at which the clock starts.
        state: beat that it starts with.
    """

    def __init__(self, time: float, state: BeatState) -> None:
        #: Times (s), positions (beats) and speeds (beats per second) of the knots, from each of which the clock runs
        #: evenly to the next.
        self.times = [time]
        self.positions = [state.phase_at(time)]
        self.speeds = [state.tempo / 60.0]

    @property
    def tempo(self) -> float:
        """Speed from the last knot on in beats per minute."""
        return 60.0 * self.speeds[-1]

    def steer(self, time: float, state: BeatState) -> None:
        """Follow a tracked beat from a time on.

        Args:
            time: seconds from which the clock may still be changed; not before the last knot.
            state: the tracked beat.
        """
        time = max(time, self.times[-1])
        here, speed = float(self.position(time)), state.tempo / 60.0
        error = (state.phase_at(time) - here + 0.5) % 1.0 - 0.5
        change = float(np.clip(error / (CATCH * speed), -MOST, MOST))
        self._knot(time, here, speed * (1.0 + change))

    def _knot(self, time: float, position: float, speed: float) -> None:
        if time - self.times[-1] < 1e-9:
            self.speeds[-1] = speed
            return
        self.times.append(time)
        self.positions.append(position)
        self.speeds.append(speed)

    def position(self, time: np.ndarray | float) -> np.ndarray:
        """Convert seconds to beats.

        Args:
            time: seconds, of any shape.

        Returns:
            float64, beats.
        """
        time = np.asarray(time, np.float64)
        times, positions, speeds = (np.array(rows) for rows in (self.times, self.positions, self.speeds))
        knot = np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 1)
        return positions[knot] + (time - times[knot]) * speeds[knot]

    def time(self, position: np.ndarray | float) -> np.ndarray:
        """Convert beats to seconds.

        Args:
            position: beats, of any shape.

        Returns:
            float64, seconds.
        """
        position = np.asarray(position, np.float64)
        times, positions, speeds = (np.array(rows) for rows in (self.times, self.positions, self.speeds))
        knot = np.clip(np.searchsorted(positions, position, side="right") - 1, 0, len(times) - 1)
        return times[knot] + (position - positions[knot]) / speeds[knot]

    def beats(self, end: float) -> np.ndarray:
        """Return the times of all beats up to a time.

        Args:
            end: seconds.

        Returns:
            float64 (N,), seconds, rising.
        """
        first, last = np.ceil(self.positions[0] - 1e-9), np.floor(float(self.position(end)) + 1e-9)
        return self.time(np.arange(first, last + 1))

    def forget(self, time: float) -> None:
        """Forget the knots before a time.

        Args:
            time: seconds.
        """
        keep = max(int(np.searchsorted(self.times, time, side="right")) - 1, 0)
        del self.times[:keep], self.positions[:keep], self.speeds[:keep]
