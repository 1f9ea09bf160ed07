"""Watcher: landmarks and beats of the dancer, in this process or in one of its own.

The pose model, the tracker and the mixer all need Python's lock for a part of their time. In real time the watcher
therefore has a process of its own, so that neither pictures nor sound wait for the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from d2m.features.causal import CausalTracker, Seen
from d2m.features.genre import choose_genre
from d2m.features.pose import FRAME_HEIGHT
from d2m.live.dancer import DancerFinder, small
from d2m.live.process import Answer, AskedProcess
from d2m.types import BeatGrid


@dataclass(frozen=True)
class Look:
    """Result for one picture.

    Attributes:
        seen: what is known of the dance.
        tracking: seconds that the tracker took after the landmarks were known.
    """

    seen: Seen
    tracking: float


class Watching(Protocol):
    """A watcher."""

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture.

        Args:
            time: seconds of the session at which it was taken.
            rgb: uint8 (height, width, 3).
        """
        ...

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre of the dance so far.

        Args:
            tempo: beats per minute.
            energy: float (N,), energy of each picture.

        Returns:
            AIST code.
        """
        ...

    def close(self) -> None:
        """Release the pose model."""
        ...


class Watcher:
    """Watcher in this process.

    Args:
        pose: name of the pose model.
        tempo: tempo of the beats if it is known, in beats per minute.

    Raises:
        D2MError: if there is no pose model of that name.
    """

    def __init__(self, pose: str, tempo: float | None) -> None:
        self._finder, self._tracker = DancerFinder(pose), CausalTracker(tempo)
        # What is loaded by its first use takes a second or two.
        import scipy.signal  # noqa: F401

        self._finder.find(np.full((FRAME_HEIGHT, FRAME_HEIGHT, 3), 128, np.uint8), -np.inf)

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture; see :meth:`Watching.see`.

        Args:
            time: seconds of the session.
            rgb: uint8 (height, width, 3).
        """
        person = self._finder.find(rgb, time)
        found = perf_counter()
        if person is None:
            seen = self._tracker.add(time, None, None, None)
        else:
            world = person.world if self._finder.metres else None
            seen = self._tracker.add(time, person.joints, world, person.confidence)
        return Look(seen, perf_counter() - found)

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre; see :meth:`Watching.genre`.

        Args:
            tempo: beats per minute.
            energy: float (N,).
        """
        motion, _ = self._tracker.motion()
        return choose_genre(BeatGrid.steady(tempo, max(motion.duration, 1.0)), energy, motion)

    def close(self) -> None:
        """Release the pose model."""
        self._finder.close()


class WatcherProcess:
    """Watcher in a process of its own; it takes a second or two to start.

    Args:
        pose: name of the pose model.
        tempo: tempo of the beats if it is known, in beats per minute.

    Raises:
        D2MError: if there is no pose model of that name, or the process does not start.
    """

    def __init__(self, pose: str, tempo: float | None) -> None:
        lost = "the process that watches the dancer has ended; start again"
        self.process = AskedProcess(lost, _watching, pose, tempo)

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture; see :meth:`Watching.see`.

        Args:
            time: seconds of the session.
            rgb: uint8 (height, width, 3).
        """
        return self.process.ask("see", time, array=small(rgb))

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre; see :meth:`Watching.genre`.

        Args:
            tempo: beats per minute.
            energy: float (N,).
        """
        return self.process.ask("genre", tempo, array=np.asarray(energy, np.float32))

    def close(self) -> None:
        """End the process."""
        self.process.close()


@contextlib.contextmanager
def _watching(pose: str, tempo: float | None) -> Iterator[Answer]:
    """Watch for a :class:`WatcherProcess`."""
    with contextlib.closing(Watcher(pose, tempo)) as watcher:
        yield lambda kind, *given: getattr(watcher, kind)(*given)
